// The lines of a log as the server has them: those that are looked at are fetched and kept for a while.
import { listen } from "./live.js";

const AT_ONCE = 400;
const BEFORE = 150;
const KEPT = 20000;
const NEAR = 5000;
const RETRY_MS = 2000;

export class Lines {
  constructor(api) {
    this.api = api;
    this.total = 0;
    this.complete = false;
    this.known = false;
    this.attempt = 0;
    this.elidedBytes = 0;
    this.elidedLine = Infinity;
    this.kept = new Map();
    // The last line of a log that grows may be half a line.
    this.stale = new Set();
    this.wanted = null;
    this.busy = false;
    // Counts what was forgotten: answers to older questions are of no use.
    this.age = 0;
    this.onchange = this.onlines = this.onfault = () => {};
  }

  // The page's stream says how many there are.
  start() {
    listen("grown", (growth) => this.grown(growth));
  }

  grown({ attempt, total, complete, elided_line = Infinity, elided_bytes = 0 }) {
    if (attempt !== this.attempt) this.forget(1);
    else if (elided_bytes !== this.elidedBytes) this.forget(Math.min(elided_line, this.elidedLine));
    else if (total < this.total) this.forget(total);
    // What was the last line may have become longer.
    if (this.kept.has(this.total)) this.stale.add(this.total);
    Object.assign(this, { attempt, total, complete, known: true, elidedLine: elided_line, elidedBytes: elided_bytes });
    this.onchange();
    this.fetch();
  }

  forget(from) {
    for (const line of this.kept.keys()) if (line >= from) this.kept.delete(line);
    this.age += 1;
  }

  get(line) {
    return this.kept.get(line);
  }

  // Says which lines are seen; those that are not here are fetched, the last wish first.
  want(first, last) {
    this.wanted = { first, last };
    this.fetch();
  }

  missing() {
    if (!this.wanted) return null;
    const last = Math.min(this.wanted.last, this.total);
    for (let line = Math.max(1, this.wanted.first); line <= last; line += 1) {
      if (this.stale.has(line) || !this.kept.has(line)) return line;
    }
    return null;
  }

  async fetch() {
    if (this.busy) return;
    let from = this.missing();
    if (from === null) return;
    const first = from;
    while (from > 1 && first - from < BEFORE && !this.kept.has(from - 1)) from -= 1;
    const age = this.age;
    this.busy = true;
    try {
      const answer = await fetch(`${this.api}/lines?from=${from}&count=${AT_ONCE}`, { headers: { accept: "application/json" } });
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.message);
      if (age === this.age && body.attempt === this.attempt) this.take(body);
      this.heal();
    } catch (fault) {
      this.faulty = true;
      this.onfault(`The log cannot be read: ${fault.message}`);
      await new Promise((done) => setTimeout(done, RETRY_MS));
    } finally {
      this.busy = false;
    }
    this.onlines();
    this.fetch();
  }

  heal() {
    if (this.faulty) this.onfault("");
    this.faulty = false;
  }

  take(body) {
    for (const line of body.lines) {
      this.kept.set(line.line, line);
      this.stale.delete(line.line);
    }
    // It may have grown since it was counted.
    const newest = body.lines.at(-1)?.line ?? 0;
    if (newest > this.total) {
      this.total = newest;
      this.onchange();
    }
    if (this.kept.size <= KEPT) return;
    const { first, last } = this.wanted;
    for (const line of this.kept.keys()) if (line < first - NEAR || line > last + NEAR) this.kept.delete(line);
  }
}

// Finds words in a log: the server looks, piece by piece, from the first line to the last.

const AT_ONCE = 1000;
const MOST = 20000;

export class Search {
  constructor(api, lines) {
    this.api = api;
    this.lines = lines;
    this.reset("");
    this.onfound = this.ongo = () => {};
  }

  reset(words) {
    this.words = words;
    this.found = [];
    this.here = null;
    // The first line that was not looked at; null: the end was reached.
    this.next = 1;
    this.fault = "";
    this.asked = {};
  }

  // There is more to look at.
  grown() {
    if (this.words && this.next === null && !this.looking) this.next = this.end + 1;
    if (this.words && this.lines.attempt !== this.attempt) this.reset(this.words);
  }

  // Goes to the next place (`way` 1) or the one before (-1), seen from the last one or from line `top`.
  async ask(words, way, top) {
    if (words !== this.words || this.lines.attempt !== this.attempt) {
      this.reset(words);
      this.attempt = this.lines.attempt;
    }
    if (!words) return this.onfound();
    const asked = (this.asked = {});
    if (this.here === null) {
      await this.look(asked, (line) => line >= top);
      if (asked !== this.asked) return;
      this.stand(way > 0 ? this.found.find((line) => line >= top) ?? this.found[0] : this.before(top) ?? this.found.at(-1));
    } else if (way > 0) {
      await this.look(asked, (line) => line > this.here);
      if (asked !== this.asked) return;
      this.stand(this.found.find((line) => line > this.here) ?? this.found[0]);
    } else {
      this.stand(this.before(this.here) ?? this.found.at(-1));
    }
    await this.look(asked, () => false);
  }

  before(line) {
    return this.found.findLast((found) => found < line);
  }

  stand(line) {
    this.here = line ?? null;
    this.onfound();
    if (line !== undefined) this.ongo(line);
  }

  // Looks on until a line is `enough`, or everything was looked at.
  async look(asked, enough) {
    this.looking = true;
    try {
      while (this.next !== null && this.found.length < MOST && !this.found.some(enough)) {
        const query = new URLSearchParams({ q: this.words, from: this.next, limit: AT_ONCE, ignore_case: true });
        const answer = await fetch(`${this.api}/search?${query}`, { headers: { accept: "application/json" } });
        const body = await answer.json();
        if (asked !== this.asked) return;
        if (!answer.ok) throw new Error(body.message);
        const last = this.found.at(-1) ?? 0;
        this.found.push(...body.matches.map((match) => match.line).filter((line) => line > last));
        this.next = body.next ?? null;
        // The last line may grow, and is looked at again.
        this.end = body.complete ? body.total : body.total - 1;
        this.onfound();
      }
    } catch (fault) {
      if (asked !== this.asked) return;
      this.fault = `The search failed: ${fault.message}`;
      this.onfound();
    } finally {
      if (asked === this.asked) this.looking = false;
    }
  }

  // What is to be said about it.
  told() {
    if (this.fault || !this.words) return this.fault;
    const looked = this.next === null ? "" : `, looked at ${this.next - 1} of ${this.lines.total} lines`;
    const count = `${this.found.length}${this.found.length >= MOST ? " or more" : ""}`;
    if (this.found.length === 0) return this.next === null ? "Nothing found" : `Nothing found yet${looked}`;
    const nth = this.found.indexOf(this.here) + 1;
    return `${nth > 0 ? `${nth} of ` : ""}${count} ${this.found.length === 1 ? "line" : "lines"}${looked}`;
  }
}

// A list that shows the few rows of a log that are seen, and scrolls as if it held all of them.
//
// How far it is scrolled, from 0 to 1, names a place in the log, and where in the window that place stands: the beginning
// stands at the top, the end at the bottom. So rows may have any height, and no height but those of the seen is known.
import { row } from "./log_row.js";

const ROW_PX = 18;
// Browsers know no elements that are much higher.
const MOST_PX = 15_000_000;
const BEYOND = 6;

export class List {
  constructor(scroller, lines) {
    this.scroller = scroller;
    this.lines = lines;
    this.spacer = document.createElement("div");
    this.rows = document.createElement("div");
    this.rows.className = "rows";
    scroller.append(this.spacer, this.rows);
    this.shown = new Map();
    this.follows = true;
    this.goal = null;
    this.chosen = null;
    this.words = "";
    this.here = null;
    this.onfollow = this.onchoose = () => {};
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.rows.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.resize()).observe(scroller);
  }

  height() {
    return this.scroller.clientHeight;
  }

  // How far one can scroll.
  range() {
    return Math.max(0, this.scroller.scrollHeight - this.height());
  }

  // The log has more lines, or the window another height.
  resize() {
    const height = Math.min(MOST_PX, this.lines.total * ROW_PX);
    this.spacer.style.height = `${Math.max(height, this.lines.total > 0 ? 1 : 0)}px`;
    if (this.goal !== null && this.lines.known) this.arrive();
    else if (this.follows) this.scroller.scrollTop = this.range();
    this.draw();
  }

  scrolled() {
    const end = this.scroller.scrollTop >= this.range() - 2;
    if (end !== this.follows) {
      this.follows = end;
      this.onfollow();
    }
    this.draw();
  }

  toEnd() {
    this.follows = true;
    this.scroller.scrollTop = this.range();
    this.onfollow();
    this.draw();
  }

  // Brings a line a third below the top.
  goTo(line) {
    this.goal = line;
    this.follows = false;
    if (this.lines.known) this.arrive();
  }

  arrive() {
    const line = Math.min(this.goal, this.lines.total);
    this.goal = null;
    // Where it stands in the window follows from how far the list is scrolled, and the other way round.
    const [total, rows] = [this.lines.total, this.height() / ROW_PX];
    const top = Math.max(0, line - 1 - rows / 3);
    this.scroller.scrollTop = total > rows ? (top / (total - rows)) * this.range() : 0;
    this.scrolled();
  }

  // The place in the log, in lines, that stands `at` pixels below the top.
  place() {
    const range = this.range();
    const part = range > 0 ? Math.min(1, this.scroller.scrollTop / range) : 0;
    return { at: part * this.height(), line: part * this.lines.total };
  }

  // The first line that is seen.
  top() {
    const { at, line } = this.place();
    return Math.max(1, Math.floor(line - at / ROW_PX) + 1);
  }

  draw() {
    const { at, line } = this.place();
    const total = this.lines.total;
    const first = Math.max(1, Math.floor(line - at / ROW_PX) + 1 - BEYOND);
    const last = Math.min(total, Math.ceil(line + (this.height() - at) / ROW_PX) + BEYOND);
    this.lines.want(first, last);
    this.put(first, last);
    const anchor = this.shown.get(Math.min(total, Math.floor(line) + 1))?.node;
    if (!anchor) return;
    const within = Math.min(1, line - (Math.min(total, Math.floor(line) + 1) - 1));
    const short = this.range() === 0;
    const y = short ? 0 : at - (anchor.offsetTop + within * anchor.offsetHeight);
    this.rows.style.transform = `translateY(${this.scroller.scrollTop + y}px)`;
  }

  put(first, last) {
    for (const [line, { node }] of this.shown) {
      if (line >= first && line <= last) continue;
      node.remove();
      this.shown.delete(line);
    }
    let before = null;
    for (let line = first; line <= last; line += 1) {
      const known = this.shown.get(line);
      const look = this.look(line);
      let node = known?.node;
      if (!known || known.look !== look || known.of !== this.lines.get(line)) {
        const fresh = row(line, this.lines.get(line), look);
        if (node) node.replaceWith(fresh);
        else if (before) before.after(fresh);
        else this.rows.prepend(fresh);
        node = fresh;
        this.shown.set(line, { node, look, of: this.lines.get(line) });
      }
      before = node;
    }
  }

  // What of a row may change while its line stays.
  look(line) {
    const chosen = this.chosen && line >= this.chosen.from && line <= this.chosen.to;
    return `${chosen ? "c" : ""}${this.here === line ? "h" : ""}:${this.words}`;
  }

  clicked(event) {
    const link = event.target.closest("a.n");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.onchoose(Number(link.hash.slice(2)), event.shiftKey);
  }
}

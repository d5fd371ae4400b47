// The rows of a log that are in the page, by their lines; those that stay are not made anew.
import { row } from "./log_row.js";

export class Rows {
  constructor(lines) {
    this.lines = lines;
    this.place = document.createElement("div");
    this.place.className = "rows";
    this.shown = new Map();
    this.chosen = null;
    this.words = "";
    // The line in which the search stands.
    this.here = null;
  }

  at(line) {
    return this.shown.get(line)?.node;
  }

  // The first line whose row is such a one.
  find(fits) {
    for (let line = Math.min(...this.shown.keys()); this.shown.has(line); line += 1) {
      if (fits(this.at(line))) return line;
    }
    return null;
  }

  put(first, last) {
    for (const [line, { node }] of this.shown) {
      if (line >= first && line <= last) continue;
      node.remove();
      this.shown.delete(line);
    }
    let before = null;
    for (let line = first; line <= last; line += 1) before = this.one(line, before);
  }

  // The row of a line, behind the one before it.
  one(line, before) {
    const known = this.shown.get(line);
    const [look, of] = [this.look(line), this.lines.get(line)];
    if (known && known.look === look && known.of === of) return known.node;
    const node = row(line, of, look);
    if (known) known.node.replaceWith(node);
    else if (before) before.after(node);
    else this.place.prepend(node);
    this.shown.set(line, { node, look, of });
    return node;
  }

  // What of a row may change while its line stays.
  look(line) {
    const chosen = this.chosen && line >= this.chosen.from && line <= this.chosen.to;
    return `${chosen ? "c" : ""}${this.here === line ? "h" : ""}:${this.words}`;
  }
}

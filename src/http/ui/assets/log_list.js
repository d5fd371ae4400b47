// A list that shows the few rows of a log that are seen, and scrolls as if it held all of them.
//
// How far it is scrolled, from 0 to 1, names a place in the log, and where in the window that place stands: the beginning
// stands at the top, the end at the bottom. So rows may have any height, and no height but those of the seen is known.
// What is seen is then held by its first row: lines that come, or turn out to be higher, move nothing that is read.
import { Rows } from "./log_rows.js";
import { followFinger } from "./log_touch.js";

const ROW_PX = 18;
// Browsers know no elements that are much higher.
const MOST_PX = 15_000_000;
const BEYOND = 6;
const SHORT = 20;
const KEYS = { ArrowDown: 3, ArrowUp: -3, PageDown: "window", PageUp: "-window", " ": "window" };

export class List {
  constructor(scroller, lines) {
    this.scroller = scroller;
    this.lines = lines;
    this.spacer = document.createElement("div");
    this.rows = new Rows(lines);
    this.spacer.className = "spacer";
    this.spacer.append(this.rows.place);
    scroller.append(this.spacer);
    // How far the rows are moved, seen from the window's top.
    this.shift = 0;
    this.follows = true;
    // The row that keeps its place: its line, and where its top stands in the window.
    this.held = null;
    // How far this list has scrolled itself; anything else was the reader.
    this.own = null;
    // The first row that is seen.
    this.seen = { line: 1, y: 0 };
    this.goal = null;
    this.onfollow = this.onchoose = () => {};
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    scroller.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    scroller.addEventListener("keydown", (event) => this.pressed(event));
    followFinger(scroller, () => this.isScaled(), (px) => this.move(px));
    this.rows.place.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.resize()).observe(scroller);
  }

  height() {
    return this.scroller.clientHeight;
  }

  // How far one can scroll.
  range() {
    return Math.max(0, this.scroller.scrollHeight - this.height());
  }

  // Whether a pixel of scrolling is another length in the log.
  isScaled() {
    return this.lines.total * ROW_PX > MOST_PX || this.scroller.classList.contains("wrapped");
  }

  // The log has more lines, or the window another height.
  resize() {
    const height = this.lines.total * ROW_PX;
    this.scroller.style.setProperty("--digits", String(this.lines.total).length);
    this.spacer.style.height = `${Math.min(MOST_PX, height)}px`;
    // A short log that is complete needs no large window.
    const short = this.lines.complete && this.lines.total <= SHORT && !this.scroller.classList.contains("wrapped");
    this.scroller.style.height = short ? `${height + 2 * ROW_PX}px` : "";
    if (this.goal !== null && this.lines.known) this.arrive();
    else if (this.follows) this.toEnd();
    else this.draw();
  }

  scrolled() {
    const top = this.scroller.scrollTop;
    if (this.own !== null && Math.abs(top - this.own) < 1.5) return;
    this.own = null;
    this.held = null;
    this.setFollows(top >= this.range() - 2);
    this.draw();
  }

  setFollows(follows) {
    if (follows === this.follows) return;
    this.follows = follows;
    this.onfollow();
  }

  toEnd() {
    this.setFollows(true);
    this.held = null;
    this.scrollTo(this.range());
    this.draw();
  }

  scrollTo(top) {
    this.scroller.scrollTop = top;
    this.own = this.scroller.scrollTop;
  }

  // Brings a line a third below the top.
  goTo(line) {
    this.goal = line;
    this.setFollows(false);
    if (this.lines.known) this.arrive();
  }

  arrive() {
    const line = Math.max(1, Math.min(this.goal, this.lines.total));
    this.goal = null;
    this.hold(line, Math.floor(this.height() / 3));
  }

  // Shows a line with its top there, as far as the log's ends allow, and the bar as it belongs to that.
  hold(line, y) {
    const followed = this.follows;
    // Drawn as held, whatever comes of it.
    [this.held, this.follows] = [{ line, y }, false];
    this.draw();
    this.follows = followed;
    const { line: first, y: top } = this.held;
    const height = this.rows.at(first)?.offsetHeight || ROW_PX;
    const most = Math.max(1, this.lines.total - this.height() / ROW_PX);
    const part = Math.min(1, (first - 1 - top / height) / most);
    const range = this.range();
    this.scrollTo(this.atEnd() ? range : Math.min(part * range, Math.max(0, range - 3)));
    this.setFollows(this.atEnd() && this.scroller.scrollTop > 0);
    this.draw();
  }

  atEnd() {
    const last = this.rows.at(this.lines.total);
    return Boolean(last) && this.bottomOf(last) <= this.height() + 1;
  }

  topOf(node) {
    return node.offsetTop + this.shift;
  }

  bottomOf(node) {
    return this.topOf(node) + node.offsetHeight;
  }

  // Moves by pixels of what is read.
  move(px) {
    this.hold(this.seen.line, this.seen.y - px);
  }

  wheeled(event) {
    if (!this.isScaled() || event.ctrlKey || event.shiftKey || event.deltaY === 0) return;
    event.preventDefault();
    this.move(event.deltaY * [1, ROW_PX, this.height()][event.deltaMode]);
  }

  pressed(event) {
    const step = KEYS[event.key];
    if (!step || !this.isScaled() || event.ctrlKey || event.metaKey || event.altKey || event.target !== this.scroller) return;
    event.preventDefault();
    const window = this.height() - 2 * ROW_PX;
    this.move(step === "window" ? (event.shiftKey ? -window : window) : step === "-window" ? -window : step * ROW_PX);
  }

  // The row that has to stand somewhere, by what is held or by how far the list is scrolled.
  anchor() {
    if (this.held) return { ...this.held, within: 0 };
    const range = this.range();
    const part = range > 0 ? Math.min(1, this.scroller.scrollTop / range) : 0;
    const at = part * this.lines.total;
    const line = Math.min(this.lines.total, Math.floor(at) + 1);
    return { line, y: part * this.height(), within: at - (line - 1) };
  }

  draw() {
    const { line, y, within } = this.anchor();
    const [total, height] = [this.lines.total, this.height()];
    if (total === 0) return this.rows.put(1, 0);
    const first = Math.max(1, line - Math.ceil(Math.max(0, y) / ROW_PX) - BEYOND);
    const last = Math.min(total, line + Math.ceil((height - Math.min(0, y)) / ROW_PX) + BEYOND);
    this.rows.put(first, last);
    const node = this.rows.at(Math.min(line, total));
    if (!node) return;
    this.shift = y - node.offsetTop - within * node.offsetHeight;
    // Nothing stands before the first line, and nothing behind the last.
    const [begin, end] = [this.rows.at(1), this.rows.at(total)];
    if (end) this.shift += Math.max(0, height - this.bottomOf(end));
    if (begin) this.shift -= Math.max(0, this.topOf(begin));
    this.rows.place.style.transform = `translateY(${this.scroller.scrollTop + this.shift}px)`;
    this.keep();
    this.lines.want(first, last);
  }

  // Looks which row is the first that is seen, and holds it.
  keep() {
    const line = this.rows.find((node) => this.bottomOf(node) > 0);
    if (!line) return;
    this.seen = { line, y: this.topOf(this.rows.at(line)) };
    this.held = this.follows ? null : this.seen;
  }

  clicked(event) {
    const link = event.target.closest("a.n");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.onchoose(Number(link.hash.slice(2)), event.shiftKey);
  }
}

// One row of a log. All that a job has written goes into text nodes.

const clock = new Intl.DateTimeFormat(undefined, { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 1 });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const FLAGS = ["bold", "dim", "italic", "underline", "strike", "inverse"];

function made(tag, name, text) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
}

// `line` is what the server told of it, or nothing yet; `look` says what is to be marked (log_rows.js).
export function row(number, line, look) {
  const [marks, words] = [look.slice(0, look.indexOf(":")), look.slice(look.indexOf(":") + 1)];
  const node = made("div", marks.includes("c") ? "row chosen" : "row");
  const link = made("a", "n", number);
  link.href = `#L${number}`;
  link.tabIndex = -1;
  if (!line) {
    node.classList.add("missing");
    node.append(link, made("span", "text", "…"));
    return node;
  }
  const text = made("span", "text");
  text.append(...runs(line.runs, words, marks.includes("h")));
  if (line.cut_bytes) text.append(made("span", "note", ` … ${line.cut_bytes.toLocaleString()} bytes of this line are not shown`));
  if (line.elided_bytes) text.append(made("span", "note", `${line.elided_bytes.toLocaleString()} bytes of output are not kept`));
  node.append(link, time(line), text);
  if (!line.reattached_at) return node;
  const both = made("div");
  const back = whole.format(new Date(line.reattached_at));
  both.append(made("div", "note", `Reconnected ${back}, nothing was lost`), node);
  return both;
}

function time(line) {
  const at = made("time", "at", line.at ? clock.format(new Date(line.at)) : "");
  if (line.at) {
    at.dateTime = line.at;
    at.title = whole.format(new Date(line.at));
  }
  return at;
}

function classes(style = {}) {
  const names = FLAGS.filter((flag) => style[flag]);
  if (style.fg !== undefined) names.push(`f${style.fg}`);
  if (style.bg !== undefined) names.push(`b${style.bg}`);
  return names.join(" ");
}

// The runs, split where words that are looked for begin and end.
function runs(told, words, here) {
  const found = places(told.map((run) => run.text).join(""), words);
  const nodes = [];
  let at = 0;
  for (const { text, style } of told) {
    const end = at + text.length;
    const name = classes(style);
    const put = (from, to, isFound) => {
      if (from >= to) return;
      const piece = text.slice(from - at, to - at);
      if (!name && !isFound) return nodes.push(document.createTextNode(piece));
      const node = made("span", name, isFound ? undefined : piece);
      if (isFound) node.append(made("mark", here ? "here" : "", piece));
      nodes.push(node);
    };
    let from = at;
    for (const [begin, stop] of found) {
      if (stop <= at || begin >= end) continue;
      put(from, Math.max(from, begin), false);
      put(Math.max(from, begin), Math.min(end, stop), true);
      from = Math.min(end, stop);
    }
    put(from, end, false);
    at = end;
  }
  return nodes;
}

function places(text, words) {
  const folded = text.toLowerCase();
  const wanted = words.toLowerCase();
  // Letters whose small form is longer would put the marks elsewhere.
  if (!wanted || folded.length !== text.length) return [];
  const found = [];
  for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + wanted.length)) {
    found.push([at, at + wanted.length]);
  }
  return found;
}

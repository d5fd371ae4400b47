// What stands above the log: counts, search, a line to go to, and how it is shown.

function made(tag, keys = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(keys)) {
    if (key === "text") node.textContent = value;
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

// Puts it in place of what the server has written, and answers its parts.
export function bar(place, download) {
  const count = made("span", { class: "count" });
  const words = made("input", { type: "search", "aria-label": "Search the log", placeholder: "Search the log", maxlength: "200", spellcheck: "false" });
  const find = made(
    "form",
    { role: "search" },
    words,
    made("button", { value: "on", text: "Next", title: "Enter; n in the log" }),
    made("button", { value: "back", text: "Previous", title: "Shift and Enter; N in the log" }),
  );
  const number = made("input", { class: "line-number", inputmode: "numeric", "aria-label": "Go to line", placeholder: "Line, or 120-140", autocomplete: "off" });
  const go = made("form", {}, number, made("button", { text: "Go", title: "g in the log" }));
  const said = made("span", { class: "told-of", role: "status", "aria-live": "polite" });
  const times = made("button", { type: "button", "aria-pressed": "false", text: "Times", title: "t in the log" });
  const wrap = made("button", { type: "button", "aria-pressed": "false", text: "Wrap", title: "w in the log" });
  const follow = made("button", { type: "button", "aria-pressed": "true", text: "Follow", title: "f in the log" });
  const name = `${download.split("/").at(-2)}.log`;
  const raw = made("a", { href: download, download: name, text: "Download" });
  const nothing = made("p", { class: "muted", hidden: true });
  const scroller = made("div", { class: "lines all", role: "log", "aria-live": "off", "aria-label": "Lines of the log", tabindex: "0" });
  place.replaceChildren(
    made("div", { class: "ways" }, count, find, go, said, made("span", { class: "right" }, times, wrap, follow, raw)),
    nothing,
    scroller,
  );
  return { count, words, find, number, go, said, times, wrap, follow, nothing, scroller };
}

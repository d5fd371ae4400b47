// The log of a job's page: all of its lines in a list, however many, and what one does with them.
import { Lines } from "./log_lines.js";
import { List } from "./log_list.js";
import { Search } from "./log_search.js";
import { bar } from "./log_bar.js";
import { choiceOf, hashOf } from "./log_choice.js";

const place = document.getElementById("log");
if (place) start(place);

function start(place) {
  const api = place.dataset.api;
  const lines = new Lines(api);
  const controls = bar(place, `${api}`);
  const list = new List(controls.scroller, lines);
  const search = new Search(api, lines);
  let choice = choiceOf(location.hash);

  const say = (text) => {
    if (controls.said.textContent !== text) controls.said.textContent = text;
  };
  const choose = (chosen, go) => {
    choice = chosen;
    list.rows.chosen = chosen;
    list.draw();
    if (chosen && go) list.goTo(chosen.from);
  };
  const followed = () => {
    // Nothing comes any more: what is left of it leads to the end.
    if (lines.complete) controls.follow.removeAttribute("aria-pressed");
    else controls.follow.setAttribute("aria-pressed", String(list.follows));
    controls.follow.hidden = lines.complete && list.follows;
    controls.follow.textContent = lines.complete ? "To the end" : "Follow";
  };
  const counted = () => {
    const total = lines.total.toLocaleString();
    controls.count.textContent = lines.total === 1 ? "1 line" : `${total} lines`;
    const nothing = lines.complete ? "It wrote nothing." : "No output yet.";
    controls.nothing.textContent = nothing;
    controls.nothing.hidden = lines.total > 0 || !lines.known;
    controls.scroller.hidden = lines.total === 0;
  };

  lines.onchange = () => {
    counted();
    list.resize();
    followed();
    search.grown();
  };
  lines.onlines = () => list.draw();
  lines.onfault = (sentence) => say(sentence);
  list.onfollow = followed;
  list.onchoose = (line, extend) => {
    const from = extend && choice ? choice.first : line;
    choose({ first: from, from: Math.min(from, line), to: Math.max(from, line) });
    history.replaceState(null, "", hashOf(choice));
    say(`Line ${choice.from === choice.to ? line : `${choice.from} to ${choice.to}`}: the address of this page now leads there.`);
  };
  search.onfound = () => {
    list.rows.words = search.words;
    list.rows.here = search.here;
    list.draw();
    say(search.told());
  };
  search.ongo = (line) => list.goTo(line);

  controls.find.addEventListener("submit", (event) => {
    event.preventDefault();
    const back = event.submitter?.value === "back";
    search.ask(controls.words.value, back ? -1 : 1, list.seen.line);
  });
  controls.words.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.shiftKey) return;
    event.preventDefault();
    search.ask(controls.words.value, -1, list.seen.line);
  });
  controls.words.addEventListener("input", () => {
    if (!controls.words.value) search.ask("", 1, 1);
  });
  controls.go.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = choiceOf(`#L${controls.number.value.replace(/[^0-9-]/g, "")}`);
    if (!chosen) return say("A line is a number, such as 120 or 120-140.");
    choose(chosen, true);
    history.replaceState(null, "", hashOf(chosen));
    controls.scroller.focus();
  });
  controls.follow.addEventListener("click", () => list.toEnd());
  const toggles = { times: "timed", wrap: "wrapped" };
  for (const [name, kind] of Object.entries(toggles)) {
    const set = (on) => {
      controls[name].setAttribute("aria-pressed", String(on));
      controls.scroller.classList.toggle(kind, on);
      list.resize();
    };
    set(remembered(name));
    controls[name].addEventListener("click", () => {
      const on = controls[name].getAttribute("aria-pressed") !== "true";
      remember(name, on);
      set(on);
    });
  }
  // Letters work while the log has the focus, and nowhere else.
  const keys = {
    "/": () => controls.words.focus(),
    n: () => search.ask(controls.words.value, 1, list.seen.line),
    N: () => search.ask(controls.words.value, -1, list.seen.line),
    f: () => list.toEnd(),
    t: () => controls.times.click(),
    w: () => controls.wrap.click(),
    g: () => controls.number.focus(),
  };
  controls.scroller.addEventListener("keydown", (event) => {
    const act = !event.ctrlKey && !event.metaKey && !event.altKey && keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  addEventListener("hashchange", () => choose(choiceOf(location.hash), true));

  list.rows.chosen = choice;
  if (choice) list.goTo(choice.from);
  lines.start();
}

function remembered(name) {
  try {
    return localStorage.getItem(`log.${name}`) === "yes";
  } catch {
    return false;
  }
}

function remember(name, on) {
  try {
    localStorage.setItem(`log.${name}`, on ? "yes" : "no");
  } catch {
    // A browser that keeps nothing still shows it.
  }
}

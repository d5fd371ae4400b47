// Keeps `main` like the server's: the page's own address, asked for events, sends a snapshot and then what has changed.
import { morph } from "./morph.js";
import { writeTimes } from "./times.js";

let stream = null;
let shown = "";
let retry = null;
// What a page's own modules are told of, and the last thing that each was told.
const listeners = new Map();
const last = new Map();

const main = () => document.getElementById("main");
const offline = (is) => {
  document.getElementById("offline").hidden = !is;
};

// Puts the server's markup in place of what `main` shows.
export function show(html, title) {
  const wanted = document.createElement("main");
  wanted.innerHTML = html;
  writeTimes(wanted);
  for (const { name, value } of main().attributes) wanted.setAttribute(name, value);
  morph(main(), wanted);
  if (title) document.title = `${title} · Shuntyard`;
  document.dispatchEvent(new CustomEvent("shown"));
}

const on = {
  snapshot({ version, title, html }) {
    if (version !== document.documentElement.dataset.version) return location.reload();
    shown = html;
    show(shown, title);
  },
  delta({ title, head, put, tail }) {
    shown = shown.slice(0, head) + put + shown.slice(shown.length - tail);
    show(shown, title);
  },
  gone({ message }) {
    close();
    show("");
    const told = document.createElement("p");
    told.className = "empty";
    told.textContent = message;
    main().append(told);
  },
  // The reader may not read this any more, or has to log in again.
  denied() {
    location.reload();
  },
};

// Calls with each event of this name in the page's stream, and at once with the last one that there was.
export function listen(name, handle) {
  listeners.set(name, handle);
  if (last.has(name)) handle(last.get(name));
}

function tell(name, data) {
  last.set(name, data);
  listeners.get(name)?.(data);
}

function open() {
  if (stream || !main().hasAttribute("data-live") || document.hidden) return;
  stream = new EventSource(location.pathname + location.search);
  stream.onopen = () => offline(false);
  stream.onerror = lost;
  for (const [name, handle] of Object.entries(on)) {
    stream.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
  stream.addEventListener("grown", (event) => tell("grown", JSON.parse(event.data)));
}

function close() {
  clearTimeout(retry);
  stream?.close();
  stream = null;
}

// The browser tries again by itself unless the server answered something that is no stream.
function lost() {
  offline(true);
  if (stream?.readyState !== EventSource.CLOSED) return;
  close();
  retry = setTimeout(ask, 2000);
}

// Looks why there is no stream: logged out leads to the login, a server that is not there is tried again.
async function ask() {
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.redirected || !answer.ok) return location.reload();
    open();
  } catch {
    retry = setTimeout(ask, 2000);
  }
}

// The page shows something that is not at its address: nothing may take its place.
export function leave() {
  close();
  main().removeAttribute("data-live");
}

export function stay() {
  main().setAttribute("data-live", "");
  open();
}

// The page has moved to another address.
export function follow() {
  close();
  offline(false);
  open();
}

export function keepLive() {
  open();
  // A browser has six connections for one server: pages that nobody sees give theirs back.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
}

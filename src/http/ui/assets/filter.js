// Filter boxes that work while one types: a form with data-filter is sent as the page's own query.
import { follow, show } from "./live.js";

const PAUSE_MS = 200;
// Ends the question before the last one: its answer may come later.
let asked = new AbortController();

export function filterAsTyped() {
  let pause = null;
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form?.hasAttribute("data-filter")) return;
    clearTimeout(pause);
    pause = setTimeout(() => ask(form), PAUSE_MS);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.hasAttribute("data-filter")) return;
    event.preventDefault();
    clearTimeout(pause);
    ask(event.target);
  });
}

async function ask(form) {
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  const words = [...new FormData(form)].filter(([, value]) => value !== "");
  const query = new URLSearchParams(words).toString();
  const to = location.pathname + (query ? `?${query}` : "");
  const read = fetch(to, { headers: { accept: "text/html" }, signal }).then((answer) => answer.text());
  const text = await read.catch(() => null);
  if (text === null || signal.aborted) return;
  const page = new DOMParser().parseFromString(text, "text/html");
  const fault = page.querySelector(".error .sentence");
  const told = form.querySelector("[role=status]");
  if (fault && told) {
    told.textContent = fault.textContent;
    return;
  }
  history.replaceState(null, "", to);
  show(page.getElementById("main").innerHTML);
  follow();
}

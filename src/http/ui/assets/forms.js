// Sends forms without leaving the page. What the server says against one stands at its end, and what was typed stays.
import { follow, leave, show } from "./live.js";
import { toast } from "./toasts.js";

export function takeForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if ((event.submitter?.formMethod || form.method) !== "post" || form.hasAttribute("data-plain") || event.defaultPrevented) return;
    event.preventDefault();
    send(form, event.submitter);
  });
}

async function send(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  complain(form, "");
  form.setAttribute("aria-busy", "true");
  if (button) button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok) arrive(answer, page, form, button);
    // Carried out; it has led to a page that says what is wrong there.
    else if (answer.redirected) location.assign(answer.url);
    else complain(form, sentence(page) || `The server answered ${answer.status}.`);
  } catch {
    complain(form, "The server cannot be reached. Nothing was sent twice; try again.");
  } finally {
    form.removeAttribute("aria-busy");
    if (button) button.disabled = false;
  }
}

// The form was carried out and led to a page.
function arrive(answer, page, form, button) {
  const to = new URL(answer.url);
  const here = to.pathname + to.search === location.pathname + location.search;
  const plain = to.pathname === "/login" || location.pathname === "/login";
  if (plain || !page.getElementById("main")) return location.assign(answer.url);
  (button ?? form).closest("[popover]")?.hidePopover();
  if (!answer.redirected) {
    // The answer is the page itself, and the only one that holds what it shows.
    leave();
    show(page.getElementById("main").innerHTML, "");
    document.title = page.title;
    return document.getElementById("main").focus();
  }
  if (here) {
    show(page.getElementById("main").innerHTML);
    form.reset();
  } else {
    // Another page has its own modules.
    sessionStorage.setItem("said", page.querySelector(".toast")?.textContent ?? "");
    return location.assign(answer.url);
  }
  for (const said of page.querySelectorAll(".toast")) toast(said.textContent);
  follow();
}

function sentence(page) {
  const parts = page.querySelectorAll(".error .sentence, .error .sentence ~ p:not(:last-child)");
  return [...parts].map((part) => part.textContent).join(" ");
}

function complain(form, text) {
  let place = form.querySelector(":scope > .complaint");
  if (!place) {
    if (!text) return;
    place = document.createElement("p");
    place.className = "complaint";
    place.dataset.added = "";
    place.setAttribute("role", "alert");
    form.append(place);
  }
  place.textContent = text;
  place.hidden = !text;
}

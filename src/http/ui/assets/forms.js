// Sends forms without leaving the page. What the server says against one stands in it, and what was typed stays.
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
  const question = button?.closest("[popover]");
  complain(form, "");
  form.setAttribute("aria-busy", "true");
  if (button) button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const wrong = page.querySelector(".error")?.dataset.path;
    if (answer.ok) arrive(answer, page, form, button);
    // Carried out; it has led to a page that says what is wrong there.
    else if (answer.redirected) location.assign(answer.url);
    else complain(form, sentence(page) || `The server answered ${answer.status}.`, { wrong, question });
  } catch {
    complain(form, "The server cannot be reached. Nothing was sent twice; try again.", { question });
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
  form.closest("details.edit")?.removeAttribute("open");
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
  const said = [...parts].map((part) => part.textContent.trim());
  return said.map((text) => (/[.!?]$/.test(text) ? text : `${text}.`)).join(" ");
}

// The field that the server has named, in a form that has it.
function fieldOf(form, path) {
  const named = path ? form.elements.namedItem(path) : null;
  const field = named instanceof RadioNodeList ? named[0] : named;
  return field?.type === "hidden" ? null : field;
}

// What is said against each form now.
const complaints = new WeakMap();

// Says it at the field that is wrong, which gets the focus, also where it lies in closed details; else at the end of the
// question, or of the form.
function complain(form, text, { wrong, question } = {}) {
  for (const field of form.elements) field.removeAttribute("aria-invalid");
  complaints.get(form)?.remove();
  if (!text) return;
  const told = document.createElement("span");
  complaints.set(form, told);
  told.className = "complaint";
  told.dataset.added = "";
  told.setAttribute("role", "alert");
  told.textContent = text;
  const field = fieldOf(form, wrong);
  const ofMany = field?.type === "checkbox" || field?.type === "radio";
  (field?.closest(ofMany ? "fieldset" : "label") ?? question ?? form).append(told);
  if (!field) return;
  field.setAttribute("aria-invalid", "true");
  field.closest("details")?.setAttribute("open", "");
  field.focus();
}

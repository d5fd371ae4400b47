// Forms whose work takes steps (data-steps names where they are shown): each step as it comes, and what to do next.
import { leave, stay } from "./live.js";

const marks = { running: "state busy", ok: "state good", warn: "state warn", fail: "state bad", skipped: "state off" };

document.addEventListener("submit", (event) => {
  const form = event.target;
  const place = form.dataset.steps && document.querySelector(form.dataset.steps);
  if (!place || event.defaultPrevented) return;
  event.preventDefault();
  run(form, place, event.submitter);
}, true);

async function run(form, place, button) {
  form.closest("[popover]")?.hidePopover();
  const told = new Steps(place, form);
  // The page may be gone before the last step is told.
  if (form.dataset.said) leave();
  form.setAttribute("aria-busy", "true");
  if (button) button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form, button)),
      headers: { accept: "text/event-stream, text/html" },
    });
    if (answer.headers.get("content-type")?.startsWith("text/event-stream")) await read(answer.body, told);
    else told.refused(new DOMParser().parseFromString(await answer.text(), "text/html"), answer.status);
  } catch {
    told.line("fail", "The connection to the server was lost; what was begun goes on there.");
  } finally {
    form.removeAttribute("aria-busy");
    if (button) button.disabled = false;
    told.ended();
    if (form.dataset.said && !told.finished) stay();
  }
}

// Reads an event stream that answers a POST; EventSource only asks with GET.
async function read(body, told) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const events = rest.split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
      if (data.length) told.step(JSON.parse(data.join("\n")));
    }
  }
}

class Steps {
  // What an earlier form still does goes on, and is not shown any more.
  constructor(place, form) {
    this.place = document.createElement("section");
    this.form = form;
    if (form.dataset.what) {
      const heading = this.place.appendChild(document.createElement("h2"));
      heading.textContent = form.dataset.what;
    }
    place.querySelector("section")?.remove();
    place.prepend(this.place);
    if (place.hasAttribute("popover") && !place.matches(":popover-open")) place.showPopover();
    else place.scrollIntoView({ block: "nearest" });
    this.lines = new Map();
    this.finished = false;
  }

  line(verdict, text, key) {
    let line = key && this.lines.get(key);
    if (!line) {
      line = this.place.appendChild(document.createElement("div"));
      if (key) this.lines.set(key, line);
    }
    const mark = document.createElement("span");
    mark.className = marks[verdict];
    mark.textContent = text;
    line.replaceChildren(mark);
    return line;
  }

  step(step) {
    switch (step.kind) {
      case "began": return this.line("running", `${step.step}: ${step.title}`, step.step);
      // What a probe has said of it is more than that it is done.
      case "done": return this.lines.has(`probe ${step.step}`) ? this.drop(step.step) : this.line("ok", `${step.step}: ${step.detail}`, step.step);
      case "probed": return this.probed(step.probe);
      case "host_key_unconfirmed": return this.confirm(step);
      case "failed": return this.failed(step);
      case "finished": return this.end(step);
    }
  }

  drop(key) {
    this.lines.get(key)?.remove();
    this.lines.delete(key);
  }

  probed({ name, verdict, evidence, fix }) {
    this.line(verdict, `${name}: ${evidence}${fix ? ` (${fix})` : ""}`, `probe ${name}`);
  }

  failed({ step, why, try_next, rolled_back, left_behind }) {
    this.line("fail", `${step}: ${why}`, step);
    if (try_next) this.line("fail", `Next: ${try_next}`);
    if (rolled_back.length) this.line("ok", `Taken back: ${rolled_back.join("; ")}`);
    if (left_behind.length) this.line("warn", `Left on the host: ${left_behind.join("; ")}`);
  }

  end({ runner, left_behind }) {
    this.finished = true;
    for (const secret of this.form.querySelectorAll("input[type=password], textarea[name=private_key]")) secret.value = "";
    if (this.form.dataset.said && !left_behind.length) {
      sessionStorage.setItem("said", this.form.dataset.said);
      return location.assign("/runners");
    }
    if (left_behind.length) this.line("warn", `Left on the host: ${left_behind.join("; ")}`);
    const line = this.line("ok", "Done. ");
    const link = document.createElement("a");
    link.href = runner ? `/runners/${encodeURIComponent(runner.hostname)}` : "/runners";
    link.textContent = runner ? runner.hostname : "To the runners";
    line.append(link);
  }

  // The host's key, and a button that sends the form again with it.
  confirm({ fingerprint, key_type }) {
    const line = this.line("warn", `The host shows ${key_type} ${fingerprint}. Compare it on the host itself. `);
    const yes = document.createElement("button");
    yes.type = "button";
    yes.textContent = "It is the same: go on";
    yes.addEventListener("click", () => {
      this.form.elements.namedItem("host_key").value = fingerprint;
      this.form.requestSubmit();
    });
    line.append(yes);
    yes.focus();
  }

  refused(page, status) {
    const said = page.querySelector(".error .sentence")?.textContent;
    this.line("fail", said || `The server answered ${status}.`);
  }

  // What still seems to run when the stream has ended was cut off.
  ended() {
    for (const mark of this.place.querySelectorAll(".state.busy")) mark.className = marks.skipped;
  }
}

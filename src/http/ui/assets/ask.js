// Questions that open below a button (details.ask): Escape and a click elsewhere close them; opened, the first field has
// the focus.
export function closeAsked() {
  const opened = () => document.querySelectorAll("details.ask[open]");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const asked of opened()) {
      asked.removeAttribute("open");
      if (asked.contains(document.activeElement)) asked.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    for (const asked of opened()) if (!asked.contains(event.target)) asked.removeAttribute("open");
  });
  document.addEventListener(
    "toggle",
    (event) => {
      const asked = event.target;
      if (asked.open && asked.matches?.("details.ask")) {
        asked.querySelector("input:not([type=hidden]), select, textarea, button")?.focus();
      }
    },
    true,
  );
}

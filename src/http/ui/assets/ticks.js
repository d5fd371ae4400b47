// A box with data-all ticks all boxes of its part of a table.
export function tickAll() {
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-all]")) return;
    const part = event.target.closest("tbody");
    for (const box of part.querySelectorAll("input[type=checkbox][name]")) box.checked = event.target.checked;
  });
}

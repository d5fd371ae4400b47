// Short sentences about what was done; they leave by themselves, unless the pointer rests on them.
const STAYS_MS = 6000;

const place = () => document.getElementById("toasts");

export function toast(text) {
  const said = document.createElement("p");
  said.className = "toast";
  said.textContent = text;
  place().append(said);
  leave(said);
}

function leave(said) {
  setTimeout(() => (said.matches(":hover") ? leave(said) : said.remove()), STAYS_MS);
}

export function fadeToasts() {
  const kept = sessionStorage.getItem("said");
  sessionStorage.removeItem("said");
  if (kept) toast(kept);
  place().querySelectorAll(".toast").forEach(leave);
}

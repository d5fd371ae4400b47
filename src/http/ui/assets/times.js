// Times in the reader's zone, and those that go on ticking. The server writes UTC; without scripts that is what one reads.
//   <time datetime data-as="at">       the time itself, in words of the reader's zone
//   <time datetime data-as="ago">      how long ago: 3 min ago
//   <time datetime data-as="elapsed">  what has passed since: 1:02:03

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

// Lengths of time as a clock shows them.
export function elapsed(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d > 0) return `${d}d ${two(h)}:${two(m)}`;
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

function ago(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 5) return "just now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

function at(when) {
  return when.toDateString() === new Date().toDateString() ? clock.format(when) : day.format(when);
}

const ways = { at, ago: (when) => ago(Date.now() - when), elapsed: (when) => elapsed(Date.now() - when) };

// Writes every time below `root` as the reader reads it.
export function writeTimes(root) {
  for (const time of root.querySelectorAll("time[data-as]")) {
    const when = new Date(time.dateTime);
    const text = ways[time.dataset.as](when);
    if (time.textContent !== text) time.textContent = text;
    if (!time.title) time.title = day.format(when);
  }
}

export function tickTimes() {
  writeTimes(document);
  setInterval(() => {
    if (!document.hidden) writeTimes(document);
  }, 1000);
}

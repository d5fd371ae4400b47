// Lines that are chosen: #L120, #L120-L140.

// `first` is where the choice began: extending it goes on from there.
export function choiceOf(hash) {
  const found = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(hash);
  if (!found) return null;
  const [first, last] = [Number(found[1]), Number(found[2] ?? found[1])];
  if (first < 1 || last < 1) return null;
  return { first, from: Math.min(first, last), to: Math.max(first, last) };
}

export function hashOf({ from, to }) {
  return from === to ? `#L${from}` : `#L${from}-L${to}`;
}

// Makes one tree of nodes like another and touches only what differs, so that focus, selection, opened details and what
// somebody is typing stay. Elements with an id, or data-key, are found again wherever they have moved; one that is not
// there any more goes, and nothing else takes its place. What a module has added, with data-added, stays.

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "");
const isAdded = (node) => node.nodeType === Node.ELEMENT_NODE && node.dataset.added !== undefined;

// `from` becomes like `to`; both are elements of one kind.
export function morph(from, to) {
  if (from.isEqualNode(to)) return;
  attributes(from, to);
  // What a module has put in place of the server's words is its own.
  if (from.hasAttribute("data-own")) return;
  children(from, to);
}

function attributes(from, to) {
  // Whether details are open is the reader's choice.
  const isTheirs = (name) => name === "open" && from.localName === "details";
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value && !isTheirs(name)) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !isTheirs(name)) from.removeAttribute(name);
  }
}

function children(from, to) {
  const wanted = new Set([...to.children].map(keyOf).filter(Boolean));
  const keyed = new Map();
  for (const child of [...from.children]) {
    const key = keyOf(child);
    if (!key || isAdded(child)) continue;
    if (wanted.has(key)) keyed.set(key, child);
    else child.remove();
  }
  let at = from.firstChild;
  for (const next of [...to.childNodes]) {
    while (at && isAdded(at)) at = at.nextSibling;
    const key = keyOf(next);
    const found = key ? keyed.get(key) : unkeyed(at, next);
    if (found?.nodeName !== next.nodeName) {
      from.insertBefore(document.importNode(next, true), at);
      continue;
    }
    if (found === at) at = at.nextSibling;
    else from.insertBefore(found, at);
    keyed.delete(key);
    alike(found, next);
  }
  while (at) {
    const behind = at.nextSibling;
    if (!isAdded(at)) at.remove();
    at = behind;
  }
}

// The first of those behind that looks like the same one; the very next, when none does and it is of that kind.
function unkeyed(at, next) {
  const fits = (node) => !keyOf(node) && !isAdded(node) && node.nodeName === next.nodeName;
  for (let node = at; node; node = node.nextSibling) {
    if (fits(node) && node.className === next.className) return node;
  }
  return at && fits(at) ? at : null;
}

function alike(found, wanted) {
  if (found.nodeType === Node.ELEMENT_NODE) morph(found, wanted);
  else if (found.nodeValue !== wanted.nodeValue) found.nodeValue = wanted.nodeValue;
}

// Makes one tree of nodes like another and touches only what differs, so that focus, selection, opened details and what
// somebody is typing stay. Elements with an id, or data-key, are found again wherever they have moved.

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "");

// `from` becomes like `to`; both are elements of one kind.
export function morph(from, to) {
  if (from.isEqualNode(to)) return;
  attributes(from, to);
  // What a module has put in place of the server's words is its own.
  if (from.hasAttribute("data-own")) return;
  children(from, to);
}

function attributes(from, to) {
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    const opened = name === "open" && (from.localName === "details" || from.localName === "dialog");
    if (!to.hasAttribute(name) && !opened) from.removeAttribute(name);
  }
}

function children(from, to) {
  const kept = new Map();
  for (const child of from.children) {
    const key = keyOf(child);
    if (key) kept.set(key, child);
  }
  let at = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = keyOf(wanted);
    let found = key ? kept.get(key) : null;
    if (!found && !key && at && !keyOf(at) && at.nodeName === wanted.nodeName) found = at;
    if (found && found.nodeName === wanted.nodeName) {
      if (found === at) at = at.nextSibling;
      else from.insertBefore(found, at);
      kept.delete(key);
      alike(found, wanted);
    } else {
      from.insertBefore(document.importNode(wanted, true), at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function alike(found, wanted) {
  if (found.nodeType === Node.ELEMENT_NODE) morph(found, wanted);
  else if (found.nodeValue !== wanted.nodeValue) found.nodeValue = wanted.nodeValue;
}

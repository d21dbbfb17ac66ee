/** Nodes: found, made, and written only where something is different. */

export const at = id => document.getElementById(id);

/** Make an element: el("td", "num", "3:20") or el("a", { href, class: "x" }, child, "text"). */
export function el(tag, about = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(typeof about === "string" ? { class: about } : about)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter(child => child != null && child !== ""));
  return node;
}

export function put(id, text) {
  const node = at(id);
  if (node.textContent !== text) node.textContent = text;
}

export function set(node, name, value) {
  if (value === false || value == null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Children are made anew only when what they show is another, so that neither a click nor the focus is lost.
const kept = new Map();
export function keep(id, value, make) {
  const key = JSON.stringify(value);
  if (kept.get(id) === key) return false;
  kept.set(id, key);
  at(id).replaceChildren(...make());
  return true;
}

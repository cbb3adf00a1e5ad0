// The few DOM helpers that every part of the page uses. Text only ever enters as text.

/** The element with an id; the page is static, so a missing one is a mistake worth hearing about. */
export function id(name) {
  const element = document.getElementById(name);
  if (!element) throw new Error(`no element #${name}`);
  return element;
}

/** Sets text without touching the document when it is the same (screen readers stay quiet). */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** Shows or hides. */
export function show(element, shown) {
  element.hidden = !shown;
}

/** An element with attributes and children; strings become text nodes. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** An SVG element. */
export function svg(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  return element;
}

/** Sets attributes. */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}

/** A panel's state: `loading`, `ready`, `empty` or `error`; the style sheet shows what belongs to it. */
export function state(panel, name) {
  if (panel.dataset.state !== name) panel.dataset.state = name;
  panel.setAttribute("aria-busy", String(name === "loading"));
}

/** Puts an error beside its field, or takes it away with an empty text. */
export function fieldError(input, message) {
  const place = id(`${input.id}-error`);
  text(place, message);
  if (message) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

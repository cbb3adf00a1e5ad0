// What is said once: to the eye as a toast, to a screen reader through one polite region.

import { id, make, text } from "./dom.js";

const TOAST_MS = 6_000;
const TOASTS_MAX = 3;

/** Says a sentence to screen readers. */
export function say(sentence) {
  const region = id("said");
  // the same sentence twice is not a change: empty it in between
  text(region, "");
  requestAnimationFrame(() => text(region, sentence));
}

/** Shows a sentence for some seconds and says it. `tone` is `good` or `plain`. */
export function toast(sentence, tone = "plain") {
  const stack = id("toasts");
  const close = make("button", { type: "button", class: "quiet", "aria-label": "Close" }, "×");
  const note = make("div", { class: "toast", "data-tone": tone }, make("span", {}, sentence), close);
  const remove = () => note.remove();
  close.addEventListener("click", remove);
  stack.append(note);
  while (stack.childElementCount > TOASTS_MAX) stack.firstElementChild.remove();
  let timer = setTimeout(remove, TOAST_MS);
  // time stands still while somebody reads it
  note.addEventListener("pointerenter", () => clearTimeout(timer));
  note.addEventListener("pointerleave", () => {
    timer = setTimeout(remove, TOAST_MS);
  });
  say(sentence);
}

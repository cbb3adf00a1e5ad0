// The ways in: register, log in, and the first administrator's link.

import { call, explain } from "./api.js";
import { fieldError, id, show, text } from "./dom.js";
import { toast } from "./notices.js";
import { begin, ended, user } from "./session.js";

const PASSWORD_CHARS_MIN = 6;
const PASSWORD_BYTES_MAX = 72;

/** Wires the forms up. */
export function start() {
  for (const tab of tabs()) {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!to) return;
      const all = tabs();
      const next = all[(all.indexOf(tab) + to + all.length) % all.length];
      select(next);
      next.focus();
    });
  }
  form("login", "/api/auth/login", ["email", "password"]);
  form("register", "/api/auth/register", ["name", "email", "password"]);
  ended.watch((reason) => {
    text(id("entry-why"), reason);
    show(id("entry-why"), reason !== "");
    if (reason) select(id("tab-login"));
  });
  for (const toggle of document.querySelectorAll("[data-reveals]")) {
    toggle.addEventListener("click", () => {
      const input = id(toggle.dataset.reveals);
      const reveal = input.type === "password";
      input.type = reveal ? "text" : "password";
      toggle.setAttribute("aria-pressed", String(reveal));
    });
  }
}

/** Turns the page into the form for the first administrator, if this is its address. */
export function setup() {
  if (location.pathname !== "/setup") return false;
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  // the token is worth an administrator: it stays in this form and nowhere in the browser's history
  history.replaceState(null, "", "/setup");
  id("setup-token").value = token;
  show(id("setup-token-row"), token === "");
  form("setup", "/api/setup", ["token", "name", "email", "password"], () => {
    history.replaceState(null, "", "/");
    leaveSetup();
  });
  show(id("desk"), false);
  show(id("setup-view"), true);
  document.title = "Set up Orrery";
  user.watch((who) => show(id("setup-signed-in"), Boolean(who)));
  id(token === "" ? "setup-token" : "setup-name").focus();
  return true;
}

function leaveSetup() {
  show(id("setup-view"), false);
  show(id("desk"), true);
  document.title = "Orrery";
}

function tabs() {
  return [id("tab-register"), id("tab-login")];
}

function select(chosen) {
  for (const tab of tabs()) {
    const selected = tab === chosen;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    show(id(tab.getAttribute("aria-controls")), selected);
  }
}

function form(name, path, fields, after) {
  const element = id(`${name}-form`);
  const button = element.querySelector('button[type="submit"]');
  const label = button.textContent;
  const inputs = fields.map((field) => id(`${name}-${field}`));
  for (const input of inputs) input.addEventListener("input", () => fieldError(input, ""));
  let busy = false;
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    problem(name, "");
    const wrong = inputs.filter((input) => {
      const message = check(input, name !== "login");
      fieldError(input, message);
      return message !== "";
    });
    if (wrong.length > 0) {
      wrong[0].focus();
      return;
    }
    busy = true;
    button.disabled = true;
    text(button, "One moment…");
    try {
      const body = Object.fromEntries(fields.map((field, index) => [field, value(inputs[index])]));
      const answer = await call("POST", path, { body });
      element.reset();
      after?.();
      begin(answer);
      toast(name === "login" ? `Welcome back, ${answer.user.name}.` : `Welcome, ${answer.user.name}.`, "good");
      id("main").focus();
    } catch (error) {
      button.disabled = false;
      refuse(name, inputs, explain(error));
    } finally {
      busy = false;
      button.disabled = false;
      text(button, label);
    }
  });
}

function value(input) {
  return input.type === "password" || input.autocomplete.includes("password") ? input.value : input.value.trim();
}

function check(input, fresh) {
  const content = value(input);
  if (content === "") return "This is needed.";
  if (input.type === "email" && !/^\S+@\S+\.\S+$/.test(content)) return "This is not an e-mail address.";
  if (fresh && input.autocomplete === "new-password") return passwordProblem(content);
  return "";
}

/** What is wrong with a new password; empty when nothing is. */
export function passwordProblem(password) {
  if ([...password].length < PASSWORD_CHARS_MIN) return `Use at least ${PASSWORD_CHARS_MIN} characters.`;
  if (new TextEncoder().encode(password).length > PASSWORD_BYTES_MAX) return `Use at most ${PASSWORD_BYTES_MAX} bytes.`;
  return "";
}

/** Puts the server's sentence beside the field it speaks of, else above the button. */
function refuse(name, inputs, sentence) {
  const about = (field) => inputs.find((input) => input.id === `${name}-${field}`);
  // a failed login speaks of both and so belongs to neither
  const field = /email and password|email or password|all fields/i.test(sentence)
    ? undefined
    : /password/i.test(sentence)
      ? about("password")
      : /e-?mail/i.test(sentence)
        ? about("email")
        : /token|link/i.test(sentence)
          ? about("token")
          : undefined;
  if (field) {
    if (field.id === "setup-token") show(id("setup-token-row"), true);
    fieldError(field, sentence);
    field.focus();
  } else {
    problem(name, sentence);
  }
}

function problem(name, sentence) {
  const place = id(`${name}-problem`);
  text(place, sentence);
  show(place, sentence !== "");
}

// The signed-in person's menu: who they are, change of password, log out.

import { explain } from "./api.js";
import { fieldError, id, show, text } from "./dom.js";
import { passwordProblem } from "./entry.js";
import { toast } from "./notices.js";
import { authorized, logOut, user } from "./session.js";

/** Wires the menu and its dialog up. */
export function start() {
  const button = id("menu-button");
  const menu = id("menu");
  const set = (open) => {
    button.setAttribute("aria-expanded", String(open));
    show(menu, open);
  };
  button.addEventListener("click", () => set(menu.hidden));
  document.addEventListener("pointerdown", (event) => {
    if (!id("who").contains(event.target)) set(false);
  });
  id("who").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || menu.hidden) return;
    set(false);
    button.focus();
  });
  id("who").addEventListener("focusout", (event) => {
    if (event.relatedTarget && !id("who").contains(event.relatedTarget)) set(false);
  });
  user.watch((who) => {
    show(id("who"), Boolean(who));
    set(false);
    if (!who) {
      id("password-dialog").close();
      return;
    }
    text(id("who-initial"), [...who.name][0]?.toUpperCase() ?? "?");
    text(id("who-name"), who.name);
    text(id("who-email"), who.email);
    text(id("who-role"), who.role ?? (who.is_admin ? "admin" : "trader"));
  });
  id("log-out").addEventListener("click", async () => {
    try {
      await logOut();
      toast("Logged out.");
    } catch {
      toast("Logged out here. The server could not be told; the session ends by itself.");
    }
    id("main").focus();
  });
  id("change-password").addEventListener("click", () => {
    set(false);
    id("password-dialog").showModal();
  });
  passwordDialog();
}

function passwordDialog() {
  const dialog = id("password-dialog");
  const form = id("password-form");
  const [current, fresh] = [id("current-password"), id("fresh-password")];
  const button = form.querySelector('button[type="submit"]');
  id("password-cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    form.reset();
    for (const input of [current, fresh]) fieldError(input, "");
    problem("");
  });
  for (const input of [current, fresh]) input.addEventListener("input", () => fieldError(input, ""));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem("");
    fieldError(current, current.value === "" ? "This is needed." : "");
    fieldError(fresh, passwordProblem(fresh.value));
    const wrong = [current, fresh].find((input) => input.hasAttribute("aria-invalid"));
    if (wrong) {
      wrong.focus();
      return;
    }
    button.disabled = true;
    try {
      await authorized("PUT", "/api/user/profile/password", {
        body: { currentPassword: current.value, newPassword: fresh.value, confirmPassword: fresh.value },
      });
      dialog.close();
      toast("Password changed. Every other session has ended.", "good");
    } catch (error) {
      const place = /current/i.test(error.message) ? current : /password/i.test(error.message) ? fresh : null;
      if (place) {
        fieldError(place, explain(error));
        place.focus();
      } else {
        problem(explain(error));
      }
    } finally {
      button.disabled = false;
    }
  });
}

function problem(sentence) {
  const place = id("password-problem");
  text(place, sentence);
  show(place, sentence !== "");
}

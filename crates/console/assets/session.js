// Who is logged in. The token lives in this tab's sessionStorage and nowhere else.

import { ApiError, call } from "./api.js";
import { signal } from "./signal.js";

const TOKEN_KEY = "orrery.token";

/** `undefined` while a stored token is being checked, `null` when signed out, else the user. */
export const user = signal(undefined);
/** Why the last session ended; empty when it was the person's own wish. */
export const ended = signal("");

let token = sessionStorage.getItem(TOKEN_KEY);

/** The bearer token, or null. */
export function bearer() {
  return token;
}

/** Checks the stored token. A server that cannot be reached does not log anybody out. */
export async function restore() {
  if (!token) {
    user.set(null);
    return;
  }
  try {
    const answer = await call("GET", "/api/auth/verify", { token });
    user.set(answer.user);
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
      end("Your session has ended. Log in again.");
    } else {
      throw error;
    }
  }
}

/** Takes the answer of register, login or setup. */
export function begin(answer) {
  token = answer.token;
  sessionStorage.setItem(TOKEN_KEY, token);
  ended.set("");
  user.set(answer.user);
}

/** Forgets the session here. */
export function end(reason = "") {
  token = null;
  sessionStorage.removeItem(TOKEN_KEY);
  ended.set(reason);
  user.set(null);
}

/** A call with the token; a token that is refused ends the session. */
export async function authorized(method, path, options = {}) {
  const used = token;
  try {
    return await call(method, path, { ...options, token: used });
  } catch (error) {
    // a late answer to an earlier session must not end this one
    if (error instanceof ApiError && error.signedOut && used === token) {
      end("Your session has ended. Log in again.");
    }
    throw error;
  }
}

/** Ends the session on the server too. It is forgotten here even if the server cannot be told. */
export async function logOut() {
  const used = token;
  end();
  if (used) await call("POST", "/api/auth/logout", { token: used });
}

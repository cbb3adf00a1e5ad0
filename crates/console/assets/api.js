// Calls to the server. Every failure is an `ApiError`.

import { parseJson } from "./json.js";

const TIMEOUT_MS = 15_000;

/** A call that did not succeed. */
export class ApiError extends Error {
  /**
   * `status` 0 means that no answer came. `retryAfter` is in seconds, null when not told.
   * `requestId` is what to tell whoever runs the server.
   */
  constructor(message, { status = 0, retryAfter = null, requestId = null } = {}) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
    this.requestId = requestId;
  }

  /** The token is not accepted any more. */
  get signedOut() {
    return (this.status === 401 || this.status === 403) && /token|user not found/i.test(this.message);
  }

  /** Nobody knows whether the server did what was asked. */
  get undecided() {
    return this.status === 0 || this.status >= 500;
  }
}

/** Performs a call and gives the parsed JSON answer. */
export async function call(method, path, { body, token, headers = {} } = {}) {
  const init = { method, headers: { Accept: "application/json", ...headers }, cache: "no-store" };
  if (token) init.headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), TIMEOUT_MS);
  let response;
  let answer;
  try {
    response = await fetch(path, { ...init, signal: control.signal });
    answer = await response.text();
  } catch {
    throw new ApiError(
      control.signal.aborted ? "The server did not answer in time." : "The server cannot be reached.",
    );
  } finally {
    clearTimeout(timer);
  }
  const parsed = parseJson(answer);
  const facts = {
    status: response.status,
    retryAfter: seconds(response.headers.get("Retry-After")),
    requestId: response.headers.get("X-Request-ID"),
  };
  if (response.ok && parsed !== null) return parsed;
  if (response.ok) throw new ApiError("The server gave an answer that cannot be read.", { ...facts, status: 0 });
  const told = typeof parsed?.error === "string" && parsed.error !== "" ? parsed.error : null;
  throw new ApiError(told ?? `The server answered ${response.status}.`, facts);
}

function seconds(header) {
  const value = Number(header);
  return header !== null && Number.isFinite(value) && value >= 0 ? Math.ceil(value) : null;
}

/** A sentence for people: what the server said, when to try again, and the id to quote. */
export function explain(error) {
  if (!(error instanceof ApiError)) return "Something in this page failed. Reload it and try again.";
  let sentence = /[.!?]$/.test(error.message) ? error.message : `${error.message}.`;
  if (error.retryAfter !== null) {
    sentence += ` Try again in ${error.retryAfter === 1 ? "1 second" : `${error.retryAfter} seconds`}.`;
  }
  if (error.status >= 500 && error.requestId) sentence += ` Request ${error.requestId}.`;
  return sentence;
}

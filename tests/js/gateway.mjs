// What the suites share: the gateway under test, its HTTP calls, and users of their own.

import { randomBytes } from "node:crypto";

const address = process.env.ORRERY_URL;
if (!address) throw new Error("ORRERY_URL is not set: start a gateway with `demo` and give its address");

/** The gateway's address, without a slash at the end. */
export const BASE = address.replace(/\/+$/, "");
/** How long anything may take to happen before a test says that it did not. */
export const PATIENCE_MS = 30_000;
/** The same for a change of price, which comes when the market says so. */
export const PRICE_PATIENCE_MS = 75_000;

/** A call; gives status, headers and the parsed body. `body` may be a string, which is sent as it is. */
export async function call(method, path, { token, body, headers = {} } = {}) {
  const init = { method, headers: { ...headers }, signal: AbortSignal.timeout(PATIENCE_MS) };
  if (token !== undefined) init.headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) {
    init.headers["Content-Type"] ??= "application/json";
    init.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  const response = await fetch(BASE + path, init);
  const text = await response.text();
  let parsed;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error(`${method} ${path} answered ${response.status} with no JSON: ${text.slice(0, 200)}`);
  }
  return { status: response.status, headers: response.headers, body: parsed };
}

/** An e-mail address that nobody has used yet. */
export function freshEmail(name = "user") {
  return `${name}-${randomBytes(6).toString("hex")}@example.com`;
}

/** A password that no list of common ones has. */
export function freshPassword() {
  return `p-${randomBytes(9).toString("base64url")}`;
}

/** Registers somebody new: `{ id, email, name, password, token }`. */
export async function register(name = "Test Person") {
  const email = freshEmail();
  const password = freshPassword();
  const { status, body } = await call("POST", "/api/auth/register", {
    body: { email, name, password, confirmPassword: password },
  });
  if (status !== 201) throw new Error(`register answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.user.id, email, name, password, token: body.token };
}

/** A new session of somebody: its token. */
export async function login({ email, password }) {
  const { status, body } = await call("POST", "/api/auth/login", { body: { email, password } });
  if (status !== 200) throw new Error(`login answered ${status}: ${JSON.stringify(body)}`);
  return body.token;
}

/** A market order that must succeed: the reply's body. */
export async function trade(token, action, amount, currency = "inr") {
  const { status, body } = await call("POST", "/api/trade", {
    token,
    body: { action, type: "market", amount, currency },
  });
  if (status !== 200) throw new Error(`trade answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

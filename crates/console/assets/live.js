// The page's one socket, and what is known about the connection and the price.

import { call } from "./api.js";
import { integer } from "./money.js";
import { bearer, restore, user } from "./session.js";
import { signal } from "./signal.js";
import { EventSocket, socketUrl } from "./socket.js";

const POLL_MS = 30_000;

/** `{ name: "connecting" | "live" | "offline", retryAt }`. */
export const connection = signal({ name: "connecting", retryAt: null });
/**
 * The rates, null before the first: `{ usd, buy, sell, direction, source, stale, at, seenAt }`.
 * `usd`, `buy` and `sell` are BigInt; `at` is the server's time of the price, `seenAt` ours, both in
 * milliseconds; `direction` is 1, 0 or −1 against the price before.
 */
export const rates = signal(null);
/** Why there are no rates: an error, or null. */
export const ratesError = signal(null);

const listeners = new Map();

/** Listens to a personal event of the socket. */
export function on(name, listener) {
  listeners.set(name, listener);
}

const socket = new EventSocket({
  url: socketUrl(location),
  onState(next) {
    connection.set(next);
    if (next.name !== "live") return;
    announced = null;
    announce();
    loadRates();
  },
  onEvent(name, payload) {
    if (name === "btc_price_update") take(payload, false);
    else if (name === "authentication_error") refused();
    else listeners.get(name)?.(payload);
  },
});

let announced = null;

/** Tells the socket who is there, once a connection. */
function announce() {
  const token = bearer();
  if (token && token !== announced && connection.get().name === "live" && socket.emit("authenticate", token)) {
    announced = token;
  }
}

/** Connects now instead of at the planned time. */
export function retryNow() {
  socket.open();
}

/** Starts the socket and the slow poll that notices a feed that has gone quiet. */
export function start() {
  let who;
  user.watch((next) => {
    const before = who;
    who = next?.id;
    if (before === who) return;
    // one socket never carries two people: what was personal ends with the connection
    if (before !== undefined) socket.open();
    else announce();
  });
  socket.open();
  setInterval(() => {
    if (!document.hidden) loadRates();
  }, POLL_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) loadRates();
  });
  addEventListener("online", retryNow);
}

/** Fetches the rates; the answer also says whether they are too old to trade at. */
export async function loadRates() {
  const before = ticks;
  try {
    const answer = await call("GET", "/api/market-rates");
    // a tick that came meanwhile is newer than this answer
    if (ticks === before) take(answer, true);
  } catch (error) {
    ratesError.set(error);
  }
}

let ticks = 0;

function take(payload, asked) {
  const [usd, buy, sell] = [payload?.btc_usd_price, payload?.buy_rate_inr, payload?.sell_rate_inr].map(integer);
  if (usd === null || buy === null || sell === null) return;
  const before = rates.get();
  const at = Date.parse(payload.observed_at ?? payload.timestamp);
  if (!asked) ticks += 1;
  rates.set({
    usd,
    buy,
    sell,
    direction: before && before.usd !== usd ? (usd > before.usd ? 1 : -1) : (before?.direction ?? 0),
    source: payload.source ?? before?.source ?? null,
    stale: asked ? payload.stale === true : false,
    at: Number.isNaN(at) ? Date.now() : at,
    seenAt: Date.now() - (asked ? age(payload) : 0),
  });
  ratesError.set(null);
}

/** How old the price was when the server answered, by the server's own clock. */
function age({ timestamp, observed_at }) {
  const ms = Date.parse(timestamp) - Date.parse(observed_at);
  return ms > 0 ? ms : 0;
}

async function refused() {
  if (!bearer()) return;
  try {
    await restore();
  } catch {
    // the server is away; the token is tried again with the next connection
  }
}

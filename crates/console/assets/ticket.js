// The order ticket. An order goes out under an idempotency key that lives as long as nobody knows what
// became of it, in sessionStorage too: sending it again can never make it twice.

import { balance, take } from "./account.js";
import { explain } from "./api.js";
import { fieldError, id, show, text } from "./dom.js";
import { connection, loadRates, rates } from "./live.js";
import * as money from "./money.js";
import { say, toast } from "./notices.js";
import { authorized, user } from "./session.js";
import { framed } from "./signal.js";

const OPEN_ORDER_KEY = "orrery.order";
const OFFLINE_AFTER_MS = 3_000;

const form = id("ticket");
const amount = id("amount");
const submit = id("submit");
let sending = false;
let typed = false;
/** An order without a known outcome: `{ user, key, body, words }`. */
let open = null;
let offlineSince = null;

/** Wires the ticket up. */
export function start() {
  const refresh = framed(paint);
  for (const source of [rates, balance, user]) source.watch(refresh);
  connection.watch(({ name }) => {
    if (name === "live") offlineSince = null;
    else offlineSince ??= Date.now();
    refresh();
    if (name !== "live") setTimeout(refresh, OFFLINE_AFTER_MS + 50);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  amount.addEventListener("input", () => {
    typed = true;
    fieldError(amount, "");
    refresh();
  });
  for (const radio of form.querySelectorAll('input[type="radio"]')) {
    radio.addEventListener("change", () => {
      if (radio.name === "currency") convertField(radio.value);
      fieldError(amount, "");
      refresh();
    });
  }
  for (const chip of form.querySelectorAll("[data-percent]")) {
    chip.addEventListener("click", () => fill(Number(chip.dataset.percent)));
  }
  id("order-retry").addEventListener("click", () => open && transmit(open));
  id("order-discard").addEventListener("click", () => {
    remember(null);
    amount.focus();
  });
  user.watch((next) => {
    // leave an open order alone until it is known who is there
    if (next === undefined) return;
    const kept = stored();
    remember(kept && next && kept.user === next.id ? kept : null);
    show(id("order-done"), false);
    if (!next) {
      amount.value = "";
      typed = false;
      fieldError(amount, "");
    }
  });
}

function action() {
  return form.elements.action.value;
}

function currency() {
  return form.elements.currency.value;
}

/** What stands in the field, both sides of it, and what is wrong with it. */
function read() {
  const parsed = money.parseAmount(amount.value, currency());
  const rate = rates.get();
  if (parsed.error || !rate) return { error: parsed.error ?? "" };
  const sides = money.convert(action(), currency(), parsed.value, action() === "buy" ? rate.buy : rate.sell);
  if (!sides) return { error: "That is worth less than the smallest unit. Enter more." };
  return { value: parsed.value, sides };
}

/** Why no order can be sent now; empty when one can. */
function obstacle() {
  const rate = rates.get();
  const who = user.get();
  if (who?.role === "viewer") return "Your role is viewer: it can look, but not trade.";
  if (offlineSince !== null && Date.now() - offlineSince >= OFFLINE_AFTER_MS) {
    return "Trading is paused: the connection to the server is lost.";
  }
  if (!rate) return "Trading starts with the first price.";
  if (rate.stale) return "Trading is paused: the price is too old.";
  if (open && !sending) return "Settle the unconfirmed order first.";
  return "";
}

function paint() {
  const side = action();
  const unit = currency();
  const rate = rates.get();
  const held = balance.get();
  const buying = side === "buy";
  form.dataset.action = side;
  text(id("rate-words"), buying ? "You buy at" : "You sell at");
  text(id("rate"), rate ? `${money.rate(buying ? rate.buy : rate.sell)} per BTC` : "–");
  amount.placeholder = unit === "inr" ? "0.00" : "0.00000000";
  text(
    id("spendable"),
    held ? (buying ? `${money.inr(held.availableInr)} available` : `${money.btc(held.availableBtc)} BTC available`) : "",
  );
  for (const chip of form.querySelectorAll("[data-percent]")) chip.disabled = !rate || !held;

  const { sides } = read();
  text(id("pay"), sides ? (buying ? money.inr(sides.paise) : `${money.btc(sides.sats)} BTC`) : "–");
  text(id("get"), sides ? (buying ? `${money.btc(sides.sats)} BTC` : money.inr(sides.paise)) : "–");
  const left = sides && held ? (buying ? held.availableInr - sides.paise : held.availableBtc - sides.sats) : null;
  text(id("after"), left === null ? "–" : buying ? money.inr(left) : `${money.btc(left)} BTC`);
  text(id("after-words"), buying ? "Left to spend" : "Left to sell");
  id("after").dataset.short = String(left !== null && left < 0n);

  const name = buying ? "Buy" : "Sell";
  const words = sides ? `${name} ${money.btc(sides.sats)} BTC` : `${name} bitcoin`;
  text(submit, sending ? "Sending…" : words);
  const reason = obstacle();
  submit.disabled = sending || reason !== "";
  text(id("reason"), reason);
  show(id("reason"), reason !== "");
  show(id("unconfirmed"), open !== null && !sending);
  id("order-retry").disabled = connection.get().name !== "live";
  if (open) text(id("unconfirmed-what"), open.words);
}

/** Keeps the worth of the field when its unit is switched. */
function convertField(to) {
  const from = to === "inr" ? "btc" : "inr";
  const parsed = money.parseAmount(amount.value, from);
  const rate = rates.get();
  const sides = !parsed.error && rate && money.convert(action(), from, parsed.value, action() === "buy" ? rate.buy : rate.sell);
  amount.value = sides ? money.plain(to === "inr" ? sides.paise : sides.sats, to) : "";
}

function fill(percent) {
  const rate = rates.get();
  const held = balance.get();
  if (!rate || !held) return;
  const buying = action() === "buy";
  const available = buying ? held.availableInr : held.availableBtc;
  const value = money.portion(action(), currency(), percent, available, buying ? rate.buy : rate.sell);
  amount.value = value > 0n ? money.plain(value, currency()) : "";
  typed = true;
  fieldError(amount, value > 0n ? "" : `There is nothing to ${buying ? "spend" : "sell"}.`);
  paint();
}

function send() {
  if (sending || obstacle() !== "") return;
  const { error, value, sides } = read();
  const held = balance.get();
  let wrong = error;
  if (!wrong && held && action() === "buy" && sides.paise > held.availableInr) {
    wrong = `That is more than the ${money.inr(held.availableInr)} you have.`;
  } else if (!wrong && held && action() === "sell" && sides.sats > held.availableBtc) {
    wrong = `That is more than the ${money.btc(held.availableBtc)} BTC you have.`;
  }
  if (wrong) {
    fieldError(amount, wrong);
    amount.focus();
    return;
  }
  const body = { action: action(), type: "market", amount: money.plain(value, currency()), currency: currency() };
  const named = currency() === "inr" ? money.inr(value) : `${money.btc(value)} BTC`;
  const words = `${body.action === "buy" ? "Buy" : "Sell"} bitcoin: ${named}`;
  transmit({ user: user.get().id, key: newKey(), body, words });
}

async function transmit(order) {
  if (sending) return;
  sending = true;
  // before the first byte leaves: a reload in between must still find it
  remember(order);
  fieldError(amount, "");
  show(id("order-done"), false);
  paint();
  try {
    const done = await authorized("POST", "/api/trade", {
      body: order.body,
      headers: { "Idempotency-Key": order.key },
    });
    sending = false;
    remember(null);
    if (user.get()?.id === order.user) filled(done);
  } catch (error) {
    sending = false;
    if (user.get()?.id !== order.user) return;
    refused(order, error);
  } finally {
    paint();
  }
}

function filled(done) {
  take(done.updated_balance);
  const sats = money.btc(money.integer(done.btc_amount));
  const rupees = money.inr(money.integer(done.inr_amount_paise));
  const words = `${done.action === "buy" ? "Bought" : "Sold"} ${sats} BTC for ${rupees}.`;
  text(id("order-done"), words);
  show(id("order-done"), true);
  toast(words, "good");
  amount.value = "";
  typed = false;
}

function refused(order, error) {
  if (error.undecided) {
    // it may or may not have been made: keep the key
    text(id("unconfirmed-why"), explain(error));
    say(`The order is unconfirmed. ${explain(error)}`);
    if (error.status === 503) loadRates();
    return;
  }
  remember(null);
  fieldError(amount, explain(error));
  say(explain(error));
  if (!typed) amount.value = order.body.amount;
  amount.focus();
}

function remember(order) {
  open = order;
  if (order) sessionStorage.setItem(OPEN_ORDER_KEY, JSON.stringify(order));
  else sessionStorage.removeItem(OPEN_ORDER_KEY);
  if (!order) text(id("unconfirmed-why"), "");
  paint();
}

function stored() {
  try {
    const order = JSON.parse(sessionStorage.getItem(OPEN_ORDER_KEY));
    return typeof order?.key === "string" && typeof order.body === "object" ? order : null;
  } catch {
    return null;
  }
}

/** 128 random bits; `crypto.randomUUID` is not there on a plain-HTTP address. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

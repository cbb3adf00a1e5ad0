// The signed-in person's balances.

import { explain } from "./api.js";
import { id, state, text } from "./dom.js";
import { on, rates } from "./live.js";
import * as money from "./money.js";
import { authorized, user } from "./session.js";
import { framed, signal } from "./signal.js";

/** `{ availableInr, availableBtc, reservedInr, reservedBtc, collateralBtc, owedInr }` as BigInt; null before. */
export const balance = signal(null);

let version = 0;

/** Wires the panel up. */
export function start() {
  const paint = framed(paintBalance);
  balance.watch(paint);
  rates.watch(paint);
  on("user_balance_update", (payload) => take(payload));
  id("balance-retry").addEventListener("click", load);
  let who;
  user.watch((next) => {
    if (next?.id === who) return;
    who = next?.id;
    version += 1;
    balance.set(null);
    if (next) load();
  });
}

/** Fetches the balances; a newer answer from elsewhere wins over a late one. */
export async function load() {
  const mine = ++version;
  if (!balance.get()) state(id("balances"), "loading");
  try {
    const answer = await authorized("GET", "/api/balance");
    if (mine === version) take(answer);
  } catch (error) {
    if (mine !== version || balance.get()) return;
    text(id("balance-error"), explain(error));
    state(id("balances"), "error");
  }
}

/** Takes balances from an answer or an event. */
export function take(payload) {
  if (!user.get()) return;
  const read = (name) => money.integer(payload?.[name]);
  const next = {
    availableInr: read("available_inr_paise"),
    availableBtc: read("available_btc"),
    reservedInr: read("reserved_inr_paise"),
    reservedBtc: read("reserved_btc"),
    collateralBtc: read("collateral_btc"),
    borrowedInr: read("borrowed_inr_paise"),
    interestInr: read("interest_accrued_paise"),
  };
  if (Object.values(next).includes(null)) return;
  version += 1;
  balance.set({ ...next, owedInr: next.borrowedInr + next.interestInr });
}

function paintBalance() {
  const held = balance.get();
  if (!held) return;
  state(id("balances"), "ready");
  text(id("available-inr"), money.inr(held.availableInr));
  text(id("available-btc"), money.btc(held.availableBtc));
  text(id("reserved-inr"), money.inr(held.reservedInr));
  text(id("reserved-btc"), money.btc(held.reservedBtc));
  text(id("collateral-btc"), money.btc(held.collateralBtc));
  text(id("owed-inr"), money.inr(held.owedInr));
  const rate = rates.get();
  const coins = held.availableBtc + held.reservedBtc + held.collateralBtc;
  const rupees = held.availableInr + held.reservedInr - held.owedInr;
  text(id("equity"), rate ? money.inr(rupees + money.worth(coins, rate.sell)) : "Waiting for a price");
}

// The signed-in person's transactions, a page at a time.

import { explain } from "./api.js";
import { id, make, show, state, text } from "./dom.js";
import { moment, utc } from "./format.js";
import { on } from "./live.js";
import * as money from "./money.js";
import { authorized, user } from "./session.js";

const PAGE_ROWS = 10;
const KINDS = {
  MARKET_BUY: ["Buy", "in"],
  MARKET_SELL: ["Sell", "out"],
  DEPOSIT_INR: ["Deposit", "none"],
  DEPOSIT_BTC: ["Deposit", "none"],
  WITHDRAW_INR: ["Withdrawal", "none"],
  WITHDRAW_BTC: ["Withdrawal", "none"],
  REVERSAL: ["Reversal", "none"],
};
// how each kind moved the two sides; what is not listed is shown without a sign
const SIGNS = {
  MARKET_BUY: { inr: -1n, btc: 1n },
  MARKET_SELL: { inr: 1n, btc: -1n },
  DEPOSIT_INR: { inr: 1n, btc: 1n },
  DEPOSIT_BTC: { inr: 1n, btc: 1n },
  WITHDRAW_INR: { inr: -1n, btc: -1n },
  WITHDRAW_BTC: { inr: -1n, btc: -1n },
};

const panel = id("history");
let page = 1;
let asked = 0;

/** Wires the panel up. */
export function start() {
  id("newer").addEventListener("click", () => turn(page - 1));
  id("older").addEventListener("click", () => turn(page + 1));
  id("history-retry").addEventListener("click", () => turn(page));
  on("user_transaction_update", (payload) => {
    if (!user.get() || !Array.isArray(payload?.transactions)) return;
    if (page === 1) paint(payload.transactions.slice(0, PAGE_ROWS), payload.transactions.length > PAGE_ROWS);
    else turn(page);
  });
  let who;
  user.watch((next) => {
    if (next?.id === who) return;
    who = next?.id;
    asked += 1;
    page = 1;
    id("rows").replaceChildren();
    state(panel, next ? "loading" : "signed-out");
    if (next) turn(1);
  });
}

async function turn(to) {
  const mine = ++asked;
  page = Math.max(1, to);
  if (panel.dataset.state !== "ready") state(panel, "loading");
  try {
    const answer = await authorized("GET", `/api/transactions?limit=${PAGE_ROWS}&page=${page}`);
    if (mine === asked) paint(answer.transactions, answer.hasMore);
  } catch (error) {
    if (mine !== asked || !user.get()) return;
    text(id("history-error"), explain(error));
    state(panel, "error");
  }
}

function paint(transactions, more) {
  // an answer that is still under way would show an older state
  asked += 1;
  id("rows").replaceChildren(...transactions.map(row));
  state(panel, transactions.length === 0 && page === 1 ? "empty" : "ready");
  text(id("page"), `Page ${page}`);
  const [newer, older] = [id("newer"), id("older")];
  const focused = document.activeElement;
  newer.disabled = page === 1;
  older.disabled = !more;
  show(id("pages"), page > 1 || more);
  // a button that switches itself off must not take the keyboard's place with it
  if ((focused === newer && newer.disabled) || (focused === older && older.disabled)) id("history-title").focus();
}

function row(item) {
  const [name, direction] = KINDS[item.type] ?? [item.type, "none"];
  const at = Date.parse(item.executed_at ?? item.created_at);
  const when = Number.isNaN(at) ? "" : moment(at);
  const stamp = () =>
    make("time", { datetime: item.executed_at ?? item.created_at, title: Number.isNaN(at) ? "" : utc(at) }, when);
  const arrow = { in: "↓", out: "↑", none: "" }[direction];
  const kind = make("span", { class: "kind", "data-direction": direction });
  if (arrow) kind.append(make("span", { "aria-hidden": "true" }, `${arrow} `));
  kind.append(name);
  const reversed = item.status !== "EXECUTED";
  const status = make("span", { class: "status", "data-status": item.status }, words(item.status));
  const first = make("td", { class: "what" }, kind, make("span", { class: "stacked" }, stamp()));
  if (reversed) first.append(make("span", { class: "stacked" }, words(item.status)));
  return make(
    "tr",
    reversed ? { class: "reversed" } : {},
    make("td", { class: "when" }, stamp()),
    first,
    amount(item, "btc", money.integer(item.btc_amount), money.btc, " BTC"),
    amount(item, "inr", money.integer(item.inr_amount_paise), money.inr, ""),
    rate(item),
    make("td", { class: "state" }, status),
    make("td", { class: "number id" }, String(item.id)),
  );
}

function amount(item, side, value, format, unit) {
  const cell = make("td", { class: `number ${side}` });
  if (value === null || value === 0n) {
    cell.append(make("span", { class: "muted", "aria-hidden": "true" }, "–"));
    return cell;
  }
  const sign = SIGNS[item.type]?.[side] ?? 0n;
  cell.append(sign > 0n ? `+${format(value)}` : format(sign < 0n ? -value : value));
  if (unit) cell.append(make("span", { class: "unit" }, unit));
  return cell;
}

function rate(item) {
  const paise = money.integer(item.execution_price_paise);
  const cell = make("td", { class: "number rate" });
  if (paise === null || paise === 0n) cell.append(make("span", { class: "muted", "aria-hidden": "true" }, "–"));
  else cell.append(paise % 100n === 0n ? money.rate(paise / 100n) : money.inr(paise));
  return cell;
}

function words(status) {
  return status.charAt(0) + status.slice(1).toLowerCase();
}

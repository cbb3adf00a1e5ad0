// A session of the documented web client: its calls with the types it sends, the fields it reads, and
// what its sockets hear meanwhile.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { BASE, call, freshEmail, login, register } from "./gateway.mjs";
import { Client } from "./socket.mjs";

const SOCKET = { transports: ["websocket", "polling"] };
const root = { email: process.env.ORRERY_ADMIN_EMAIL, password: process.env.ORRERY_ADMIN_PASSWORD };
const skip = !root.email && "no ORRERY_ADMIN_EMAIL";

/** The fields are there and of these types. */
function has(object, fields) {
  for (const [name, type] of Object.entries(fields)) {
    const value = object[name];
    if (type === "instant") assert.ok(!Number.isNaN(Date.parse(value)), `${name}: ${value}`);
    else if (type === "list") assert.ok(Array.isArray(value), name);
    else if (type === "integer") assert.ok(Number.isSafeInteger(value), `${name}: ${value}`);
    else assert.equal(typeof value, type, `${name}: ${JSON.stringify(value)}`);
  }
}

const BALANCE = { available_inr: "number", available_btc: "integer", reserved_inr: "number", reserved_btc: "integer" };
const PLANS = { plans: "list", total_plans: "integer", active_plans: "integer", paused_plans: "integer" };

async function ok(method, path, token, body, status = 200) {
  const answer = await call(method, path, { token, body });
  assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** The price as the client shows it. */
async function rates() {
  return ok("GET", "/api/market-rates");
}

describe("a visitor who becomes a user", () => {
  let person, token;
  before(async () => {
    person = await register("Asha Rao");
  });

  test("the page's own origin may call", async () => {
    const answer = await fetch(`${BASE}/api/trade`, {
      method: "OPTIONS",
      headers: {
        Origin: "http://localhost:3000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
      },
    });
    assert.ok(answer.ok, String(answer.status));
    assert.equal(answer.headers.get("access-control-allow-origin"), "http://localhost:3000");
    assert.match(answer.headers.get("access-control-allow-headers").toLowerCase(), /authorization/);
    await answer.arrayBuffer();
  });

  test("start: rates and the chart of a day", async () => {
    has(await rates(), { btc_usd_price: "integer", buy_rate_inr: "integer", sell_rate_inr: "integer", timestamp: "instant" });
    const chart = await ok("GET", "/api/bitcoin/chart/1d");
    assert.ok(chart.price_data.length > 0 && "price_change_pct" in chart);
  });

  test("log in, and verify on the next load", async () => {
    const answer = await ok("POST", "/api/auth/login", undefined, { email: person.email, password: person.password });
    has(answer, { message: "string", token: "string", user: "object" });
    assert.ok(!answer.user.is_admin);
    token = answer.token;
    const verified = await ok("GET", "/api/auth/verify", token);
    assert.equal(verified.user.email, person.email);
  });

  test("after login: balance, transactions, plans", async () => {
    has(await ok("GET", "/api/balance", token), BALANCE);
    const list = await ok("GET", "/api/transactions?page=1&limit=50", token);
    has(list, { transactions: "list", page: "integer", limit: "integer", hasMore: "boolean" });
    has(await ok("GET", "/api/dca-plans", token), PLANS);
  });

  test("sockets: balance, transactions and plans, then success", async () => {
    const client = new Client(SOCKET);
    const mark = await client.authenticate(token);
    const order = ["user_balance_update", "user_transaction_update", "user_dca_plans_update", "authentication_success"];
    assert.deepEqual(client.names(mark, ...order), order);
    has(await client.event("user_balance_update"), { ...BALANCE, timestamp: "instant" });
    has(await client.event("user_transaction_update"), { transactions: "list", timestamp: "instant" });
    has(await client.event("user_dca_plans_update"), { ...PLANS, timestamp: "instant" });
    has(await client.event("authentication_success"), { message: "string", userId: "integer", email: "string" });
    client.close();
  });

  test("a trade, its amount a string", async () => {
    const reply = await ok("POST", "/api/trade", token, { action: "buy", type: "market", amount: "1000", currency: "inr" });
    has(reply, { id: "integer", btc_amount: "integer", inr_amount: "number", execution_price: "number", timestamp: "instant" });
    assert.deepEqual([reply.type, reply.action, reply.status], ["MARKET_BUY", "buy", "EXECUTED"]);
    has(reply.updated_balance, BALANCE);
    const { transactions } = await ok("GET", "/api/transactions?page=1&limit=50", token);
    assert.equal(transactions[0].id, reply.id);
    has(transactions[0], { type: "string", status: "string", created_at: "instant", executed_at: "instant" });
  });

  test("a limit order waits, its money reserved, and is cancelled", async () => {
    const client = new Client(SOCKET);
    const mark = await client.authenticate(token);
    const before = await ok("GET", "/api/balance", token);
    const price = Math.floor((await rates()).buy_rate_inr / 2);
    const satoshis = Math.floor((1000 * 1e8) / price);
    const order = { type: "LIMIT_BUY", btc_amount: satoshis, inr_amount: 1000, execution_price: price };
    const placed = await ok("POST", "/api/orders", token, order, 201);
    assert.equal(placed.status, "PENDING");
    has(placed, { transactionId: "integer" });
    await client.event("user_balance_update", { mark, fits: (b) => b.reserved_inr === before.reserved_inr + 1000 });
    const list = await ok("GET", "/api/transactions?page=1&limit=50", token);
    const shown = list.transactions.find((t) => t.id === placed.transactionId);
    assert.deepEqual([shown.type, shown.status, shown.executed_at], ["LIMIT_BUY", "PENDING", null]);
    const gone = await ok("DELETE", `/api/transactions/${placed.transactionId}/cancel`, token);
    assert.equal(gone.message, "Limit order cancelled successfully");
    assert.equal(gone.transactionId, String(placed.transactionId));
    assert.deepEqual([gone.type, gone.funds_released], ["LIMIT_BUY", { inr_amount: 1000 }]);
    assert.deepEqual(await ok("GET", "/api/balance", token), before);
    const again = await call("DELETE", `/api/transactions/${placed.transactionId}/cancel`, { token });
    assert.ok([400, 404].includes(again.status), String(again.status));
    client.close();
  });

  test("a limit order that the price meets is filled, and only its owner hears of it", async () => {
    const owner = new Client(SOCKET);
    const mark = await owner.authenticate(token);
    const stranger = new Client(SOCKET);
    await stranger.authenticate((await register()).token);
    // the client sends whole rupees, satoshis and a price; a limit above the market is met at once
    const price = Math.floor((await rates()).buy_rate_inr * 1.2);
    const order = { type: "LIMIT_BUY", btc_amount: Math.floor((500 * 1e8) / price), inr_amount: 500, execution_price: price };
    const placed = await ok("POST", "/api/orders", token, order, 201);
    const heard = await owner.event("order_executed", { mark });
    assert.equal(Number(heard.orderId), placed.transactionId);
    has(heard, { userId: "integer", type: "string" });
    await owner.event("user_transaction_update", {
      mark,
      fits: (u) => u.transactions.some((t) => t.id === placed.transactionId && t.status === "EXECUTED"),
    });
    assert.deepEqual(stranger.names(0, "order_executed"), []);
    owner.close();
    stranger.close();
  });

  test("plans: create, pause, resume, delete, each told to the socket", async () => {
    const client = new Client(SOCKET);
    const mark = await client.authenticate(token);
    const plan = { plan_type: "DCA_BUY", frequency: "DAILY", amount_per_execution_inr: 250, remaining_executions: 4, max_price: null, min_price: null };
    const made = await ok("POST", "/api/dca-plans", token, plan, 201);
    has(made, { planId: "integer", message: "string" });
    await client.event("user_dca_plans_update", { mark, fits: (p) => p.active_plans === 1 });
    const { plans } = await ok("GET", "/api/dca-plans", token);
    has(plans[0], { id: "integer", plan_type: "string", status: "string", frequency: "string", next_execution_at: "instant", total_executions: "integer", created_at: "instant", recent_executions: "list", performance: "object" });
    has(plans[0].performance, { total_executed: "integer", total_invested: "number", total_btc: "integer", avg_price: "number" });
    assert.deepEqual([plans[0].amount_per_execution_inr, plans[0].remaining_executions], [250, 4]);
    const paused = await ok("PATCH", `/api/dca-plans/${made.planId}/status`, token, { status: "PAUSED" });
    assert.equal(paused.message, "Plan paused successfully");
    await client.event("user_dca_plans_update", { mark, fits: (p) => p.paused_plans === 1 });
    const active = await ok("PATCH", `/api/dca-plans/${made.planId}/status`, token, { status: "ACTIVE" });
    assert.equal(active.message, "Plan active successfully");
    const gone = await ok("DELETE", `/api/dca-plans/${made.planId}`, token);
    assert.deepEqual([gone.planId, gone.planType], [String(made.planId), "DCA_BUY"]);
    has(gone, { message: "string", relatedTransactionsDeleted: "integer" });
    await client.event("user_dca_plans_update", { mark, fits: (p) => p.total_plans === 0 });
    client.close();
  });

  test("money to somebody else, its amount a number", async () => {
    const friend = await register("Bo Friend");
    const client = new Client(SOCKET);
    const mark = await client.authenticate(friend.token);
    const sent = await ok("POST", "/api/send-transaction", token, { recipientEmail: friend.email, amount: 100, currency: "inr" });
    assert.equal(sent.message, "Transaction sent successfully");
    assert.deepEqual([sent.amount, sent.currency, sent.recipient.email], [100, "inr", friend.email]);
    has(sent, { senderTransactionId: "integer", recipientTransactionId: "integer", timestamp: "instant" });
    await client.event("user_transaction_update", { mark, fits: (u) => u.transactions[0]?.type === "DEPOSIT_INR" && u.transactions[0].inr_amount === 100 });
    client.close();
    const self = await call("POST", "/api/send-transaction", { token, body: { recipientEmail: person.email, amount: 1, currency: "inr" } });
    assert.deepEqual([self.status, self.body.error], [400, "Cannot send funds to yourself"]);
  });

  test("the profile page", async () => {
    const put = (what, body) => call("PUT", `/api/user/profile/${what}`, { token, body });
    assert.equal((await put("name", { name: "Asha R", currentPassword: "not-it" })).status, 401);
    assert.equal((await put("name", { name: "Asha R", currentPassword: person.password })).status, 200);
    const email = freshEmail("Moved");
    assert.equal((await put("email", { email, currentPassword: person.password })).status, 200);
    const { user } = await ok("GET", "/api/user/profile", token);
    assert.deepEqual([user.name, user.email], ["Asha R", email.toLowerCase()]);
    const taken = await put("email", { email: (await register()).email, currentPassword: person.password });
    assert.deepEqual([taken.status, taken.body.error], [409, "Email is already in use by another account"]);
  });
});

describe("the administrator's pages", { skip }, () => {
  let token, person;
  before(async () => {
    token = await login(root);
    person = await register("Cal Lee");
  });

  test("are for administrators", async () => {
    for (const page of ["total-balance", "transactions", "dca-plans", "users", "settings", "metrics"]) {
      const answer = await call("GET", `/api/admin/${page}`, { token: person.token });
      assert.deepEqual([answer.status, answer.body.error], [403, "Access denied. Admin privileges required."], page);
    }
  });

  test("what they load", async () => {
    const { user } = await ok("GET", "/api/auth/verify", token);
    assert.ok(user.is_admin);
    const sums = { total_available_inr: "number", total_available_btc: "integer", total_reserved_inr: "number", total_reserved_btc: "integer" };
    has(await ok("GET", "/api/admin/total-balance", token), sums);
    await ok("POST", "/api/trade", person.token, { action: "buy", type: "market", amount: "10", currency: "inr" });
    const { transactions } = await ok("GET", "/api/admin/transactions", token);
    has(transactions[0], { id: "integer", type: "string", status: "string", user_name: "string", user_email: "string", btc_amount: "integer", inr_amount: "number" });
    has(await ok("GET", "/api/admin/dca-plans", token), { plans: "list", totalCount: "integer" });
    const { users } = await ok("GET", "/api/admin/users", token);
    const row = users.find((u) => u.email === person.email);
    has(row, { id: "integer", name: "string", inrBalance: "number", btcBalance: "integer", created_at: "instant" });
    assert.ok("is_admin" in row);
    const settings = await ok("GET", "/api/admin/settings", token);
    for (const name of ["buy_multiplier", "sell_multiplier"]) has(settings[name], { value: "number" });
    const counts = ["total_trades", "active_dca_plans", "total_bitcoin_deposits", "total_bitcoin_withdrawals"];
    const sumsOfMoney = ["total_volume", "buy_volume", "sell_volume", "avg_daily_dca_amount", "total_cash_deposits", "total_cash_withdrawals"];
    const metrics = await ok("GET", "/api/admin/metrics", token);
    for (const name of counts) has(metrics, { [name]: "integer" });
    for (const name of sumsOfMoney) has(metrics, { [name]: "number" });
  });

  test("deposits and withdrawals are told to the user and to the administrators", async () => {
    const [desk, user] = [new Client(SOCKET), new Client(SOCKET)];
    const mark = await desk.authenticate(token);
    const userMark = await user.authenticate(person.token);
    const at = (what) => `/api/admin/users/${person.id}/${what}`;
    const cash = await ok("POST", at("deposit-cash"), token, { amount: 500 });
    assert.deepEqual([cash.success, cash.depositedAmount], [true, 500]);
    await user.event("user_balance_update", { mark: userMark, fits: (b) => b.available_inr === cash.newBalance });
    has(await desk.event("admin_transaction_update", { mark, fits: (u) => u.transactions[0]?.type === "DEPOSIT_INR" }), { transactions: "list", timestamp: "instant" });
    const told = await desk.event("admin_user_update", {
      mark,
      fits: (u) => u.users.some((row) => row.email === person.email && row.inrBalance === cash.newBalance),
    });
    has(told, { users: "list", totalCount: "integer", adminCount: "integer", regularCount: "integer", timestamp: "instant" });
    has(await desk.event("admin_metrics_update", { mark }), { timestamp: "instant" });
    const coin = await ok("POST", at("deposit-bitcoin"), token, { amount: 5000 });
    const back = await ok("POST", at("withdraw-bitcoin"), token, { amount: 5000 });
    assert.deepEqual([coin.depositedAmount, back.withdrawnAmount, back.newBalance], [5000, 5000, coin.newBalance - 5000]);
    const much = await call("POST", at("withdraw-cash"), { token, body: { amount: 1e9 } });
    assert.deepEqual([much.status, much.body.error], [400, "Insufficient cash balance"]);
    for (const amount of [0, -1, "x", null]) {
      const bad = await call("POST", at("deposit-cash"), { token, body: { amount } });
      assert.equal(bad.status, 400, String(amount));
      assert.match(bad.body.error, /^Invalid amount/);
    }
    // nobody but administrators hears of it
    assert.deepEqual(user.seen.filter((e) => e.name.startsWith("admin_")), []);
    desk.close();
    user.close();
  });

  test("plans are told", async () => {
    const desk = new Client(SOCKET);
    const mark = await desk.authenticate(token);
    const plan = { plan_type: "DCA_BUY", frequency: "WEEKLY", amount_per_execution_inr: 10 };
    await ok("POST", "/api/dca-plans", person.token, plan, 201);
    const told = await desk.event("admin_dca_plans_update", { mark, fits: (u) => u.plans.some((p) => p.user_email === person.email) });
    has(told, { plans: "list", totalCount: "integer", activeCount: "integer", pausedCount: "integer", completedCount: "integer", timestamp: "instant" });
    desk.close();
  });

  test("a reversal gives the money back", async () => {
    const before = await ok("GET", "/api/balance", person.token);
    const trade = await ok("POST", "/api/trade", person.token, { action: "buy", type: "market", amount: "100", currency: "inr" });
    const reply = await ok("POST", `/api/admin/transactions/${trade.id}/reverse`, token, {});
    has(reply, { success: "boolean", message: "string", reversedTransaction: "object", balanceAdjustment: "object" });
    has(reply.reversedTransaction, { id: "integer", type: "string", status: "string", inr_amount: "number", btc_amount: "integer" });
    assert.deepEqual([reply.reversedTransaction.id, reply.reversedTransaction.status], [trade.id, "REVERSED"]);
    assert.deepEqual([reply.balanceAdjustment.inr, reply.balanceAdjustment.btc], [100, -trade.btc_amount]);
    assert.deepEqual(await ok("GET", "/api/balance", person.token), before);
    const again = await call("POST", `/api/admin/transactions/${trade.id}/reverse`, { token, body: {} });
    assert.ok(again.status >= 400 && again.status < 500, String(again.status));
  });

  test("a password, and an account's end", async () => {
    const other = await register("Dee Gone");
    await ok("PUT", `/api/admin/users/${other.id}/password`, token, { password: "another-Passw0rd-8841" });
    assert.equal((await call("GET", "/api/balance", { token: other.token })).status, 403);
    const fresh = await login({ email: other.email, password: "another-Passw0rd-8841" });
    const gone = await ok("DELETE", `/api/admin/users/${other.id}`, token);
    has(gone, { success: "boolean", message: "string", deletedData: "object" });
    has(gone.deletedData, { plans: "integer", transactions: "integer", userAction: "string" });
    assert.equal((await call("GET", "/api/balance", { token: fresh })).status, 403);
    assert.equal((await call("POST", "/api/auth/login", { body: { email: other.email, password: "another-Passw0rd-8841" } })).status, 401);
  });

  test("settings change the rates at once, for everybody, and go back", async () => {
    const everybody = new Client(SOCKET);
    const desk = new Client(SOCKET);
    const mark = await desk.authenticate(token);
    const { buy_multiplier: buy, sell_multiplier: sell } = await ok("GET", "/api/admin/settings", token);
    const set = (settings) => call("PUT", "/api/admin/settings", { token, body: { settings } });
    const heard = everybody.mark();
    const changed = await set({ buy_multiplier: buy.value + 3, sell_multiplier: sell.value });
    assert.equal(changed.status, 200, JSON.stringify(changed.body));
    has(changed.body, { success: "boolean", message: "string", updatedSettings: "object" });
    const now = await rates();
    assert.equal(now.buy_rate_inr, Math.round(now.btc_usd_price * (buy.value + 3)));
    await everybody.event("btc_price_update", { mark: heard, fits: (p) => p.buy_rate_inr >= p.btc_usd_price * (buy.value + 3) - 1 });
    has(await desk.event("admin_settings_update", { mark }), { timestamp: "instant" });
    assert.equal((await set({ buy_multiplier: 80, sell_multiplier: 90 })).status, 400);
    assert.equal((await set({ buy_multiplier: buy.value, sell_multiplier: sell.value })).status, 200);
    everybody.close();
    desk.close();
  });
});

// The calls of the documented web client, in its order, and what it reads from the answers.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { call, freshEmail, freshPassword, login, register, trade } from "./gateway.mjs";

function isInstant(value) {
  assert.equal(typeof value, "string");
  // the client appends a Z where there is none; an offset would break it
  assert.ok(!Number.isNaN(Date.parse(value.includes("Z") ? value : `${value}Z`)), value);
}

function isError(answer, status, text) {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.deepEqual(Object.keys(answer.body), ["error"]);
  if (text instanceof RegExp) assert.match(answer.body.error, text);
  else assert.equal(answer.body.error, text);
}

function isBalance(body) {
  for (const name of ["available_inr", "reserved_inr", "borrowed_inr", "interest_accrued"]) {
    assert.equal(typeof body[name], "number", name);
    assert.ok(Number.isSafeInteger(body[`${name}_paise`]), `${name}_paise`);
    assert.equal(Math.round(body[name] * 100), body[`${name}_paise`], name);
  }
  for (const name of ["available_btc", "reserved_btc", "collateral_btc"]) assert.ok(Number.isSafeInteger(body[name]), name);
}

describe("the market, before anybody logs in", () => {
  test("rates", async () => {
    const { status, body, headers } = await call("GET", "/api/market-rates");
    assert.equal(status, 200);
    for (const name of ["btc_usd_price", "buy_rate_inr", "sell_rate_inr"]) assert.ok(Number.isSafeInteger(body[name]), name);
    assert.ok(body.buy_rate_inr > body.sell_rate_inr && body.sell_rate_inr > body.btc_usd_price);
    isInstant(body.timestamp);
    assert.equal(typeof body.cached, "boolean");
    assert.equal(body.stale, false);
    assert.equal(typeof body.source, "string");
    assert.ok(headers.get("x-request-id"));
  });

  for (const frame of ["1d", "7d", "30d", "90d", "365d"]) {
    test(`chart ${frame}`, async () => {
      const { status, body } = await call("GET", `/api/bitcoin/chart/${frame}`);
      assert.equal(status, 200, JSON.stringify(body).slice(0, 200));
      assert.equal(body.timeframe, frame);
      assert.ok(Array.isArray(body.price_data) && body.price_data.length > 1);
      assert.equal(body.data_points_count, body.price_data.length);
      let earlier = 0;
      for (const point of body.price_data) {
        assert.ok(Number.isSafeInteger(point.price) && point.price > 0);
        assert.match(point.timestamp, /Z$/);
        const at = Date.parse(point.timestamp);
        assert.ok(at >= earlier, "points out of order");
        earlier = at;
      }
      assert.ok(!Number.isNaN(Number.parseFloat(body.price_change_pct)));
      for (const name of ["date_from", "date_to", "last_updated"]) isInstant(body[name]);
      assert.equal(typeof body.cached, "boolean");
    });
  }

  test("a timeframe that does not exist", async () => {
    isError(await call("GET", "/api/bitcoin/chart/2d"), 400, "Invalid timeframe");
  });

  test("current, sentiment and history", async () => {
    const current = await call("GET", "/api/bitcoin/current");
    assert.equal(current.status, 200);
    for (const name of ["btc_usd_price", "buy_rate_inr", "sell_rate_inr"]) assert.ok(Number.isSafeInteger(current.body[name]), name);
    for (const name of ["market_cap_usd", "volume_24h_usd", "high_24h_usd", "ath_usd", "ath_date", "ath_change_pct"]) {
      assert.ok(name in current.body, name);
    }
    isInstant(current.body.last_updated);

    const sentiment = await call("GET", "/api/bitcoin/sentiment");
    assert.equal(sentiment.status, 200);
    const { fear_greed_value: mood, fear_greed_classification: words, data_date: day } = sentiment.body;
    assert.ok(Number.isInteger(mood) && mood >= 0 && mood <= 100);
    assert.ok(typeof words === "string" && words !== "");
    assert.match(day, /^\d{4}-\d{2}-\d{2}$/);

    const history = await call("GET", "/api/bitcoin/history?limit=3");
    assert.equal(history.status, 200);
    assert.ok(Array.isArray(history.body) && history.body.length >= 1 && history.body.length <= 3);
    for (const item of history.body) {
      assert.ok(Number.isSafeInteger(item.btc_usd_price));
      isInstant(item.created_at);
    }
  });

  test("health, and routes that do not exist", async () => {
    const health = await call("GET", "/api/health");
    assert.equal(health.status, 200);
    assert.equal(health.body.status, "OK");
    isInstant(health.body.timestamp);
    isError(await call("GET", "/api/no-such-route"), 404, "Endpoint not found");
  });
});

describe("accounts", () => {
  let person;
  before(async () => {
    person = await register("Grace Hopper");
  });

  test("register answers with a token and the user", async () => {
    const [email, password] = [freshEmail(), freshPassword()];
    const { status, body } = await call("POST", "/api/auth/register", { body: { email, name: "A B", password } });
    assert.equal(status, 201);
    assert.equal(body.message, "User registered successfully");
    assert.equal(body.token.split(".").length, 3);
    assert.ok(Number.isSafeInteger(body.user.id));
    assert.equal(body.user.email, email);
    assert.equal(body.user.name, "A B");
  });

  test("register refuses, in the documented order", async () => {
    const whole = { email: freshEmail(), name: "A B", password: freshPassword() };
    const post = (body) => call("POST", "/api/auth/register", { body });
    for (const missing of ["email", "name", "password"]) {
      isError(await post({ ...whole, [missing]: undefined }), 400, "All fields are required");
    }
    isError(await post({ ...whole, confirmPassword: "another one" }), 400, "Passwords do not match");
    isError(await post({ ...whole, password: "abc", email: "x" }), 400, "Password must be at least 6 characters long");
    isError(await post({ ...whole, email: "nobody" }), 400, "Invalid email format");
    isError(await post({ ...whole, email: person.email }), 409, "User with this email already exists");
    isError(await post({ ...whole, email: person.email.toUpperCase() }), 409, "User with this email already exists");
    for (const password of [123456, ["abcdef"], { a: 1 }, true]) isError(await post({ ...whole, password }), 400, /./);
    isError(await post("{"), 400, /./);
  });

  test("login", async () => {
    const { status, body } = await call("POST", "/api/auth/login", {
      body: { email: person.email, password: person.password },
    });
    assert.equal(status, 200);
    assert.equal(body.message, "Login successful");
    assert.equal(body.user.id, person.id);
    assert.ok(!body.user.is_admin);
    isError(await call("POST", "/api/auth/login", { body: { email: person.email } }), 400, "Email and password are required");
    const wrong = { email: person.email, password: freshPassword() };
    isError(await call("POST", "/api/auth/login", { body: wrong }), 401, "Invalid email or password");
    const unknown = { email: freshEmail(), password: freshPassword() };
    isError(await call("POST", "/api/auth/login", { body: unknown }), 401, "Invalid email or password");
  });

  test("verify: what the client does with a stored token", async () => {
    const { status, body } = await call("GET", "/api/auth/verify", { token: person.token });
    assert.equal(status, 200);
    assert.equal(body.valid, true);
    assert.equal(body.user.id, person.id);
    assert.ok("is_admin" in body.user);
    isError(await call("GET", "/api/auth/verify"), 401, /./);
    isError(await call("GET", "/api/auth/verify", { token: "a.b.c" }), 401, /./);
  });

  test("a token must be there, and be good", async () => {
    for (const path of ["/api/balance", "/api/transactions?page=1&limit=50"]) {
      isError(await call("GET", path), 401, "Access token required");
      isError(await call("GET", path, { token: "nonsense" }), 403, "Invalid or expired token");
      isError(await call("GET", path, { token: `${person.token}x` }), 403, "Invalid or expired token");
    }
    const basic = await call("GET", "/api/balance", { headers: { Authorization: `Basic ${person.token}` } });
    assert.ok(basic.status === 401 || basic.status === 403, String(basic.status));
  });

  test("profile: name, e-mail, password", async () => {
    const user = await register("Before");
    const put = (what, body) => call("PUT", `/api/user/profile/${what}`, { token: user.token, body });
    isError(await put("name", { name: "After", currentPassword: "not it" }), 401, "Current password is incorrect");
    const renamed = await put("name", { name: "After", currentPassword: user.password });
    assert.equal(renamed.status, 200, JSON.stringify(renamed.body));
    const taken = await put("email", { email: person.email, currentPassword: user.password });
    isError(taken, 409, "Email is already in use by another account");
    const email = freshEmail("Moved");
    assert.equal((await put("email", { email, currentPassword: user.password })).status, 200);
    const profile = await call("GET", "/api/user/profile", { token: user.token });
    assert.equal(profile.status, 200);
    assert.equal(profile.body.user.name, "After");
    assert.equal(profile.body.user.email, email.toLowerCase());

    const other = await login({ email, password: user.password });
    const fresh = freshPassword();
    const change = { currentPassword: user.password, newPassword: fresh, confirmPassword: fresh };
    assert.equal((await put("password", change)).status, 200);
    isError(await call("GET", "/api/balance", { token: other }), 403, "Invalid or expired token");
    assert.equal((await call("GET", "/api/balance", { token: user.token })).status, 200);
    await login({ email, password: fresh });
  });

  test("logout ends its own session only", async () => {
    const [one, two] = [await login(person), await login(person)];
    assert.equal((await call("POST", "/api/auth/logout", { token: one })).status, 200);
    isError(await call("GET", "/api/balance", { token: one }), 403, "Invalid or expired token");
    assert.equal((await call("GET", "/api/balance", { token: two })).status, 200);
  });

  test("administrators' routes are for administrators", async () => {
    const answer = await call("GET", "/api/admin/reconcile", { token: person.token });
    assert.equal(answer.status, 403);
    assert.equal(typeof answer.body.error, "string");
  });
});

describe("trading", () => {
  let person;
  before(async () => {
    person = await register("Trader");
    const { body } = await call("GET", "/api/balance", { token: person.token });
    assert.ok(body.available_inr >= 10_000, "these tests need a gateway whose users start with money: `demo`");
  });

  const balance = async () => {
    const { status, body } = await call("GET", "/api/balance", { token: person.token });
    assert.equal(status, 200);
    isBalance(body);
    return body;
  };

  test("a buy for rupees: the amount is text, the sides are exact, the balances move by them", async () => {
    const held = await balance();
    const done = await trade(person.token, "buy", "1000");
    assert.ok(Number.isSafeInteger(done.id));
    assert.equal(done.type, "MARKET_BUY");
    assert.equal(done.action, "buy");
    assert.equal(done.status, "EXECUTED");
    assert.equal(done.inr_amount, 1000);
    assert.equal(done.inr_amount_paise, 100_000);
    assert.equal(done.execution_price * 100, done.execution_price_paise);
    assert.equal(BigInt(done.btc_amount), (100_000n * 100_000_000n) / BigInt(done.execution_price_paise));
    isInstant(done.timestamp);
    isBalance(done.updated_balance);
    const now = await balance();
    assert.deepEqual(now, done.updated_balance);
    assert.equal(now.available_inr_paise, held.available_inr_paise - 100_000);
    assert.equal(now.available_btc, held.available_btc + done.btc_amount);
  });

  test("rupees with paise, bitcoin by the satoshi, and both ways to sell", async () => {
    const ceil = (a, b) => (a + b - 1n) / b;
    const one = 100_000_000n;
    let held = await balance();
    const cases = [
      ["buy", "1000.50", "inr", 100_050n],
      ["buy", "0.00050001", "btc", 50_001n],
      ["sell", "0.0005", "btc", 50_000n],
      ["sell", "250.25", "inr", 25_025n],
    ];
    for (const [action, amount, currency, exact] of cases) {
      const done = await trade(person.token, action, amount, currency);
      const price = BigInt(done.execution_price_paise);
      const [paise, sats] = [BigInt(done.inr_amount_paise), BigInt(done.btc_amount)];
      if (currency === "inr") {
        assert.equal(paise, exact);
        assert.equal(sats, action === "buy" ? (paise * one) / price : ceil(paise * one, price));
      } else {
        assert.equal(sats, exact);
        assert.equal(paise, action === "buy" ? ceil(sats * price, one) : (sats * price) / one);
      }
      const sign = action === "buy" ? 1 : -1;
      const now = done.updated_balance;
      assert.equal(now.available_inr_paise, held.available_inr_paise - sign * done.inr_amount_paise);
      assert.equal(now.available_btc, held.available_btc + sign * done.btc_amount);
      held = now;
    }
  });

  test("refusals, in the documented order and words", async () => {
    const whole = { action: "buy", type: "market", amount: "100", currency: "inr" };
    const post = (changes) => call("POST", "/api/trade", { token: person.token, body: { ...whole, ...changes } });
    const held = await balance();
    isError(await post({ action: "keep", type: "limit", amount: "x" }), 400, 'Invalid action. Must be "buy" or "sell"');
    isError(await post({ type: "limit", amount: "x" }), 400, "Only market orders are supported in this endpoint");
    for (const amount of ["0", "-1", "x", "", "1e3", "0x10", "Infinity", "1.001", ["5"], {}, null, true]) {
      isError(await post({ amount }), 400, /./);
    }
    isError(await post({ currency: "usd" }), 400, 'Invalid currency. Must be "inr" or "btc"');
    isError(await post({ amount: "900000000000" }), 400, /^Insufficient INR balance\. Required: ₹/);
    isError(await post({ action: "sell", currency: "btc", amount: "9000" }), 400, /^Insufficient BTC balance\. Required: \d+ satoshis, Available: \d+ satoshis$/);
    isError(await call("POST", "/api/trade", { body: whole }), 401, "Access token required");
    isError(await call("POST", "/api/trade", { token: person.token, body: '{"action":' }), 400, /./);
    assert.deepEqual(await balance(), held);
  });

  test("the same key is the same trade", async () => {
    const headers = { "Idempotency-Key": freshPassword() };
    const body = { action: "buy", type: "market", amount: "700", currency: "inr" };
    const first = await call("POST", "/api/trade", { token: person.token, body, headers });
    assert.equal(first.status, 200);
    const held = await balance();
    const again = await call("POST", "/api/trade", { token: person.token, body, headers });
    assert.equal(again.status, 200);
    assert.equal(again.headers.get("idempotent-replay"), "true");
    assert.deepEqual(again.body, first.body);
    const other = await call("POST", "/api/trade", { token: person.token, body: { ...body, amount: "701" }, headers });
    assert.equal(other.status, 409);
    const racers = { "Idempotency-Key": freshPassword() };
    const race = await Promise.all(
      Array.from({ length: 8 }, () => call("POST", "/api/trade", { token: person.token, body, headers: racers })),
    );
    assert.deepEqual([...new Set(race.map(({ status }) => status))], [200]);
    assert.equal(new Set(race.map((answer) => answer.body.id)).size, 1);
    assert.equal((await balance()).available_inr_paise, held.available_inr_paise - 70_000);
  });

  test("transactions, page by page", async () => {
    await trade(person.token, "buy", "10");
    const list = (query) => call("GET", `/api/transactions${query}`, { token: person.token });
    const first = await list("?page=1&limit=50");
    assert.equal(first.status, 200);
    assert.equal(first.body.page, 1);
    assert.equal(first.body.limit, 50);
    assert.equal(first.body.hasMore, false);
    const ids = first.body.transactions.map((item) => item.id);
    assert.ok(ids.length >= 3);
    assert.deepEqual(ids, [...ids].sort((a, b) => b - a));
    for (const item of first.body.transactions) {
      assert.match(item.type, /^[A-Z_]+$/);
      assert.equal(item.status, "EXECUTED");
      assert.ok(Number.isSafeInteger(item.btc_amount));
      assert.equal(Math.round(item.inr_amount * 100), item.inr_amount_paise);
      assert.equal(Math.round(item.execution_price * 100), item.execution_price_paise);
      isInstant(item.created_at);
      isInstant(item.executed_at);
    }
    const paged = [];
    for (let page = 1, more = true; more; page += 1) {
      const { body } = await list(`?limit=2&page=${page}`);
      paged.push(...body.transactions.map((item) => item.id));
      more = body.hasMore;
      assert.ok(page < 100);
    }
    assert.deepEqual(paged, ids);
    for (const query of ["?limit=0", "?limit=-1", "?limit=x", "?page=0", "?page=-1", "?page=1.5", "?limit=1000000"]) {
      isError(await list(query), 400, /./);
    }
  });
});

const admin = { email: process.env.ORRERY_ADMIN_EMAIL, password: process.env.ORRERY_ADMIN_PASSWORD };
test("the journal reconciles", { skip: !admin.email && "no ORRERY_ADMIN_EMAIL" }, async () => {
  const token = await login(admin);
  const { status, body } = await call("GET", "/api/admin/reconcile", { token });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.ok, true, JSON.stringify(body.faults));
  assert.match(body.head, /^[0-9a-f]{64}$/);
});

// The events of the documented server, seen by the official client on every transport.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { PATIENCE_MS, PRICE_PATIENCE_MS, call, freshPassword, login, register, trade } from "./gateway.mjs";
import { Client } from "./socket.mjs";

const TRANSPORTS = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  "polling, then upgraded": {},
};

function isInstant(value) {
  assert.equal(typeof value, "string");
  assert.match(value, /Z$/);
  assert.ok(!Number.isNaN(Date.parse(value)), value);
}

function isBalance(payload) {
  for (const name of ["available_inr", "reserved_inr", "borrowed_inr", "interest_accrued"]) {
    assert.equal(typeof payload[name], "number", name);
    assert.ok(Number.isSafeInteger(payload[`${name}_paise`]), `${name}_paise`);
  }
  for (const name of ["available_btc", "reserved_btc", "collateral_btc"]) {
    assert.ok(Number.isSafeInteger(payload[name]), name);
  }
  isInstant(payload.timestamp);
}

for (const [name, options] of Object.entries(TRANSPORTS)) {
  describe(`over ${name}`, () => {
    let person;
    before(async () => {
      person = await register();
    });

    test("greets, then tells the price", async () => {
      const client = new Client(options);
      const greeting = await client.event("connection_established");
      assert.equal(typeof greeting.message, "string");
      isInstant(greeting.timestamp);
      const price = await client.event("btc_price_update", { within: PRICE_PATIENCE_MS });
      for (const field of ["btc_usd_price", "buy_rate_inr", "sell_rate_inr"]) {
        assert.ok(Number.isSafeInteger(price[field]) && price[field] > 0, field);
      }
      assert.ok(price.buy_rate_inr > price.sell_rate_inr);
      isInstant(price.timestamp);
      assert.equal(client.seen[0].name, "connection_established");
      client.close();
    });

    test("authenticates with the bare token: balance, transactions, then success", async () => {
      const client = new Client(options);
      await client.event("connection_established");
      const mark = await client.authenticate(person.token);
      const order = client.names(mark, "user_balance_update", "user_transaction_update", "authentication_success");
      assert.deepEqual(order, ["user_balance_update", "user_transaction_update", "authentication_success"]);
      isBalance(await client.event("user_balance_update", { mark }));
      const list = await client.event("user_transaction_update", { mark });
      assert.ok(Array.isArray(list.transactions) && list.transactions.length <= 15);
      isInstant(list.timestamp);
      const success = await client.event("authentication_success", { mark });
      assert.equal(typeof success.message, "string");
      assert.equal(success.userId, person.id);
      assert.equal(success.email, person.email);
      client.close();
    });

    test("refuses a bad token and goes on telling prices", async () => {
      const client = new Client(options);
      await client.event("connection_established");
      const cases = [
        [["nonsense"], "jwt malformed"],
        [["a.b"], "jwt malformed"],
        [[], "jwt must be provided"],
        [[null], "jwt must be provided"],
        [[""], "jwt must be provided"],
      ];
      for (const [args, error] of cases) {
        const mark = client.mark();
        client.socket.emit("authenticate", ...args);
        const refusal = await client.event("authentication_error", { mark });
        assert.deepEqual(refusal, { message: "Authentication failed", error }, JSON.stringify(args));
        assert.deepEqual(client.names(mark, "authentication_success", "user_balance_update"), []);
      }
      for (const odd of [42, {}, { token: person.token }, [person.token], true, "x".repeat(20_000)]) {
        const mark = client.mark();
        client.socket.emit("authenticate", odd);
        const refusal = await client.event("authentication_error", { mark });
        assert.equal(refusal.message, "Authentication failed");
      }
      await client.event("btc_price_update", { mark: client.mark(), within: PRICE_PATIENCE_MS });
      assert.ok(client.socket.connected);
      client.close();
    });

    test("tells all sockets of a person about a trade, and nobody else's", async () => {
      const other = await register();
      const [one, two, stranger, nobody] = [0, 1, 2, 3].map(() => new Client(options));
      await Promise.all([one, two, stranger, nobody].map((client) => client.event("connection_established")));
      await Promise.all([one.authenticate(person.token), two.authenticate(person.token), stranger.authenticate(other.token)]);
      const marks = new Map([one, two, stranger, nobody].map((client) => [client, client.mark()]));

      const done = await trade(person.token, "buy", "1000");
      const holds = (payload) => payload.transactions.some((item) => item.id === done.id);
      for (const client of [one, two]) {
        const mark = marks.get(client);
        const balance = await client.event("user_balance_update", { mark });
        isBalance(balance);
        assert.equal(balance.available_inr_paise, done.updated_balance.available_inr_paise);
        assert.equal(balance.available_btc, done.updated_balance.available_btc);
        const list = await client.event("user_transaction_update", { mark, fits: holds });
        assert.equal(list.transactions[0].id, done.id);
        assert.equal(list.transactions[0].inr_amount_paise, 100_000);
      }

      // the stranger's own trade is the proof that everything before it has been delivered
      const theirs = await trade(other.token, "buy", "2000");
      await stranger.event("user_transaction_update", {
        mark: marks.get(stranger),
        fits: (payload) => payload.transactions.some((item) => item.id === theirs.id),
      });
      for (const { name, args } of stranger.seen) {
        if (name === "user_transaction_update") assert.ok(!holds(args[0]), "somebody else's transaction");
      }
      const balances = stranger.seen.slice(marks.get(stranger)).filter(({ name }) => name === "user_balance_update");
      for (const { args } of balances) {
        assert.equal(args[0].available_inr_paise, theirs.updated_balance.available_inr_paise);
      }
      const mark = nobody.mark();
      nobody.socket.emit("authenticate", "nonsense");
      await nobody.event("authentication_error", { mark });
      assert.deepEqual(nobody.names(0, "user_balance_update", "user_transaction_update"), []);
      for (const client of [one, two, stranger, nobody]) client.close();
    });
  });
}

describe("over the life of a session", () => {
  test("the upgrade to WebSocket happens and loses nothing", async () => {
    const person = await register();
    const client = new Client({});
    await client.event("connection_established");
    await client.authenticate(person.token);
    const engine = client.socket.io.engine;
    if (engine.transport.name !== "websocket") {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("no upgrade")), PATIENCE_MS);
        engine.once("upgrade", () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    assert.equal(engine.transport.name, "websocket");
    const mark = client.mark();
    const done = await trade(person.token, "buy", "500.50");
    const balance = await client.event("user_balance_update", { mark });
    assert.equal(balance.available_inr_paise, done.updated_balance.available_inr_paise);
    client.close();
  });

  test("authenticating as somebody else ends the first person's events", async () => {
    const [first, second] = [await register(), await register()];
    const [client, witness] = [new Client({}), new Client({})];
    await Promise.all([client, witness].map((one) => one.event("connection_established")));
    await client.authenticate(first.token);
    await witness.authenticate(first.token);
    const mark = await client.authenticate(second.token);
    assert.equal((await client.event("authentication_success", { mark })).userId, second.id);

    const theirs = await trade(first.token, "buy", "1000");
    const seesTheirs = (payload) => payload.transactions.some((item) => item.id === theirs.id);
    await witness.event("user_transaction_update", { fits: seesTheirs });
    const own = await trade(second.token, "buy", "3000");
    await client.event("user_transaction_update", {
      mark,
      fits: (payload) => payload.transactions.some((item) => item.id === own.id),
    });
    for (const { name, args } of client.seen.slice(mark)) {
      if (name === "user_transaction_update") assert.ok(!seesTheirs(args[0]), "an event of the first person");
    }
    client.close();
    witness.close();
  });

  test("a refused token after a good one leaves no identity behind", async () => {
    const person = await register();
    const [client, witness] = [new Client({}), new Client({})];
    await Promise.all([client, witness].map((one) => one.event("connection_established")));
    await client.authenticate(person.token);
    await witness.authenticate(person.token);
    const before = client.mark();
    client.socket.emit("authenticate", "nonsense");
    await client.event("authentication_error", { mark: before });
    const mark = client.mark();
    const done = await trade(person.token, "buy", "1000");
    await witness.event("user_transaction_update", {
      fits: (payload) => payload.transactions.some((item) => item.id === done.id),
    });
    client.socket.emit("authenticate", "nonsense");
    await client.event("authentication_error", { mark }).catch((error) => {
      // closing the socket is the other way to leave nothing behind
      if (client.socket.connected) throw error;
    });
    assert.deepEqual(client.names(mark, "user_balance_update", "user_transaction_update"), []);
    client.close();
    witness.close();
  });

  test("logout ends its own session's sockets and no other", async () => {
    const person = await register();
    const second = await login(person);
    const [client, other] = [new Client({}), new Client({})];
    await Promise.all([client, other].map((one) => one.event("connection_established")));
    await client.authenticate(person.token);
    await other.authenticate(second);
    const mark = client.mark();
    const { status } = await call("POST", "/api/auth/logout", { token: person.token });
    assert.equal(status, 200);
    assert.equal((await client.event("authentication_error", { mark })).message, "Authentication failed");
    await client.event("(disconnect)", { mark });

    const done = await trade(second, "buy", "1000");
    await other.event("user_transaction_update", {
      fits: (payload) => payload.transactions.some((item) => item.id === done.id),
    });
    assert.deepEqual(client.names(mark, "user_balance_update", "user_transaction_update"), []);

    const again = new Client({});
    await again.event("connection_established");
    again.socket.emit("authenticate", person.token);
    assert.equal((await again.event("authentication_error")).message, "Authentication failed");
    for (const one of [again, other]) one.close();
  });

  test("a change of password ends every other session's sockets", async () => {
    const person = await register();
    const second = await login(person);
    const [client, other] = [new Client({}), new Client({})];
    await Promise.all([client, other].map((one) => one.event("connection_established")));
    await client.authenticate(person.token);
    await other.authenticate(second);
    const mark = client.mark();
    const fresh = freshPassword();
    const { status, body } = await call("PUT", "/api/user/profile/password", {
      token: second,
      body: { currentPassword: person.password, newPassword: fresh, confirmPassword: fresh },
    });
    assert.equal(status, 200, JSON.stringify(body));
    await client.event("authentication_error", { mark });
    await client.event("(disconnect)", { mark });
    const done = await trade(second, "buy", "1000");
    await other.event("user_transaction_update", {
      fits: (payload) => payload.transactions.some((item) => item.id === done.id),
    });
    assert.deepEqual(client.names(mark, "user_balance_update", "user_transaction_update"), []);
    other.close();
  });
});

describe("topics", () => {
  const root = { email: process.env.ORRERY_ADMIN_EMAIL, password: process.env.ORRERY_ADMIN_PASSWORD };

  test("are subscribed to, and need a login but for notifications", async () => {
    const client = new Client({});
    const connected = await client.event("connected");
    assert.equal(typeof connected.client_id, "string");
    assert.ok(!Number.isNaN(Date.parse(connected.server_time)));
    assert.equal(connected.features.length, 5);
    client.socket.emit("subscribe", { topics: ["notifications", "system_status", "nope"] });
    client.socket.emit("ping", { echo: "test" });
    client.socket.emit("unsubscribe", { topics: ["notifications"] });
    client.socket.emit("subscribe", 7);
    client.socket.emit("ping");
    assert.deepEqual(await client.event("subscribed"), { topic: "notifications" });
    const errors = () => client.seen.filter((e) => e.name === "error").map((e) => e.args[0].message);
    await client.event("error", { fits: (e) => /nope/.test(e.message) });
    assert.match(errors()[0], /system_status/);
    assert.equal((await client.event("pong", { fits: (p) => p.echo === "test" })).echo, "test");
    assert.deepEqual(await client.event("unsubscribed"), { topic: "notifications" });
    await client.event("error", { fits: (e) => /topics/.test(e.message) });
    assert.deepEqual((await client.event("pong", { fits: (p) => p.echo !== "test" })).echo, {});
    const person = await register();
    await client.authenticate(person.token);
    client.socket.emit("subscribe", { topics: "system_status" });
    assert.deepEqual(await client.event("subscribed", { fits: (s) => s.topic === "system_status" }), {
      topic: "system_status",
    });
    client.close();
  });

  test("400 clients that subscribe at once all hear", { skip: !root.email && "no ORRERY_ADMIN_EMAIL" }, async () => {
    const clients = Array.from({ length: 400 }, (_, n) => {
      const client = new Client(n % 2 ? { transports: ["websocket"] } : {});
      // in the same turn as the connection: the server may not have run anything of ours yet
      client.socket.on("connect", () => client.socket.emit("subscribe", { topics: ["notifications"] }));
      return client;
    });
    await Promise.all(clients.map((client) => client.event("subscribed")));
    const token = await login(root);
    const mark = "to all four hundred";
    const { status } = await call("POST", "/ws/broadcast", { token, body: { message: mark, severity: "warning" } });
    assert.equal(status, 200);
    const heard = await Promise.all(clients.map((client) => client.event("notification", { fits: (n) => n.message === mark })));
    for (const notification of heard) {
      assert.deepEqual([notification.type, notification.severity, typeof notification.title], ["system", "warning", "string"]);
    }
    const messages = await Promise.all(
      clients.map((client) => client.event("topic_message", { fits: (m) => m.data.message === mark })),
    );
    for (const message of messages) {
      assert.equal(message.topic, "notifications");
      assert.ok(!Number.isNaN(Date.parse(message.timestamp)));
    }
    for (const client of clients) client.close();
  });
});

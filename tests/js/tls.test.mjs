// The gateway's own TLS, with its certificate trusted as any other: HTTP, the channels, Socket.IO, the session socket.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import { ChannelsClient } from "../../clients/js/index.js";
import { BASE, PATIENCE_MS, call, login, register } from "./gateway.mjs";
import { Client } from "./socket.mjs";

const SOCKETS = BASE.replace(/^http/, "ws");
/** Messages that are sent without waiting for each other. */
const MESSAGES = 300;

/** What the promise gives, or a failure when it takes too long. */
function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What is still open when a test fails would keep the process. */
const open = new Set();
after(() => {
  for (const one of open) one.close();
});

function opened(one) {
  open.add(one);
  return one;
}

describe("over TLS", () => {
  let person;
  before(async () => {
    assert.match(BASE, /^https:/);
    person = await register("Tilda Lowe");
    const token = await login({ email: process.env.ORRERY_ADMIN_EMAIL, password: process.env.ORRERY_ADMIN_PASSWORD });
    const made = await call("POST", "/ws/channels", { token, body: { name: "tls", message_rate_limit: 1_000_000 } });
    assert.equal(made.status, 201, JSON.stringify(made.body));
  });

  test("channels carry every message once and in order, between two clients", async () => {
    const client = () => opened(new ChannelsClient(`${SOCKETS}/ws`, { token: person.token, WebSocket }));
    const [sender, reader] = [client(), client()];
    const heard = [];
    const all = new Promise((resolve) => {
      reader.join("tls", ({ content }) => {
        heard.push(content.n);
        if (heard.length === MESSAGES) resolve();
      });
    });
    await within("joining", new Promise((resolve) => reader.on("join", resolve)));
    // some fill more than one record of TLS; all together are less than may wait for a client
    const message = (n) => ({ n, text: "x".repeat(n % 50 === 0 ? 40_000 : 100) });
    const sent = Array.from({ length: MESSAGES }, (_, n) => sender.send("tls", message(n)));
    const acks = await within("acknowledgements", Promise.all(sent));
    await within("messages", all);
    assert.deepEqual(heard, Array.from({ length: MESSAGES }, (_, n) => n));
    assert.deepEqual(acks.map((ack) => ack.offset), Array.from({ length: MESSAGES }, (_, n) => n + 1));
    sender.close();
    reader.close();
  });

  for (const transport of ["polling", "websocket"]) {
    test(`Socket.IO by ${transport} hears a topic`, async () => {
      const client = new Client({ transports: [transport] });
      await client.event("connection_established");
      client.socket.emit("subscribe", { topics: ["notifications"] });
      const subscribed = await client.event("subscribed");
      assert.equal(subscribed.topic, "notifications");
      client.close();
    });
  }

  test("the session socket tells whoever subscribes", async () => {
    const socket = opened(new WebSocket(`${SOCKETS}/webfix`, "webfix"));
    const first = new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("message", (data) => resolve(JSON.parse(data)));
    });
    socket.on("open", () => {
      socket.send(JSON.stringify({ webfix: "1.0", method: "subscribe", channel: "testnet.runtime" }));
    });
    const frame = await within("a frame", first);
    assert.equal(socket.protocol, "webfix");
    assert.equal(typeof frame.channel, "string");
    socket.close();
  });

  test("cookies are for TLS alone, and plain HTTP gets no answer", async () => {
    const { status, headers } = await call("POST", "/api/auth/login", {
      body: { email: person.email, password: person.password },
    });
    assert.equal(status, 200);
    assert.match(headers.get("set-cookie") ?? "", /;\s*secure/i);
    await assert.rejects(fetch(BASE.replace("https", "http") + "/health"));
  });
});

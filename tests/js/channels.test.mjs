// The JavaScript client of the channels, in Node.js and in Chromium, over a link that fails.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import WebSocket from "ws";
import { ChannelsClient } from "../../clients/js/index.js";
import { BASE, PATIENCE_MS, register } from "./gateway.mjs";

const target = new URL(BASE);

/** A link to the gateway that can be cut. */
class Link {
  #sockets = new Set();
  #refuse = false;

  static async start() {
    const link = new Link();
    link.server = createServer((socket) => link.#take(socket));
    await new Promise((resolve) => link.server.listen(0, "127.0.0.1", resolve));
    link.url = `ws://127.0.0.1:${link.server.address().port}/ws`;
    return link;
  }

  #take(socket) {
    if (this.#refuse) return socket.destroy();
    const other = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ]) {
      this.#sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }

  cut(refuse = false) {
    this.#refuse = refuse;
    for (const socket of this.#sockets) socket.destroy();
  }

  stop() {
    this.cut(true);
    this.server.close();
  }
}

/** Resolves when the condition holds; fails with what was seen. */
async function eventually(what, look) {
  const until = Date.now() + PATIENCE_MS;
  let seen;
  while (Date.now() < until) {
    seen = await look();
    if (seen === true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`${what}: ${JSON.stringify(seen)}`);
}

const event = (client, name) => new Promise((resolve) => client.on(name, resolve));

describe("the client", () => {
  let person, link;
  before(async () => {
    person = await register("Chan Nel");
    link = await Link.start();
  });
  after(() => link.stop());

  const open = (options = {}) =>
    new ChannelsClient(link.url, { token: person.token, WebSocket, minDelayMs: 20, maxDelayMs: 200, ...options });

  test("joins, sends, hears and leaves", async () => {
    const [one, two] = [open(), open()];
    const heard = [];
    two.join("js-talk", ({ content }) => heard.push(content));
    await event(two, "join");
    const ack = await one.send("js-talk", { any: ["json"] });
    assert.deepEqual([ack.offset, ack.duplicate, typeof ack.epoch], [1, false, "string"]);
    await eventually("it is heard", () => heard.length === 1 || heard);
    assert.deepEqual(heard, [{ any: ["json"] }]);
    two.leave("js-talk");
    await event(two, "leave");
    await assert.rejects(one.send("topic/notifications", "x"), { code: "forbidden" });
    one.close();
    two.close();
    await assert.rejects(one.send("js-talk", "x"), { code: "closed" });
  });

  test("comes back, with everything that was missed, and sends what was queued once", async () => {
    const [away, there] = [open(), new ChannelsClient(`${BASE.replace("http", "ws")}/ws`, { token: person.token, WebSocket })];
    const heard = [];
    const gaps = [];
    away.join("js-away", ({ content }) => heard.push(content));
    away.on("gap", (gap) => gaps.push(gap));
    await event(away, "join");
    await there.send("js-away", "before");
    link.cut(true);
    await event(away, "close");
    const queued = [away.send("js-away", "queued 1"), away.send("js-away", "queued 2")];
    for (let n = 0; n < 5; n += 1) await there.send("js-away", `missed ${n}`);
    link.cut(false);
    const acks = await Promise.all(queued);
    assert.deepEqual(acks.map((a) => [a.offset, a.duplicate]), [[7, false], [8, false]]);
    // lost together with its acknowledgement: cut while it is on its way
    const last = away.send("js-away", "last");
    link.cut(false);
    await last;
    const all = ["before", "missed 0", "missed 1", "missed 2", "missed 3", "missed 4", "queued 1", "queued 2", "last"];
    await eventually("all of it is heard", () => heard.length >= all.length || heard);
    assert.deepEqual(heard, all);
    assert.deepEqual(gaps, []);
    away.close();
    there.close();
  });

  test("says what is lost when it was away too long", async () => {
    const client = open();
    client.join("js-gap", () => {}, { since: 5, epoch: "long-gone" });
    const gap = await event(client, "gap");
    assert.deepEqual([gap.channel, gap.since, gap.offset], ["js-gap", 5, 0]);
    client.close();
  });

  test("stops when connecting again is no use, and tries a new token first", async () => {
    let asked = 0;
    const client = open({
      token: () => {
        asked += 1;
        return "not-a-token";
      },
    });
    const error = await event(client, "end");
    assert.deepEqual([error.code, asked, client.state], ["close_4401", 2, "closed"]);
    const never = new ChannelsClient("ws://127.0.0.1:9/ws", { WebSocket, minDelayMs: 1, maxDelayMs: 5, maxRetries: 3 });
    assert.equal((await event(never, "end")).code, "unreachable");
    const full = open({ token: "x", queueMax: 1 });
    const waiting = full.send("a", 1);
    await assert.rejects(full.send("a", 2), { code: "queue_full" });
    await assert.rejects(waiting, { code: "close_4401" });
  });

  test("works in a browser", async () => {
    const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
    assert.ok(existsSync(executablePath), `no Chromium at ${executablePath}`);
    const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
    try {
      const page = await browser.newPage();
      // over the link, whose origin the page then is
      await page.goto(link.url.replace("ws:", "http:").replace(/ws$/, ""));
      const source = readFileSync(new URL("../../clients/js/index.js", import.meta.url), "utf8");
      await page.evaluate(`(() => { ${source.replaceAll("export class", "class")}; globalThis.Client = ChannelsClient; })()`);
      await page.evaluate(
        ([url, token]) => {
          globalThis.heard = [];
          globalThis.client = new globalThis.Client(url, { token, minDelayMs: 20, maxDelayMs: 200 });
          client.join("js-page", ({ content }) => heard.push(content));
        },
        [link.url, person.token],
      );
      await page.waitForFunction(() => client.state === "open");
      assert.equal((await page.evaluate(() => client.send("js-page", "from the page"))).offset, 1);
      link.cut(true);
      await page.waitForFunction(() => client.state === "connecting");
      const there = new ChannelsClient(`${BASE.replace("http", "ws")}/ws`, { token: person.token, WebSocket });
      await there.send("js-page", "while it was away");
      link.cut(false);
      await page.waitForFunction(() => heard.length === 2, undefined, { timeout: PATIENCE_MS });
      assert.deepEqual(await page.evaluate(() => heard), ["from the page", "while it was away"]);
      there.close();
    } finally {
      await browser.close();
    }
  });
});

describe("the session socket", () => {
  const visit = (path, protocols = ["webfix"]) => {
    const socket = new WebSocket(BASE.replace("http", "ws") + path, protocols, { origin: "https://elsewhere.example" });
    const heard = [];
    socket.on("message", (data) => heard.push(JSON.parse(data)));
    const closed = new Promise((resolve) => socket.on("close", (code, reason) => resolve([code, String(reason)])));
    return { socket, heard, closed };
  };

  test("speaks webfix with anybody, from any page, on both paths", async () => {
    for (const path of ["/", "/webfix"]) {
      const { socket, heard } = visit(path);
      await new Promise((resolve) => socket.on("open", resolve));
      assert.equal(socket.protocol, "webfix");
      socket.send('{"webfix":"testnet","method":"subscribe","channel":"sonar"}');
      socket.send('{"webfix":"testnet","method":"subscribe","channel":"runtime"}');
      const connections = () => heard.find((frame) => frame.channel === "testnet.network.connections");
      await eventually("data comes", () => Boolean(connections()) || heard.map((frame) => frame.channel)).finally(() =>
        socket.close(),
      );
      const { value, ...flat } = connections();
      assert.equal(value.channel, "testnet.network.connections");
      for (const field of ["channel", "module", "widget", "raw", "timestamp"]) assert.deepEqual(flat[field], value[field]);
      assert.equal(value.raw.network, "testnet");
      assert.equal(typeof value.raw.totalClients, "number");
      assert.ok(!("error" in flat) && !("message" in flat));
    }
  });

  test("says that a session is over only by the contract's words", async () => {
    const { closed } = visit("/?session=0123456789abcdef");
    assert.deepEqual(await closed, [4401, "Session expired"]);
    const { socket, closed: end } = visit("/");
    await new Promise((resolve) => socket.on("open", resolve));
    socket.send("x".repeat(70_000));
    const [code, reason] = await end;
    assert.equal(code, 1009);
    assert.doesNotMatch(reason, /session|expired|invalid|logged out/i);
  });
});

// The topics of the Localhost Web Server document, heard by the official client while the server does what they tell of.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { BASE, call, freshEmail, register } from "./gateway.mjs";
import { Client } from "./socket.mjs";

const TOPICS = [
  "system_status",
  "file_operations",
  "command_output",
  "tunnel_status",
  "performance_metrics",
  "security_alerts",
  "backup_progress",
  "notifications",
];

/** The operator at the machine itself: a cookie and the token that belongs to it. */
class Local {
  async begin() {
    const { headers, body } = await call("GET", "/api/csrf");
    this.headers = { Cookie: headers.get("set-cookie").split(";")[0], "X-CSRF-Token": body.csrf_token };
    return this;
  }

  async post(path, body = {}) {
    return call("POST", path, { body, headers: this.headers });
  }

  async upload(name, text) {
    const form = new FormData();
    form.append("file", new Blob([text]), name);
    const response = await fetch(`${BASE}/api/files/upload`, { method: "POST", headers: this.headers, body: form });
    assert.equal(response.status, 200);
    return (await response.json()).filename;
  }
}

async function subscribed(options, topics = TOPICS, token) {
  const client = new Client(options);
  await client.event("connected");
  if (token) await client.authenticate(token);
  const mark = client.mark();
  client.socket.emit("subscribe", { topics });
  for (const topic of topics) await client.event("subscribed", { mark, fits: (m) => m.topic === topic });
  return client;
}

/** The first message on a topic for which `fits` holds. */
async function heard(client, topic, mark, fits = () => true) {
  const message = await client.event("topic_message", { mark, fits: (m) => m.topic === topic && fits(m.data) });
  assert.match(message.timestamp, /Z$/);
  assert.equal(typeof message.message_id, "string");
  return message.data;
}

for (const [name, options] of Object.entries({ websocket: { transports: ["websocket"] }, polling: { transports: ["polling"] } })) {
  describe(`topics over ${name}`, () => {
    let local;
    let client;
    before(async () => {
      local = await new Local().begin();
      client = await subscribed(options);
    });

    test("a greeting says what there is", async () => {
      const greeting = await client.event("connected");
      assert.equal(typeof greeting.client_id, "string");
      assert.ok(!Number.isNaN(Date.parse(greeting.server_time)));
      assert.ok(Array.isArray(greeting.features) && greeting.features.length > 0);
    });

    test("a heartbeat is answered", async () => {
      const mark = client.mark();
      client.socket.emit("ping", { echo: "test" });
      assert.equal((await client.event("pong", { mark })).echo, "test");
      client.socket.emit("ping");
      client.socket.emit("subscribe");
      client.socket.emit("subscribe", { topics: ["nothing"] });
      const error = await client.event("error", { mark, fits: (m) => m.message.includes("nothing") });
      assert.equal(error.message, "Invalid topic: nothing");
    });

    test("files", async () => {
      const mark = client.mark();
      const filename = await local.upload(`topics-${name}.txt`, "hello");
      const up = await heard(client, "file_operations", mark, (d) => d.operation === "upload");
      assert.deepEqual([up.filename, up.size], [filename, 5]);
      await fetch(`${BASE}/api/files/download/${filename}`);
      const down = await heard(client, "file_operations", mark, (d) => d.operation === "download");
      assert.equal(down.filename, filename);
      await call("DELETE", `/api/files/delete/${filename}`, { headers: local.headers });
      assert.equal((await heard(client, "file_operations", mark, (d) => d.operation === "delete")).filename, filename);
    });

    test("programs", async () => {
      const mark = client.mark();
      const form = new FormData();
      form.append("file", new Blob(["print(1)\n"]), `topics-${name}.py`);
      const sent = await fetch(`${BASE}/api/programs/upload`, { method: "POST", body: form, headers: local.headers });
      const program = await sent.json();
      assert.equal(sent.status, 200, JSON.stringify(program));
      const up = await heard(client, "file_operations", mark, (d) => d.operation === "upload");
      assert.deepEqual([up.filename, up.size], [program.filename, 9]);
      await call("DELETE", `/api/programs/delete/${program.program_id}`, { headers: local.headers });
      const gone = await heard(client, "file_operations", mark, (d) => d.operation === "delete");
      assert.equal(gone.filename, program.filename);
    });

    test("commands are heard by their own user alone", async () => {
      const person = await register();
      const other = await subscribed(options, TOPICS, person.token);
      const [mark, theirs] = [client.mark(), other.mark()];
      const { status, body } = await local.post("/api/execute", { command: "echo topic-$((40+2))" });
      assert.equal(status, 200, JSON.stringify(body));
      const started = await heard(client, "command_output", mark, (d) => d.event === "started");
      assert.equal(started.command, "echo topic-$((40+2))");
      const of = (d) => d.run_id === started.run_id;
      const output = await heard(client, "command_output", mark, (d) => of(d) && d.event === "output");
      assert.deepEqual([output.stream, output.output], ["stdout", "topic-42\n"]);
      const ended = await heard(client, "command_output", mark, (d) => of(d) && d.event === "completed");
      assert.equal(ended.return_code, 0);
      // a session is told of as it goes on, without the marks that end its lines
      const session = (await local.post("/api/terminal/create")).body.session_id;
      const ofSession = (d) => d.run_id === session;
      await heard(client, "command_output", mark, (d) => ofSession(d) && d.event === "started");
      await local.post(`/api/terminal/execute/${session}`, { command: "echo session-$((40+2))" });
      const line = await heard(client, "command_output", mark, (d) => ofSession(d) && d.event === "output");
      assert.deepEqual([line.stream, line.output], ["stdout", "session-42\n"]);
      await local.post(`/api/terminal/close/${session}`);
      await heard(client, "command_output", mark, (d) => ofSession(d) && d.event === "completed");
      // a copy is everybody's to know of, and comes after
      await local.post("/api/v1/backup");
      await heard(other, "backup_progress", theirs, (d) => d.status === "completed");
      const private_ = other.seen.slice(theirs).filter((e) => ["command_output", "file_operations"].includes(e.args[0]?.topic));
      assert.deepEqual(private_, []);
      other.close();
    });

    test("copies, and a notification to whom they were made for", async () => {
      const mark = client.mark();
      await local.post("/api/v1/backup");
      assert.equal((await heard(client, "backup_progress", mark, (d) => d.status === "started")).progress, 0);
      assert.equal((await heard(client, "backup_progress", mark, (d) => d.status === "completed")).progress, 100);
      const notification = await client.event("notification", { mark });
      assert.deepEqual(
        [notification.type, notification.title, notification.severity],
        ["backup", "Backup", "success"],
      );
      assert.equal(typeof notification.message, "string");
      await heard(client, "notifications", mark, (d) => d.type === "backup");
    });

    test("tunnels", async () => {
      const mark = client.mark();
      const { status } = await local.post("/api/localtunnel/start");
      assert.equal(status, 502, "there is no localtunnel host in this test");
      await heard(client, "tunnel_status", mark, (d) => d.service === "localtunnel" && d.status === "starting");
      const failed = await heard(client, "tunnel_status", mark, (d) => d.status === "failed");
      assert.equal(typeof failed.error, "string");
    });

    test("what concerns security, to operators and to whom it concerns", async () => {
      const person = await register();
      const own = await subscribed(options, ["security_alerts"], person.token);
      const [mark, theirs] = [client.mark(), own.mark()];
      const email = freshEmail();
      await call("POST", "/api/auth/login", { body: { email, password: "wrong-Password-1" } });
      const alert = await heard(client, "security_alerts", mark, (d) => d.type === "login" && d.target === email);
      assert.deepEqual([alert.outcome, alert.severity], ["bad credentials", "warning"]);
      const made = { body: { name: "bot", scopes: ["read"] }, token: person.token };
      await call("POST", "/api/user/api-keys", made);
      assert.equal((await heard(own, "security_alerts", theirs)).type, "api_key_create", "and nobody else's login");
      own.close();
    });

    test("how the server is", async () => {
      const mark = client.mark();
      const status = await heard(client, "system_status", mark);
      assert.ok(["healthy", "degraded"].includes(status.status) && status.database === "connected");
      const figures = await heard(client, "performance_metrics", mark);
      assert.ok(figures.load.length === 3 && figures.memory_resident_bytes > 0 && figures.memory_total_bytes > 0);
    });

    test("who unsubscribed hears no more", async () => {
      const mark = client.mark();
      client.socket.emit("unsubscribe", { topics: ["file_operations"] });
      assert.equal((await client.event("unsubscribed", { mark })).topic, "file_operations");
      await local.upload(`unheard-${name}.txt`, "x");
      await local.post("/api/execute", { command: "true" });
      await heard(client, "command_output", mark, (d) => d.event === "completed");
      const more = client.seen.slice(mark).filter((e) => e.name === "topic_message");
      assert.deepEqual(more.filter((e) => e.args[0].topic === "file_operations"), []);
      client.close();
    });
  });
}

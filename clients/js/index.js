// WebSocket channels of an Orrery server.
//
// Reconnects with full jitter, joins its channels again from the last offset it has seen, resends what was not
// acknowledged under its own number (so that nothing is published twice), and queues while offline. Works in
// browsers and in Node.js; where there is no global WebSocket, give one.

const DEFAULTS = {
  minDelayMs: 500,
  maxDelayMs: 30_000,
  maxRetries: Infinity,
  queueMax: 1_000,
  ackTimeoutMs: 10_000,
  pingMs: 30_000,
  pongMs: 10_000,
};

/** Close codes after which connecting again by itself is no use: something has to be done first. */
const isFinal = (code) => code >= 4400 && code <= 4499 && code !== 4429;

/** An error of the server or of this client, with the server's code where it has one. */
export class ChannelsError extends Error {
  constructor(code, message, details = {}) {
    super(message);
    this.name = "ChannelsError";
    this.code = code;
    this.details = details;
  }
}

function randomId() {
  const bytes = new Uint8Array(9);
  globalThis.crypto.getRandomValues(bytes);
  return "js-" + Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

export class ChannelsClient {
  #url;
  #options;
  #socket = null;
  #open = false;
  #closed = false;
  #attempt = 0;
  #timer = null;
  #heartbeat = null;
  #heard = 0;
  #sequence = 0;
  #listeners = new Map();
  /** name → { onMessage, epoch, offset, joined } */
  #channels = new Map();
  /** sequence → { frame, resolve, reject, sent, timer } in the order of sending */
  #pending = new Map();

  constructor(url, options = {}) {
    const WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (!WebSocket) throw new TypeError("there is no WebSocket here; give one as options.WebSocket");
    this.#url = new URL(url);
    this.#options = { ...DEFAULTS, ...options, WebSocket };
    this.clientId = options.clientId ?? randomId();
    this.#connect();
  }

  /** "connecting", "open" or "closed". */
  get state() {
    return this.#closed ? "closed" : this.#open ? "open" : "connecting";
  }

  /** Listens to an event; gives a function that ends it. */
  on(event, listener) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event).add(listener);
    return () => this.#listeners.get(event)?.delete(listener);
  }

  /** Joins a channel now and after every reconnect. */
  join(channel, onMessage, { since, epoch } = {}) {
    const known = this.#channels.get(channel);
    this.#channels.set(channel, { onMessage, epoch: epoch ?? known?.epoch, offset: since ?? known?.offset });
    if (this.#open) this.#sendJoin(channel);
    return () => this.leave(channel);
  }

  /** Leaves a channel. */
  leave(channel) {
    if (this.#channels.delete(channel) && this.#open) {
      this.#write({ type: "connection", action: "disconnect", data: { channel } });
    }
  }

  /** Publishes; resolves with the server's acknowledgement. Waits while offline, up to `queueMax` messages. */
  send(channel, content, { key } = {}) {
    if (this.#closed) return Promise.reject(new ChannelsError("closed", "the client is closed"));
    if (this.#pending.size >= this.#options.queueMax) {
      return Promise.reject(new ChannelsError("queue_full", `${this.#pending.size} messages wait already`));
    }
    const sequence = ++this.#sequence;
    const metadata = { sequence, timestamp: new Date().toISOString() };
    if (key !== undefined) metadata.key = key;
    const data = { content, channel, metadata };
    return new Promise((resolve, reject) => {
      this.#pending.set(sequence, { data, resolve, reject, sent: false, timer: null });
      if (this.#open) this.#sendPending(sequence);
    });
  }

  /** Closes for good; what was not acknowledged is rejected. */
  close() {
    this.#end(new ChannelsError("closed", "the client was closed"));
    this.#socket?.close(1000);
  }

  #emit(event, ...args) {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  async #connect() {
    const { token, WebSocket } = this.#options;
    const url = new URL(this.#url);
    try {
      const proof = typeof token === "function" ? await token() : token;
      if (proof) url.searchParams.set("token", proof);
    } catch (error) {
      return this.#retry(error);
    }
    if (this.#closed) return;
    url.searchParams.set("client_id", this.clientId);
    // a channel of the URL stays what it is: the first to join
    const socket = new WebSocket(url.href);
    this.#socket = socket;
    let closed = false;
    socket.onmessage = ({ data }) => this.#hear(typeof data === "string" ? data : String(data));
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }) => {
      if (closed || this.#socket !== socket) return;
      closed = true;
      this.#gone(code, reason);
    };
  }

  #gone(code, reason) {
    const was = this.#open;
    this.#open = false;
    this.#socket = null;
    clearInterval(this.#heartbeat);
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.timer = null;
    }
    if (was) this.#emit("close", { code, reason });
    if (this.#closed) return;
    const renewable = code === 4401 && typeof this.#options.token === "function" && this.#attempt === 0;
    if (isFinal(code) && !renewable) return this.#end(new ChannelsError(`close_${code}`, reason || "closed"));
    this.#retry();
  }

  #retry(cause) {
    if (this.#closed) return;
    const { maxRetries, minDelayMs, maxDelayMs } = this.#options;
    if (this.#attempt >= maxRetries) {
      return this.#end(new ChannelsError("unreachable", `no connection after ${this.#attempt} attempts`, { cause }));
    }
    // full jitter: many clients that lost their server together do not come back together
    const delay = Math.random() * Math.min(maxDelayMs, minDelayMs * 2 ** this.#attempt);
    this.#attempt += 1;
    this.#emit("reconnecting", { attempt: this.#attempt, delay });
    this.#timer = setTimeout(() => this.#connect(), delay);
  }

  #end(error) {
    if (this.#closed) return;
    this.#closed = true;
    this.#open = false;
    clearTimeout(this.#timer);
    clearInterval(this.#heartbeat);
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
    this.#pending.clear();
    this.#emit("end", error);
  }

  #write(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  #sendJoin(channel) {
    const { epoch, offset } = this.#channels.get(channel);
    const data = offset === undefined ? { channel } : { channel, since: offset, epoch };
    this.#write({ type: "connection", action: "connect", data });
  }

  #sendPending(sequence) {
    const pending = this.#pending.get(sequence);
    if (!pending || !this.#open) return;
    this.#write({ type: "message", action: pending.sent ? "retry" : "send", data: pending.data });
    pending.sent = true;
    clearTimeout(pending.timer);
    pending.timer = setTimeout(() => this.#sendPending(sequence), this.#options.ackTimeoutMs);
  }

  #hear(text) {
    this.#heard = Date.now();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    const { type, action, data } = frame;
    if (type === "connection" && action === "connect") this.#joined(data);
    else if (type === "connection" && action === "disconnect") this.#emit("leave", data);
    else if (type === "message" && action === "send") this.#message(data);
    else if (type === "message" && action === "ack") this.#acknowledged(data);
    else if (type === "system" && action === "broadcast") this.#emit("broadcast", data);
    else if (type === "system") this.#status(data);
    else if (type === "error") this.#refused(frame);
  }

  #joined(data) {
    if (!this.#open) {
      // the first frame of a connection: it is known who we are
      this.#open = true;
      this.#attempt = 0;
      this.#beat();
      this.#emit("open", data);
      for (const channel of this.#channels.keys()) if (channel !== data.channel) this.#sendJoin(channel);
      for (const sequence of this.#pending.keys()) this.#sendPending(sequence);
    }
    const channel = this.#channels.get(data.channel);
    if (channel) {
      const resumed = channel.offset !== undefined;
      if (resumed && data.recovered === false && (data.epoch !== channel.epoch || data.offset !== channel.offset)) {
        this.#emit("gap", { channel: data.channel, since: channel.offset, offset: data.offset });
      }
      // what was missed follows and moves the offset on; without it the position is the server's
      if (!resumed || !data.recovered) Object.assign(channel, { epoch: data.epoch, offset: data.offset });
    }
    if (data.channel) this.#emit("join", data);
  }

  #message(data) {
    const channel = this.#channels.get(data.channel);
    if (!channel) return;
    const { sequence, epoch, snapshot } = data.metadata;
    if (!snapshot) {
      if (epoch === channel.epoch && sequence <= channel.offset) return;
      Object.assign(channel, { epoch, offset: sequence });
    }
    channel.onMessage?.(data);
    this.#emit("message", data);
  }

  #acknowledged({ metadata, ...rest }) {
    const pending = this.#pending.get(metadata.sequence);
    if (!pending) return;
    clearTimeout(pending.timer);
    this.#pending.delete(metadata.sequence);
    pending.resolve({ ...rest, ...metadata });
  }

  async #status(data) {
    this.#emit("status", data);
    if (data.code === "gap") {
      const channel = this.#channels.get(data.channel);
      const since = channel?.offset;
      if (channel) Object.assign(channel, { epoch: data.epoch, offset: data.offset });
      this.#emit("gap", { channel: data.channel, since, offset: data.offset });
    }
    if (data.code === "token_expiring" && typeof this.#options.token === "function") {
      try {
        const token = await this.#options.token();
        if (this.#open && token) this.#write({ type: "connection", action: "refresh", data: { token } });
      } catch (error) {
        this.#emit("error", new ChannelsError("token", "a new token could not be had", { cause: error }));
      }
    }
  }

  #refused({ code, message, details = {} }) {
    const error = new ChannelsError(code, message, details);
    const pending = this.#pending.get(details.sequence);
    if (pending && details.temporary) {
      // later, under the same number
      clearTimeout(pending.timer);
      const wait = Math.max(details.retry_after_ms ?? 1_000, 100);
      pending.timer = setTimeout(() => this.#sendPending(details.sequence), wait);
    } else if (pending) {
      clearTimeout(pending.timer);
      this.#pending.delete(details.sequence);
      pending.reject(error);
    }
    this.#emit("error", error);
  }

  #beat() {
    const { pingMs, pongMs } = this.#options;
    clearInterval(this.#heartbeat);
    this.#heard = Date.now();
    const socket = this.#socket;
    this.#heartbeat = setInterval(() => {
      const silent = Date.now() - this.#heard;
      if (silent > pingMs + pongMs) {
        // a link that died without a word
        clearInterval(this.#heartbeat);
        socket.close(4000);
        this.#socket = null;
        this.#gone(4000, "no answer");
      } else if (silent >= pingMs) {
        this.#write({ type: "ping" });
      }
    }, Math.min(pingMs, pongMs) / 2);
    this.#heartbeat.unref?.();
  }
}

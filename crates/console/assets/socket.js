// A small client for Socket.IO 5 over Engine.IO 4: WebSocket only, default namespace, text events.
// It reconnects for ever with a jittered delay and says at every moment what it is doing.

import { parseJson } from "./json.js";

const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 30_000;
const OPEN_TIMEOUT_MS = 10_000;

export class EventSocket {
  #url;
  #onState;
  #onEvent;
  #socket = null;
  #timer = null;
  #attempt = 0;
  #silence = 45_000;

  /**
   * `onState({ name, retryAt })` with name `connecting`, `live` or `offline` (`retryAt` in
   * `Date.now()` milliseconds); `onEvent(name, payload)`.
   */
  constructor({ url, onState, onEvent }) {
    this.#url = url;
    this.#onState = onState;
    this.#onEvent = onEvent;
  }

  /** Connects, at once; an open connection is replaced. */
  open() {
    this.#drop();
    this.#onState({ name: "connecting", retryAt: null });
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#watch(OPEN_TIMEOUT_MS);
    socket.onmessage = (message) => {
      if (typeof message.data === "string") this.#packet(socket, message.data);
    };
    socket.onclose = () => this.#lost(socket);
  }

  /** Sends an event. False when there is no connection: nothing is queued. */
  emit(name, payload) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(`42${JSON.stringify([name, payload])}`);
    return true;
  }

  #packet(socket, data) {
    switch (data[0]) {
      case "0": {
        const { pingInterval = 25_000, pingTimeout = 20_000 } = parseJson(data.slice(1)) ?? {};
        this.#silence = pingInterval + pingTimeout;
        socket.send("40");
        return;
      }
      case "1":
        this.#lost(socket);
        return;
      case "2":
        socket.send("3");
        this.#watch(this.#silence);
        return;
      case "4":
        this.#message(socket, data.slice(1));
        return;
      default:
    }
  }

  #message(socket, data) {
    if (data[0] === "0") {
      this.#attempt = 0;
      this.#watch(this.#silence);
      this.#onState({ name: "live", retryAt: null });
    } else if (data[0] === "2") {
      const event = parseJson(data.slice(1));
      if (Array.isArray(event) && typeof event[0] === "string") this.#onEvent(event[0], event[1]);
    } else if (data[0] === "1" || data[0] === "4") {
      this.#lost(socket);
    }
  }

  /** The server pings; when it has been quiet for too long the connection is dead. */
  #watch(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(this.#socket), ms);
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    this.#drop();
    const delay = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt) * (0.6 + Math.random() * 0.8);
    this.#attempt = Math.min(this.#attempt + 1, 10);
    this.#timer = setTimeout(() => this.open(), delay);
    this.#onState({ name: "offline", retryAt: Date.now() + delay });
  }

  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }
}

/** Where this page's server takes sockets. */
export function socketUrl(location) {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/socket.io/?EIO=4&transport=websocket`;
}

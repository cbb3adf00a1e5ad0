// A Socket.IO client that remembers what it heard.

import assert from "node:assert/strict";
import { after } from "node:test";
import { io } from "socket.io-client";
import { BASE, PATIENCE_MS } from "./gateway.mjs";

const open = new Set();
after(() => {
  for (const client of open) client.close();
});

/** A socket that remembers every event in order, so that none is missed between two waits. */
export class Client {
  seen = [];
  #wake = new Set();

  constructor(options) {
    this.socket = io(BASE, { ...options, forceNew: true, reconnection: false, autoConnect: false, timeout: PATIENCE_MS });
    this.socket.onAny((name, ...args) => this.#note(name, args));
    this.socket.on("disconnect", (reason) => this.#note("(disconnect)", [reason]));
    this.socket.on("connect_error", (error) => this.#note("(connect_error)", [error.message]));
    open.add(this);
    this.socket.connect();
  }

  #note(name, args) {
    this.seen.push({ name, args });
    for (const wake of [...this.#wake]) wake();
  }

  /** Where the record is now; events after it are the ones at this index and later. */
  mark() {
    return this.seen.length;
  }

  /** The names after a mark, of those listed. */
  names(mark, ...wanted) {
    return this.seen.slice(mark).map((event) => event.name).filter((name) => wanted.includes(name));
  }

  /** The first event after `mark` with this name for which `fits` holds: its payload. */
  async event(name, { mark = 0, fits = () => true, within = PATIENCE_MS } = {}) {
    const find = () => this.seen.slice(mark).find((event) => event.name === name && fits(event.args[0]));
    const found = find() ?? (await this.#wait(find, within));
    if (found) return found.args[0];
    const names = this.seen.slice(mark).map((event) => event.name).join(", ") || "nothing";
    throw new assert.AssertionError({ message: `no ${name} within ${within} ms; seen: ${names}` });
  }

  #wait(find, within) {
    return new Promise((resolve) => {
      const done = (value) => {
        clearTimeout(timer);
        this.#wake.delete(wake);
        resolve(value);
      };
      const wake = () => {
        const found = find();
        if (found) done(found);
      };
      const timer = setTimeout(() => done(undefined), within);
      this.#wake.add(wake);
    });
  }

  /** Sends a token and waits until the server has taken it. */
  async authenticate(token) {
    const mark = this.mark();
    this.socket.emit("authenticate", token);
    await this.event("authentication_success", { mark });
    return mark;
  }

  close() {
    this.socket.close();
    open.delete(this);
  }
}

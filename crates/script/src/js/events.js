// Events and what aborts.
(function (kit) {
  "use strict";
  const { $, global, freeze, hide, addTimer, part } = kit;
  const dom = part("errors").dom;
  class Event {
    constructor(type, init = {}) {
      this.type = `${type}`;
      this.bubbles = Boolean(init.bubbles);
      this.cancelable = Boolean(init.cancelable);
      this.composed = Boolean(init.composed);
      this.defaultPrevented = false;
      this.target = null;
      this.currentTarget = null;
      this.timeStamp = global.performance.now();
    }
    preventDefault() {
      if (this.cancelable) this.defaultPrevented = true;
    }
    stopPropagation() {}
    stopImmediatePropagation() {
      this.stopped = true;
    }
  }
  class CustomEvent extends Event {
    constructor(type, init = {}) {
      super(type, init);
      this.detail = init.detail ?? null;
    }
  }
  class MessageEvent extends Event {
    constructor(type, init = {}) {
      super(type, init);
      this.data = init.data ?? null;
      this.origin = init.origin ?? "";
    }
  }
  class CloseEvent extends Event {
    constructor(type, init = {}) {
      super(type, init);
      this.code = init.code ?? 0;
      this.reason = init.reason ?? "";
      this.wasClean = Boolean(init.wasClean);
    }
  }
  const LISTENERS_MAX = 1000;
  class EventTarget {
    #listeners = [];
    addEventListener(type, listener, options) {
      if (listener === null || listener === undefined) return;
      const { once = false, signal } = typeof options === "object" && options !== null ? options : {};
      if (signal?.aborted) return;
      if (this.#listeners.some((one) => one.type === type && one.listener === listener)) return;
      if (this.#listeners.length >= LISTENERS_MAX) throw new RangeError(`more than ${LISTENERS_MAX} listeners`);
      this.#listeners.push({ type, listener, once });
      signal?.addEventListener("abort", () => this.removeEventListener(type, listener));
    }
    removeEventListener(type, listener) {
      this.#listeners = this.#listeners.filter((one) => one.type !== type || one.listener !== listener);
    }
    dispatchEvent(event) {
      event.target = event.currentTarget = this;
      const own = this[`on${event.type}`];
      const all = this.#listeners.filter((one) => one.type === event.type);
      if (typeof own === "function") all.unshift({ listener: own, once: false });
      for (const { type, listener, once } of all) {
        if (once) this.removeEventListener(type, listener);
        try {
          if (typeof listener === "function") listener.call(this, event);
          else listener.handleEvent(event);
        } catch (error) {
          $.uncaught(error);
        }
        if (event.stopped) break;
      }
      return !event.defaultPrevented;
    }
  }
  const making = Symbol("making");
  let raise;
  class AbortSignal extends EventTarget {
    #aborted = false;
    #reason = undefined;
    static {
      raise = (signal, reason) => {
        if (signal.#aborted) return;
        signal.#aborted = true;
        signal.#reason = reason === undefined ? dom("signal is aborted without reason", "AbortError") : reason;
        signal.dispatchEvent(new Event("abort"));
      };
    }
    constructor(token) {
      if (token !== making) throw new TypeError("Illegal constructor");
      super();
      this.onabort = null;
    }
    get aborted() {
      return this.#aborted;
    }
    get reason() {
      return this.#reason;
    }
    throwIfAborted() {
      if (this.#aborted) throw this.#reason;
    }
    static abort(reason) {
      const signal = new AbortSignal(making);
      raise(signal, reason);
      return signal;
    }
    static timeout(ms) {
      const signal = new AbortSignal(making);
      const run = () => raise(signal, dom("signal timed out", "TimeoutError"));
      // nobody waits for this one alone
      addTimer({ run, values: [], every: undefined }, Number(ms), false);
      return signal;
    }
    static any(signals) {
      const signal = new AbortSignal(making);
      for (const one of signals) {
        if (one.aborted) {
          raise(signal, one.reason);
          break;
        }
        one.addEventListener("abort", () => raise(signal, one.reason), { once: true });
      }
      return signal;
    }
  }
  class AbortController {
    #signal = new AbortSignal(making);
    get signal() {
      return this.#signal;
    }
    abort(reason) {
      raise(this.#signal, reason);
    }
  }
  const abort = (controller, reason) => controller.abort(reason);
  return freeze({
    Event, CustomEvent, MessageEvent, CloseEvent, EventTarget, AbortSignal, AbortController, abort,
  });
})

// `Stels.net`, `Stels.local` and `Stels.webfix`.
(function (kit) {
  "use strict";
  const { $, call, freeze, failure, part } = kit;
  const { isArray } = Array;
  const PAGE = 100;

  const partOf = (value) => {
    if (typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    if (value instanceof Uint8Array) return { bytes: $.base64(value) };
    throw new TypeError("a part of a key is a text, a finite number, a truth value or a Uint8Array");
  };
  const keyOf = (key) => {
    if (!isArray(key)) throw new TypeError("a key is an array");
    return key.map(partOf);
  };
  const shown = ({ key, value, versionstamp }) => ({
    key: key.map((part) => (part !== null && typeof part === "object" ? $.unbase64(part.bytes) : part)),
    value,
    versionstamp,
  });
  const expiry = (options) => {
    const ms = options?.expireIn;
    if (ms === undefined) return {};
    if (!(ms > 0)) throw new RangeError("expireIn takes milliseconds, more than 0");
    return { expireIn: ms };
  };
  const known = (value) => (value === undefined ? null : value);

  // pages of a listing, one entry after the other
  const pages = async function* (brain, selector, options, at) {
    const { limit = Infinity, reverse = false, batchSize = PAGE } = options;
    let left = limit;
    let cursor = options.cursor;
    while (left > 0) {
      const wanted = Math.min(left, batchSize);
      const page = await call(`${brain}.list`, [{ ...selector, reverse, limit: wanted, cursor }]);
      for (const entry of page.entries) yield shown(entry);
      left -= page.entries.length;
      cursor = at.cursor = page.cursor ?? undefined;
      if (cursor === undefined) return;
    }
  };
  const list = (brain, selector = {}, options = {}) => {
    const { prefix = [], start, end } = selector;
    const where = { prefix: keyOf(prefix) };
    if (start !== undefined) where.start = keyOf(start);
    if (end !== undefined) where.end = keyOf(end);
    const at = { cursor: undefined };
    const rows = pages(brain, where, { ...selector, ...options }, at);
    return {
      next: () => rows.next(),
      return: (value) => rows.return(value),
      get cursor() {
        return at.cursor ?? "";
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  };

  const watch = (brain, keys, options) => {
    const one = !isArray(keys[0]);
    const all = (one ? [keys] : keys).map(keyOf);
    const seen = all.map(() => null);
    const ended = new (part("events").AbortController)();
    options?.signal?.addEventListener("abort", () => ended.abort(options.signal.reason));
    let first = true;
    const next = async () => {
      if (ended.signal.aborted) return { done: true, value: undefined };
      // the first look tells how things are, the others wait for a change
      const method = first ? "getMany" : "watch";
      const entries = first
        ? await Promise.all(all.map((key) => call(`${brain}.get`, [key], ended.signal)))
        : await call(`${brain}.${method}`, [all, seen], ended.signal);
      first = false;
      entries.forEach((entry, at) => (seen[at] = entry.versionstamp));
      const value = entries.map(shown);
      return { done: false, value: one ? value[0] : value };
    };
    return {
      next: () =>
        next().catch((error) => {
          if (ended.signal.aborted) return { done: true, value: undefined };
          throw error;
        }),
      return: async (value) => {
        ended.abort();
        return { done: true, value };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  };

  const atomic = (brain) => {
    const checks = [];
    const mutations = [];
    const batch = {
      check: (...all) => {
        for (const { key, versionstamp } of all) checks.push({ key: keyOf(key), versionstamp });
        return batch;
      },
      set: (key, value, options) => {
        mutations.push({ type: "set", key: keyOf(key), value: known(value), ...expiry(options) });
        return batch;
      },
      delete: (key) => {
        mutations.push({ type: "delete", key: keyOf(key) });
        return batch;
      },
      commit: () => call(`${brain}.commit`, [{ checks, mutations }]),
    };
    return batch;
  };

  const get = async (brain, key) => shown(await call(`${brain}.get`, [keyOf(key)]));
  const brains = new Map();
  const open = (brain) => {
    const store = freeze({
      get: (key) => get(brain, key),
      getMany: (keys) => Promise.all(keys.map((key) => get(brain, key))),
      set: async (key, value, options) => call(`${brain}.set`, [keyOf(key), known(value), expiry(options)]),
      delete: async (key) => {
        await call(`${brain}.delete`, [keyOf(key)]);
      },
      cas: (key, versionstamp, value, options) =>
        atomic(brain).check({ key, versionstamp }).set(key, value, options).commit(),
      atomic: () => atomic(brain),
      list: (selector, options) => list(brain, selector, options),
      watch: (keys, options) => watch(brain, keys, options),
    });
    brains.set(store, brain);
    return store;
  };

  const webfix = async (Stels, message) => {
    if (message === null || typeof message !== "object") throw new TypeError("Stels.webfix takes an object");
    const { brain = Stels.net, method = "set", channel, module, raw, timestamp = Date.now() } = message;
    const name = brains.get(brain);
    if (name === undefined) throw failure("TypeError", "brain is Stels.net or Stels.local");
    const sent = { brain: name, method, channel: keyOf(channel), module, raw, timestamp, ...expiry(message) };
    return (await call("webfix", [sent])) ?? undefined;
  };
  return freeze({ open, webfix });
})

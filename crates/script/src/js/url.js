// `URL` and `URLSearchParams`, with the parsing in Rust.
(function (kit) {
  "use strict";
  const { $, freeze, wellFormed } = kit;
  const text = (value) => wellFormed(`${value}`);
  const NAMES = [
    "href", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash", "origin",
  ];
  let bind;
  class URLSearchParams {
    // names and values by turns
    #pairs = [];
    #changed = undefined;
    static {
      bind = (params, pairs, changed) => {
        params.#pairs = pairs;
        params.#changed = changed;
      };
    }
    constructor(init = "") {
      if (typeof init === "object" && init !== null) {
        const pairs = typeof init[Symbol.iterator] === "function" ? init : Object.entries(init);
        for (const pair of pairs) {
          const [name, value, ...more] = [...pair];
          if (value === undefined || more.length > 0) throw new TypeError("a pair has a name and a value");
          this.#pairs.push(text(name), text(value));
        }
      } else {
        const query = text(init);
        this.#pairs = $.query(query[0] === "?" ? query.slice(1) : query);
      }
    }
    #set(pairs) {
      this.#pairs = pairs;
      this.#changed?.(this.toString());
    }
    append(name, value) {
      this.#set([...this.#pairs, text(name), text(value)]);
    }
    delete(name, value) {
      this.#set(this.#keep((key, of) => key !== text(name) || (value !== undefined && of !== text(value))));
    }
    #keep(keep) {
      const kept = [];
      for (const [key, value] of this) if (keep(key, value)) kept.push(key, value);
      return kept;
    }
    get(name) {
      return this.getAll(name)[0] ?? null;
    }
    getAll(name) {
      const found = [];
      for (const [key, value] of this) if (key === text(name)) found.push(value);
      return found;
    }
    has(name, value) {
      return this.getAll(name).some((of) => value === undefined || of === text(value));
    }
    set(name, value) {
      let there = false;
      const pairs = [];
      for (const [key, of] of this) {
        if (key !== text(name)) pairs.push(key, of);
        else if (!there) pairs.push(key, text(value));
        there ||= key === text(name);
      }
      if (!there) pairs.push(text(name), text(value));
      this.#set(pairs);
    }
    sort() {
      const pairs = [...this];
      pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      this.#set(pairs.flat());
    }
    forEach(each, self) {
      for (const [key, value] of this) each.call(self, value, key, this);
    }
    get size() {
      return this.#pairs.length / 2;
    }
    *entries() {
      for (let i = 0; i < this.#pairs.length; i += 2) yield [this.#pairs[i], this.#pairs[i + 1]];
    }
    *keys() {
      for (const [key] of this) yield key;
    }
    *values() {
      for (const [, value] of this) yield value;
    }
    [Symbol.iterator]() {
      return this.entries();
    }
    toString() {
      return $.queryText(this.#pairs);
    }
  }
  class URL {
    #parts;
    #params;
    constructor(url, base) {
      const parts = $.url(text(url), base === undefined ? undefined : text(base));
      if (parts === undefined) throw new TypeError(`Invalid URL: '${text(url)}'`);
      this.#parts = parts;
    }
    static canParse(url, base) {
      return $.url(text(url), base === undefined ? undefined : text(base)) !== undefined;
    }
    static parse(url, base) {
      return URL.canParse(url, base) ? new URL(url, base) : null;
    }
    static get(url, part) {
      return url.#parts[part];
    }
    static set(url, part, value) {
      const parts = $.urlWith(url.#parts[0], part, text(value));
      if (parts === undefined) throw new TypeError(`Invalid URL: '${text(value)}'`);
      url.#parts = parts;
      if (url.#params !== undefined) bind(url.#params, $.query(parts[8].slice(1)), url.#follow);
    }
    #follow = (query) => {
      this.#parts = $.urlWith(this.#parts[0], "search", query) ?? this.#parts;
    };
    get searchParams() {
      if (this.#params === undefined) {
        this.#params = new URLSearchParams(this.#parts[8]);
        bind(this.#params, $.query(this.#parts[8].slice(1)), this.#follow);
      }
      return this.#params;
    }
    toString() {
      return this.#parts[0];
    }
    toJSON() {
      return this.#parts[0];
    }
  }
  const { get, set } = URL;
  delete URL.get;
  delete URL.set;
  NAMES.forEach((name, at) => {
    const property = { configurable: true, enumerable: true, get() { return get(this, at); } };
    if (name !== "origin") property.set = function (value) { set(this, name, value); };
    Object.defineProperty(URL.prototype, name, property);
  });
  return freeze({ URL, URLSearchParams });
})

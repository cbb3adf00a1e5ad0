// `fetch` and its objects. The request is made by the host, which decides where a script may reach.
(function (kit) {
  "use strict";
  const { $, call, freeze, wellFormed, stringify, parse, part } = kit;
  const { URL, URLSearchParams } = part("url");
  const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
  const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
  const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
  const REDIRECTS = ["follow", "error", "manual"];
  const HEADERS_MAX = 200;

  class Headers {
    #pairs = [];
    constructor(init = []) {
      if (init === null || typeof init !== "object") throw new TypeError("headers are an object or a list of pairs");
      const pairs = typeof init[Symbol.iterator] === "function" ? init : Object.entries(init);
      for (const [name, value] of pairs) this.append(name, value);
    }
    static #name(name) {
      if (!TOKEN.test(`${name}`)) throw new TypeError(`${name} is no name of a header`);
      return `${name}`.toLowerCase();
    }
    static #value(value) {
      const text = `${value}`.trim();
      if (!VALUE.test(text)) throw new TypeError("a header has a value that cannot be sent");
      return text;
    }
    append(name, value) {
      if (this.#pairs.length >= HEADERS_MAX) throw new TypeError(`more than ${HEADERS_MAX} headers`);
      this.#pairs.push([Headers.#name(name), Headers.#value(value)]);
    }
    set(name, value) {
      const key = Headers.#name(name);
      this.#pairs = this.#pairs.filter(([other]) => other !== key);
      this.append(key, value);
    }
    get(name) {
      const key = Headers.#name(name);
      const found = this.#pairs.filter(([other]) => other === key).map(([, value]) => value);
      return found.length === 0 ? null : found.join(", ");
    }
    getSetCookie() {
      return this.#pairs.filter(([name]) => name === "set-cookie").map(([, value]) => value);
    }
    has(name) {
      return this.get(name) !== null;
    }
    delete(name) {
      const key = Headers.#name(name);
      this.#pairs = this.#pairs.filter(([other]) => other !== key);
    }
    forEach(each, self) {
      for (const [name, value] of this) each.call(self, value, name, this);
    }
    *entries() {
      const names = [...new Set(this.#pairs.map(([name]) => name))].sort();
      for (const name of names) {
        // cookies cannot be joined
        if (name !== "set-cookie") yield [name, this.get(name)];
        else for (const cookie of this.getSetCookie()) yield [name, cookie];
      }
    }
    *keys() {
      for (const [name] of this.entries()) yield name;
    }
    *values() {
      for (const [, value] of this.entries()) yield value;
    }
    [Symbol.iterator]() {
      return this.entries();
    }
  }

  const encode = (text) => $.utf8(wellFormed(text));
  // bytes of a body, and the type it has by itself
  const extract = (body) => {
    if (body === null || body === undefined) return [null, null];
    if (typeof body === "string") return [encode(body), "text/plain;charset=UTF-8"];
    if (body instanceof ArrayBuffer) return [new Uint8Array(body.slice(0)), null];
    if (ArrayBuffer.isView(body)) {
      return [new Uint8Array(body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength)), null];
    }
    if (body instanceof URLSearchParams) {
      return [encode(body.toString()), "application/x-www-form-urlencoded;charset=UTF-8"];
    }
    return [encode(`${body}`), "text/plain;charset=UTF-8"];
  };
  let bytesOf;
  class Body {
    #bytes;
    #used = false;
    static {
      bytesOf = (body) => body.#bytes;
    }
    constructor(bytes) {
      this.#bytes = bytes;
    }
    get body() {
      return null;
    }
    get bodyUsed() {
      return this.#used;
    }
    #take() {
      if (this.#used) throw new TypeError("the body was read already");
      this.#used = this.#bytes !== null;
      return this.#bytes ?? new Uint8Array(0);
    }
    async bytes() {
      return this.#take();
    }
    async arrayBuffer() {
      return this.#take().buffer;
    }
    async text() {
      const text = $.text(this.#take(), false);
      return text[0] === "\ufeff" ? text.slice(1) : text;
    }
    async json() {
      return parse(await this.text());
    }
  }

  class Request extends Body {
    constructor(input, init = {}) {
      const from = input instanceof Request ? input : undefined;
      const url = from === undefined ? new URL(`${input}`).href : from.url;
      const method = `${init.method ?? from?.method ?? "GET"}`;
      const upper = method.toUpperCase();
      const known = METHODS.includes(upper) ? upper : method;
      if (!TOKEN.test(known) || ["CONNECT", "TRACE", "TRACK"].includes(upper)) throw new TypeError(`method ${method}`);
      const redirect = init.redirect ?? from?.redirect ?? "follow";
      if (!REDIRECTS.includes(redirect)) throw new TypeError(`redirect ${redirect}`);
      const [bytes, type] = init.body === undefined && from ? [bytesOf(from), null] : extract(init.body);
      if (bytes !== null && (known === "GET" || known === "HEAD")) throw new TypeError(`${known} has no body`);
      super(bytes);
      this.url = url;
      this.method = known;
      this.redirect = redirect;
      this.headers = new Headers(init.headers ?? from?.headers);
      this.signal = init.signal ?? from?.signal;
      if (type !== null && !this.headers.has("content-type")) this.headers.set("content-type", type);
    }
    clone() {
      if (this.bodyUsed) throw new TypeError("the body was read already");
      return new Request(this);
    }
  }

  class Response extends Body {
    constructor(body, init = {}) {
      const [bytes, type] = extract(body);
      super(bytes);
      const status = init.status ?? 200;
      if (!(status >= 200 && status <= 599)) throw new RangeError(`status ${status}`);
      this.status = status;
      this.statusText = `${init.statusText ?? ""}`;
      this.headers = new Headers(init.headers);
      this.url = "";
      this.redirected = false;
      this.type = "default";
      if (type !== null && !this.headers.has("content-type")) this.headers.set("content-type", type);
    }
    get ok() {
      return this.status >= 200 && this.status <= 299;
    }
    clone() {
      if (this.bodyUsed) throw new TypeError("the body was read already");
      const copy = new Response(bytesOf(this)?.slice() ?? null, this);
      copy.url = this.url;
      copy.redirected = this.redirected;
      copy.type = this.type;
      return copy;
    }
    static json(value, init = {}) {
      const response = new Response(stringify(value), init);
      if (!new Headers(init.headers).has("content-type")) response.headers.set("content-type", "application/json");
      return response;
    }
    static error() {
      const response = new Response(null);
      response.status = 0;
      response.type = "error";
      return response;
    }
    static redirect(url, status = 302) {
      return new Response(null, { status, headers: { location: new URL(`${url}`).href } });
    }
  }

  const fetch = async (input, init) => {
    const request = new Request(input, init);
    const bytes = bytesOf(request);
    const sent = {
      url: request.url,
      method: request.method,
      headers: [...request.headers],
      body: bytes === null ? undefined : $.base64(bytes),
      redirect: request.redirect,
    };
    const answer = await call("fetch", [sent], request.signal);
    const empty = [204, 205, 304].includes(answer.status) || request.method === "HEAD";
    const body = empty || !answer.body ? new Uint8Array(0) : $.unbase64(answer.body);
    const response = new Response(null, { status: 200 });
    const made = new Response(empty ? null : body, { statusText: answer.statusText, headers: answer.headers });
    made.status = answer.status ?? response.status;
    made.url = answer.url ?? request.url;
    made.redirected = Boolean(answer.redirected);
    made.type = "basic";
    return made;
  };
  return freeze({ fetch, Headers, Request, Response, bytesOf });
})

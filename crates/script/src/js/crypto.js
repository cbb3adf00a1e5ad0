// Random values and digests.
(function (kit) {
  "use strict";
  const { $, freeze, part, failure } = kit;
  const dom = part("errors").dom;
  const HEX = [];
  for (let i = 0; i < 256; i++) HEX.push((i + 256).toString(16).slice(1));
  const nameOf = (algorithm) => `${typeof algorithm === "object" && algorithm !== null ? algorithm.name : algorithm}`;
  const unknown = (name) => dom(`there is no ${name} here`, "NotSupportedError");
  const keys = new WeakMap();
  class CryptoKey {
    constructor(hash, usages) {
      this.type = "secret";
      this.extractable = false;
      this.algorithm = { name: "HMAC", hash: { name: hash } };
      this.usages = usages;
    }
  }
  const mac = (algorithm, key, data) => {
    const bytes = keys.get(key);
    if (nameOf(algorithm).toUpperCase() !== "HMAC" || bytes === undefined) throw unknown(nameOf(algorithm));
    return $.hmac(key.algorithm.hash.name, bytes, data);
  };
  const subtle = freeze({
    digest: async (algorithm, data) => {
      const digest = $.digest(nameOf(algorithm), data);
      if (digest === undefined) throw unknown(nameOf(algorithm));
      return digest;
    },
    importKey: async (format, data, algorithm, _extractable, usages) => {
      if (format !== "raw" || nameOf(algorithm).toUpperCase() !== "HMAC") throw unknown(`${format} ${nameOf(algorithm)}`);
      const hash = nameOf(algorithm.hash);
      const bytes = new Uint8Array(ArrayBuffer.isView(data) ? data.buffer.slice(data.byteOffset,
        data.byteOffset + data.byteLength) : data.slice(0));
      if ($.hmac(hash, bytes, bytes) === undefined) throw unknown(hash);
      const key = new CryptoKey(hash, [...usages]);
      keys.set(key, bytes);
      return freeze(key);
    },
    sign: async (algorithm, key, data) => mac(algorithm, key, data),
    verify: async (algorithm, key, signature, data) => {
      const own = new Uint8Array(mac(algorithm, key, data));
      const other = new Uint8Array(ArrayBuffer.isView(signature) ? signature.buffer.slice(signature.byteOffset,
        signature.byteOffset + signature.byteLength) : signature);
      let differs = own.length ^ other.length;
      for (let i = 0; i < own.length; i++) differs |= own[i] ^ (other[i] ?? 0);
      return differs === 0;
    },
  });
  const crypto = freeze({
    subtle,
    getRandomValues: (array) => {
      if (!ArrayBuffer.isView(array) || array instanceof Float64Array || array instanceof Float32Array) {
        throw new TypeError("getRandomValues fills arrays of whole numbers");
      }
      const bytes = $.random(array.byteLength);
      new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(bytes);
      return array;
    },
    randomUUID: () => {
      const bytes = $.random(16);
      bytes[6] = (bytes[6] & 0x0f) | 0x40;
      bytes[8] = (bytes[8] & 0x3f) | 0x80;
      const hex = [...bytes].map((byte) => HEX[byte]).join("");
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
  });
  return { crypto };
})

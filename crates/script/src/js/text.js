// Texts and bytes.
(function (kit) {
  "use strict";
  const { $, freeze, wellFormed, part } = kit;
  const LABELS = ["utf-8", "utf8", "unicode-1-1-utf-8"];
  const view = (bytes) => (ArrayBuffer.isView(bytes) ? bytes : new Uint8Array(bytes));
  class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(text = "") {
      return $.utf8(wellFormed(`${text}`));
    }
    encodeInto(text, into) {
      const letters = wellFormed(`${text}`);
      let read = 0;
      let written = 0;
      for (const letter of letters) {
        const bytes = $.utf8(letter);
        if (written + bytes.length > into.length) break;
        into.set(bytes, written);
        written += bytes.length;
        read += letter.length;
      }
      return { read, written };
    }
  }
  class TextDecoder {
    #fatal;
    #ignoreBOM;
    // the beginning of a letter whose end has not come yet
    #rest = new Uint8Array(0);
    #begun = false;
    constructor(label = "utf-8", options = {}) {
      if (!LABELS.includes(`${label}`.trim().toLowerCase())) throw new RangeError(`no such encoding: ${label}`);
      this.#fatal = Boolean(options.fatal);
      this.#ignoreBOM = Boolean(options.ignoreBOM);
    }
    get encoding() {
      return "utf-8";
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }
    decode(bytes = new Uint8Array(0), options = {}) {
      const of = view(bytes);
      const now = new Uint8Array(of.buffer, of.byteOffset, of.byteLength);
      const all = new Uint8Array(this.#rest.length + now.length);
      all.set(this.#rest);
      all.set(now, this.#rest.length);
      const cut = options.stream ? all.length - unfinished(all) : all.length;
      this.#rest = all.slice(cut);
      let text = $.text(all.slice(0, cut), this.#fatal);
      if (!this.#begun && !this.#ignoreBOM && text[0] === "\ufeff") text = text.slice(1);
      this.#begun = Boolean(options.stream) && (this.#begun || cut > 0);
      return text;
    }
  }
  // bytes at the end that may still become a letter
  const unfinished = (bytes) => {
    for (let back = 1; back <= 3 && back <= bytes.length; back++) {
      const byte = bytes[bytes.length - back];
      if ((byte & 0xc0) === 0x80) continue;
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
      return length > back ? back : 0;
    }
    return 0;
  };
  const invalid = () => part("errors").dom("The string contains invalid characters", "InvalidCharacterError");
  const btoa = (value) => {
    const text = `${value}`;
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 255) throw invalid();
      bytes[i] = code;
    }
    return $.base64(bytes);
  };
  const atob = (value) => {
    const bytes = $.unbase64(`${value}`);
    if (bytes === undefined) throw invalid();
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  };
  return freeze({ TextEncoder, TextDecoder, atob, btoa });
})

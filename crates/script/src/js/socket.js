// `WebSocket`, whose connection is the host's.
(function (kit) {
  "use strict";
  const { $, call, part, wellFormed } = kit;
  const { EventTarget, Event, MessageEvent, CloseEvent } = part("events");
  const dom = part("errors").dom;
  const QUEUE_MAX = 1000;
  class WebSocket extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;
    #id;
    #sending = 0;
    constructor(url, protocols = []) {
      super();
      const address = new (part("url").URL)(`${url}`);
      if (address.protocol === "http:" || address.protocol === "https:") {
        address.protocol = address.protocol === "http:" ? "ws:" : "wss:";
      }
      if (address.protocol !== "ws:" && address.protocol !== "wss:") throw dom(`${url} is no socket`, "SyntaxError");
      this.url = address.href;
      this.protocol = "";
      this.extensions = "";
      this.binaryType = "arraybuffer";
      this.readyState = WebSocket.CONNECTING;
      this.bufferedAmount = 0;
      this.onopen = this.onmessage = this.onerror = this.onclose = null;
      this.#run(typeof protocols === "string" ? [protocols] : [...protocols]);
    }
    async #run(protocols) {
      let end = { code: 1006, reason: "" };
      try {
        const { id, protocol } = await call("socket.open", [{ url: this.url, protocols }]);
        this.#id = id;
        this.protocol = protocol ?? "";
        if (this.readyState === WebSocket.CLOSING) {
          await call("socket.close", [id, 1000, ""]);
        } else {
          this.readyState = WebSocket.OPEN;
          this.dispatchEvent(new Event("open"));
        }
        for (;;) {
          const event = await call("socket.next", [id]);
          if (event.type === "close") {
            end = event;
            break;
          }
          const data = event.text ?? $.unbase64(event.bytes).buffer;
          this.dispatchEvent(new MessageEvent("message", { data, origin: this.url }));
        }
      } catch (error) {
        const event = new Event("error");
        event.error = error;
        event.message = error.message;
        this.dispatchEvent(event);
      }
      this.readyState = WebSocket.CLOSED;
      this.dispatchEvent(new CloseEvent("close", { ...end, wasClean: end.code !== 1006 }));
    }
    send(data) {
      if (this.readyState === WebSocket.CONNECTING) throw dom("the socket is not open yet", "InvalidStateError");
      if (this.readyState !== WebSocket.OPEN) return;
      if (this.#sending >= QUEUE_MAX) throw dom("too many messages wait to be sent", "QuotaExceededError");
      const bytes = ArrayBuffer.isView(data)
        ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        : data instanceof ArrayBuffer ? new Uint8Array(data) : undefined;
      const message = bytes === undefined ? { text: wellFormed(`${data}`) } : { bytes: $.base64(bytes) };
      this.#sending += 1;
      call("socket.send", [this.#id, message]).then(
        () => {
          this.#sending -= 1;
        },
        // the reader learns of it too, and tells
        () => {},
      );
    }
    close(code = 1000, reason = "") {
      if (code !== 1000 && !(code >= 3000 && code <= 4999)) throw dom("code is 1000 or 3000 to 4999",
        "InvalidAccessError");
      if (this.readyState >= WebSocket.CLOSING) return;
      this.readyState = WebSocket.CLOSING;
      if (this.#id !== undefined) call("socket.close", [this.#id, code, `${reason}`]).catch(() => {});
    }
  }
  for (const name of ["CONNECTING", "OPEN", "CLOSING", "CLOSED"]) {
    Object.defineProperty(WebSocket.prototype, name, { value: WebSocket[name] });
  }
  return { WebSocket };
})

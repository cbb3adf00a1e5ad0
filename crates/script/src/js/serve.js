// `Deno.serve`, whose port is the host's: requests come one after the other, their answers whenever they are made.
(function (kit) {
  "use strict";
  const { $, call, freeze, logger, part } = kit;
  const { Request, Response, bytesOf } = part("web");
  const PORT = 8000;

  const failed = (error) => {
    $.uncaught(error);
    return new Response("Internal Server Error", { status: 500 });
  };
  const respond = async (handler, onError, asked) => {
    try {
      const body = asked.method === "GET" || asked.method === "HEAD" ? undefined : $.unbase64(asked.body);
      const request = new Request(asked.url, { method: asked.method, headers: asked.headers, body });
      const [, hostname, port] = /^\[?(.*?)\]?:(\d+)$/.exec(asked.from) ?? [];
      const from = { transport: "tcp", hostname, port: Number(port) };
      const response = await handler(request, { remoteAddr: from });
      if (!(response instanceof Response)) throw new TypeError("the handler of Deno.serve gave no Response");
      return response;
    } catch (error) {
      return onError === undefined ? failed(error) : onError(error);
    }
  };
  const answer = async (id, handler, onError, asked) => {
    const made = await respond(handler, onError, asked).catch(failed);
    const response = made instanceof Response ? made : failed(new TypeError("onError of Deno.serve gave no Response"));
    const bytes = bytesOf(response);
    const body = bytes === null || bytes === undefined ? "" : $.base64(bytes);
    await call("serve.answer", [id, asked.id, { status: response.status, headers: [...response.headers], body }]);
  };

  return freeze((...given) => {
    const options = typeof given[0] === "object" && given[0] !== null ? given[0] : {};
    const handler = given.find((value) => typeof value === "function") ?? options.handler;
    if (typeof handler !== "function") throw new TypeError("Deno.serve takes a handler");
    const port = Number(options.port ?? PORT);
    if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError(`port ${options.port}`);
    const addr = { transport: "tcp", hostname: "127.0.0.1", port };
    let id;
    let over = false;
    const run = async () => {
      const opened = await call("serve.listen", [{ port }], options.signal);
      id = opened.id;
      addr.hostname = opened.hostname;
      addr.port = opened.port;
      if (over) return close();
      if (typeof options.onListen === "function") options.onListen({ ...addr });
      else logger.info(`Listening on http://${addr.hostname}:${addr.port}/`);
      for (;;) {
        const asked = await call("serve.next", [id]);
        if (asked === null) return undefined;
        // the next one does not wait for this one's answer
        answer(id, handler, options.onError, asked).catch((error) => $.uncaught(error));
      }
    };
    const close = async () => {
      over = true;
      if (id !== undefined) await call("serve.close", [id]);
    };
    const finished = run();
    if (options.signal) {
      options.signal.addEventListener("abort", () => {
        close().catch((error) => $.uncaught(error));
      });
    }
    return freeze({
      addr,
      finished,
      shutdown: async () => {
        await close();
        await finished;
      },
      ref: () => {},
      unref: () => {},
    });
  });
})

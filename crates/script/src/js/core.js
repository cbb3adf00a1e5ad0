// The first of the runtime's scripts: what every script has at once, and the way to the rest.
// `$.name(…)` is a native; what is taken from the engine is taken here, before the script can change it.
(function ($) {
  "use strict";
  const global = globalThis;
  const { defineProperty } = Reflect;
  const { freeze } = Object;
  const { stringify, parse } = JSON;
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const bound = uncurry(Function.prototype.bind);
  const mapGet = uncurry(Map.prototype.get);
  const mapSet = uncurry(Map.prototype.set);
  const mapDelete = uncurry(Map.prototype.delete);
  const then = uncurry(Promise.prototype.then);
  const wellFormed = uncurry(String.prototype.toWellFormed);

  // values of the parts that were asked for
  const loaded = new Map();
  const part = (name) => {
    let value = mapGet(loaded, name);
    if (value === undefined) {
      value = $.part(name)(kit);
      mapSet(loaded, name, value);
    }
    return value;
  };

  // calls of the host that wait for their answer
  const calls = new Map();
  // timers, sleeps among them
  const timers = new Map();
  let lastTimer = 0;
  let stopping = false;
  // a script that asks whether to stop is trusted to do so
  let cooperative = false;
  let stopSignal;

  const failure = (name, message, stack) => {
    const error = part("errors").make(name, message);
    if (stack !== undefined) hide(error, "stack", `${stack}`);
    return error;
  };
  const hide = (object, name, value) =>
    defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });

  // `signal`: an AbortSignal that gives the call up; `keep`: the answer stays outside, and its number is the value
  const callText = (method, text, signal, keep = false) => {
    const { stack } = new Error();
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const id = $.call(method, text, keep);
      const call = { resolve, reject, stack, signal: undefined, abort: undefined };
      mapSet(calls, id, call);
      if (signal) {
        call.signal = signal;
        call.abort = () => {
          if (!mapDelete(calls, id)) return;
          $.cancel(id);
          reject(signal.reason);
        };
        signal.addEventListener("abort", call.abort);
      }
    });
  };
  const call = (method, values, signal) => callText(method, stringify(values), signal);
  const settle = (id, ok, value, message) => {
    const call = mapGet(calls, id);
    if (call === undefined) return;
    mapDelete(calls, id);
    if (call.signal) call.signal.removeEventListener("abort", call.abort);
    if (ok) call.resolve(value);
    else call.reject(failure(value, message, call.stack));
  };

  const addTimer = (timer, ms, keep) => {
    const id = ++lastTimer;
    $.timer(id, ms, keep);
    mapSet(timers, id, timer);
    return id;
  };
  const fire = (id) => {
    const timer = mapGet(timers, id);
    if (timer === undefined) return;
    if (timer.every === undefined) mapDelete(timers, id);
    else $.timer(id, timer.every, true);
    try {
      timer.run(...timer.values);
    } catch (error) {
      $.uncaught(error);
    }
  };
  const setTimer = (run, ms, values, repeat) => {
    if (typeof run !== "function") throw new TypeError("the first argument of a timer is a function");
    const wait = Number(ms) > 0 ? Number(ms) : 0;
    const every = repeat ? (wait < 1 ? 1 : wait) : undefined;
    return addTimer({ run, values, every }, wait, true);
  };
  const clearTimer = (id) => {
    if (mapDelete(timers, Number(id))) $.clear(Number(id));
  };

  const stopped = () => failure("WorkerStopped", "the worker was asked to stop");
  const SLEEP_MAX = 86400000;
  const sleep = (ms) => {
    const { stack } = new Error();
    return new Promise((resolve, reject) => {
      const wait = ms === undefined ? 0 : Number(ms);
      if (!(wait <= SLEEP_MAX)) throw new RangeError("Stels.sleep takes milliseconds, at most 86400000");
      if (stopping) throw stopped();
      addTimer({ run: resolve, reject, stack, values: [], every: undefined }, wait, true);
    });
  };
  const stop = () => {
    stopping = true;
    if (stopSignal) part("events").abort(stopSignal, stopped());
    for (const [id, timer] of [...timers]) {
      if (timer.reject === undefined) continue;
      clearTimer(id);
      // who looks whether to stop goes on and sees it; anybody else would begin another round
      if (cooperative) timer.run();
      else timer.reject(failure("WorkerStopped", "the worker was asked to stop", timer.stack));
    }
  };

  const lines = (values) => {
    let text = "";
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      const shown = typeof value === "string" ? value : part("format").format(value);
      text = i === 0 ? shown : `${text} ${shown}`;
    }
    return wellFormed(text);
  };
  const logger = freeze({
    debug: (...values) => $.log("debug", lines(values)),
    info: (...values) => $.log("info", lines(values)),
    warn: (...values) => $.log("warn", lines(values)),
    error: (...values) => $.log("error", lines(values)),
  });

  const kit = {
    $, global, setting: undefined, part, call, callText, failure, freeze, hide, uncurry, lines, addTimer, clearTimer,
    logger, mapGet, mapSet, mapDelete, wellFormed, stringify, parse, sleep,
  };

  // a global that is made when it is first read, and that a script may replace; bound functions are the least that a
  // name can cost, and there may be seventy
  const become = (name, value) => {
    hide(global, name, value);
    return value;
  };
  const read = (of, name) => become(name, part(of)[name]);
  const lazy = (of, name, replaceable) =>
    defineProperty(global, name, {
      get: bound(read, undefined, of, name),
      set: replaceable ? bound(become, undefined, name) : undefined,
      configurable: true,
      enumerable: false,
    });
  // a property that is made when it is first read, and stays
  const once = (object, name, make) => {
    let made;
    defineProperty(object, name, { get: () => (made ??= make()), enumerable: true });
  };
  const fixed = (name, value) => defineProperty(global, name, { value, enumerable: false });

  const runtime = {};
  once(runtime, "cex", () => part("cex"));
  const Stels = {
    config: undefined,
    startTime: undefined,
    sleep,
    webfix: (message) => part("store").webfix(Stels, message),
    runtime: freeze(runtime),
  };
  once(Stels, "net", () => part("store").open("net"));
  once(Stels, "local", () => part("store").open("local"));
  once(Stels, "ta", () => part("ta"));
  once(Stels, "blockchain", () => part("wallet").blockchain);
  once(Stels, "wallet", () => part("wallet").wallet);
  fixed("Stels", Stels);
  fixed("logger", logger);
  fixed("shouldStop", () => {
    cooperative = true;
    return stopping;
  });
  defineProperty(global, "signal", {
    get: () => {
      cooperative = true;
      if (stopSignal === undefined) {
        stopSignal = new (part("events").AbortController)();
        if (stopping) part("events").abort(stopSignal, stopped());
      }
      return stopSignal.signal;
    },
    enumerable: false,
  });

  hide(global, "setTimeout", (run, ms, ...values) => setTimer(run, ms, values, false));
  hide(global, "setInterval", (run, ms, ...values) => setTimer(run, ms, values, true));
  hide(global, "clearTimeout", clearTimer);
  hide(global, "clearInterval", clearTimer);
  $.part("guard")(kit);

  // all above is there before anybody knows for which script
  const begin = (setting) => {
    kit.setting = setting;
    freeze(kit);
    const { nid, network, sid, account, tick, protocol } = setting;
    const config = { nid, network, sid, account, tick };
    // read by few, and up to 64 kB: made for who asks
    once(config, "protocol", () => (protocol === null ? null : parse(protocol)));
    Stels.config = freeze(config);
    Stels.startTime = setting.startTime;
    freeze(Stels);
    const reached = $.globals();
    for (let i = 0; i < reached.length; i += 2) lazy(reached[i], reached[i + 1], reached[i] !== "errors");
  };

  // an error of the script, told apart from what never settles
  const main = (script) => {
    then(
      script(),
      (value) => {
        let text;
        try {
          text = stringify(value);
        } catch {
          // what has no JSON text is not kept
        }
        $.done(true, text);
      },
      (error) => $.done(false, error),
    );
  };
  return (what, id, ok, value, message) => {
    if (what === "settle") settle(id, ok, value, message);
    else if (what === "fire") fire(id);
    else if (what === "stop") stop();
    else if (what === "begin") begin(id);
    else main(id);
  };
})

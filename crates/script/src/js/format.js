// Values as lines of a log, the console, and the parts of Deno that scripts use.
(function (kit) {
  "use strict";
  const { $, global, freeze, lines, logger, part, stringify } = kit;
  const { keys, getPrototypeOf } = Object;
  const { isArray } = Array;
  const DEPTH = 4;
  const ITEMS = 100;
  const TEXT = 10000;

  const quoted = (text) => stringify(text.length > TEXT ? `${text.slice(0, TEXT)}…` : text);
  const named = (key) => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : stringify(key));
  const error = (value) => {
    const stack = typeof value.stack === "string" ? value.stack : "";
    const frames = stack.split("\n").filter((line) => line.includes("script:")).map((line) => `    ${line.trim()}`);
    const head = `${value.name}: ${value.message}`;
    return frames.length === 0 ? head : `${head}\n${frames.join("\n")}`;
  };
  const list = (items, open, close) => (items.length === 0 ? open + close : `${open} ${items.join(", ")} ${close}`);
  const some = (iterable, size, show) => {
    const items = [];
    for (const item of iterable) {
      if (items.length === ITEMS) {
        items.push(`… ${size - ITEMS} more`);
        break;
      }
      items.push(show(item));
    }
    return items;
  };
  const inspect = (value, depth, seen) => {
    switch (typeof value) {
      case "string":
        return quoted(value);
      case "bigint":
        return `${value}n`;
      case "function":
        return `[Function ${value.name || "(anonymous)"}]`;
      case "symbol":
        return value.toString();
      case "object":
        break;
      default:
        return Object.is(value, -0) ? "-0" : `${value}`;
    }
    if (value === null) return "null";
    if (value instanceof Error) return error(value);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
    if (value instanceof RegExp) return `${value}`;
    if (value instanceof Promise) return "Promise";
    if (seen.includes(value)) return "[Circular]";
    if (depth > DEPTH) return isArray(value) ? "[Array]" : "[Object]";
    const below = [...seen, value];
    const show = (item) => inspect(item, depth + 1, below);
    if (isArray(value)) return list(some(value, value.length, show), "[", "]");
    if (ArrayBuffer.isView(value) && value.length !== undefined) {
      return `${value.constructor?.name}(${value.length}) ${list(some(value, value.length, show), "[", "]")}`;
    }
    if (value instanceof Map) {
      return `Map(${value.size}) ${list(some(value, value.size, ([k, v]) => `${show(k)} => ${show(v)}`), "{", "}")}`;
    }
    if (value instanceof Set) return `Set(${value.size}) ${list(some(value, value.size, show), "{", "}")}`;
    const own = keys(value);
    const name = getPrototypeOf(value)?.constructor?.name;
    const body = list(some(own, own.length, (key) => `${named(key)}: ${show(value[key])}`), "{", "}");
    return name === undefined || name === "Object" ? body : `${name} ${body}`;
  };
  const format = (value) => {
    try {
      return typeof value === "string" ? value : inspect(value, 0, []);
    } catch {
      return "[unprintable]";
    }
  };

  const counts = { __proto__: null };
  const times = { __proto__: null };
  const now = () => global.performance.now();
  const console = {
    log: logger.info,
    info: logger.info,
    debug: logger.debug,
    warn: logger.warn,
    error: logger.error,
    dir: (value) => logger.info(format(value)),
    table: (value) => logger.info(format(value)),
    trace: (...values) => logger.debug(...values, new Error("trace")),
    assert: (truth, ...values) => {
      if (!truth) logger.error("Assertion failed", ...values);
    },
    count: (label = "default") => logger.info(`${label}: ${(counts[label] = (counts[label] ?? 0) + 1)}`),
    countReset: (label = "default") => {
      delete counts[label];
    },
    time: (label = "default") => {
      times[label] = now();
    },
    timeEnd: (label = "default") => {
      if (times[label] === undefined) return;
      logger.info(`${label}: ${(now() - times[label]).toFixed(3)} ms`);
      delete times[label];
    },
    group: logger.info,
    groupCollapsed: logger.info,
    groupEnd: () => {},
    clear: () => {},
  };
  const Deno = freeze({
    memoryUsage: () => $.memory(),
    loadavg: () => $.loadavg(),
    serve: (...given) => part("serve")(...given),
    env: freeze({ get: () => undefined, has: () => false, toObject: () => ({}) }),
  });
  return freeze({ format, console, Deno });
})

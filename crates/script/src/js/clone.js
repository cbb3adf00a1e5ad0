// `structuredClone`.
(function (kit) {
  "use strict";
  const { part } = kit;
  const refuse = (value) => {
    throw part("errors").dom(`${typeof value} could not be cloned`, "DataCloneError");
  };
  const clone = (value, seen) => {
    if (typeof value === "function" || typeof value === "symbol") refuse(value);
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (made) => {
      seen.set(value, made);
      return made;
    };
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (ArrayBuffer.isView(value)) {
      const buffer = clone(value.buffer, seen);
      const length = value instanceof DataView ? value.byteLength : value.length;
      return keep(new value.constructor(buffer, value.byteOffset, length));
    }
    if (value instanceof Map) {
      const made = keep(new Map());
      for (const [key, of] of value) made.set(clone(key, seen), clone(of, seen));
      return made;
    }
    if (value instanceof Set) {
      const made = keep(new Set());
      for (const of of value) made.add(clone(of, seen));
      return made;
    }
    if (value instanceof Error) {
      const made = keep(Object.create(Object.getPrototypeOf(value)));
      for (const name of ["name", "message", "stack", "cause"]) {
        if (name in value) Object.defineProperty(made, name, { value: clone(value[name], seen), writable: true,
          configurable: true });
      }
      return made;
    }
    if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) refuse(value);
    const made = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) made[key] = clone(value[key], seen);
    return made;
  };
  return { structuredClone: (value) => clone(value, new Map()) };
})

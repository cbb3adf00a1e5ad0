// CCXT's classes of errors, and errors of any other name.
(function (kit) {
  "use strict";
  const { $, global, hide, freeze } = kit;
  const { create, getPrototypeOf } = Object;
  const builtin = { __proto__: null, Error, TypeError, RangeError, SyntaxError, ReferenceError, URIError, EvalError };
  const DOMException = global.DOMException;
  const dom = ["AbortError", "TimeoutError", "NetworkError", "DataCloneError", "InvalidStateError", "SyntaxError"];
  const parents = create(null);
  for (const [name, parent] of $.classes()) parents[name] = parent;
  const classes = create(null);
  const classOf = (name) => {
    if (name === "Error") return Error;
    if (classes[name] === undefined) {
      const Parent = classOf(parents[name]);
      classes[name] = { [name]: class extends Parent {} }[name];
      hide(classes[name].prototype, "name", name);
    }
    return classes[name];
  };
  const make = (name, message) => {
    if (parents[name] !== undefined) return new (classOf(name))(message);
    if (builtin[name] !== undefined) return new builtin[name](message);
    if (dom.includes(name)) return new DOMException(message, name);
    const error = new Error(message);
    hide(error, "name", name);
    return error;
  };
  const all = { make, dom: (message, name) => new DOMException(message, name) };
  for (const name in parents) Object.defineProperty(all, name, { get: () => classOf(name) });
  return freeze(all);
})

// Builtins that may take long and never ask whether the run is interrupted: each asks before it begins, and takes no
// more elements than memory could hold. What copies is stopped by the memory itself (see `Memory`).
(function (kit) {
  "use strict";
  const { $, hide } = kit;
  const { apply } = Reflect;
  const { getPrototypeOf } = Object;
  const MOST = 16777216;
  const LARGE = 4096;
  // the engine interrupts a loop, and nobody can catch that
  const ask = () => {
    if ($.poll()) for (;;);
  };
  const like = (guarded, original) => {
    Reflect.defineProperty(guarded, "length", { value: original.length, configurable: true });
    return guarded;
  };
  const wrap = (owner, names, sized) => {
    for (const name of names) {
      const original = owner[name];
      const { [name]: guarded } = {
        [name](...values) {
          const length = this?.length;
          if (length > LARGE) {
            ask();
            if (sized && length > MOST) throw new RangeError(`${name}: more than ${MOST} elements`);
          }
          return apply(original, this, values);
        },
      };
      hide(owner, name, like(guarded, original));
    }
  };
  wrap(Array.prototype, [
    "join", "fill", "reverse", "toReversed", "slice", "concat", "flat", "copyWithin", "splice", "toSpliced", "sort",
    "toSorted", "with", "shift", "unshift",
  ], true);
  wrap(getPrototypeOf(Uint8Array.prototype), [
    "fill", "sort", "toSorted", "reverse", "copyWithin", "indexOf", "lastIndexOf", "includes", "join", "set",
  ], false);
  wrap(String.prototype, ["split", "indexOf", "lastIndexOf", "includes", "localeCompare", "normalize"], false);
  const { parse, stringify } = JSON;
  hide(JSON, "parse", like((text, ...more) => {
    if (text?.length > LARGE) ask();
    return parse(text, ...more);
  }, parse));
  hide(JSON, "stringify", like((...values) => {
    ask();
    return stringify(...values);
  }, stringify));
  return true;
})

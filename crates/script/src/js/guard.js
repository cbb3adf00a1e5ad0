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
  // what a function keeps is what it costs, so it keeps no more than the original
  const wrap = (owner, names) => {
    for (const name of names) hide(owner, name, guard(owner[name], name));
  };
  const guard = (original, name) =>
    like({
      [name](...values) {
        const length = this?.length;
        if (length > LARGE) {
          ask();
          if (length > MOST && typeof this !== "string") throw new RangeError(`more than ${MOST} elements`);
        }
        return apply(original, this, values);
      },
    }[name], original);
  wrap(Array.prototype, [
    "join", "fill", "reverse", "slice", "concat", "flat", "copyWithin", "splice", "sort", "shift", "unshift",
  ]);
  wrap(getPrototypeOf(Uint8Array.prototype), [
    "fill", "sort", "reverse", "copyWithin", "indexOf", "lastIndexOf", "includes", "set",
  ]);
  wrap(String.prototype, ["indexOf", "lastIndexOf", "includes"]);
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

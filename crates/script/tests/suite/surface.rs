//! What editors know of the scripts' API is what the runtime has.

use serde_json::Value;

use crate::host::value;

const TYPES: &str = include_str!("../../../../clients/stels.d.ts");

fn named(name: &str) -> bool {
    TYPES.match_indices(name).any(|(at, _)| {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        !TYPES[..at].ends_with(word) && !TYPES[at + name.len()..].starts_with(word)
    })
}

/// Names that ECMAScript itself has, which editors know anyway.
const LANGUAGE: &str = "AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array \
    Boolean DataView Date DisposableStack Error EvalError FinalizationRegistry Float16Array Float32Array Float64Array \
    Function Infinity Int16Array Int32Array Int8Array InternalError Iterator JSON Map Math NaN Number Object Promise Proxy \
    RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String SuppressedError Symbol SyntaxError TypeError \
    URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet decodeURI decodeURIComponent \
    encodeURI encodeURIComponent escape eval globalThis isFinite isNaN parseFloat parseInt undefined unescape";

#[tokio::test]
async fn every_global_is_typed() {
    let names = value("return Object.getOwnPropertyNames(globalThis)").await;
    let language: Vec<_> = LANGUAGE.split_whitespace().collect();
    let missing: Vec<_> = names
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| !language.contains(name) && !named(name))
        .collect();
    assert!(missing.is_empty(), "clients/stels.d.ts lacks {missing:?}");
}

#[tokio::test]
async fn every_member_is_typed() {
    let script = "
      const own = (object) => Reflect.ownKeys(object).filter((key) => typeof key === 'string');
      const all = (name) => [...own(globalThis[name].prototype ?? {}), ...own(globalThis[name])];
      const exchange = Stels.runtime.cex.bybit();
      const names = new Set([...own(Stels), ...own(Stels.config), ...own(Stels.net), ...own(Stels.net.atomic()),
        ...own(Stels.runtime),
        ...own(Stels.runtime.cex), ...own(Stels.ta), ...own(Stels.blockchain), ...own(Stels.wallet), ...own(logger),
          ...own(Deno),
        ...own(console), ...own(crypto), ...own(crypto.subtle), ...own(Object.getPrototypeOf(exchange)),
          ...own(exchange),
        ...['URL', 'URLSearchParams', 'Headers', 'Request', 'Response', 'WebSocket', 'AbortController',
          'AbortSignal', 'EventTarget',
          'TextEncoder', 'TextDecoder'].flatMap(all)]);
      for (const name of ['length', 'name', 'prototype', 'constructor']) names.delete(name);
      return [...names]";
    let names = value(script).await;
    let missing: Vec<_> =
        names.as_array().unwrap().iter().filter_map(Value::as_str).filter(|name| !named(name)).collect();
    assert!(missing.is_empty(), "clients/stels.d.ts lacks {missing:?}");
}

/// Methods of exchanges are made when asked for; those that every exchange of ours does have are typed.
#[tokio::test]
async fn the_exchanges_methods_are_typed() {
    let names = value("return Object.keys(Stels.runtime.cex.bybit().has)").await;
    let calls = orrery_venues::Venue::Bybit.description();
    let methods = names
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| {
            calls.has(name)
                && name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.contains(|c: char| c.is_ascii_uppercase())
        })
        .filter(|name| !["publicAPI", "privateAPI"].contains(name));
    let missing: Vec<_> = methods.filter(|name| !named(name)).collect();
    assert!(missing.is_empty(), "clients/stels.d.ts lacks {missing:?}");
}

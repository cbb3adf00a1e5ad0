//! Scripts that try to get more than they may: contained, told, and nobody else harmed.

use std::time::Duration;

use orrery_workers::Stop;
use orrery_workers::script::{End, Exceeded, Limits, ScriptRuntime as _};
use serde_json::json;

use crate::host::{TestHost, engine, order, prepare, run_within, until, value, value_with};

fn short() -> Limits {
    Limits { slice: Duration::from_millis(50), ..Limits::default() }
}

/// Every one of these computes for ever, or nearly so.
const RUNAWAYS: [&str; 25] = [
    "while (true) {}",
    "try { while (true) {} } catch { Stels.net.set(['caught'], 1) } finally { Stels.net.set(['finally'], 1) }",
    "try { for (;;) await null } finally { Stels.net.set(['finally'], 1) }",
    "const f = () => Promise.resolve().then(f); await f();",
    "(function f() { queueMicrotask(f) })(); await Stels.sleep(1000)",
    "for (const next = () => { for (let i = 0; i < 9; i++) queueMicrotask(next) }; ; ) await next()",
    "await Stels.sleep(1); setTimeout(() => { for (;;); }, 1)",
    "/^(a+)+$/.test('a'.repeat(40) + 'b')",
    "'x'.repeat(30000).replace(/(x+x+)+y/g, '')",
    "Array.from({ length: 1e9 }, (_, i) => i % 2)",
    "const s = 'a,'.repeat(100000); for (let i = 0; i < 1e6; i++) s.split(',')",
    "const a = new Float64Array(1e6); for (;;) a.fill(1).sort()",
    "const a = new Array(5e5).fill(1); for (;;) a.join()",
    "const a = new Array(3e5).fill(1); for (;;) [...a]",
    "const a = 'x'.repeat(4e6); for (;;) { const b = a + Math.random(); b.length; b.charCodeAt(5e6) }",
    "const a = new Array(1e5).fill({ x: 1 }); for (;;) JSON.stringify(a)",
    "let x = 3n; for (let i = 0; i < 18; i++) x *= x; for (;;) x * x",
    "const o = {}; for (let i = 0; i < 1e5; i++) o[i] = i; for (;;) Object.entries(o)",
    "const a = Array.from({ length: 1e5 }, (_, i) => i); for (;;) new Set(a)",
    "const a = 'ab'.repeat(1e6); for (;;) a.indexOf('b'.repeat(3000))",
    "for (;;) structuredClone([1, 2, 3])",
    "new Proxy({}, { get() { for (;;); } }).x",
    "({ toString() { for (;;); } }) + ''",
    "logger.info({ get x() { for (;;); } })",
    "return { toJSON() { for (;;); } }",
];

#[tokio::test]
async fn runaways_are_interrupted_and_nothing_of_them_goes_on() {
    for script in RUNAWAYS {
        let host = TestHost::new();
        let outcome = run_within(script, &host, short()).await;
        assert_eq!(outcome.end, End::Exceeded(Exceeded::Slice), "{script}\n{:?}", host.lines());
        assert_eq!(host.calls(), [], "{script}: nothing is caught, nothing is finally");
        assert!(outcome.usage.cpu >= Duration::from_millis(45), "{script}: {:?}", outcome.usage);
    }
}

#[tokio::test]
async fn the_minute_is_bounded_too() {
    let limits = Limits { per_minute: Duration::from_millis(100), ..Limits::default() };
    let host = TestHost::new();
    let script = "for (;;) { for (let i = 0; i < 2e5; i++); await Stels.sleep(0) }";
    assert_eq!(run_within(script, &host, limits).await.end, End::Exceeded(Exceeded::Minute));
    let limits = Limits { wall: Some(Duration::from_millis(60)), ..Limits::default() };
    assert_eq!(run_within("await Stels.sleep(100000)", &host, limits).await.end, End::Exceeded(Exceeded::Wall));
}

#[tokio::test]
async fn memory_is_bounded_and_the_script_may_go_on_with_less() {
    let limits = Limits { memory: 8 << 20, ..Limits::default() };
    for script in [
        "const a = []; for (;;) a.push({ x: a.length, y: 'text' + a.length })",
        "let s = 'x'; for (;;) s += s",
        "new Array(1e7).fill(0)",
        "const a = []; for (;;) a.push(new Uint8Array(1e5))",
        "new Uint8Array(1e9)",
        "'x'.repeat(2 ** 29)",
        "const m = new Map(); for (let i = 0; ; i++) m.set(i, [i])",
        "const a = []; for (;;) a.push(new Promise(() => {}))",
    ] {
        let outcome = run_within(script, &TestHost::new(), limits).await;
        let contained = match &outcome.end {
            End::Exceeded(Exceeded::Memory) => true,
            // the engine refuses some sizes before it asks for memory
            End::Threw(thrown) => thrown.class == "RangeError" || thrown.message == "string too long",
            _ => false,
        };
        assert!(contained, "{script}: {:?}", outcome.end);
        assert!(outcome.usage.memory <= 8 << 20, "{script}: {:?}", outcome.usage);
    }
    let host = TestHost::new();
    let caught =
        "let name; try { const a = []; for (;;) a.push(new Uint8Array(1e5)) } catch (e) { name = e.name } return name";
    let outcome = run_within(caught, &host, limits).await;
    assert_eq!(outcome.end, End::Returned(Some("\"InternalError\"".into())));
}

#[tokio::test]
async fn deep_recursion_is_an_error() {
    let seen = value(
        "const names = [];
         const deep = (x, n) => { for (let i = 0; i < n; i++) x = [x]; return x };
         for (const act of [
           function f() { f() }, () => JSON.stringify(deep([], 1e5)), () => JSON.parse('['.repeat(1e5)),
           () => { class A { get x() { return this.x } } return new A().x },
           () => { const p = new Proxy({}, { get: (t, n, r) => r[n] }); return p.x },
           () => structuredClone(deep([], 1e5)), () => eval('('.repeat(1e5)), () => new RegExp('('.repeat(1e5)),
           () => deep([], 1e5).flat(Infinity), () => { const g = function* () { yield* g() }; [...g()] },
         ]) { try { act(); names.push(null) } catch (error) { names.push(error.name) } }
         return names",
    )
    .await;
    for name in seen.as_array().unwrap() {
        assert!(["RangeError", "InternalError", "SyntaxError"].contains(&name.as_str().unwrap_or_default()), "{seen}");
    }
}

#[tokio::test]
async fn endless_arrays_are_refused() {
    let seen = value(
        "const names = [];
         for (const act of [() => new Array(4294967295).join(), () => [].concat.call({ length: 1e15,
           [Symbol.isConcatSpreadable]: true }),
           () => Array.prototype.fill.call({ length: 1e12 }, 1), () => Array.prototype.reverse.call({ length: 1e9 }),
           () => Array.prototype.sort.call({ length: 1e10 }), () => Array.prototype.slice.call({ length: 1e10 })]) {
           try { act(); names.push(null) } catch (error) { names.push(error.name) }
         }
         return names",
    )
    .await;
    assert!(seen.as_array().unwrap().iter().all(|name| name == "RangeError"), "{seen}");
}

#[tokio::test]
async fn calls_and_timers_are_bounded() {
    let host = TestHost::new();
    let limits = Limits { calls: 4, calls_queued: 4, timers: 10, call_bytes: 1_000, ..Limits::default() };
    let script = "const names = {};
      const note = (e) => { names[e.name] = (names[e.name] ?? 0) + 1 };
      const x = new Stels.runtime.cex.binance();
      for (let i = 0; i < 20; i++) x.watchTicker('A/B').catch(note);
      let last; try { for (let i = 0; i < 20; i++) last = setTimeout(() => {}, 1e6) } catch (e) { note(e) }
      await Stels.sleep(1).catch(note);
      clearTimeout(last);
      await Stels.sleep(1);
      throw names";
    let End::Threw(thrown) = run_within(script, &host, limits).await.end else { panic!() };
    let names: serde_json::Value = serde_json::from_str(&thrown.message).unwrap();
    assert_eq!(names, json!({ "RateLimitExceeded": 12, "RangeError": 2 }));
    assert_eq!(host.calls().len(), 4, "the others waited for their turn");
    let large = "try { await Stels.net.set(['a'], 'x'.repeat(2000)) } catch (e) { return e.name }";
    assert_eq!(run_within(large, &host, limits).await.end, End::Returned(Some("\"QuotaExceeded\"".into())));
    let host = TestHost::new().on("cex.okx.fetchTickers", |_| Ok(json!("x".repeat(2_000))));
    let large = "try { await new Stels.runtime.cex.okx().fetchTickers() } catch (e) { return e.name }";
    assert_eq!(run_within(large, &host, limits).await.end, End::Returned(Some("\"BadResponse\"".into())));
}

#[tokio::test]
async fn floods_of_lines_and_long_values_are_cut() {
    let host = TestHost::new();
    let limits = Limits { log_lines: 50, log_line_bytes: 100, output_bytes: 10, ..Limits::default() };
    let script = "for (let i = 0; i < 5000; i++) logger.info('x'.repeat(1000)); return 'a long value'";
    let outcome = run_within(script, &host, limits).await;
    assert_eq!(outcome.end, End::Returned(None));
    let usage = outcome.usage;
    assert_eq!(usage.log_lines + usage.log_lines_suppressed, 5_000);
    assert!(host.lines().iter().all(|line| line.len() <= 100));
    assert!(host.lines().last().unwrap().ends_with("lines of log were suppressed"));
}

#[tokio::test]
async fn tampering_harms_the_tamperer_alone() {
    let host = TestHost::new().on("cex.binance.fetchTicker", |_| Ok(json!({ "last": 7 })));
    let seen = value_with(
        "Object.prototype.then = undefined;
         Array.prototype.map = Array.prototype.push = Map.prototype.get = Map.prototype.set = () => { throw 1 };
         Promise.prototype.then = Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => 1;
         JSON.stringify = () => 'no'; JSON.parse = () => 'no'; Symbol.iterator;
           Object.defineProperty = Object.freeze = null;
         Reflect.apply = null; String.prototype.toWellFormed = () => 'no';
         const out = [];
         for (const act of [() => { Stels.net = 1 }, () => { 'use strict'; Stels.net = 1 }, () => {
           delete Stels.config },
           () => { logger.info = 1 }, () => { globalThis.Stels = 1 }]) { try { act() } catch {} }
         out[0] = Stels.config.nid; logger.info('still');
         const x = new Stels.runtime.cex.binance();
         out[1] = (await x.fetchTicker('A/B')).last;
         await Stels.sleep(1);
         return out",
        &host,
    )
    .await;
    assert_eq!(seen, json!(["s-0001", 7]));
    assert_eq!(host.lines(), ["still"]);
}

#[tokio::test]
async fn neighbours_do_not_notice() {
    let engine = engine();
    let stop = Stop::new();
    let bad = TestHost::new();
    let hogs = RUNAWAYS.iter().cycle().take(12).map(|script| {
        let run = order(
            prepare(&engine, script),
            &bad,
            Limits { slice: Duration::from_secs(30), ..Limits::default() },
            &stop,
        );
        engine.run(run)
    });
    let hogs = futures_util::future::join_all(hogs);
    let good = TestHost::new();
    let script = "let rounds = 0; for (; rounds < 20; rounds++) await Stels.sleep(1); return rounds";
    let neighbour = order(prepare(&engine, script), &good, Limits::default(), &Stop::new());
    let neighbour = async {
        let outcome = engine.run(neighbour).await;
        stop.now();
        outcome
    };
    let (hogs, neighbour) = futures_util::future::join(hogs, neighbour).await;
    assert_eq!(neighbour.end, End::Returned(Some("20".into())));
    for hog in hogs {
        assert!(matches!(hog.end, End::Stopped | End::Exceeded(_)), "{hog:?}");
    }
}

/// Comparing texts neither asks nor copies: ten thousand of them hold the thread.
#[tokio::test]
async fn a_run_that_does_not_react_is_given_up() {
    let (engine, host) = (engine(), TestHost::new());
    let script = "const a = 'x'.repeat(6e6), b = 'x'.repeat(6e6); let n = 0; for (;;) if (a === b) n++";
    let run = |script, limits| engine.run(order(prepare(&engine, script), &host, limits, &Stop::new()));
    let outcomes = futures_util::future::join_all((0..3).map(|_| run(script, short()))).await;
    for outcome in outcomes {
        // a fast machine is through before it is found to be wedged
        assert!(matches!(outcome.end, End::Wedged | End::Exceeded(Exceeded::Slice)), "{outcome:?}");
    }
    let next = run("await Stels.sleep(1); return 1", Limits::default()).await;
    assert_eq!(next.end, End::Returned(Some("1".into())));
}

#[tokio::test]
async fn a_run_that_is_dropped_ends() {
    let engine = engine();
    let host = TestHost::new();
    for script in ["logger.info('on'); for (;;);", "logger.info('on'); await Stels.sleep(1e6)"] {
        let before = host.lines().len();
        let program = prepare(&engine, script);
        let run = engine.run(order(
            program.clone(),
            &host,
            Limits { slice: Duration::from_secs(60), ..Limits::default() },
            &Stop::new(),
        ));
        let mut run = Box::pin(run);
        tokio::select! {
            outcome = &mut run => panic!("{outcome:?}"),
            () = until("it runs", || host.lines().len() > before) => {}
        }
        let kept = std::sync::Arc::strong_count(&host);
        drop(run);
        until("its host is let go", || std::sync::Arc::strong_count(&host) < kept).await;
    }
}

#[tokio::test]
async fn what_ran_before_leaves_nothing() {
    let engine = engine();
    let host = TestHost::new();
    let program = prepare(
        &engine,
        "globalThis.count = (globalThis.count ?? 0) + 1; Array.prototype.x = 1; return [count, [].y ?? null]",
    );
    for _ in 0..3 {
        let outcome = engine.run(order(program.clone(), &host, Limits::default(), &Stop::new())).await;
        assert_eq!(outcome.end, End::Returned(Some("[1,null]".into())));
    }
}

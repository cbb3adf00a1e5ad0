//! What scripts learn of failures, and what is learnt of theirs.

use orrery_venues::ErrorClass;
use orrery_workers::script::{End, HostError, Level, ScriptRuntime as _, Source, Thrown};
use serde_json::json;

use crate::host::{TestHost, engine, run, value, value_with};

async fn thrown(text: &str) -> Thrown {
    match run(text, &TestHost::new()).await.end {
        End::Threw(thrown) => thrown,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn errors_of_exchanges_have_ccxts_classes() {
    let host = TestHost::new().on("cex.binance.createOrder", |_| Err(HostError::new("InsufficientFunds", "no money")));
    let seen = value_with(
        "const exchange = new Stels.runtime.cex.binance();
         try { await exchange.createOrder('BTC/USDT', 'limit', 'buy', 1, 2); } catch (error) {
           return [error instanceof InsufficientFunds, error instanceof ExchangeError, error instanceof BaseError,
             error instanceof Error, error instanceof NetworkError, error.name, error.message,
             error.constructor.name, error.constructor === InsufficientFunds, error.stack.includes('script:2:')];
         }",
        &host,
    )
    .await;
    assert_eq!(
        seen,
        json!([true, true, true, true, false, "InsufficientFunds", "no money", "InsufficientFunds", true, true])
    );
}

#[tokio::test]
async fn the_classes_are_all_there_with_their_parents() {
    let names: Vec<_> = ErrorClass::ALL.iter().map(|class| class.name()).collect();
    let script = format!(
        "return {}.map((name) => [name, Object.getPrototypeOf(globalThis[name]).name, new globalThis[name]('x').name])",
        json!(names)
    );
    let expected: Vec<_> = ErrorClass::ALL
        .iter()
        .map(|class| json!([class.name(), class.parent().map_or("Error", ErrorClass::name), class.name()]))
        .collect();
    assert_eq!(value(&script).await, json!(expected));
}

#[tokio::test]
async fn other_errors_keep_their_name() {
    let host = TestHost::new()
        .on("net.set", |_| Err(HostError::new("QuotaExceeded", "full")))
        .on("net.delete", |_| Err(HostError::new("TypeError", "bad")));
    let seen = value_with(
        "const out = [];
         for (const act of [() => Stels.net.set(['a'], 1), () => Stels.net.delete(['a'])]) {
           try { await act() } catch (e) { out.push(e.name, e.message, e instanceof TypeError) }
         }
         return out",
        &host,
    )
    .await;
    assert_eq!(seen, json!(["QuotaExceeded", "full", false, "TypeError", "bad", true]));
}

#[tokio::test]
async fn what_a_script_throws_has_its_place() {
    let error = thrown("const a = 1;\n\n  throw new RangeError('out');").await;
    assert_eq!((error.class.as_str(), error.message.as_str()), ("RangeError", "out"));
    assert_eq!(error.place.map(|(line, _)| line), Some(3));
    let error = thrown("interface A {\n  b: number\n}\nfunction f(x: A): never {\n  const é = '\u{1f600}'; throw new Error(`${x.b}`) }\nf({ b: 1 } as A)").await;
    assert_eq!(error.place.map(|(line, _)| line), Some(5));
    assert!(error.stack.contains("at f (script:5:"), "{}", error.stack);
    assert!(error.stack.contains("script:6:1"), "{}", error.stack);
    let error = thrown("await null; missing.x").await;
    assert_eq!((error.class.as_str(), error.place), ("ReferenceError", Some((1, 13))));
}

#[tokio::test]
async fn anything_can_be_thrown() {
    for (script, class, message) in [
        ("throw 'text'", "Error", "text"),
        ("throw { code: 7 }", "Object", "{\"code\":7}"),
        ("throw null", "Error", "null"),
        ("throw Symbol('x')", "Error", "something without a text"),
        ("throw Object.assign(new Error('a'), { name: 'Mine' })", "Mine", "a"),
        ("const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw 1 } }); throw e", "Error", ""),
        ("throw new Proxy({}, { get() { throw 1 }, ownKeys() { throw 2 } })", "Object", "something without a text"),
    ] {
        let error = thrown(script).await;
        assert_eq!((error.class.as_str(), error.message.as_str()), (class, message), "{script}");
    }
}

#[tokio::test]
async fn errors_that_nobody_caught_are_logged_and_the_script_goes_on() {
    let host = TestHost::new();
    let outcome = run(
        "Promise.reject(new TypeError('nobody'));
         const later = Promise.reject(new Error('caught'));
         setTimeout(() => { throw new Error('in a timer') }, 1);
         await Stels.sleep(5);
         return 'on'",
        &host,
    )
    .await;
    assert_eq!(outcome.end, End::Returned(Some("\"on\"".into())));
    assert_eq!(outcome.usage.uncaught, 3);
    let errors: Vec<_> = host.logs().into_iter().filter(|(level, _)| *level == Level::Error).collect();
    assert!(errors[0].1.starts_with("Unhandled rejection: TypeError: nobody (line 1, column "), "{errors:?}");
    assert!(errors[2].1.starts_with("Uncaught Error: in a timer (line 3, column "), "{errors:?}");
    let host = TestHost::new();
    let outcome = run("const p = Promise.reject(1); p.catch(() => {}); await null;", &host).await;
    assert_eq!(
        (outcome.usage.uncaught, host.lines().len()),
        (0, 0),
        "a promise that is handled in time is nobody's business"
    );
}

#[tokio::test]
async fn a_promise_that_nothing_settles_is_told() {
    let error = thrown("await new Promise(() => {})").await;
    assert!(error.message.contains("nothing will ever settle"), "{error}");
}

#[tokio::test]
async fn faults_are_found_when_a_script_is_saved() {
    let engine = engine();
    for (text, part, place) in [
        ("const a = 1;\nconst b = ;", "", Some((2, 11))),
        ("let a = 1; let a = 2;", "redefinition", Some((1, 18))),
        ("let a: number = 1;\nlet a = 2;", "redefinition", None),
        ("import x from 'lodash'; x()", "lodash", None),
        ("await import('node:fs')", "node:fs", None),
        ("namespace A { export const b = 1 }", "namespaces", Some((1, 1))),
    ] {
        let source = Source { text, dependencies: &["gliesereum".to_owned()], version: "1.19.2" };
        let fault = engine.prepare(&source).unwrap_err();
        assert!(fault.message.contains(part), "{text}: {fault}");
        if place.is_some() {
            assert_eq!(fault.place, place, "{text}: {fault}");
        }
    }
    let source = Source { text: "1", dependencies: &[], version: "2.0.0" };
    assert!(engine.prepare(&source).unwrap_err().message.contains("version"));
    let source = Source { text: "1", dependencies: &["left-pad".to_owned()], version: "1.19.2" };
    assert!(engine.prepare(&source).unwrap_err().message.contains("left-pad"));
}

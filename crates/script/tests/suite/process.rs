//! Scripts in processes of their own.

use std::path::PathBuf;
use std::time::Duration;

use orrery_script::{Engine, Launcher};
use orrery_workers::Stop;
use orrery_workers::script::{End, Exceeded, HostError, Isolation, Limits, Outcome, Run, ScriptRuntime as _};
use serde_json::json;

use crate::host::{TestHost, engine, order, prepare, until};

fn isolated() -> Engine {
    let tests = std::env::current_exe().unwrap();
    let program: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples/isolated");
    assert!(program.is_file(), "{} is missing: it is built with the tests", program.display());
    engine().with_processes(Launcher::new(program))
}

fn run(engine: &Engine, script: &str, host: &std::sync::Arc<TestHost>, limits: Limits, stop: &Stop) -> Run {
    Run { isolation: Isolation::Process, ..order(prepare(engine, script), host, limits, stop) }
}

async fn outcome(script: &str, host: &std::sync::Arc<TestHost>, limits: Limits) -> Outcome {
    let engine = isolated();
    let run = run(&engine, script, host, limits, &Stop::new());
    tokio::time::timeout(Duration::from_secs(60), engine.run(run)).await.expect("the run ends")
}

#[tokio::test]
async fn a_script_in_a_process_is_like_any_other() {
    let host = TestHost::new()
        .on("cex.bybit.fetchTicker", |a| Ok(a["arguments"].clone()))
        .on("cex.bybit.createOrder", |_| Err(HostError::new("InsufficientFunds", "no money")));
    let script = "const x = new Stels.runtime.cex.bybit();
      logger.warn('on', Stels.config.nid);
      let error; try { await x.createOrder('A/B', 'market', 'buy', 1) } catch (e) { error = [e.name,
        e instanceof ExchangeError] }
      const all = await Promise.all([1, 2, 3].map((n) => x.fetchTicker(n)));
      return [all, error, (await import('gliesereum')).validateAddress('x')]";
    let outcome = outcome(script, &host, Limits::default()).await;
    let expected = json!([[[1], [2], [3]], ["InsufficientFunds", true], false]);
    assert_eq!(outcome.end, End::Returned(Some(expected.to_string())));
    assert_eq!(host.lines(), ["on s-0001"]);
    assert_eq!((outcome.usage.calls, outcome.usage.calls_failed), (4, 1));
}

#[tokio::test]
async fn its_faults_and_limits_are_told() {
    let host = TestHost::new();
    let End::Threw(thrown) = outcome("\n throw new TypeError('x')", &host, Limits::default()).await.end else {
        panic!()
    };
    assert_eq!((thrown.class.as_str(), thrown.place.map(|(line, _)| line)), ("TypeError", Some(2)));
    let short = Limits { slice: Duration::from_millis(50), ..Limits::default() };
    assert_eq!(outcome("for (;;);", &host, short).await.end, End::Exceeded(Exceeded::Slice));
    let small = Limits { memory: 8 << 20, ..Limits::default() };
    let end = outcome("const a = []; for (;;) a.push([a.length])", &host, small).await.end;
    assert_eq!(end, End::Exceeded(Exceeded::Memory));
}

#[tokio::test]
async fn it_is_stopped_gently_or_killed() {
    let engine = isolated();
    for (script, urgent, lines) in [
        (
            "logger.info('on'); while (!shouldStop()) await Stels.sleep(1e6); logger.info('off')",
            false,
            &["on", "off"][..],
        ),
        ("logger.info('on'); try { for (;;); } finally { logger.info('never') }", true, &["on"][..]),
    ] {
        let (host, stop) = (TestHost::new(), Stop::new());
        let limits =
            Limits { slice: Duration::from_secs(60), per_minute: Duration::from_secs(60), ..Limits::default() };
        let running = engine.run(run(&engine, script, &host, limits, &stop));
        let act = async {
            until("it runs", || !host.lines().is_empty()).await;
            if urgent { stop.now() } else { stop.gently() }
        };
        let (outcome, ()) = futures_util::future::join(running, act).await;
        assert_eq!(outcome.end, End::Stopped, "{script}");
        assert_eq!(host.lines(), lines);
    }
}

#[tokio::test]
async fn without_a_launcher_it_fails_and_does_not_run_elsewhere() {
    let (engine, host) = (engine(), TestHost::new());
    let outcome = engine.run(run(&engine, "logger.info('on')", &host, Limits::default(), &Stop::new())).await;
    assert!(matches!(outcome.end, End::Failed(_)), "{outcome:?}");
    assert!(host.lines().is_empty());
}

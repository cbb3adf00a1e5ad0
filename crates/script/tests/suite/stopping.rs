//! How runs are told to end, and how fast they do.

use std::time::Duration;

use orrery_workers::Stop;
use orrery_workers::script::{End, Limits, Outcome, ScriptRuntime as _};
use serde_json::json;

use crate::host::{TestHost, engine, order, prepare, until};

/// Runs a script until it logged something, then does `then` to its stop.
async fn stopped(script: &str, limits: Limits, then: impl Fn(&Stop)) -> (Outcome, std::sync::Arc<TestHost>) {
    let (engine, host, stop) = (engine(), TestHost::new(), Stop::new());
    let run = engine.run(order(prepare(&engine, script), &host, limits, &stop));
    let act = async {
        until("the script began", || !host.lines().is_empty()).await;
        then(&stop);
    };
    let (outcome, ()) = futures_util::future::join(run, act).await;
    (outcome, host)
}

#[tokio::test]
async fn a_stop_wakes_sleeps_at_once() {
    let script = "logger.info('on');
      while (!shouldStop()) await Stels.sleep(86400000);
      logger.info('cleaning up'); await Stels.net.set(['done'], 1); logger.info('cleaned up')";
    let (outcome, host) = stopped(script, Limits::default(), Stop::gently).await;
    assert_eq!(outcome.end, End::Stopped);
    assert_eq!(host.lines(), ["on", "cleaning up", "cleaned up"]);
}

#[tokio::test]
async fn who_does_not_ask_begins_no_other_round() {
    let script = "for (;;) { logger.info('round'); await Stels.sleep(86400000) }";
    let (outcome, host) = stopped(script, Limits::default(), Stop::gently).await;
    assert_eq!((outcome.end, host.lines()), (End::Stopped, vec!["round".to_owned()]));
    let stubborn =
        "for (;;) { try { logger.info('round'); await Stels.sleep(86400000) } catch (e) { logger.info(e.name) } }";
    let (outcome, host) = stopped(
        stubborn,
        Limits { grace: Duration::from_millis(20), slice: Duration::from_secs(9), ..Limits::default() },
        Stop::gently,
    )
    .await;
    assert_eq!(outcome.end, End::Stopped);
    assert_eq!(host.lines()[..3], ["round", "WorkerStopped", "round"]);
}

#[tokio::test]
async fn the_signal_is_aborted() {
    let script =
        "signal.addEventListener('abort', () => logger.info(`aborted ${signal.aborted} ${signal.reason.name}`));
      logger.info('on');
      try { await fetch('https://example.org/', { signal }) } catch (error) { logger.info(error.name) }";
    let (engine, host, stop) = (engine(), TestHost::new(), Stop::new());
    let waiting = host.on("fetch", |_| Err(orrery_workers::script::HostError::new("TypeError", "not reached")));
    drop(waiting);
    let run = engine.run(order(
        prepare(&engine, script.replace("fetch('https://example.org/', { signal })", "Stels.sleep(1e6)").as_str()),
        &host,
        Limits::default(),
        &stop,
    ));
    let act = async {
        until("the script began", || !host.lines().is_empty()).await;
        stop.gently();
    };
    let (outcome, ()) = futures_util::future::join(run, act).await;
    assert_eq!(outcome.end, End::Stopped);
    assert_eq!(host.lines(), ["on", "aborted true WorkerStopped"]);
}

#[tokio::test]
async fn an_urgent_stop_leaves_no_word() {
    for script in [
        "logger.info('on'); try { for (;;); } finally { logger.info('finally'); Stels.net.set(['x'], 1) }",
        "logger.info('on'); try { await Stels.sleep(1e6) } finally { logger.info('finally'); Stels.net.set(['x'], 1) }",
        "logger.info('on'); setInterval(() => {}, 1); try { await new Promise(() => {}) } catch { logger.info('caught') }",
        "logger.info('on'); try { await new Stels.runtime.cex.binance().watchTicker('A/B') } finally { logger.info('finally') }",
    ] {
        let limits =
            Limits { slice: Duration::from_secs(60), per_minute: Duration::from_secs(60), ..Limits::default() };
        let (outcome, host) = stopped(script, limits, Stop::now).await;
        assert_eq!(outcome.end, End::Stopped, "{script}");
        assert_eq!(host.lines(), ["on"], "{script}");
        assert_eq!(host.calls_of("net.set"), [json!(null); 0], "{script}");
    }
}

#[tokio::test]
async fn grace_ends() {
    let script = "logger.info('on'); await new Stels.runtime.cex.binance().watchTicker('A/B'); logger.info('never')";
    let limits = Limits { grace: Duration::from_millis(30), ..Limits::default() };
    let (outcome, host) = stopped(script, limits, Stop::gently).await;
    assert_eq!((outcome.end, host.lines()), (End::Stopped, vec!["on".to_owned()]));
    assert_eq!(host.given_up(), ["cex.binance.watchTicker"]);
}

#[tokio::test]
async fn a_run_that_was_stopped_before_it_began_does_nothing() {
    let (engine, host, stop) = (engine(), TestHost::new(), Stop::new());
    stop.now();
    let outcome = engine.run(order(prepare(&engine, "logger.info('on')"), &host, Limits::default(), &stop)).await;
    assert_eq!((outcome.end, host.lines().len()), (End::Stopped, 0));
}

#[tokio::test]
async fn what_is_kept_open_keeps_the_run() {
    let (engine, host) = (engine(), TestHost::new());
    let script =
        "let n = 0; const id = setInterval(() => { logger.info(`${++n}`); if (n === 3) clearInterval(id) }, 1);
      setTimeout(() => logger.info('late'), 20); AbortSignal.timeout(1e6); return 'value'";
    let outcome = engine.run(order(prepare(&engine, script), &host, Limits::default(), &Stop::new())).await;
    assert_eq!(outcome.end, End::Returned(Some("\"value\"".into())));
    assert_eq!(host.lines(), ["1", "2", "3", "late"]);
}

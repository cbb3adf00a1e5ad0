//! Nodes of a fleet and what they run: who leads, who takes over, when a script is given up.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]
#![expect(clippy::disallowed_methods, reason = "drivers run as the test's own tasks, so that it can end them")]

#[path = "fleet/house.rs"]
mod house;
#[path = "fleet/sqlite.rs"]
mod sqlite;

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use house::{House, leader, pass};
use orrery_workers::Draft;
use orrery_workers::script::Isolation;

const SOON: Duration = Duration::from_secs(5);

fn priority(name: &str) -> Draft {
    Draft { priority: Some(name.into()), ..Draft::default() }
}

fn single() -> Draft {
    Draft { mode: Some("single".into()), ..Draft::default() }
}

#[tokio::test(start_paused = true)]
async fn one_node_leads_and_hands_over_at_once() {
    let house = House::new();
    let mut nodes: Vec<_> = ["a", "b", "c"].map(|name| (name, house.node(name, 10))).into();
    house.add("w", "forever", leader()).await;
    house.runs("w", 1, SOON).await;
    // a few heartbeats and prolongations later it is the same one
    pass(200).await;
    assert_eq!(house.ran("w").len(), 1);
    for round in 1..=2 {
        let lease = house.lease("w").await;
        let at = nodes.iter().position(|(name, _)| *name == lease.node()).unwrap();
        let (name, leader) = nodes.remove(at);
        let took = leader.drain().await;
        assert!(took < Duration::from_secs(3), "{took:?}");
        let took = house.runs("w", 1, SOON).await;
        assert!(took < Duration::from_millis(500), "hand-over {round} took {took:?}");
        let next = house.lease("w").await;
        assert!(next.lease.epoch > lease.lease.epoch && next.node() != name);
    }
    assert_eq!(house.ran("w").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_dead_leader_is_replaced_in_five_seconds() {
    let house = House::new();
    let mut nodes: Vec<_> = ["a", "b", "c"].map(|name| (name, house.node(name, 100))).into();
    // until they have heard of each other
    pass(3).await;
    for n in 0..30 {
        house.add(&format!("w{n}"), "forever", leader()).await;
    }
    house.runs("", 30, SOON).await;
    pass(10).await;
    let led = house.running("").iter().filter(|ran| ran.node == "a").count();
    assert!((1..30).contains(&led), "{led} of 30 on one of three nodes");
    nodes.remove(0).1.kill().await;
    house.runs("", 30 - led, Duration::from_millis(100)).await;
    let took = house.runs("", 30, Duration::from_secs(60)).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(house.running("").iter().all(|ran| ran.node != "a"));
}

#[tokio::test(start_paused = true)]
async fn a_held_leader_has_no_effect_once_another_leads() {
    let house = House::new();
    let nodes = ["a", "b"].map(|name| (name, house.node(name, 10)));
    house.add("w", "act", leader()).await;
    house.runs("w", 1, SOON).await;
    pass(10).await;
    let first = house.lease("w").await;
    nodes.iter().find(|(name, _)| *name == first.node()).unwrap().1.hold();
    // the held driver's script goes on, as one does that resumes before anything else
    pass(120).await;
    let second = house.lease("w").await;
    assert!(second.lease.epoch > first.lease.epoch && second.node() != first.node());
    assert!(house.refused.load(Ordering::SeqCst) > 0, "the first leader's next effect is refused");
    let effects = house.effects.lock().unwrap().clone();
    assert!(effects.windows(2).all(|two| two[0].epoch <= two[1].epoch), "no older epoch after a newer one");
    let holders: HashSet<_> = effects.iter().map(|effect| (effect.epoch, effect.node.clone())).collect();
    assert_eq!(holders.len(), 2, "{holders:?}");
    assert!(effects.iter().filter(|effect| effect.node == second.node()).count() > 1_000);
}

#[tokio::test(start_paused = true)]
async fn scripts_that_do_not_listen_delay_no_drain() {
    let house = House::new();
    let (a, b) = (house.node("a", 10), house.node("b", 10));
    house.add("w", "deaf", leader()).await;
    house.add("p", "deaf", Draft::default()).await;
    house.runs("", 3, SOON).await;
    let first = house.lease("w").await;
    let (leading, _other) = if first.node() == "a" { (a, b) } else { (b, a) };
    let took = leading.drain().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    house.runs("", 2, Duration::from_secs(1)).await;
    assert_ne!(house.lease("w").await.node(), first.node());
}

#[tokio::test(start_paused = true)]
async fn error_budgets_are_exact() {
    for mode in [Draft::default(), leader()] {
        let house = House::new();
        let _node = house.node("a", 10);
        for (name, budget) in [("critical", 50), ("high", 20), ("normal", 10), ("low", 5)] {
            house.add(name, "fail", Draft { priority: Some(name.into()), ..mode.clone() }).await;
            assert_eq!(house.settled(name, Duration::from_secs(70)).await, "errors");
            pass(120).await;
            assert_eq!(house.ran(name).len(), budget, "{name}");
            let totals = &house.totals(name).await["a"];
            let budget = i64::try_from(budget).unwrap();
            assert_eq!((totals.executions, totals.errors, totals.consecutive), (budget, budget, budget));
            assert!(!totals.running && totals.last_error.as_deref().unwrap().contains("it broke"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_forgives_and_the_network_is_counted_apart() {
    let house = House::new();
    let _node = house.node("a", 10);
    house.add("w", "tenth", priority("normal")).await;
    house.add("n", "network", priority("low")).await;
    pass(300).await;
    assert!(house.ran("w").len() > 45, "{}", house.ran("w").len());
    assert!(house.fleet.settled_of(house::OWNER).await.unwrap().iter().all(|seen| seen.settled.sid == "n"));
    let totals = &house.totals("n").await["a"];
    assert_eq!((totals.errors, totals.network_errors, totals.last_network), (5, 5, true));
}

#[tokio::test(start_paused = true)]
async fn what_runs_once_stays_settled() {
    let house = House::new();
    let mut nodes: Vec<_> = ["a", "b", "c"].map(|name| house.node(name, 10)).into();
    house.add("led", "good", Draft { execution_mode: Some("leader".into()), ..single() }).await;
    house.add("all", "good", single()).await;
    assert_eq!(house.settled("led", SOON).await, "done");
    pass(30).await;
    assert_eq!(house.ran("led").len(), 1);
    let everywhere: HashSet<String> = house.ran("all").into_iter().map(|ran| ran.node).collect();
    assert_eq!((house.ran("all").len(), everywhere.len()), (3, 3));
    // it was so short that nobody looked at it between its start and its end
    let executions: i64 = house.totals("led").await.values().map(|totals| totals.executions).sum();
    assert_eq!(executions, 1);
    nodes.remove(0).drain().await;
    let _again = house.node("a", 10);
    pass(30).await;
    assert_eq!(house.ran("").len(), 4, "a node's next process knows");
    house.change("led", |spec| spec.note = "once more".into()).await;
    pass(30).await;
    assert_eq!(house.ran("led").len(), 2, "its next version runs");
}

#[tokio::test(start_paused = true)]
async fn changes_are_heard_at_once() {
    let house = House::new();
    let _node = house.node("a", 10);
    house.add("w", "forever one", Draft::default()).await;
    house.runs("w", 1, SOON).await;
    pass(1).await;
    house.change("w", |spec| spec.note = "the same script".into()).await;
    pass(10).await;
    assert_eq!(house.ran("w").len(), 1);
    house.change("w", |spec| spec.script = "forever two".into()).await;
    pass(1).await;
    let ran = house.ran("w");
    assert_eq!(ran.iter().map(|ran| ran.text.as_str()).collect::<Vec<_>>(), ["forever one", "forever two"]);
    assert!(ran[0].over && !ran[1].over);
    house.change("w", |spec| spec.active = false).await;
    let took = house.runs("w", 0, SOON).await;
    assert!(took < Duration::from_millis(500), "{took:?}");
    pass(2).await;
    assert!(!house.totals("w").await["a"].running);
}

#[tokio::test(start_paused = true)]
async fn nodes_run_what_is_theirs_as_far_as_there_is_room() {
    let house = House::new();
    let _nodes = ["a", "b"].map(|name| house.node(name, 3));
    let only = Draft { execution_mode: Some("exclusive".into()), assigned_node: Some("b".into()), ..Draft::default() };
    house.add("x", "forever", only).await;
    house.runs("x", 1, SOON).await;
    assert_eq!(house.running("x")[0].node, "b");
    for n in 0..6 {
        house.add(&format!("w{n}"), "forever", leader()).await;
    }
    house.runs("", 6, Duration::from_secs(20)).await;
    pass(30).await;
    for name in ["a", "b"] {
        assert_eq!(house.running("").iter().filter(|ran| ran.node == name).count(), 3);
    }
    let led = house.running("").into_iter().find(|ran| ran.sid != "x").unwrap();
    house.change(&led.sid, |spec| spec.active = false).await;
    house.runs(&led.sid, 0, SOON).await;
    house.runs("", 6, Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn room_for_parallel_workers_comes_back() {
    let house = House::new();
    let _node = house.node("a", 2);
    for n in 0..3 {
        house.add(&format!("w{n}"), "forever", Draft::default()).await;
    }
    house.runs("", 2, SOON).await;
    pass(10).await;
    let first = house.running("")[0].sid.clone();
    assert_eq!(house.running("").len(), 2);
    house.change(&first, |spec| spec.active = false).await;
    house.runs(&first, 0, SOON).await;
    house.runs("", 2, SOON).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_prepared_is_an_error_each_time() {
    let house = House::new();
    let _node = house.node("a", 10);
    house.add("w", "@@", priority("low")).await;
    assert_eq!(house.settled("w", Duration::from_secs(70)).await, "errors");
    pass(3).await;
    assert!(house.ran("w").is_empty());
    let runs = house.fleet.runs("w", 100).await.unwrap();
    assert_eq!(runs.len(), 5);
    assert!(runs.iter().all(|run| run.outcome.as_deref() == Some("failed") && run.ended_at.is_some()));
    assert!(runs[0].error.as_deref().unwrap().contains("Unexpected token"));
    assert_eq!(house.lines("w").await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_react_gets_a_process() {
    let house = House::new();
    let _node = house.node("a", 10);
    house.add("w", "wedge", priority("high")).await;
    pass(10).await;
    let tiers: Vec<_> = house.ran("w").into_iter().map(|ran| (ran.isolation, ran.over)).collect();
    assert_eq!(tiers, [(Isolation::Shared, true), (Isolation::Process, false)]);
}

#[tokio::test(start_paused = true)]
async fn runs_and_lines_are_written_down_without_secrets() {
    let house = House::new();
    let node = house.node("a", 10);
    house.add("w", "say secret: 'hunter2hunter2'", leader()).await;
    house.runs("w", 1, SOON).await;
    pass(3).await;
    let runs = house.fleet.runs("w", 10).await.unwrap();
    assert_eq!((runs.len(), runs[0].ended_at, runs[0].epoch), (1, None, 1));
    assert!(house.totals("w").await["a"].running);
    assert_eq!(house.lines("w").await, ["secret: '[redacted]'"]);
    node.drain().await;
    let runs = house.fleet.runs("w", 10).await.unwrap();
    assert_eq!((runs.len(), runs[0].outcome.as_deref(), runs[0].calls, runs[0].cpu_ms), (1, Some("stopped"), 3, 7));
    assert!(!house.totals("w").await["a"].running);
    let _next = house.node("a", 10);
    house.add("e", "leak secret: 'hunter2hunter2'", single()).await;
    pass(3).await;
    let runs = house.fleet.runs("e", 1).await.unwrap();
    assert_eq!(runs[0].error.as_deref(), Some("Error: secret: '[redacted]'"));
    assert_eq!(house.totals("e").await["a"].last_error, runs[0].error);
}

#[tokio::test(start_paused = true)]
async fn an_accounts_strategy_is_handed_over_or_nothing_begins() {
    let house = House::new();
    let _node = house.node("a", 10);
    let of = |account: &str| Draft { account_id: Some(account.into()), ..single() };
    house.add("w", "protocol", of("main")).await;
    house.add("none", "protocol", single()).await;
    for (sid, line) in [("w", r#"{"of":"main"}"#), ("none", "none")] {
        assert_eq!(house.settled(sid, SOON).await, "done");
        pass(1).await;
        assert_eq!(house.lines(sid).await, [line]);
    }
    // names of accounts have no space: the store does not know it now
    house.change("none", |spec| spec.account_id = Some("unknown now".into())).await;
    pass(3).await;
    let runs = house.fleet.runs("none", 1).await.unwrap();
    assert_eq!(runs[0].outcome.as_deref(), Some("network"));
    assert_eq!(house.ran("none").len(), 1, "the script did not begin");
}

#[tokio::test(start_paused = true)]
async fn two_thousand_start_and_stop_together() {
    let house = House::new();
    let _nodes = ["a", "b"].map(|name| house.node(name, 5_000));
    let sids: Vec<String> = (0..2_000).map(|n| format!("w{n}")).collect();
    for (n, sid) in sids.iter().enumerate() {
        let mode = if n % 4 == 0 { "parallel" } else { "leader" };
        house.add(sid, "forever", Draft { execution_mode: Some(mode.into()), ..Draft::default() }).await;
    }
    house.runs("", 2_500, Duration::from_secs(10)).await;
    pass(120).await;
    assert_eq!(house.ran("").len(), 2_500, "each lease is kept");
    for sid in &sids {
        house.change(sid, |spec| spec.active = false).await;
    }
    house.runs("", 0, Duration::from_secs(10)).await;
}

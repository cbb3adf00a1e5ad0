//! What a node does with leases, room and rights, one step after the other.

use std::sync::Arc;

use super::super::store::Beat;
use super::*;
use crate::{Draft, Spec};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn job(mode: &str) -> Job {
    let draft = Draft { execution_mode: Some(mode.into()), assigned_node: Some("s-1".into()), ..Draft::default() };
    Job { version: 1, spec: Arc::new(Spec::new(draft).unwrap()) }
}

fn node(capacity: usize) -> Node {
    let mut node = Node::new("s-1", "s-1/a", capacity, Timing::default(), at(0));
    node.step(Input::Tick, at(0));
    node.step(Input::Beaten, at(0));
    node
}

fn grant(sid: &str, epoch: i64, clean: bool) -> Grant {
    Grant { sid: sid.into(), epoch, clean }
}

fn taken(asked: i64, grants: Vec<Grant>) -> Input {
    Input::Taken { asked: at(asked), grants: Some(grants) }
}

fn starts(out: &[Output]) -> Vec<(String, i64)> {
    let start = |output: &Output| match output {
        Output::Start { sid, epoch, .. } => Some((sid.clone(), *epoch)),
        _ => None,
    };
    out.iter().filter_map(start).collect()
}

fn leads(node: &mut Node, sid: &str) {
    node.step(Input::Want(sid.into(), job("leader")), at(1_000));
    let out = node.step(taken(1_000, vec![grant(sid, 7, true)]), at(1_010));
    assert_eq!(starts(&out), [(sid.to_owned(), 7)]);
}

#[test]
fn parallel_runs_at_once_and_leaders_after_their_election() {
    let mut node = node(10);
    assert_eq!(starts(&node.step(Input::Want("p".into(), job("parallel")), at(10))), [("p".to_owned(), 0)]);
    assert_eq!(starts(&node.step(Input::Want("x".into(), job("exclusive")), at(10))), [("x".to_owned(), 0)]);
    let out = node.step(Input::Want("l".into(), job("leader")), at(1_000));
    assert_eq!(out.last(), Some(&Output::Take(vec!["l".into()])));
    let out = node.step(taken(1_000, vec![grant("l", 3, false)]), at(1_010));
    let Some(Output::Start { epoch: 3, until: Some(until), orders_from, .. }) = out.first() else {
        panic!("{out:?}");
    };
    assert_eq!((*until, *orders_from), (at(56_000), at(6_010)), "from before the question; after what is on its way");
}

#[test]
fn a_lease_that_is_not_prolonged_is_given_up_before_it_is_over() {
    let mut node = node(10);
    leads(&mut node, "l");
    assert!(node.step(Input::Tick, at(31_000)).contains(&Output::Renew));
    node.step(Input::Renewed { asked: at(31_000), held: None }, at(36_000));
    assert!(node.step(Input::Tick, at(38_000)).contains(&Output::Renew), "again after two seconds");
    assert_eq!(node.right("l", at(55_999)), Some(7));
    let out = node.step(Input::Tick, at(56_000));
    assert!(out.contains(&Output::Stop("l".into(), 1, Urgency::Now)), "{out:?}");
    assert_eq!(node.right("l", at(56_000)), None);
}

#[test]
fn prolonging_tells_what_is_lost_and_what_is_nobodys() {
    let mut node = node(10);
    leads(&mut node, "a");
    leads(&mut node, "b");
    assert!(node.step(Input::Tick, at(31_000)).contains(&Output::Renew));
    node.step(Input::Want("late".into(), job("leader")), at(31_050));
    node.step(taken(31_050, vec![grant("late", 1, true)]), at(31_090));
    let held = vec![("a".to_owned(), 7), ("b".to_owned(), 8), ("stray".to_owned(), 2)];
    let out = node.step(Input::Renewed { asked: at(31_000), held: Some(held) }, at(31_100));
    assert!(out.contains(&Output::Prolonged(at(86_000), vec![("a".into(), 1)])), "{out:?}");
    assert!(out.contains(&Output::Stop("b".into(), 2, Urgency::Now)), "somebody else was between: {out:?}");
    assert!(!out.iter().any(|o| matches!(o, Output::Stop(sid, ..) if sid == "late")), "it was had after the question");
    let out = node.step(Input::Tick, at(32_500));
    assert!(out.contains(&Output::Give(vec![("b".into(), 8), ("stray".into(), 2)])), "{out:?}");
}

#[test]
fn an_answer_that_comes_too_late_is_no_lease() {
    let mut node = node(10);
    node.step(Input::Want("l".into(), job("leader")), at(1_000));
    let out = node.step(taken(1_000, vec![grant("l", 3, true)]), at(56_000));
    assert!(starts(&out).is_empty());
    assert!(out.contains(&Output::Give(vec![("l".into(), 3)])), "{out:?}");
}

#[test]
fn what_is_given_back_is_not_asked_for_until_that_is_sure() {
    let mut node = node(10);
    leads(&mut node, "l");
    node.step(Input::Unwant("l".into()), at(2_000));
    let out = node.step(Input::Ended("l".into(), 1, RunEnd::Stopped), at(2_100));
    assert!(out.contains(&Output::Give(vec![("l".into(), 7)])), "{out:?}");
    node.step(Input::Want("l".into(), job("leader")), at(2_200));
    assert!(!node.step(Input::Tick, at(5_000)).iter().any(|o| matches!(o, Output::Take(_))));
    let given = |done| Input::Given { leases: vec![("l".into(), 7)], done };
    node.step(given(false), at(5_000));
    assert!(node.step(Input::Tick, at(6_100)).contains(&Output::Give(vec![("l".into(), 7)])), "again");
    node.step(given(true), at(6_200));
    assert!(node.step(Input::Tick, at(7_300)).contains(&Output::Take(vec!["l".into()])));
}

#[test]
fn room_is_bounded_and_who_waits_gets_it_next() {
    let mut node = node(1);
    assert_eq!(starts(&node.step(Input::Want("a".into(), job("parallel")), at(0))).len(), 1);
    assert!(starts(&node.step(Input::Want("b".into(), job("parallel")), at(0))).is_empty());
    node.step(Input::Want("c".into(), job("leader")), at(0));
    assert!(!node.step(Input::Tick, at(2_000)).iter().any(|o| matches!(o, Output::Take(_))));
    node.step(Input::Unwant("a".into()), at(2_000));
    node.step(Input::Ended("a".into(), 1, RunEnd::Stopped), at(2_000));
    assert_eq!(starts(&node.step(Input::Tick, at(4_000))), [("b".to_owned(), 0)]);
}

#[test]
fn a_node_that_is_rather_the_one_asks_first() {
    let mut node = node(200);
    let peer = |holder: &str| NodeSeen {
        beat: Beat {
            holder: holder.into(),
            node: holder.into(),
            version: String::new(),
            capacity: 9,
            running: 0,
            draining: false,
        },
        ago: Duration::ZERO,
    };
    node.step(Input::Peers(vec![peer("s-1/a"), peer("s-2/b")]), at(0));
    for n in 0..100 {
        node.step(Input::Want(format!("w{n}"), job("leader")), at(100));
    }
    let mut seen = Vec::new();
    for second in 1..=3 {
        let out = node.step(Input::Tick, at(100 + second * 1_100));
        let count = out.iter().find_map(|o| if let Output::Take(sids) = o { Some(sids.len()) } else { None });
        seen.push(count.unwrap_or(0));
        node.step(Input::Taken { asked: at(0), grants: None }, at(100 + second * 1_100));
    }
    seen.sort_unstable();
    assert_eq!(seen[2], 100, "in the end it asks for all");
    assert!((30..70).contains(&seen[0]), "{seen:?}");
}

#[test]
fn where_most_leases_are_had_the_rest_is_asked_for_at_once() {
    let sids: Vec<String> = (0..4_500).map(|n| format!("w{n:04}")).collect();
    let mut node = node(10_000);
    for sid in &sids {
        node.step(Input::Want(sid.clone(), job("leader")), at(10));
    }
    let asked = |out: Vec<Output>| {
        let take = out.into_iter().find_map(|output| if let Output::Take(sids) = output { Some(sids) } else { None });
        take.unwrap_or_default()
    };
    let first = asked(node.step(Input::Tick, at(1_000)));
    assert_eq!(first.len(), TAKEN_AT_ONCE);
    let had = |sids: &[String]| taken(1_000, sids.iter().map(|sid| grant(sid, 1, true)).collect());
    let second = asked(node.step(had(&first), at(1_001)));
    assert_eq!(second.len(), TAKEN_AT_ONCE, "at the same moment");
    assert!(asked(node.step(had(&second[..9]), at(1_002))).is_empty(), "others have most of these: no hurry");
    assert!(!asked(node.step(Input::Tick, at(2_001))).is_empty());
}

#[test]
fn new_workers_are_gathered_and_do_not_wait_for_the_next_look() {
    let mut node = node(10);
    assert!(!takes(&node.step(Input::Want("b".into(), job("leader")), at(100))));
    assert!(!takes(&node.step(Input::Want("a".into(), job("leader")), at(110))));
    assert_eq!(node.wake_at(), at(120));
    let out = node.step(Input::Tick, at(120));
    assert_eq!(out.last(), Some(&Output::Take(vec!["a".into(), "b".into()])));
    // what was not had is asked for at the next look, which was not put off
    node.step(taken(120, vec![]), at(130));
    assert_eq!(node.wake_at(), at(1_000));
    assert!(takes(&node.step(Input::Tick, at(1_000))));
    // one that it knows is none that is new
    node.step(taken(1_000, vec![]), at(1_010));
    node.step(Input::Want("a".into(), job("leader")), at(1_100));
    assert_eq!(node.wake_at(), at(2_000));
}

#[test]
fn draining_hands_over_and_says_when_it_is_done() {
    let mut node = node(10);
    leads(&mut node, "l");
    node.step(Input::Want("p".into(), job("parallel")), at(2_000));
    // the second answers the heartbeat that was due
    node.step(Input::Beaten, at(2_000));
    node.step(Input::Beaten, at(2_000));
    let out = node.step(Input::Drain, at(2_000));
    assert_eq!(out.iter().filter(|o| matches!(o, Output::Stop(_, _, Urgency::Gently))).count(), 2);
    assert!(out.contains(&Output::Beat { running: 2, draining: true }), "{out:?}");
    node.step(Input::Ended("p".into(), 2, RunEnd::Stopped), at(2_100));
    let out = node.step(Input::Ended("l".into(), 1, RunEnd::Stopped), at(2_200));
    assert!(out.contains(&Output::Give(vec![("l".into(), 7)])) && !out.contains(&Output::Drained));
    let out = node.step(Input::Given { leases: vec![("l".into(), 7)], done: true }, at(2_300));
    assert!(out.contains(&Output::Drained));
    assert!(node.step(Input::Want("x".into(), job("parallel")), at(2_400)).is_empty());
}

#[test]
fn it_wakes_for_the_next_thing_that_is_due() {
    let mut node = node(10);
    assert_eq!(node.wake_at(), at(1_000), "a heartbeat");
    node.step(Input::Want("p".into(), job("parallel")), at(100));
    node.step(Input::Ended("p".into(), 1, RunEnd::Good), at(200));
    assert_eq!(node.wake_at(), at(300), "the next pass");
}

fn peer(holder: &str, draining: bool) -> NodeSeen {
    let (node, _) = holder.split_once('/').unwrap();
    let beat =
        Beat { holder: holder.into(), node: node.into(), version: "1".into(), capacity: 10, running: 0, draining };
    NodeSeen { beat, ago: Duration::ZERO }
}

fn takes(out: &[Output]) -> bool {
    out.iter().any(|output| matches!(output, Output::Take(_)))
}

/// A node that waits for a lease which is rather another's, between two looks at all.
fn outweighed(sid: &str) -> Node {
    let mut node = node(10);
    node.step(Input::Peers(vec![peer("s-1/a", false), peer("s-2/b", false)]), at(10));
    node.step(Input::Want(sid.into(), job("leader")), at(20));
    for second in 1.. {
        let out = node.step(Input::Tick, at(second * 1_000));
        if takes(&out) {
            node.step(taken(second * 1_000, Vec::new()), at(second * 1_000 + 10));
            return node;
        }
    }
    unreachable!("a node asks for all from time to time")
}

#[test]
fn who_leaves_or_is_heard_no_more_is_replaced_at_once() {
    let sid = (0..).map(|n| format!("w{n}")).find(|sid| weight(sid, "s-2/b") > weight(sid, "s-1/a")).unwrap();
    let now = at(60_000);
    assert!(!takes(&outweighed(&sid).step(Input::Free, now)), "the other one is rather the one for it");
    assert!(takes(&outweighed(&sid).step(Input::Leaving("s-2/b".into()), now)));
    assert!(takes(&outweighed(&sid).step(Input::Peers(vec![peer("s-1/a", false)]), now)));
    let draining = vec![peer("s-1/a", false), peer("s-2/b", true)];
    assert!(takes(&outweighed(&sid).step(Input::Peers(draining), now)));
}

#[test]
fn what_was_counted_of_a_worker_outlives_it() {
    let mut node = node(10);
    node.step(Input::Want("p".into(), job("parallel")), at(10));
    node.step(Input::Began("p".into(), 1), at(20));
    node.step(Input::Ended("p".into(), 1, RunEnd::Good), at(30));
    node.step(Input::Unwant("p".into()), at(40));
    let counted = node.take_changed();
    assert_eq!((counted.len(), counted[0].counters.executions, counted[0].running), (1, 1, false));
    assert!(node.take_changed().is_empty() && node.worker("p").is_none());
}

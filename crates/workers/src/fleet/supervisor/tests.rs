//! What becomes of one worker: errors, waits, schedules, and being told to be something else.

use proptest::prelude::*;

use super::*;
use crate::{Draft, Priority};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn job(version: i64, change: impl FnOnce(&mut Spec)) -> Job {
    let mut spec = Spec::new(Draft::default()).unwrap();
    change(&mut spec);
    Job { version, spec: Arc::new(spec) }
}

fn start(version: i64, epoch: i64) -> Vec<Action> {
    vec![Action::Start { version, epoch }]
}

const FAILED: Event = Event::Ended(RunEnd::Failed { network: false });
const GOOD: Event = Event::Ended(RunEnd::Good);

#[test]
fn budgets_stop_at_exactly_their_number() {
    for (priority, most) in [(Priority::Critical, 50), (Priority::High, 20), (Priority::Normal, 10), (Priority::Low, 5)]
    {
        let mut worker = Supervisor::default();
        let mut now = at(0);
        assert_eq!(worker.on(Event::Wanted(job(1, |spec| spec.priority = priority)), now), start(1, 0));
        let mut runs = 1;
        loop {
            worker.on(Event::Began, now);
            match worker.on(FAILED, now).as_slice() {
                [Action::Wait(until)] => now = *until,
                [Action::Settle { version: 1, reason: Reason::Errors }] => break,
                other => panic!("{other:?}"),
            }
            assert_eq!(worker.on(Event::Due, now), start(1, 0));
            runs += 1;
        }
        assert_eq!((runs, worker.state()), (most, State::Stopped(Reason::Errors)));
        assert!(now <= at(60_000), "{priority:?} takes {now:?}");
    }
}

#[test]
fn a_good_run_gives_the_budget_back_and_network_errors_are_counted_apart() {
    let mut worker = Supervisor::default();
    worker.on(Event::Wanted(job(1, |_| {})), at(0));
    for _ in 0..9 {
        worker.on(Event::Ended(RunEnd::Failed { network: true }), at(0));
        worker.on(Event::Due, at(100_000));
    }
    assert_eq!(worker.on(GOOD, at(0)), [Action::Wait(at(100))]);
    worker.on(Event::Due, at(100));
    assert_eq!(worker.on(FAILED, at(0)), [Action::Wait(at(100))], "it counts from the beginning");
    let counters = worker.counters();
    assert_eq!((counters.executions, counters.errors, counters.network_errors, counters.consecutive), (11, 10, 9, 1));
}

#[test]
fn a_single_one_runs_once_and_again_with_its_next_version() {
    let single = |version| job(version, |spec| spec.mode = Mode::Single);
    let mut worker = Supervisor::default();
    worker.on(Event::Wanted(single(1)), at(0));
    assert_eq!(worker.on(GOOD, at(1)), [Action::Settle { version: 1, reason: Reason::Done }]);
    assert!(worker.on(Event::Wanted(single(1)), at(2)).is_empty());
    assert_eq!(worker.on(Event::Wanted(single(2)), at(3)), start(2, 0));
}

#[test]
fn a_changed_script_restarts_and_a_changed_note_does_not() {
    let mut worker = Supervisor::default();
    worker.on(Event::Wanted(job(1, |_| {})), at(0));
    worker.on(Event::Began, at(0));
    assert!(worker.on(Event::Wanted(job(2, |spec| spec.note = "x".into())), at(1)).is_empty());
    let changed = job(3, |spec| spec.script = "1".into());
    assert_eq!(worker.on(Event::Wanted(changed), at(2)), [Action::Stop(Urgency::Gently)]);
    assert_eq!(worker.on(Event::Ended(RunEnd::Stopped), at(3)), start(3, 0));
}

#[test]
fn stopping_ends_waits_at_once_and_gives_the_lease_back_after_the_run() {
    let leader = |version| job(version, |spec| spec.execution_mode = ExecutionMode::Leader);
    let mut worker = Supervisor::default();
    assert_eq!(worker.on(Event::Wanted(leader(1)), at(0)), [Action::Elect]);
    assert_eq!(worker.on(Event::Unwanted, at(0)), [Action::Resign]);
    assert_eq!(worker.on(Event::Gained(3), at(0)), [Action::Resign], "it came too late");
    worker.on(Event::Wanted(leader(1)), at(0));
    assert_eq!(worker.on(Event::Gained(4), at(0)), start(1, 4));
    assert_eq!(worker.on(Event::Unwanted, at(1)), [Action::Stop(Urgency::Gently)]);
    assert_eq!(worker.on(Event::Ended(RunEnd::Stopped), at(2)), [Action::Resign]);
    assert_eq!(worker.state(), State::Idle);
    worker.on(Event::Wanted(leader(1)), at(3));
    worker.on(Event::Gained(5), at(3));
    worker.on(FAILED, at(4));
    assert_eq!(worker.on(Event::Unwanted, at(5)), [Action::Resign], "from a wait");
}

#[test]
fn a_lost_lease_ends_the_run_now_and_is_asked_for_again() {
    let leader = job(1, |spec| spec.execution_mode = ExecutionMode::Leader);
    let mut worker = Supervisor::default();
    worker.on(Event::Wanted(leader), at(0));
    worker.on(Event::Gained(1), at(0));
    assert_eq!(worker.on(Event::Lost, at(1)), [Action::Stop(Urgency::Now)]);
    assert!(worker.on(Event::Lost, at(1)).is_empty());
    assert_eq!(worker.on(Event::Ended(RunEnd::Stopped), at(2)), [Action::Elect]);
}

#[test]
fn a_leader_that_gave_up_keeps_the_lease_until_that_is_written_down() {
    let leader = job(1, |spec| {
        spec.execution_mode = ExecutionMode::Leader;
        spec.mode = Mode::Single;
    });
    let mut worker = Supervisor::default();
    worker.on(Event::Wanted(leader), at(0));
    worker.on(Event::Gained(1), at(0));
    assert_eq!(worker.on(GOOD, at(1)), [Action::Settle { version: 1, reason: Reason::Done }]);
    assert_eq!(worker.on(Event::Settled, at(2)), [Action::Resign]);
}

#[test]
fn schedules_say_when() {
    let hourly = job(1, |spec| spec.schedule = Some("0 * * * *".into()));
    let mut worker = Supervisor::default();
    assert_eq!(worker.on(Event::Wanted(hourly), at(1)), [Action::Wait(at(3_600_000))]);
    assert_eq!(worker.on(Event::Due, at(3_599_999)), [Action::Wait(at(3_600_000))]);
    assert_eq!(worker.on(Event::Due, at(3_600_000)), start(1, 0));
    assert_eq!(worker.on(GOOD, at(3_700_000)), [Action::Wait(at(7_200_000))]);
}

fn event() -> impl Strategy<Value = Event> {
    let job = (any::<bool>(), any::<bool>(), 0..2_u8).prop_map(|(leader, single, script)| {
        // of the same version is the same
        let version = i64::from(leader) + 2 * i64::from(single) + 4 * i64::from(script);
        job(version, |spec| {
            spec.script = script.to_string();
            spec.priority = Priority::Low;
            if leader {
                spec.execution_mode = ExecutionMode::Leader;
            }
            if single {
                spec.mode = Mode::Single;
            }
        })
    });
    prop_oneof![
        3 => job.prop_map(Event::Wanted),
        1 => Just(Event::Unwanted),
        3 => (1..9_i64).prop_map(Event::Gained),
        1 => Just(Event::Lost),
        2 => Just(Event::Began),
        3 => Just(GOOD),
        3 => Just(FAILED),
        1 => Just(Event::Ended(RunEnd::Stopped)),
        1 => Just(Event::Settled),
        4 => Just(Event::Due),
    ]
}

proptest! {
    /// Whatever happens in whatever order: one run at a time, none without the lease it needs, never one too many
    /// errors, and whoever waits for something has asked for it.
    #[test]
    fn invariants(events in proptest::collection::vec(event(), 0..120)) {
        let mut worker = Supervisor::default();
        let (mut now, mut under_way, mut epoch) = (0, false, None);
        for event in events {
            now += 40_000;
            match &event {
                Event::Ended(_) => under_way = false,
                Event::Gained(e) if worker.state() == State::Electing => epoch = Some(*e),
                Event::Lost => epoch = None,
                _ => {}
            }
            let was = worker.state();
            for action in worker.on(event, at(now)) {
                match action {
                    Action::Start { epoch: under, .. } => {
                        prop_assert!(!under_way, "two runs");
                        under_way = true;
                        if worker.job().is_some_and(Job::elected) {
                            prop_assert_eq!(Some(under), epoch);
                        } else {
                            prop_assert_eq!(under, 0);
                        }
                    }
                    Action::Stop(_) => prop_assert!(under_way),
                    Action::Resign if was != State::Idle => epoch = None,
                    _ => {}
                }
            }
            prop_assert_eq!(worker.is_running(), under_way);
            prop_assert!(worker.counters().consecutive <= 5);
            prop_assert!(worker.job().is_some() || under_way || worker.state() == State::Idle);
        }
    }
}

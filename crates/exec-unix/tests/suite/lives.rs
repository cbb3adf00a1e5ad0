//! How long runs live: no longer than their command, their time, their server, their runner.

use std::time::Duration;

use orrery_exec::{Command, Ending, Exit, Layer, RunError, Runner as _};

use crate::{NAMESPACES, limits, machine, runs, until, without};

/// A number of seconds that no other process sleeps.
fn mark(n: u32) -> String {
    format!("9{:05}{n:02}", std::process::id() % 100_000)
}

#[tokio::test]
async fn what_a_command_leaves_behind_ends_with_it() {
    for (n, layers) in [(1, &[][..]), (2, &NAMESPACES)] {
        let machine = without(layers);
        let mark = mark(n);
        let line =
            format!("setsid sleep {mark} & (setsid sh -c 'sleep {mark} & sleep {mark}' &) ; sleep {mark} & sleep 0.2");
        let finished = machine.shell(&line).await;
        assert_eq!(finished.ending, Ending::Exited(Exit::Code(0)));
        assert!(!runs(&mark), "somebody sleeps on, {layers:?}");
    }
}

#[tokio::test]
async fn a_run_whose_time_is_up_is_ended_with_everything() {
    for (n, layers) in [(3, &[][..]), (4, &NAMESPACES)] {
        let machine = without(layers);
        let mark = mark(n);
        // it does not listen, nor do its children
        let line = format!("trap '' TERM; setsid sleep {mark} & sleep {mark} & while :; do sleep {mark}; done");
        let command = Command::shell(&line, &machine.workspace);
        let finished = machine.unix.run(command, limits(Duration::from_millis(300)), None).await.unwrap();
        assert_eq!(finished.ending, Ending::TimedOut);
        assert!(!runs(&mark), "somebody sleeps on, {layers:?}");
    }
}

#[tokio::test]
async fn a_run_is_asked_first() {
    for layers in [&[][..], &NAMESPACES] {
        let machine = without(layers);
        let command =
            Command::shell("trap 'echo bye; exit 0' TERM; echo hi; while :; do sleep 0.05; done", &machine.workspace);
        let finished = machine.unix.run(command, limits(Duration::from_millis(700)), None).await.unwrap();
        assert_eq!((finished.ending, finished.stdout.text.as_str()), (Ending::TimedOut, "hi\nbye\n"));
    }
}

#[tokio::test]
async fn nobody_who_waits_means_nobody_who_runs() {
    for (n, layers) in [(5, &[][..]), (6, &NAMESPACES)] {
        let machine = without(layers);
        let mark = mark(n);
        let command = Command::program("sleep", &[&mark], &machine.workspace);
        let run = machine.unix.run(command, limits(Duration::from_secs(600)), None);
        tokio::select! {
            _ = run => panic!("it sleeps"),
            () = until("it starts", || runs(&mark)) => {}
        }
        until("it is ended", || !runs(&mark)).await;
    }
}

#[tokio::test]
async fn a_runner_that_is_killed_is_started_again() {
    for (n, layers) in [(7, &[][..]), (8, &NAMESPACES)] {
        let machine = without(layers);
        let mark = mark(n);
        let command = Command::program("sleep", &[&mark], &machine.workspace);
        let unix = machine.unix.clone();
        #[expect(clippy::disallowed_methods, reason = "awaited below")]
        let run = tokio::spawn(async move { unix.run(command, limits(Duration::from_secs(600)), None).await });
        until("it starts", || runs(&mark)).await;
        let runner = machine.unix.runner_pid().await.unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(runner).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        assert!(matches!(run.await.unwrap(), Err(RunError::RunnerGone)));
        assert_eq!(machine.says("echo again").await, "again\n");
        assert_ne!(machine.unix.runner_pid().await.unwrap(), runner);
        until("its run is ended", || !runs(&mark)).await;
    }
}

#[tokio::test]
async fn much_output_is_dropped_and_not_waited_for() {
    let machine = machine();
    let finished = machine.shell("head -c 50000000 /dev/zero | tr '\\0' x; echo end; echo error >&2").await;
    assert_eq!((finished.stdout.total, finished.stdout.truncated), (50_000_004, true));
    assert!(finished.stdout.text.ends_with("xend\n") && finished.stdout.text.len() < 1_100_000);
    assert_eq!(finished.stderr.text, "error\n");
    // endless output ends with its time
    let command = Command::shell("yes", &machine.workspace);
    let finished = machine.unix.run(command, limits(Duration::from_millis(300)), None).await.unwrap();
    assert!(finished.ending == Ending::TimedOut && finished.stdout.truncated);
}

#[tokio::test]
async fn many_runs_leave_nothing_behind() {
    let machine = machine();
    let children = |pid: u32| {
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default().trim().to_owned()
    };
    let one = || machine.says("echo x");
    let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    for _ in 0..5 {
        let all = futures_util::future::join_all((0..8).map(|_| one())).await;
        assert!(all.iter().all(|text| text == "x\n"));
    }
    let runner = machine.unix.runner_pid().await.unwrap();
    until("its children are gone", || children(runner).is_empty()).await;
    let after = std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(after <= before + 8, "{before} descriptors, then {after}");
    let of_runner = std::fs::read_dir(format!("/proc/{runner}/fd")).unwrap().count();
    assert!(of_runner <= 8, "{of_runner} descriptors in the runner");
}

#[tokio::test]
async fn a_fork_bomb_ends_with_its_time() {
    let machine = machine();
    let layers = machine.unix.layers().await;
    // root is bound by the kernel's namespaces alone
    if !layers.has(Layer::ProcessBound) && rustix::process::geteuid().is_root() {
        return;
    }
    let command = Command::shell("b(){ b | b & }; b; sleep 60", &machine.workspace);
    let finished = machine.unix.run(command, limits(Duration::from_secs(1)), None).await.unwrap();
    assert!(!matches!(finished.ending, Ending::Exited(Exit::Code(0))), "{:?}", finished.ending);
    assert_eq!(machine.says("echo alive").await, "alive\n");
}

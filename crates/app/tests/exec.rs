//! Who may run what, how much of it, and what is told of it.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use orrery_app::events::Event;
use orrery_app::exec::{Exec, ExecParts, ExecSettings, Line, Listed, Piece, Placed, ProgramRun, Viewed};
use orrery_app::tasks::Tasks;
use orrery_app::{App, Ctx};
use orrery_exec::{Bound, Bounds, Input, NetPolicy, Profile, Size, Timing, What, Workspaces};
use orrery_feeds::Simulated;
use orrery_identity::{Caller, IdentityStore, Proof, Role, Scope};
use orrery_kernel::{ErrorCode, Secret, UserId};
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::exec::Pretend;
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use orrery_testkit::identity::new_user;
use orrery_testkit::ledger::START;
use tokio::sync::broadcast::Receiver;

struct Shop {
    app: Arc<App>,
    identity: Arc<dyn IdentityStore>,
    pretend: Arc<Pretend>,
    _tasks: Tasks,
}

impl Shop {
    async fn open(exec: ExecSettings) -> Self {
        let (clock, entropy) = (Arc::new(ManualClock::at(START)), Arc::new(SeededEntropy::new(1)));
        let (pretend, tasks) = (Arc::new(Pretend::default()), Tasks::new());
        let feed = Arc::new(Simulated::new(1, 50_000));
        let mut ports = ports(clock, entropy, feed);
        ports.exec = Some(ExecParts {
            runner: pretend.clone(),
            terminals: pretend.clone(),
            workspaces: pretend.clone(),
            settings: exec,
        });
        let identity = ports.identity.clone();
        for n in 1..10 {
            identity.create_user(&new_user(&format!("u{n}@example.org"), Role::Operator)).await.unwrap();
        }
        let app = App::start(ports, settings(), &tasks).await.unwrap();
        Self { app, identity, pretend, _tasks: tasks }
    }

    fn exec(&self) -> &Exec {
        self.app.exec.as_deref().unwrap()
    }
}

fn ctx(user: i64, role: Role) -> Ctx {
    let proof = Proof::ApiKey(vec![Scope::Exec]);
    Ctx {
        caller: Some(Caller { user: UserId(user), email: "o@example.org".into(), role, proof }),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        agent: String::new(),
        request_id: "r".into(),
        now: START,
    }
}

fn operator(user: i64) -> Ctx {
    ctx(user, Role::Operator)
}

fn line(line: &str) -> Line {
    Line { line: line.into(), timeout: None, sudo_password: None }
}

fn quick() -> ExecSettings {
    let ms = Duration::from_millis;
    let timing = Timing { quiet: ms(5), unknown: ms(10), patience: ms(50), idle: Duration::from_secs(100) };
    ExecSettings { timing, line: ms(200), ..ExecSettings::default() }
}

#[tokio::test]
async fn commands_run_where_their_caller_works() {
    let shop = Shop::open(quick()).await;
    let mut events = shop.app.events.subscribe();
    let done = shop.exec().execute(&operator(7), line("echo hi")).await.unwrap();
    assert_eq!((done.stdout.as_str(), done.return_code, done.command.as_str()), ("hi\n", 0, "echo hi"));
    assert_eq!(shop.exec().execute(&operator(7), line("exit 3")).await.unwrap().return_code, 3);
    assert_eq!(shop.exec().execute(&operator(7), line("kill -9 $$")).await.unwrap().return_code, 137);
    let command = shop.pretend.asked().remove(0);
    assert_eq!(
        (command.workspace.to_str(), command.profile, command.net),
        (Some("/w/7"), Profile::Standard, NetPolicy::Loopback)
    );
    let mut pieces = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Output(told) = event {
            assert_eq!(told.user, UserId(7));
            pieces.push(told.piece.clone());
        }
    }
    assert_eq!(pieces[0], Piece::Started);
    assert!(matches!(&pieces[1], Piece::Output { text, .. } if text == "hi\n"), "{pieces:?}");
    assert_eq!(pieces[2], Piece::Ended { return_code: Some(0) });
}

#[tokio::test]
async fn who_may_not_is_refused() {
    let shop = Shop::open(quick()).await;
    let code = async |ctx: &Ctx, asked: Line| shop.exec().execute(ctx, asked).await.unwrap_err().code;
    assert_eq!(code(&ctx(7, Role::Trader), line("echo")).await, ErrorCode::Forbidden);
    let mut reads = operator(7);
    reads.caller.as_mut().unwrap().proof = Proof::ApiKey(vec![Scope::Read, Scope::Trade]);
    assert_eq!(code(&reads, line("echo")).await, ErrorCode::Forbidden);
    assert_eq!(code(&Ctx { caller: None, ..operator(7) }, line("echo")).await, ErrorCode::UnauthenticatedMissing);
    for slip in ["rm -rf /", "a\0b"] {
        let error = shop.exec().execute(&operator(7), line(slip)).await.unwrap_err();
        assert_eq!((error.code, error.field), (ErrorCode::Invalid, Some("command")), "{slip}");
    }
    let error = shop.exec().start_session(&operator(7), "dd if=a of=/dev/sda", None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Invalid);
    assert!(shop.pretend.asked().is_empty(), "nothing of it was run");
    let error = shop.exec().execute(&operator(7), line("nothing")).await.unwrap_err();
    assert_eq!((error.code, error.public.as_ref()), (ErrorCode::Invalid, "nothing: not found"));
}

#[tokio::test(start_paused = true)]
async fn time_and_room_are_bounded() {
    let wall = Bound { default: Duration::from_secs(2), max: Duration::from_secs(10) };
    let bounds = Bounds { wall, ..Bounds::default() };
    let shop = Shop::open(ExecSettings { bounds, runs_per_user: 1, queue: 1, ..quick() }).await;
    let asked = |seconds| Line { timeout: Some(Duration::from_secs(seconds)), ..line("sleep 60") };
    let (exec, op) = (shop.exec(), operator(7));
    let error = exec.execute(&op, asked(3)).await.unwrap_err();
    assert_eq!((error.code, error.public.as_ref()), (ErrorCode::Timeout, "Command timed out after 3 seconds"));
    let error = exec.execute(&op, asked(11)).await.unwrap_err();
    assert_eq!((error.code, error.field), (ErrorCode::Invalid, Some("timeout")));
    // one runs, one waits, one is refused
    let three = tokio::join!(exec.execute(&op, asked(1)), exec.execute(&op, asked(1)), exec.execute(&op, asked(1)));
    let codes = [three.0, three.1, three.2].map(|r| r.unwrap_err().code);
    assert_eq!(codes, [ErrorCode::Timeout, ErrorCode::Timeout, ErrorCode::RateLimited]);
}

#[tokio::test]
async fn sudo_is_for_those_who_switch_it_on() {
    let asked = || Line { sudo_password: Some(Secret::new("hunter2".into())), ..line("id") };
    let shop = Shop::open(quick()).await;
    let error = shop.exec().execute(&operator(7), asked()).await.unwrap_err();
    assert_eq!((error.code, error.field), (ErrorCode::Forbidden, Some("sudo_password")));
    let shop = Shop::open(ExecSettings { allow_sudo: true, ..quick() }).await;
    let error = shop.exec().execute(&operator(7), asked()).await.unwrap_err();
    assert_eq!(error.public.as_ref(), "sudo: not found", "in memory there is none");
    let command = shop.pretend.asked().remove(0);
    let What::Program { program, arguments } = &command.what else { panic!("no shell sees the password") };
    assert_eq!((program.as_str(), arguments.join(" ").as_str()), ("sudo", "-S -k -p  -- /bin/sh -c id"));
    assert_eq!(command.input, Input::Bytes(Secret::new(b"hunter2\n".to_vec())));
    assert_eq!(command.profile, Profile::Off);
    let list = shop.app.exec.as_ref().unwrap();
    let bad = Line { sudo_password: Some(Secret::new("a\nb".into())), ..line("id") };
    assert_eq!(list.execute(&operator(7), bad).await.unwrap_err().code, ErrorCode::Invalid);
}

#[tokio::test]
async fn a_list_of_programs_holds() {
    let shop = Shop::open(ExecSettings { allow: vec!["echo".into()], ..quick() }).await;
    assert!(shop.exec().execute(&operator(7), line("echo hi")).await.is_ok());
    let error = shop.exec().execute(&operator(7), line("echo $(cat x)")).await.unwrap_err();
    assert!(error.code == ErrorCode::Invalid && error.public.ends_with("cat"), "{error}");
}

#[tokio::test]
async fn programs_run_in_their_folder() {
    let shop = Shop::open(quick()).await;
    let placed = Placed { folder: "/p/1".into(), file: "src/a.py".into(), interpreter: Some("echo") };
    let asked = ProgramRun { arguments: Exec::arguments("--x '; id'").unwrap(), ..ProgramRun::default() };
    let done = shop.exec().run_program(&operator(7), &placed, asked).await.unwrap();
    assert_eq!((done.stdout.as_str(), done.command.as_str()), ("./a.py --x ; id\n", "echo a.py --x '; id'"));
    let command = shop.pretend.asked().remove(0);
    assert_eq!(command.directory.to_str(), Some("/p/1/src"));
    assert_eq!((command.workspace.to_str(), command.profile), (Some("/p/1"), Profile::Strict));
}

#[tokio::test]
async fn sessions_go_on() {
    let shop = Shop::open(quick()).await;
    let (exec, op) = (shop.exec(), operator(7));
    let started = exec.start_session(&op, "cat", None).await.unwrap();
    assert!(started.waiting && started.output.is_empty() && started.return_code.is_none());
    assert!(started.session.starts_with("session-"));
    let answer = exec.send_input(&op, &started.session, "hello\n").await.unwrap();
    assert_eq!((answer.output.as_str(), answer.waiting), ("hello\n", true));
    // nobody else's
    for stranger in [
        exec.send_input(&operator(8), &started.session, "x").await.err(),
        exec.terminate_session(&operator(8), &started.session).await.err(),
    ] {
        assert_eq!(stranger.unwrap().code, ErrorCode::NotFound);
    }
    assert!(exec.list_sessions(&operator(8)).unwrap().is_empty());
    assert_eq!(exec.list_sessions(&op).unwrap()[0].command, "cat");
    let ended = exec.send_input(&op, &started.session, "\x04").await.unwrap();
    assert_eq!((ended.return_code, ended.waiting), (Some(0), false));
    exec.terminate_session(&op, &started.session).await.unwrap();
    assert_eq!(exec.send_input(&op, &started.session, "x").await.unwrap_err().code, ErrorCode::NotFound);
    // one that sleeps is busy
    let busy = exec.start_session(&op, "sleep 60", None).await.unwrap();
    assert!(!busy.waiting && busy.return_code.is_none());
}

/// What is told of a user's session, until it has ended.
async fn told_of(events: &mut Receiver<Event>, user: i64, session: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while !matches!(pieces.last(), Some(Piece::Ended { .. })) {
        if let Event::Output(told) = events.recv().await.unwrap() {
            assert_eq!(told.user, UserId(user));
            if *told.run == *session {
                pieces.push(told.piece.clone());
            }
        }
    }
    pieces
}

#[tokio::test(start_paused = true)]
async fn sessions_are_told_to_their_owner() {
    let shop = Shop::open(quick()).await;
    let (exec, op) = (shop.exec(), operator(7));
    let mut events = shop.app.events.subscribe();
    let cat = exec.start_session(&op, "cat", None).await.unwrap().session;
    for input in ["one\n", "two\n", "three\n", "\x04"] {
        exec.send_input(&op, &cat, input).await.unwrap();
    }
    let pieces = told_of(&mut events, 7, &cat).await;
    assert_eq!((&pieces[0], &pieces[pieces.len() - 1]), (&Piece::Started, &Piece::Ended { return_code: Some(0) }));
    let text = |piece: &Piece| match piece {
        Piece::Output { text, .. } => text.clone(),
        _ => String::new(),
    };
    assert_eq!(pieces.iter().map(text).collect::<String>(), "one\ntwo\nthree\n");
    // a screen is looked at elsewhere
    let screen = exec.open_terminal(&op, Size::DEFAULT).await.unwrap();
    exec.send_input(&op, &screen, "x\n").await.unwrap();
    exec.terminate_session(&op, &screen).await.unwrap();
    assert_eq!(told_of(&mut events, 7, &screen).await, [Piece::Started, Piece::Ended { return_code: Some(143) }]);
}

#[tokio::test]
async fn what_the_deleted_run_ends() {
    let shop = Shop::open(quick()).await;
    let (exec, op, other) = (shop.exec(), operator(7), operator(8));
    let stays = exec.start_session(&other, "cat", None).await.unwrap().session;
    let goes = exec.start_session(&op, "cat", None).await.unwrap().session;
    let leaves = async {
        // in another process: this one hears that somebody's permissions changed
        while !shop.pretend.asked().iter().any(|c| c.what == What::Shell("sleep 50".into())) {
            tokio::task::yield_now().await;
        }
        assert!(shop.identity.delete_user(UserId(7), START).await.unwrap());
        shop.app.events.relay(Event::Access);
    };
    let (ran, ()) = tokio::join!(exec.execute(&op, line("sleep 50")), leaves);
    assert_eq!(ran.unwrap_err().code, ErrorCode::Forbidden);
    while shop.pretend.owners().await.unwrap() != [UserId(8)] {
        tokio::task::yield_now().await;
    }
    assert_eq!(exec.send_input(&op, &goes, "x").await.unwrap_err().code, ErrorCode::NotFound);
    // a request that was under way begins nothing
    assert_eq!(exec.execute(&op, line("echo")).await.unwrap_err().code, ErrorCode::Forbidden);
    assert_eq!(exec.start_session(&op, "cat", None).await.unwrap_err().code, ErrorCode::Forbidden);
    assert_eq!(shop.pretend.owners().await.unwrap(), [UserId(8)]);
    assert_eq!(exec.send_input(&other, &stays, "x").await.unwrap().output, "x");
}

#[tokio::test]
async fn sessions_are_capped() {
    let shop = Shop::open(ExecSettings { sessions_per_user: 2, sessions: 3, ..quick() }).await;
    let exec = shop.exec();
    let first = exec.start_session(&operator(7), "cat", None).await.unwrap();
    exec.start_session(&operator(7), "cat", None).await.unwrap();
    let refused = exec.start_session(&operator(7), "cat", None).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::RateLimited);
    exec.start_session(&operator(8), "cat", None).await.unwrap();
    assert_eq!(exec.start_session(&operator(9), "cat", None).await.unwrap_err().code, ErrorCode::RateLimited);
    exec.terminate_session(&operator(7), &first.session).await.unwrap();
    exec.start_session(&operator(9), "cat", None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn idle_sessions_end() {
    let shop = Shop::open(quick()).await;
    let (exec, op) = (shop.exec(), operator(7));
    let session = exec.start_session(&op, "cat", None).await.unwrap().session;
    // to look at the list is no use; the clock is the test's own
    let until = async |what: &str, is: fn(Option<Listed>) -> bool| {
        for _ in 0..1_000 {
            if is(exec.list_sessions(&op).unwrap().into_iter().next()) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("never {what}");
    };
    until("idle for a minute", |listed| listed.is_some_and(|l| l.idle >= Duration::from_secs(60))).await;
    exec.send_input(&op, &session, "x").await.unwrap();
    until("idle for longer", |listed| listed.is_some_and(|l| l.idle >= Duration::from_secs(80))).await;
    assert!(exec.send_input(&op, &session, "").await.unwrap().return_code.is_none());
    until("ended", |listed| listed.is_none_or(|l| l.return_code.is_some())).await;
    until("forgotten", |listed| listed.is_none()).await;
    assert_eq!(exec.send_input(&op, &session, "").await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn who_looks_sees_the_screen_first() {
    let shop = Shop::open(quick()).await;
    let (exec, op) = (shop.exec(), operator(7));
    let id = exec.open_terminal(&op, Size { rows: 5, columns: 40 }).await.unwrap();
    let mut view = exec.view_session(&op, &id).await.unwrap();
    assert!(matches!(view.next().await, Some(Viewed::Screen { size: Size { rows: 5, columns: 40 }, .. })));
    view.write(b"hi\n").await.unwrap();
    assert_eq!(view.next().await, Some(Viewed::Output("hi\r\nhi\r\n".into())));
    view.resize(Size { rows: 9, columns: 50 }).unwrap();
    // others may not, then watch, then no longer
    assert_eq!(exec.view_session(&operator(8), &id).await.err().unwrap().code, ErrorCode::NotFound);
    exec.share_session(&op, &id, true).await.unwrap();
    let mut watching = exec.view_session(&operator(8), &id).await.unwrap();
    let Some(Viewed::Screen { size, snapshot, .. }) = watching.next().await else { panic!("a screen") };
    assert_eq!(size.rows, 9);
    assert!(String::from_utf8_lossy(&snapshot).contains("hi"));
    assert_eq!(watching.write(b"x").await.unwrap_err().code, ErrorCode::Forbidden);
    assert_eq!(watching.resize(size).unwrap_err().code, ErrorCode::Forbidden);
    exec.share_session(&op, &id, false).await.unwrap();
    assert_eq!(watching.next().await, None);
    view.write(b"\x04").await.unwrap();
    assert_eq!(view.next().await, Some(Viewed::Ended(0)));
    assert_eq!(view.next().await, None);
}

#[tokio::test]
async fn a_viewer_that_is_too_slow_gets_the_screen_anew() {
    let shop = Shop::open(quick()).await;
    let (exec, op) = (shop.exec(), operator(7));
    let id = exec.open_terminal(&op, Size::DEFAULT).await.unwrap();
    let (mut slow, mut other) =
        (exec.view_session(&op, &id).await.unwrap(), exec.view_session(&op, &id).await.unwrap());
    slow.next().await;
    other.next().await;
    for n in 0..200 {
        other.write(format!("{n}\n").as_bytes()).await.unwrap();
        assert!(matches!(other.next().await, Some(Viewed::Output(_))));
    }
    let Some(Viewed::Screen { snapshot, .. }) = slow.next().await else { panic!("a screen") };
    assert!(String::from_utf8_lossy(&snapshot).contains("199"));
}

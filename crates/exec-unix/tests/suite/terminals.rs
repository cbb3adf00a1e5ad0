//! Programs in terminals: do they wait for input, and what do they write?

use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures_util::FutureExt as _;

use orrery_exec::{
    Bounds, Command, Exit, Foreground, Layer, NetPolicy, Runner as _, Session, Settled, Size, TerminalHandle,
    Terminals as _, Timing, TtyMode,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::time::Instant;

use crate::{Machine, NAMESPACES, machine, without};

/// A session as the use cases drive it.
struct Driven {
    terminal: Arc<dyn TerminalHandle>,
    session: Session,
    began: Instant,
}

impl Driven {
    async fn open(machine: &Machine, command: Command) -> Self {
        let command = Command {
            net: NetPolicy::All,
            env: vec![("TERM".into(), "dumb".into()), ("PS1".into(), "$ ".into())],
            ..command
        };
        let size = Size { rows: 24, columns: 80 };
        let limits = Bounds::default().terminal();
        let terminal = machine.unix.open(command, limits, size, TtyMode::Quiet).await.unwrap();
        Self { terminal, session: Session::new(Timing::default()), began: Instant::now() }
    }

    async fn typed(&mut self, text: &str) {
        self.session.typed(self.began.elapsed());
        self.terminal.write(text.as_bytes()).await.unwrap();
    }

    /// How it settles, and what it wrote until then.
    async fn settle(&mut self) -> (Settled, String) {
        let since = self.began.elapsed();
        loop {
            let at = self.began.elapsed();
            let wait = match self.session.settled(at, since, || self.terminal.foreground()) {
                Settled::Not(wait) => wait,
                settled => return (settled, self.session.take(at).text),
            };
            match tokio::time::timeout(wait, self.terminal.read()).await {
                Ok(Some(bytes)) => self.session.wrote(self.began.elapsed(), &bytes),
                Ok(None) => self.session.end(self.terminal.ended().await.unwrap()),
                Err(_) => {}
            }
        }
    }

    /// What it writes until it ends, however busy the machine is.
    async fn rest(&mut self) -> String {
        let mut all = String::new();
        for _ in 0..12 {
            let (settled, text) = self.settle().await;
            all.push_str(&text);
            if matches!(settled, Settled::Ended(_)) {
                return all;
            }
        }
        panic!("it does not end: {all}");
    }

    async fn says(&mut self, typed: &str) -> String {
        self.typed(typed).await;
        let (settled, text) = self.settle().await;
        assert_eq!(settled, Settled::Waits, "{text}");
        text
    }
}

fn both() -> [Machine; 2] {
    [machine(), without(&NAMESPACES)]
}

#[tokio::test]
async fn python() {
    for machine in both() {
        let mut driven = Driven::open(&machine, Command::program("python3", &[], &machine.workspace)).await;
        let (settled, text) = driven.settle().await;
        assert!(settled == Settled::Waits && text.ends_with(">>> "), "{settled:?} {text}");
        assert_eq!(driven.says("print('Hello World')\n").await, "Hello World\n>>> ");
        assert_eq!(driven.says("x = 1\n").await, ">>> ");
        assert_eq!(driven.says("import time; time.sleep(0.4); input('name? ')\n").await, "name? ");
        assert_eq!(driven.says("me\n").await, "'me'\n>>> ");
        driven.typed("exit(3)\n").await;
        assert_eq!(driven.settle().await.0, Settled::Ended(Exit::Code(3)));
    }
}

#[tokio::test]
async fn bash() {
    for machine in both() {
        let bash = Command::program("bash", &["--norc", "--noprofile"], &machine.workspace);
        let mut driven = Driven::open(&machine, bash).await;
        assert_eq!(driven.settle().await, (Settled::Waits, "$ ".into()));
        assert_eq!(driven.says("echo 'a > b $ #'\n").await, "a > b $ #\n$ ");
        assert_eq!(driven.says("read -p 'sure? ' x; echo got $x\n").await, "sure? ");
        assert_eq!(driven.says("yes\n").await, "got yes\n$ ");
        assert_eq!(driven.says("sleep 0.5; echo slept\n").await, "slept\n$ ");
        // job control: the terminal is its own
        assert!(!driven.says("sleep 100 & jobs\n").await.contains("no job control"));
        driven.typed("exit\n").await;
        assert!(matches!(driven.settle().await.0, Settled::Ended(_)));
    }
}

#[tokio::test]
async fn cat_repeats_and_an_interrupt_ends_it() {
    let machine = machine();
    let mut driven = Driven::open(&machine, Command::program("cat", &[], &machine.workspace)).await;
    assert_eq!(driven.settle().await, (Settled::Waits, String::new()));
    assert_eq!(driven.says("twice?\n").await, "twice?\n");
    driven.typed("\x03").await;
    assert_eq!(driven.settle().await.0, Settled::Ended(Exit::Signal(2)));
}

#[tokio::test]
async fn a_password_is_asked_for() {
    let machine = machine();
    let code = "import getpass; print(len(getpass.getpass('Password: ')))";
    let mut driven = Driven::open(&machine, Command::program("python3", &["-c", code], &machine.workspace)).await;
    assert_eq!(driven.settle().await, (Settled::Waits, "Password: ".into()));
    driven.typed("secret\n").await;
    let (settled, text) = driven.settle().await;
    assert_eq!((settled, text.trim()), (Settled::Ended(Exit::Code(0)), "6"));
}

#[tokio::test]
async fn vim() {
    let machine = machine();
    let mut driven = Driven::open(&machine, Command::program("vim", &["-es", "file"], &machine.workspace)).await;
    assert_eq!(driven.settle().await.0, Settled::Waits);
    driven.typed("a\nhello\n.\nwq\n").await;
    assert!(matches!(driven.settle().await.0, Settled::Ended(_)));
    assert_eq!(std::fs::read_to_string(machine.workspace.join("file")).unwrap().trim(), "hello");
}

#[tokio::test]
async fn who_sleeps_is_busy_and_can_be_ended() {
    for machine in both() {
        let driven = Driven::open(&machine, Command::program("sleep", &["1000"], &machine.workspace)).await;
        assert_eq!(driven.terminal.foreground(), Foreground::Busy);
        driven.terminal.terminate().await;
        assert_eq!(driven.terminal.ended().await.unwrap(), Exit::Signal(15));
        assert_eq!(driven.terminal.read().await, None);
    }
}

#[tokio::test]
async fn a_daemon_ends_with_who_started_it() {
    for (n, machine) in both().into_iter().enumerate() {
        let mark = format!("8{:05}{n}", std::process::id() % 100_000);
        let line = format!("setsid sh -c 'sleep {mark} </dev/null >/dev/null 2>&1 &'; echo started");
        let mut driven = Driven::open(&machine, Command::shell(line, &machine.workspace)).await;
        assert_eq!(driven.settle().await, (Settled::Ended(Exit::Code(0)), "started\n".into()));
        assert!(!crate::runs(&mark));
    }
}

#[tokio::test]
async fn a_size_is_seen() {
    let machine = machine();
    let bash = Command::program("bash", &["--norc", "--noprofile"], &machine.workspace);
    let mut driven = Driven::open(&machine, bash).await;
    driven.settle().await;
    assert_eq!(driven.says("stty size\n").await, "24 80\n$ ");
    driven.terminal.resize(Size { rows: 40, columns: 132 });
    assert_eq!(driven.says("stty size\n").await, "40 132\n$ ");
}

#[tokio::test]
async fn nobody_who_looks_means_nobody_who_runs() {
    let machine = machine();
    let mark = format!("7{:05}", std::process::id() % 100_000);
    let driven = Driven::open(&machine, Command::program("sleep", &[&mark], &machine.workspace)).await;
    assert!(crate::runs(&mark));
    drop(driven);
    crate::until("it is ended", || !crate::runs(&mark)).await;
}

/// A terminal of this machine, as an operator's: our side, which does not wait, and its name.
fn somebodys() -> (OwnedFd, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    rustix::io::ioctl_fionbio(&ours, true).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    (ours, name)
}

#[tokio::test]
async fn terminals_of_others_are_not_there() {
    for machine in both() {
        // somebody's, of the same user of the machine
        let other = Driven::open(&machine, Command::program("cat", &[], &machine.workspace)).await;
        let (ours, name) = somebodys();
        let line = format!("for tty in /dev/pts/[0-9]* {name}; do echo 42 > $tty; done 2>&1; echo over");
        let mut driven = Driven::open(&machine, Command::shell(&line, &machine.workspace)).await;
        let text = driven.rest().await;
        assert!(text.contains("over"), "{text}");
        assert!(other.terminal.read().now_or_never().is_none(), "what the run wrote is there");
        assert!(rustix::io::read(&ours, &mut [0; 64]).is_err(), "what the run wrote is there");
    }
    let machine = machine();
    if !machine.unix.layers().await.has(Layer::MountNamespace) {
        eprintln!("this machine has no mount namespaces: there are no terminals within a terminal");
        return;
    }
    // whatever its number is outside
    let (_one, _two) = (somebodys(), somebodys());
    let line = "tty; python3 -c 'import pty; pty.spawn([\"/bin/echo\", \"nested\"])'";
    let mut driven = Driven::open(&machine, Command::shell(line, &machine.workspace)).await;
    let text = driven.rest().await;
    assert!(text.starts_with("/dev/pts/") && text.contains("nested"), "{text:?}");
}

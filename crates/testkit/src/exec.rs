//! The contracts of who runs commands and who opens terminals, and both in memory.
//!
//! In memory there are the programs `echo`, `cat`, `sleep`, `head -c N /dev/zero`, and the lines `exit N` and
//! `kill -9 $$`; the suites use no others.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use orrery_exec::{
    Bounds, Command, Ending, Exit, Finished, Foreground, Heard, Input, Layer, Layers, Limits, Output, RunError, Runner,
    Size, Stream, TerminalHandle, Terminals, TtyMode, Wanted, What, Workspaces,
};
use orrery_kernel::{Secret, UserId};
use tokio::sync::{Notify, mpsc};

/// A runner under test, and a directory that its runs may use.
pub type Under = (Arc<dyn Runner>, PathBuf);

fn limits() -> Limits {
    Bounds::default().limits(Wanted::default()).expect("the defaults")
}

async fn run(under: &Under, program: &str, arguments: &[&str]) -> Finished {
    let command = Command::program(program, arguments, &under.1);
    under.0.run(command, limits(), None).await.expect("it runs")
}

/// What a program writes, and its code.
pub async fn output_and_code(under: Under) {
    let finished = run(&under, "echo", &["a  b", "$(c)", "; d"]).await;
    assert_eq!(finished.stdout.text, "a  b $(c) ; d\n");
    assert_eq!((finished.stderr.text.as_str(), finished.stdout.truncated), ("", false));
    assert_eq!(finished.ending, Ending::Exited(Exit::Code(0)));
    for (line, exit) in [("exit 3", Exit::Code(3)), ("kill -9 $$", Exit::Signal(9))] {
        let finished = under.0.run(Command::shell(line, &under.1), limits(), None).await.expect("it runs");
        assert_eq!(finished.ending, Ending::Exited(exit), "{line}");
    }
}

/// Input is closed, or fed and then closed.
pub async fn input(under: Under) {
    assert_eq!(run(&under, "cat", &[]).await.stdout.text, "");
    let input = Input::Bytes(Secret::new(b"one\ntwo".to_vec()));
    let command = Command { input, ..Command::program("cat", &[], &under.1) };
    let finished = under.0.run(command, limits(), None).await.expect("it runs");
    assert_eq!(finished.stdout.text, "one\ntwo");
}

/// What cannot be run is said, without paths.
pub async fn what_cannot_be_run(under: Under) {
    let command = Command::program("no-such-program", &[], &under.1);
    let error = under.0.run(command, limits(), None).await.expect_err("there is none");
    assert_eq!(error.to_string(), "no-such-program: not found");
    let command = Command::shell("a\0b", &under.1);
    assert!(matches!(under.0.run(command, limits(), None).await, Err(RunError::Command(_))));
}

/// Its time is up.
pub async fn time_is_up(under: Under) {
    let limits = Limits { wall: Some(Duration::from_millis(200)), ..limits() };
    let command = Command::program("sleep", &["60"], &under.1);
    let finished = under.0.run(command, limits, None).await.expect("it runs");
    assert_eq!(finished.ending, Ending::TimedOut);
    assert!(finished.took >= Duration::from_millis(200), "{:?}", finished.took);
}

/// Output beyond its bound is dropped in the middle, and nobody waits.
pub async fn output_is_bounded(under: Under) {
    struct Count(Mutex<usize>);
    impl Heard for Count {
        fn heard(&self, stream: Stream, bytes: &[u8]) {
            assert_eq!(stream, Stream::Out);
            *self.0.lock().expect("not poisoned") += bytes.len();
        }
    }
    let limits = Limits { output: 1_000, ..limits() };
    let command = Command::program("head", &["-c", "3000000", "/dev/zero"], &under.1);
    let count = Arc::new(Count(Mutex::new(0)));
    let finished = under.0.run(command, limits, Some(count.clone())).await.expect("it runs");
    assert!(finished.stdout.truncated && finished.stdout.text.len() < 1_100);
    assert_eq!(finished.stdout.total, 3_000_000);
    assert_eq!(*count.0.lock().expect("not poisoned"), 3_000_000, "all of it is heard");
}

/// Runs at once don't see each other's output.
pub async fn many_at_once(under: Under) {
    let one = |n: usize| {
        let under = under.clone();
        async move { (n, run(&under, "echo", &[&n.to_string()]).await.stdout.text) }
    };
    for (n, text) in futures_util::future::join_all((0..16).map(one)).await {
        assert_eq!(text, format!("{n}\n"));
    }
}

/// All of a runner's contract.
pub async fn runner_suite(under: Under) {
    output_and_code(under.clone()).await;
    input(under.clone()).await;
    what_cannot_be_run(under.clone()).await;
    time_is_up(under.clone()).await;
    output_is_bounded(under.clone()).await;
    many_at_once(under).await;
}

/// Terminals under test, and a directory that programs in them may use.
pub type TerminalsUnder = (Arc<dyn Terminals>, PathBuf);

async fn open(under: &TerminalsUnder, mode: TtyMode) -> Arc<dyn TerminalHandle> {
    let limits = Bounds::default().terminal();
    let command = Command::program("cat", &[], &under.1);
    under.0.open(command, limits, Size::DEFAULT, mode).await.expect("it opens")
}

async fn read_until(terminal: &dyn TerminalHandle, what: &str) -> String {
    let mut text = String::new();
    while !text.contains(what) {
        let read = tokio::time::timeout(Duration::from_secs(20), terminal.read()).await;
        let bytes = read.unwrap_or_else(|_| panic!("no {what:?} in {text:?}")).expect("more of it");
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    text
}

/// What is typed is read, and comes back once from a program that repeats it.
pub async fn typing(under: TerminalsUnder) {
    let terminal = open(&under, TtyMode::Quiet).await;
    terminal.write(b"hello\n").await.expect("it reads");
    assert_eq!(read_until(&*terminal, "hello\n").await, "hello\n");
    terminal.resize(Size { rows: 10, columns: 20 });
    terminal.write(b"\x04").await.expect("it reads");
    assert_eq!(terminal.ended().await.expect("an end"), Exit::Code(0));
    assert_eq!(terminal.read().await, None);
}

/// A screen shows what is typed.
pub async fn echo(under: TerminalsUnder) {
    let terminal = open(&under, TtyMode::Screen).await;
    terminal.write(b"x\n").await.expect("it reads");
    assert_eq!(read_until(&*terminal, "x\r\nx\r\n").await, "x\r\nx\r\n");
    terminal.terminate().await;
}

/// A terminal that is ended is over.
pub async fn ending(under: TerminalsUnder) {
    let terminal = open(&under, TtyMode::Quiet).await;
    terminal.terminate().await;
    assert!(matches!(terminal.ended().await, Ok(Exit::Signal(_))));
    assert_eq!(terminal.read().await, None);
    let missing = Command::program("no-such-program", &[], &under.1);
    let opened = under.0.open(missing, Bounds::default().terminal(), Size::DEFAULT, TtyMode::Quiet).await;
    assert_eq!(opened.err().map(|e| e.to_string()).as_deref(), Some("no-such-program: not found"));
}

/// All of the terminals' contract.
pub async fn terminals_suite(under: TerminalsUnder) {
    typing(under.clone()).await;
    echo(under.clone()).await;
    ending(under).await;
}

/// Directories are each user's own, and go with everything that is in them.
pub async fn workspaces_suite(under: Arc<dyn Workspaces>) {
    let (a, b) = (UserId(7), UserId(70));
    assert_eq!(under.owners().await.expect("answers"), []);
    let (of_a, of_b) = (under.workspace(a).await.expect("is made"), under.workspace(b).await.expect("is made"));
    assert!(of_a.is_absolute() && of_a != of_b && !of_b.starts_with(&of_a));
    assert_eq!(under.workspace(a).await.expect("is there"), of_a);
    let mut owners = under.owners().await.expect("answers");
    owners.sort();
    assert_eq!(owners, [a, b]);
    for _ in 0..2 {
        under.remove(a).await.expect("twice is fine");
        assert_eq!(under.owners().await.expect("answers"), [b]);
    }
    assert_eq!(under.workspace(a).await.expect("is made anew"), of_a);
}

/// The ports in memory; keeps what it was asked to run.
#[derive(Default)]
pub struct Pretend {
    asked: Mutex<Vec<Command>>,
    owners: Mutex<BTreeSet<UserId>>,
}

impl Pretend {
    /// What it was asked to run so far.
    pub fn asked(&self) -> Vec<Command> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

fn words(what: &What) -> Vec<String> {
    match what {
        What::Shell(line) => line.split(' ').map(str::to_owned).collect(),
        What::Program { program, arguments } => std::iter::once(program).chain(arguments).cloned().collect(),
    }
}

#[async_trait]
impl Runner for Pretend {
    async fn run(&self, command: Command, limits: Limits, heard: Option<Arc<dyn Heard>>) -> Result<Finished, RunError> {
        command.check()?;
        self.asked.lock().expect("not poisoned").push(command.clone());
        let started = tokio::time::Instant::now();
        let words = words(&command.what);
        let mut output = Output::new(limits.output);
        let mut ending = Ending::Exited(Exit::Code(0));
        let mut write = |bytes: &[u8]| {
            output.push(bytes);
            if let Some(heard) = &heard {
                heard.heard(Stream::Out, bytes);
            }
        };
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["echo", ..] => write(format!("{}\n", words[1..].join(" ")).as_bytes()),
            ["cat"] => {
                if let Input::Bytes(bytes) = &command.input {
                    write(bytes.expose());
                }
            }
            ["sleep", seconds] => {
                let sleep = tokio::time::sleep(Duration::from_secs(seconds.parse().expect("seconds")));
                let wall = limits.wall.unwrap_or(Duration::MAX);
                if tokio::time::timeout(wall, sleep).await.is_err() {
                    ending = Ending::TimedOut;
                }
            }
            ["head", "-c", bytes, _] => write(&vec![0; bytes.parse().expect("bytes")]),
            ["exit", code] => ending = Ending::Exited(Exit::Code(code.parse().expect("a code"))),
            ["kill", "-9", "$$"] => ending = Ending::Exited(Exit::Signal(9)),
            _ => return Err(RunError::NotStarted(format!("{}: not found", words[0]))),
        }
        let stderr = Output::new(0).finish();
        Ok(Finished { ending, stdout: output.finish(), stderr, took: started.elapsed() })
    }

    async fn layers(&self) -> Layers {
        let mut layers = Layers::default();
        layers.set(Layer::Runner, Ok(()));
        layers
    }
}

#[async_trait]
impl Workspaces for Pretend {
    async fn workspace(&self, user: UserId) -> Result<PathBuf, RunError> {
        self.owners.lock().expect("not poisoned").insert(user);
        Ok(format!("/w/{user}").into())
    }

    async fn remove(&self, user: UserId) -> Result<(), RunError> {
        self.owners.lock().expect("not poisoned").remove(&user);
        Ok(())
    }

    async fn owners(&self) -> Result<Vec<UserId>, RunError> {
        Ok(self.owners.lock().expect("not poisoned").iter().copied().collect())
    }
}

/// A terminal with `cat` in it, or `sleep`, which says nothing.
struct PretendTerminal {
    mode: TtyMode,
    reads: bool,
    to_read: mpsc::UnboundedSender<Bytes>,
    reading: tokio::sync::Mutex<mpsc::UnboundedReceiver<Bytes>>,
    exit: Mutex<Option<Exit>>,
    changed: Notify,
}

impl PretendTerminal {
    fn end(&self, exit: Exit) {
        self.exit.lock().expect("not poisoned").get_or_insert(exit);
        self.changed.notify_waiters();
        // who reads is woken, and sees the end
        let _ = self.to_read.send(Bytes::new());
    }

    fn is_over(&self) -> bool {
        self.exit.lock().expect("not poisoned").is_some()
    }
}

#[async_trait]
impl Terminals for Pretend {
    async fn open(
        &self,
        command: Command,
        _: Limits,
        _: Size,
        mode: TtyMode,
    ) -> Result<Arc<dyn TerminalHandle>, RunError> {
        command.check()?;
        self.asked.lock().expect("not poisoned").push(command.clone());
        let words = words(&command.what);
        let reads = match words[0].as_str() {
            "cat" | "bash" => true,
            "sleep" => false,
            other => return Err(RunError::NotStarted(format!("{other}: not found"))),
        };
        let (to_read, reading) = mpsc::unbounded_channel();
        let reading = tokio::sync::Mutex::new(reading);
        let (exit, changed) = (Mutex::default(), Notify::new());
        Ok(Arc::new(PretendTerminal { mode, reads, to_read, reading, exit, changed }))
    }
}

#[async_trait]
impl TerminalHandle for PretendTerminal {
    async fn read(&self) -> Option<Bytes> {
        let mut reading = self.reading.lock().await;
        if self.is_over() && reading.is_empty() {
            return None;
        }
        reading.recv().await.filter(|bytes| !bytes.is_empty())
    }

    async fn write(&self, bytes: &[u8]) -> Result<(), RunError> {
        if self.is_over() {
            return Err(RunError::NotStarted("the program has ended".into()));
        }
        if !self.reads {
            return Ok(());
        }
        let text = bytes.strip_suffix(b"\x04").unwrap_or(bytes);
        if !text.is_empty() {
            let shown = match self.mode {
                TtyMode::Quiet => text.to_vec(),
                TtyMode::Screen => String::from_utf8_lossy(text).replace('\n', "\r\n").repeat(2).into_bytes(),
            };
            let _ = self.to_read.send(shown.into());
        }
        if text.len() < bytes.len() {
            self.end(Exit::Code(0));
        }
        Ok(())
    }

    fn resize(&self, _: Size) {}

    fn foreground(&self) -> Foreground {
        if self.reads { Foreground::Reads } else { Foreground::Busy }
    }

    async fn ended(&self) -> Result<Exit, RunError> {
        loop {
            let changed = self.changed.notified();
            if let Some(exit) = *self.exit.lock().expect("not poisoned") {
                return Ok(exit);
            }
            changed.await;
        }
    }

    async fn terminate(&self) {
        self.end(Exit::Signal(15));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn in_memory() {
        let pretend = Arc::new(Pretend::default());
        runner_suite((pretend.clone(), "/w".into())).await;
        terminals_suite((pretend.clone(), "/w".into())).await;
        workspaces_suite(pretend).await;
    }
}

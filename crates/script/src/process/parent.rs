//! The node's side of a script's process.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;

use futures_util::future::{AbortHandle, Abortable, BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use orrery_workers::Urgency;
use orrery_workers::script::{End, HostError, Level, Outcome, Run, Usage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::CHILD;
use super::wire::{Down, Start, Up, receive, send};
use crate::drive::Compiled;
use crate::isolate::cut;

/// Messages of a process that wait to be looked at; the process waits when there are more.
const MESSAGES: usize = 64;

/// Starts processes for scripts.
#[derive(Clone, Debug)]
pub struct Launcher {
    program: PathBuf,
}

impl Launcher {
    /// Processes of that program, which calls [`child`](super::child) when its first argument is [`CHILD`].
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Runs a script to its end. Dropping the future kills its process.
    pub(crate) async fn run(&self, run: Run, compiled: &Compiled) -> Outcome {
        let mut child = match self.start() {
            Ok(child) => child,
            Err(error) => return failed(format!("no process for the script: {error}")),
        };
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return failed("the script's process has no pipes".to_owned());
        };
        let library = compiled.library.iter().map(|(name, text)| (name.clone(), text.to_string())).collect();
        let start = Start {
            text: compiled.text.to_string(),
            library,
            names: compiled.names.clone(),
            setting: run.setting.clone().into(),
            limits: run.limits.into(),
        };
        let now = run.stop.wait(Urgency::Now);
        let outcome = tokio::select! {
            biased;
            () = now => Outcome { end: End::Stopped, usage: Usage::default() },
            outcome = talk(&run, start, input, output) => outcome,
        };
        // SIGKILL, which nothing in there can refuse
        let _ = child.kill().await;
        outcome
    }

    fn start(&self) -> std::io::Result<Child> {
        Command::new(&self.program)
            .arg(CHILD)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }
}

fn failed(message: String) -> Outcome {
    Outcome { end: End::Failed(message), usage: Usage::default() }
}

type Answer = (u32, Result<String, HostError>);

/// Talks with the process until it says how the script ended, or breaks off.
async fn talk(
    run: &Run,
    start: Start,
    mut input: impl AsyncWrite + Unpin,
    mut output: impl AsyncRead + Unpin,
) -> Outcome {
    let (sender, mut messages) = mpsc::channel(MESSAGES);
    let read = async {
        loop {
            let message = receive::<Up>(&mut output).await;
            let last = message.is_err();
            if sender.send(message).await.is_err() || last {
                // the other side decides when it is over
                std::future::pending::<()>().await;
            }
        }
    };
    let work = async {
        let mut calls = Calls::default();
        let mut asked = false;
        send(&mut input, &Down::Run(Box::new(start))).await?;
        loop {
            let gently = async {
                if asked {
                    std::future::pending::<()>().await;
                }
                run.stop.wait(Urgency::Gently).await;
            };
            tokio::select! {
                () = gently => {
                    asked = true;
                    send(&mut input, &Down::Stop).await?;
                }
                Some(answer) = calls.running.next(), if !calls.running.is_empty() => {
                    if let Ok((id, answer)) = answer {
                        calls.handles.remove(&id);
                        send(&mut input, &down(id, answer)).await?;
                    }
                }
                message = messages.recv() => match message {
                    Some(Ok(Up::End(ended))) => return Ok(Outcome::from(*ended)),
                    Some(Ok(message)) => calls.take(run, message),
                    Some(Err(error)) => return Err(error),
                    None => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                },
            }
        }
    };
    let outcome: std::io::Result<Outcome> = tokio::select! {
        outcome = work => outcome,
        () = read => Err(std::io::ErrorKind::UnexpectedEof.into()),
    };
    outcome.unwrap_or_else(|error| failed(format!("the script's process broke off: {error}")))
}

fn down(id: u32, answer: Result<String, HostError>) -> Down {
    match answer {
        Ok(text) => Down::Answer { id, text },
        Err(HostError { class, message }) => Down::Refused { id, class, message },
    }
}

/// Calls of the host on behalf of the process.
#[derive(Default)]
struct Calls {
    running: FuturesUnordered<Abortable<BoxFuture<'static, Answer>>>,
    handles: HashMap<u32, AbortHandle>,
}

impl Calls {
    fn take(&mut self, run: &Run, message: Up) {
        match message {
            // the process keeps to its bounds; one that was taken over does not
            Up::Call { id, .. } if self.running.len() >= run.limits.calls => {
                tracing::warn!(id, "a script's process makes more calls than it may");
            }
            Up::Call { id, method, arguments } => {
                let host = run.host.clone();
                let call = async move { (id, host.call(&method, &arguments).await) };
                let (handle, registration) = AbortHandle::new_pair();
                self.handles.insert(id, handle);
                self.running.push(Abortable::new(call.boxed(), registration));
            }
            Up::Cancel { id } => {
                if let Some(handle) = self.handles.remove(&id) {
                    handle.abort();
                }
            }
            Up::Log { level, text } => {
                let level = Level::parse(&level).unwrap_or(Level::Info);
                run.host.log(level, cut(&text, run.limits.log_line_bytes));
            }
            Up::End(_) => {}
        }
    }
}

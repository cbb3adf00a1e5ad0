//! The script's side of its process: an engine whose host is the pipe.

use std::collections::HashMap;
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use orrery_kernel::Entropy;
use orrery_workers::Stop;
use orrery_workers::script::{Host, HostError, Isolation, Level, Program, Run, ScriptRuntime as _};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::AsyncRead;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::{mpsc, oneshot};

use super::wire::{Down, Ended, Start, Up, receive, send};
use crate::drive::Compiled;
use crate::engine::compile;
use crate::{Engine, NoModules};

/// Messages that wait for the pipe; who sends more waits, and log lines are dropped.
const MESSAGES: usize = 1_024;
/// Address space beside the script's memory: the program itself and the stacks of its threads.
const SPACE: u64 = 1_024 * 1_024 * 1_024;
/// Open files: the pipes and what the runtime's own waiting needs.
const FILES: u64 = 32;

/// Runs the script that the parent sends, and returns when it ended. To be called first thing in `main` when the first
/// argument is [`CHILD`](super::CHILD).
pub fn child(entropy: Arc<dyn Entropy>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(serve(entropy))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Gives up what a script has no use for. An error leaves it as it is: the parent's limits hold in any case.
fn lock_up(memory: usize) {
    let limit = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    let space = SPACE.saturating_add(u64::try_from(memory).unwrap_or(u64::MAX));
    for (resource, most) in
        [(Resource::As, space), (Resource::Nofile, FILES), (Resource::Fsize, 0), (Resource::Core, 0)]
    {
        if let Err(error) = setrlimit(resource, limit(most)) {
            tracing::warn!(%error, "a limit of the script's process could not be set");
        }
    }
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        tracing::warn!(%error, "the script's process may still gain rights");
    }
}

async fn serve(entropy: Arc<dyn Entropy>) -> std::io::Result<()> {
    let mut input = Receiver::from_owned_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    let mut output = Sender::from_owned_fd(std::io::stdout().as_fd().try_clone_to_owned()?)?;
    let Down::Run(start) = receive(&mut input).await? else {
        return Err(std::io::Error::other("the first message is no run"));
    };
    let engine = Engine::new(1, tokio::runtime::Handle::current(), entropy, Arc::new(NoModules))?;
    let limits = start.limits;
    let Start { text, library, names, setting, .. } = *start;
    let limits: orrery_workers::script::Limits = limits.into();
    lock_up(limits.memory);
    let library = library.into_iter().map(|(name, text)| (name, text.into()));
    let library = Arc::new(library.collect());
    let code = compile(&text, &library).map_err(|fault| std::io::Error::other(fault.to_string()))?;
    let program = Program::new(Compiled::new(code, text.into(), library, names));
    let (sender, mut messages) = mpsc::channel::<Up>(MESSAGES);
    let pipe = Arc::new(Pipe { sender, next: AtomicU32::new(0), waiting: Mutex::default() });
    let stop = Stop::new();
    let run = Run {
        program,
        host: pipe.clone(),
        setting: setting.into(),
        limits,
        stop: stop.clone(),
        isolation: Isolation::Shared,
    };
    let running = engine.run(run);
    tokio::pin!(running);
    let listening = listen(&mut input, &pipe, &stop);
    tokio::pin!(listening);
    let outcome = loop {
        tokio::select! {
            outcome = &mut running => break outcome,
            Some(message) = messages.recv() => send(&mut output, &message).await?,
            // without a parent there is nobody to run for
            error = &mut listening => return Err(error),
        }
    };
    // what the script said before its end comes first
    while let Ok(message) = messages.try_recv() {
        send(&mut output, &message).await?;
    }
    send(&mut output, &Up::End(Box::new(Ended::from(outcome)))).await
}

/// Takes what the parent says until the pipe ends.
async fn listen(input: &mut (impl AsyncRead + Unpin), pipe: &Pipe, stop: &Stop) -> std::io::Error {
    loop {
        match receive(input).await {
            Ok(Down::Answer { id, text }) => pipe.settle(id, Ok(text)),
            Ok(Down::Refused { id, class, message }) => pipe.settle(id, Err(HostError { class, message })),
            Ok(Down::Stop) => stop.gently(),
            Ok(Down::Run(_)) => {}
            Err(error) => return error,
        }
    }
}

/// The host as the process has it.
struct Pipe {
    sender: mpsc::Sender<Up>,
    next: AtomicU32,
    /// Calls that wait; the engine bounds their number.
    waiting: Mutex<HashMap<u32, oneshot::Sender<Result<String, HostError>>>>,
}

impl Pipe {
    fn settle(&self, id: u32, answer: Result<String, HostError>) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(waiting) = waiting {
            // the script gave the call up meanwhile
            let _ = waiting.send(answer);
        }
    }
}

/// Tells the parent when a call is given up.
struct Waiting<'p> {
    pipe: &'p Pipe,
    id: u32,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waiting = self.pipe.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        if waiting.is_some() {
            // a parent that does not hear it answers nobody
            let _ = self.pipe.sender.try_send(Up::Cancel { id: self.id });
        }
    }
}

#[async_trait]
impl Host for Pipe {
    async fn call(&self, method: &str, arguments: &str) -> Result<String, HostError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let _waiting = Waiting { pipe: self, id };
        let message = Up::Call { id, method: method.to_owned(), arguments: arguments.to_owned() };
        let gone = |_| HostError::new("ExchangeNotAvailable", "the node does not answer");
        self.sender.send(message).await.map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }

    fn log(&self, level: Level, text: &str) {
        let message = Up::Log { level: level.name().to_owned(), text: text.to_owned() };
        // a full pipe has more than anybody reads
        let _ = self.sender.try_send(message);
    }
}

//! Interactive sessions: programs in terminals, which outlive the connections of those who use them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use orrery_exec::{
    Command, Exit, NetPolicy, Prompt, Screen, Session, Settled, Size, Taken, TerminalHandle, TtyMode, What,
};
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result, Secret, Timestamp, UserId};
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::tell::Tell;
use super::{Exec, Placed, ProgramRun, failed};
use crate::Ctx;

/// Longest input at once.
const INPUT_BYTES_MAX: usize = 65_536;
/// How long input may wait for a program that does not read.
const INPUT_TIME: Duration = Duration::from_secs(5);
/// How long a session that has ended can still be asked about.
const KEPT: Duration = Duration::from_secs(60);
/// How often sessions are looked through.
const SWEEP: Duration = Duration::from_secs(15);
/// Pieces of output that wait for one viewer; one that is further behind gets the screen anew.
const VIEWER_PIECES: usize = 64;
/// Output after which there is a pause, so that a flood waits in the program and not here.
const BURST_BYTES: usize = 262_144;
const BURST_PAUSE: Duration = Duration::from_millis(20);
/// How long the password's question may take to come.
const PASSWORD_LINE: &str = "sudo_password";

/// What an interactive session says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which.
    pub session: String,
    /// The command as it was asked for.
    pub command: String,
    /// Output since the last answer; without what was typed.
    pub output: String,
    /// Was some left out before it?
    pub truncated: bool,
    /// Does it wait for input?
    pub waiting: bool,
    /// How it ended, if it did.
    pub return_code: Option<i32>,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub session: String,
    /// What runs in it.
    pub command: String,
    /// When it began.
    pub began: Timestamp,
    /// For how long nobody used it.
    pub idle: Duration,
    /// Rows and columns.
    pub size: Size,
    /// How it ended, if it did.
    pub return_code: Option<i32>,
    /// May others watch it?
    pub shared: bool,
}

/// What of a session changes.
pub(super) struct State {
    pub(super) session: Session,
    pub(super) screen: Screen,
    pub(super) prompt: Option<Prompt>,
    /// When it ended.
    ended_at: Option<Duration>,
    used: Duration,
    pub(super) shared: bool,
}

/// A session.
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) user: UserId,
    command: String,
    began: Timestamp,
    since: Instant,
    pub(super) terminal: Arc<dyn TerminalHandle>,
    state: Mutex<State>,
    mode: TtyMode,
    /// Shows that its user runs something.
    _user: Arc<CancellationToken>,
    /// Tells its owner's sockets.
    tell: Arc<Tell>,
    pub(super) changed: Notify,
    /// Output as it comes, for viewers.
    pub(super) live: broadcast::Sender<Bytes>,
    /// Who asks and who answers take turns.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Entry {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self) -> Duration {
        self.since.elapsed()
    }

    /// Somebody uses it.
    pub(super) fn used(&self) {
        let at = self.at();
        let mut state = self.state();
        state.session.used(at);
        state.used = at;
    }

    /// Reads the terminal until its end, whether anybody looks or not.
    async fn pump(self: Arc<Self>) {
        tokio::select! {
            () = self.read() => {}
            never = self.tell.keep_up() => match never {},
        }
    }

    async fn read(&self) {
        let mut burst = 0;
        while let Some(bytes) = self.terminal.read().await {
            let at = self.at();
            let shown = {
                let mut state = self.state();
                state.screen.feed(&bytes);
                let shown = match &mut state.prompt {
                    Some(prompt) => prompt.wrote(&bytes).into(),
                    None => {
                        state.session.wrote(at, &bytes);
                        bytes.clone()
                    }
                };
                // under the same lock as the screen, so that a viewer misses nothing and hears nothing twice
                let _ = self.live.send(bytes.clone());
                shown
            };
            // who has a screen looks at it: without its escape sequences it is not to be read
            if self.mode == TtyMode::Quiet {
                self.tell.session_wrote(&shown);
            }
            self.changed.notify_waiters();
            burst += bytes.len();
            if burst >= BURST_BYTES {
                burst = 0;
                tokio::time::sleep(BURST_PAUSE).await;
            }
        }
        let exit = self.terminal.ended().await.unwrap_or(Exit::Signal(9));
        let at = self.at();
        let mut state = self.state();
        state.session.end(exit);
        state.ended_at = Some(at);
        drop(state);
        self.tell.end(Some(exit.code()));
        let _ = self.live.send(Bytes::new());
        self.changed.notify_waiters();
    }

    /// Waits until it has settled since `since`.
    async fn settle(&self, since: Duration) -> Settled {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let settled = self.state().session.settled(self.at(), since, || self.terminal.foreground());
            let Settled::Not(wait) = settled else { return settled };
            // either way it is looked at again
            let _ = tokio::time::timeout(wait, changed).await;
        }
    }

    pub(super) async fn write(&self, bytes: &[u8]) -> Result<()> {
        if bytes.len() > INPUT_BYTES_MAX {
            return Err(Error::invalid("input", format!("input must be at most {INPUT_BYTES_MAX} bytes")));
        }
        self.used();
        self.tell.renew();
        match tokio::time::timeout(INPUT_TIME, self.terminal.write(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed("input", error)),
            Err(_) => Err(Error::new(ErrorCode::Timeout, "The program does not read its input")),
        }
    }

    fn answer(&self, settled: Settled) -> Answer {
        let Taken { text, truncated } = self.state().session.take(self.at());
        Answer {
            session: self.id.clone(),
            command: self.command.clone(),
            output: text,
            truncated,
            waiting: settled == Settled::Waits,
            return_code: match settled {
                Settled::Ended(exit) => Some(exit.code()),
                _ => None,
            },
        }
    }

    fn listed(&self) -> Listed {
        let state = self.state();
        Listed {
            session: self.id.clone(),
            command: self.command.clone(),
            began: self.began,
            idle: self.at().saturating_sub(state.used),
            size: state.screen.size(),
            return_code: state.session.exit().map(Exit::code),
            shared: state.shared,
        }
    }
}

/// All sessions of this process.
#[derive(Default)]
pub(super) struct Sessions {
    entries: Mutex<HashMap<String, Arc<Entry>>>,
}

impl Sessions {
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session of that user's; of anybody's it says that there is none.
    pub(super) fn of(&self, user: UserId, id: &str) -> Result<Arc<Entry>> {
        let found = self.entries().get(id).filter(|entry| entry.user == user).cloned();
        found.ok_or_else(missing)
    }

    /// Takes all of that user's out.
    pub(super) fn take_of(&self, user: UserId) -> Vec<Arc<Entry>> {
        self.entries().extract_if(|_, entry| entry.user == user).map(|(_, entry)| entry).collect()
    }

    pub(super) fn any(&self, id: &str) -> Option<Arc<Entry>> {
        self.entries().get(id).cloned()
    }
}

pub(super) fn missing() -> Error {
    Error::new(ErrorCode::NotFound, "Invalid or expired session")
}

/// How a session is opened.
pub(super) struct Opening {
    pub(super) command: Command,
    pub(super) shown: String,
    pub(super) size: Size,
    pub(super) mode: TtyMode,
    pub(super) prompt: Option<Prompt>,
}

impl Exec {
    /// Is there room for another session of that user's? Those that have ended don't count.
    fn room(&self, user: UserId) -> Result<()> {
        let settings = &self.parts.settings;
        let entries = self.sessions.entries();
        let open = || entries.values().filter(|entry| entry.state().session.exit().is_none());
        let (own, all) = (open().filter(|entry| entry.user == user).count(), open().count());
        if own >= settings.sessions_per_user {
            let text = format!("At most {} sessions at once; end one first", settings.sessions_per_user);
            return Err(Error::rate_limited(text, SWEEP));
        }
        if all >= settings.sessions {
            return Err(Error::rate_limited("Too many sessions on this server", SWEEP));
        }
        Ok(())
    }

    pub(super) async fn open(&self, ctx: &Ctx, user: UserId, opening: Opening) -> Result<Arc<Entry>> {
        self.room(user)?;
        let here = self.leavers.enter(user)?;
        let Opening { command, shown, size, mode, prompt } = opening;
        let mut env =
            vec![("TERM".to_owned(), if mode == TtyMode::Screen { "xterm-256color" } else { "dumb" }.to_owned())];
        if mode == TtyMode::Quiet {
            env.push(("NO_COLOR".to_owned(), "1".to_owned()));
        }
        env.extend(command.env.clone());
        let command = Command { env, net: NetPolicy::All, ..command };
        let limits = self.parts.settings.bounds.terminal();
        let terminal = match self.parts.terminals.open(command, limits, size, mode).await {
            Ok(terminal) => terminal,
            Err(error) => {
                self.auth.record_outcome(ctx, "terminal_open", String::new(), "not run").await;
                return Err(failed("command", error));
            }
        };
        let timing = self.parts.settings.timing;
        let state = State {
            session: Session::new(timing),
            screen: Screen::new(size),
            prompt,
            ended_at: None,
            used: Duration::ZERO,
            shared: false,
        };
        // others may have opened some while this one was: then it ends again, unpumped
        self.room(user)?;
        let id = format!("session-{}", self.id());
        let entry = Arc::new(Entry {
            tell: Tell::start(self.events.clone(), user, id.clone(), &shown),
            id,
            user,
            command: shown,
            began: self.clock.now(),
            since: Instant::now(),
            terminal,
            state: Mutex::new(state),
            mode,
            _user: here,
            changed: Notify::new(),
            live: broadcast::Sender::new(VIEWER_PIECES),
            turn: tokio::sync::Mutex::new(()),
        });
        self.sessions.entries().insert(entry.id.clone(), entry.clone());
        if let Err(error) = self.leavers.enter(user) {
            // they went while it was opened
            self.sessions.entries().remove(&entry.id);
            return Err(error);
        }
        self.tasks.spawn_connection("terminal", entry.clone().pump());
        self.auth.record_outcome(ctx, "terminal_open", entry.id.clone(), "ok").await;
        Ok(entry)
    }

    /// Starts a command in a session, and waits until it asks for something, or ends, or is busy.
    ///
    /// # Errors
    /// `Invalid` for a slip; `Forbidden`; `RateLimited` with too many sessions; `Unavailable`.
    pub async fn start_session(&self, ctx: &Ctx, line: &str, password: Option<&Secret<String>>) -> Result<Answer> {
        let user = ctx.authorize(Action::Execute)?.user;
        if line.trim().is_empty() {
            return Err(Error::invalid("command", "Command is required"));
        }
        let command = self.line(line, self.workspace(user).await?, password)?;
        self.start(ctx, user, command, line.to_owned(), password).await
    }

    /// The same in the folder of a project of the caller's.
    ///
    /// # Errors
    /// As [`Self::start_session`].
    pub async fn start_in_project(
        &self,
        ctx: &Ctx,
        folder: PathBuf,
        line: &str,
        password: Option<&Secret<String>>,
    ) -> Result<Answer> {
        let user = ctx.authorize(Action::Execute)?.user;
        let command = self.line(line, folder, password)?;
        self.start(ctx, user, command, line.to_owned(), password).await
    }

    /// Starts a program of the caller's in a session.
    ///
    /// # Errors
    /// As [`Self::start_session`].
    pub async fn start_program(&self, ctx: &Ctx, placed: &Placed, asked: &ProgramRun) -> Result<Answer> {
        let user = ctx.authorize(Action::Execute)?.user;
        let (command, shown) = self.program(placed, asked)?;
        self.start(ctx, user, command, shown, asked.sudo_password.as_ref()).await
    }

    async fn start(
        &self,
        ctx: &Ctx,
        user: UserId,
        command: Command,
        shown: String,
        password: Option<&Secret<String>>,
    ) -> Result<Answer> {
        let opening = Opening { command, shown, size: Size::DEFAULT, mode: TtyMode::Quiet, prompt: None };
        let entry = self.open(ctx, user, opening).await?;
        let _turn = entry.turn.lock().await;
        if let Some(password) = password.filter(|p| !p.expose().is_empty()) {
            // `sudo -S` reads it from the terminal, which does not show what is typed
            let line = Secret::new(format!("{}\n", password.expose()));
            entry.write(line.expose().as_bytes()).await.map_err(|e| Error { field: Some(PASSWORD_LINE), ..e })?;
        }
        let settled = entry.settle(Duration::ZERO).await;
        Ok(entry.answer(settled))
    }

    /// Types into a session, and waits as [`Self::start_session`] does.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's; `Invalid` when it has ended.
    pub async fn send_input(&self, ctx: &Ctx, id: &str, input: &str) -> Result<Answer> {
        let user = ctx.authorize(Action::Execute)?.user;
        let entry = self.sessions.of(user, id)?;
        let _turn = entry.turn.lock().await;
        let since = entry.at();
        if entry.state().session.exit().is_none() && !input.is_empty() {
            entry.state().session.typed(since);
            entry.write(input.as_bytes()).await?;
        }
        let settled = entry.settle(since).await;
        Ok(entry.answer(settled))
    }

    /// Ends a session with everything in it.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's.
    pub async fn terminate_session(&self, ctx: &Ctx, id: &str) -> Result<()> {
        let user = ctx.authorize(Action::Execute)?.user;
        let entry = self.sessions.of(user, id)?;
        entry.terminal.terminate().await;
        self.sessions.entries().remove(id);
        self.auth.record_outcome(ctx, "terminal_end", id.to_owned(), "ok").await;
        Ok(())
    }

    /// Opens a terminal for a screen, with a shell in it. Returns its id.
    ///
    /// # Errors
    /// As [`Self::start_session`].
    pub async fn open_terminal(&self, ctx: &Ctx, size: Size) -> Result<String> {
        let user = ctx.authorize(Action::Execute)?.user;
        let workspace = self.workspace(user).await?;
        let prompt = ("PS1".to_owned(), r"\w \$ ".to_owned());
        let command =
            Command { profile: self.parts.settings.commands, env: vec![prompt], ..Command::new(bash(), workspace) };
        let opening = Opening { command, shown: "bash".to_owned(), size, mode: TtyMode::Screen, prompt: None };
        Ok(self.open(ctx, user, opening).await?.id.clone())
    }

    /// The caller's sessions, newest first.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn list_sessions(&self, ctx: &Ctx) -> Result<Vec<Listed>> {
        let user = ctx.authorize(Action::Execute)?.user;
        let entries = self.sessions.entries();
        let mut listed: Vec<_> = entries.values().filter(|e| e.user == user).map(|e| e.listed()).collect();
        listed.sort_by(|a, b| b.began.cmp(&a.began).then_with(|| a.session.cmp(&b.session)));
        Ok(listed)
    }

    /// Lets others watch a session, or no longer.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's.
    pub async fn share_session(&self, ctx: &Ctx, id: &str, shared: bool) -> Result<()> {
        let user = ctx.authorize(Action::Execute)?.user;
        let entry = self.sessions.of(user, id)?;
        entry.state().shared = shared;
        let outcome = if shared { "shared" } else { "not shared" };
        self.auth.record_outcome(ctx, "terminal_share", id.to_owned(), outcome).await;
        Ok(())
    }

    /// Ends sessions that nobody uses, forgets those that have ended, until the process stops.
    pub(super) async fn sweep(self: Arc<Self>) {
        let stopping = self.tasks.stopping();
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                () = tokio::time::sleep(SWEEP) => {}
            }
            let entries: Vec<_> = self.sessions.entries().values().cloned().collect();
            let mut idle_ones = Vec::new();
            for entry in entries {
                let at = entry.at();
                let (idle, over) = {
                    let state = entry.state();
                    let over = state.ended_at.is_some_and(|ended| at.saturating_sub(ended) >= KEPT);
                    (state.session.exit().is_none() && state.session.is_idle(at), over)
                };
                if over {
                    self.sessions.entries().remove(&entry.id);
                }
                if idle {
                    idle_ones.push(entry);
                }
            }
            // a shell takes its grace to end; together they take it once
            futures_util::future::join_all(idle_ones.iter().map(|entry| entry.terminal.terminate())).await;
        }
        // what runs in them must not keep the process from ending
        let entries: Vec<_> = self.sessions.entries().drain().map(|(_, entry)| entry).collect();
        futures_util::future::join_all(entries.iter().map(|entry| entry.terminal.terminate())).await;
    }
}

pub(super) fn bash() -> What {
    let arguments = ["--norc", "--noprofile"].map(str::to_owned).into();
    What::Program { program: "bash".to_owned(), arguments }
}

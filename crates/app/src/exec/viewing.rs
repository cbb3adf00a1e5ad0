//! Looking at a session while it goes on: its screen first, then what comes.

use std::sync::Arc;

use bytes::Bytes;
use orrery_exec::Size;
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::Exec;
use super::terminals::{Entry, missing};
use crate::Ctx;

/// What a viewer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewed {
    /// Makes an empty terminal of this size show what the session's shows. First of all, and again when the viewer was
    /// too slow: what it missed is on the screen, or has gone by.
    Screen {
        /// The size.
        size: Size,
        /// The lines that are remembered, as they came.
        scrollback: Bytes,
        /// The screen itself.
        snapshot: Bytes,
    },
    /// Output.
    Output(Bytes),
    /// The program ended, with this code.
    Ended(i32),
}

/// Somebody who looks at a session.
pub struct View {
    entry: Arc<Entry>,
    live: broadcast::Receiver<Bytes>,
    first: Option<Viewed>,
    writes: bool,
    over: bool,
}

fn screen(entry: &Entry) -> (Viewed, broadcast::Receiver<Bytes>) {
    let state = entry.state();
    let seen = Viewed::Screen {
        size: state.screen.size(),
        scrollback: state.screen.scrollback().into(),
        snapshot: state.screen.snapshot().into(),
    };
    // while the lock is held, so that nothing comes between
    (seen, entry.live.subscribe())
}

impl Exec {
    /// Looks at a session: one's own, or one that its owner lets others watch.
    ///
    /// # Errors
    /// `NotFound`, also for what may not be watched.
    pub async fn view_session(&self, ctx: &Ctx, id: &str) -> Result<View> {
        let user = ctx.authorize(Action::Execute)?.user;
        let entry = self.sessions.any(id).ok_or_else(missing)?;
        let writes = entry.user == user;
        if !writes && !entry.state().shared {
            return Err(missing());
        }
        self.auth.record_outcome(ctx, "terminal_attach", id.to_owned(), if writes { "ok" } else { "watches" }).await;
        entry.used();
        let (first, live) = screen(&entry);
        Ok(View { entry, live, first: Some(first), writes, over: false })
    }
}

impl View {
    /// May it type?
    pub fn writes(&self) -> bool {
        self.writes
    }

    /// What comes next; `None` after the end. May be given up and asked again.
    pub async fn next(&mut self) -> Option<Viewed> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.over {
            return None;
        }
        if !self.entry.state().shared && !self.writes {
            self.over = true;
            return None;
        }
        let exit = self.entry.state().session.exit();
        if let Some(exit) = exit.filter(|_| self.live.is_empty()) {
            self.over = true;
            return Some(Viewed::Ended(exit.code()));
        }
        match self.live.recv().await {
            Ok(bytes) if bytes.is_empty() => {
                self.over = true;
                Some(Viewed::Ended(self.entry.state().session.exit().map_or(0, orrery_exec::Exit::code)))
            }
            Ok(bytes) => Some(Viewed::Output(bytes)),
            Err(RecvError::Lagged(_)) => {
                let (seen, live) = screen(&self.entry);
                self.live = live;
                Some(seen)
            }
            Err(RecvError::Closed) => None,
        }
    }

    /// Types.
    ///
    /// # Errors
    /// `Forbidden` for who only watches; that the program ended or does not read.
    pub async fn write(&self, bytes: &[u8]) -> Result<()> {
        self.may_write()?;
        self.entry.write(bytes).await
    }

    /// Gives the terminal another size; the last who says holds.
    ///
    /// # Errors
    /// `Forbidden` for who only watches.
    pub fn resize(&self, size: Size) -> Result<()> {
        self.may_write()?;
        self.entry.used();
        self.entry.state().screen.resize(size);
        self.entry.terminal.resize(size);
        Ok(())
    }

    fn may_write(&self) -> Result<()> {
        if self.writes { Ok(()) } else { Err(Error::new(ErrorCode::Forbidden, "This session can only be watched")) }
    }
}

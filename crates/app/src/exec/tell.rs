//! What a run writes, told to its owner's open sockets while it runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orrery_exec::{Heard, Stream, ansi};
use orrery_kernel::UserId;
use tokio::time::Instant;

use crate::events::{Event, Events};

/// Least time between two pieces of a run: events are shared by everybody.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest piece; what is more in the time is left out.
const PIECE_BYTES_MAX: usize = 4_096;
/// Told of one run; the rest is in its answer.
const RUN_BYTES_MAX: usize = 65_536;

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// It began.
    Started,
    /// It wrote.
    Output {
        /// Where to.
        stream: Stream,
        /// What, cut to 4 KiB; without escape sequences.
        text: String,
    },
    /// It ended.
    Ended {
        /// With this; `None`: its time was up, or it was given up.
        return_code: Option<i32>,
    },
}

/// A run, and a piece of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whose run.
    pub user: UserId,
    /// Which.
    pub run: Arc<str>,
    /// The command as answers show it, cut to 200 characters.
    pub command: Arc<str>,
    /// What.
    pub piece: Piece,
}

/// Tells of one run.
pub(super) struct Tell {
    events: Events,
    user: UserId,
    run: Arc<str>,
    command: Arc<str>,
    state: Mutex<State>,
}

struct State {
    last: Option<Instant>,
    told: usize,
    held: Vec<(Stream, Vec<u8>)>,
    ended: bool,
}

impl Tell {
    pub(super) fn start(events: Events, user: UserId, run: String, command: &str) -> Arc<Self> {
        let state = Mutex::new(State { last: None, told: 0, held: Vec::new(), ended: false });
        let command: String = command.chars().take(200).collect();
        let tell = Self { events, user, run: run.into(), command: command.into(), state };
        tell.send(Piece::Started);
        Arc::new(tell)
    }

    fn send(&self, piece: Piece) {
        let told = Told { user: self.user, run: self.run.clone(), command: self.command.clone(), piece };
        self.events.send(Event::Output(Arc::new(told)));
    }

    fn flush(&self, state: &mut State) {
        for (stream, bytes) in state.held.drain(..) {
            state.told += bytes.len();
            self.send(Piece::Output { stream, text: ansi::strip(&String::from_utf8_lossy(&bytes)) });
        }
    }

    pub(super) fn end(&self, return_code: Option<i32>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut state.ended, true) {
            self.flush(&mut state);
            self.send(Piece::Ended { return_code });
        }
    }
}

impl Drop for Tell {
    fn drop(&mut self) {
        // one that was given up ended too
        self.end(None);
    }
}

impl Heard for Tell {
    fn heard(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let held: usize = state.held.iter().map(|(_, held)| held.len()).sum();
        let room = PIECE_BYTES_MAX.saturating_sub(held).min(RUN_BYTES_MAX.saturating_sub(state.told + held));
        let bytes = bytes.get(..bytes.len().min(room)).unwrap_or_default();
        if !bytes.is_empty() {
            match state.held.last_mut().filter(|(last, _)| *last == stream) {
                Some((_, held)) => held.extend_from_slice(bytes),
                None => state.held.push((stream, bytes.to_vec())),
            }
        }
        let now = Instant::now();
        if state.last.is_none_or(|last| now.duration_since(last) >= PAUSE) && !state.held.is_empty() {
            state.last = Some(now);
            self.flush(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn floods_are_cut() {
        let events = Events::default();
        let mut told = events.subscribe();
        let tell = Tell::start(events, UserId(7), "r".into(), "yes");
        for _ in 0..10_000 {
            tell.heard(Stream::Out, &[b'y'; 1_000]);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        drop(tell);
        let (mut pieces, mut bytes) = (0, 0);
        while let Ok(Event::Output(told)) = told.try_recv() {
            assert_eq!((told.user, &*told.command), (UserId(7), "yes"));
            pieces += 1;
            if let Piece::Output { text, .. } = &told.piece {
                assert!(text.len() <= PIECE_BYTES_MAX);
                bytes += text.len();
            }
        }
        assert!(pieces <= 103 && bytes <= RUN_BYTES_MAX && bytes > 1_000, "{pieces} {bytes}");
    }
}

//! What a run or a session writes, told to its owner's open sockets while it goes on.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orrery_exec::{Heard, Stream, ansi};
use orrery_kernel::UserId;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::events::{Event, Events};

/// Least time between two pieces of a run: events are shared by everybody.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest piece; what is more in the time is left out.
const PIECE_BYTES_MAX: usize = 4_096;
/// Told of one run, and of a session for each input and each minute; the rest is in its answer.
const RUN_BYTES_MAX: usize = 65_536;
/// After this time a session may tell as much again.
const RENEWED: Duration = Duration::from_secs(60);

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

/// A run or a session, and a piece of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whose.
    pub user: UserId,
    /// Which: a session's is the id of the session.
    pub run: Arc<str>,
    /// The command as answers show it, cut to 200 characters.
    pub command: Arc<str>,
    /// What.
    pub piece: Piece,
}

/// Tells of one run or session.
pub(super) struct Tell {
    events: Events,
    user: UserId,
    run: Arc<str>,
    command: Arc<str>,
    state: Mutex<State>,
    waits: Notify,
}

struct State {
    last: Option<Instant>,
    told: usize,
    held: Vec<(Stream, Vec<u8>)>,
    renewed: Instant,
    ended: bool,
}

impl Tell {
    pub(super) fn start(events: Events, user: UserId, run: String, command: &str) -> Arc<Self> {
        let state = State { last: None, told: 0, held: Vec::new(), renewed: Instant::now(), ended: false };
        let command: String = command.chars().take(200).collect();
        let (state, waits) = (Mutex::new(state), Notify::new());
        let tell = Self { events, user, run: run.into(), command: command.into(), state, waits };
        tell.send(Piece::Started);
        Arc::new(tell)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, piece: Piece) {
        let told = Told { user: self.user, run: self.run.clone(), command: self.command.clone(), piece };
        self.events.send(Event::Output(Arc::new(told)));
    }

    fn flush(&self, state: &mut State) {
        state.last = Some(Instant::now());
        for (stream, bytes) in state.held.drain(..) {
            state.told += bytes.len();
            self.send(Piece::Output { stream, text: ansi::strip(&String::from_utf8_lossy(&bytes)) });
        }
    }

    /// Tells in time what no further output would bring along: to be polled beside the run.
    pub(super) async fn keep_up(&self) -> Infallible {
        loop {
            self.waits.notified().await;
            let due = self.state().last.map_or_else(Instant::now, |last| last + PAUSE);
            tokio::time::sleep_until(due).await;
            let mut state = self.state();
            // if further output brought it along, that says so again where it left some
            if state.last.is_none_or(|last| last.elapsed() >= PAUSE) {
                self.flush(&mut state);
            }
        }
    }

    /// The session was typed into: as much as at its beginning may be told again.
    pub(super) fn renew(&self) {
        let mut state = self.state();
        (state.told, state.renewed) = (0, Instant::now());
    }

    /// A session wrote.
    pub(super) fn session_wrote(&self, bytes: &[u8]) {
        if self.state().renewed.elapsed() >= RENEWED {
            self.renew();
        }
        self.heard(Stream::Out, bytes);
    }

    pub(super) fn end(&self, return_code: Option<i32>) {
        let mut state = self.state();
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
        let mut state = self.state();
        let held: usize = state.held.iter().map(|(_, held)| held.len()).sum();
        let room = PIECE_BYTES_MAX.saturating_sub(held).min(RUN_BYTES_MAX.saturating_sub(state.told + held));
        let bytes = bytes.get(..bytes.len().min(room)).unwrap_or_default();
        if !bytes.is_empty() {
            match state.held.last_mut().filter(|(last, _)| *last == stream) {
                Some((_, held)) => held.extend_from_slice(bytes),
                None => state.held.push((stream, bytes.to_vec())),
            }
        }
        if state.held.is_empty() {
            return;
        }
        if state.last.is_none_or(|last| last.elapsed() >= PAUSE) {
            self.flush(&mut state);
        } else {
            self.waits.notify_one();
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
    fn texts(told: &mut tokio::sync::broadcast::Receiver<Event>) -> Vec<String> {
        let mut texts = Vec::new();
        while let Ok(Event::Output(told)) = told.try_recv() {
            if let Piece::Output { text, .. } = &told.piece {
                texts.push(text.clone());
            }
        }
        texts
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_written_last_is_told_too() {
        let events = Events::default();
        let mut told = events.subscribe();
        let tell = Tell::start(events, UserId(7), "r".into(), "python3");
        let writing = async {
            tell.heard(Stream::Out, b"one");
            tell.heard(Stream::Out, b">>> ");
            assert_eq!(texts(&mut told), ["one"]);
            tokio::time::sleep(PAUSE * 2).await;
            assert_eq!(texts(&mut told), [">>> "]);
        };
        tokio::select! { never = tell.keep_up() => match never {}, () = writing => {} }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_tells_again_after_input_and_in_time() {
        let events = Events::default();
        let mut told = events.subscribe();
        let tell = Tell::start(events, UserId(7), "session-1".into(), "bash");
        let mut flood = async || {
            for _ in 0..100 {
                tell.session_wrote(&[b'y'; 10_000]);
                tokio::time::advance(PAUSE).await;
            }
            texts(&mut told).concat().len()
        };
        assert_eq!(flood().await, RUN_BYTES_MAX);
        assert_eq!(flood().await, 0);
        tell.renew();
        assert_eq!(flood().await, RUN_BYTES_MAX);
        tokio::time::advance(RENEWED).await;
        assert_eq!(flood().await, RUN_BYTES_MAX);
    }
}

//! An interactive session as a pure machine: what it wrote since somebody looked, and whether it waits for input.
//!
//! Times are durations since the session began.

use std::time::Duration;

use crate::output::whole_characters;
use crate::{Exit, Foreground, ansi};

/// Output that waits to be looked at; beyond it the oldest is dropped, and said so.
const OUTPUT_BYTES_MAX: usize = 1_024 * 1_024;

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Quiet after which a program that reads is taken to wait for input.
    pub quiet: Duration,
    /// Quiet after which a program is taken to wait where the machine does not tell what it does.
    pub unknown: Duration,
    /// Longest wait for a program that is busy.
    pub patience: Duration,
    /// Without use a session is ended.
    pub idle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(60),
            unknown: Duration::from_millis(500),
            patience: Duration::from_secs(5),
            idle: Duration::from_secs(3_600),
        }
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The program ended.
    Ended(Exit),
    /// It waits for input.
    Waits,
    /// It is still busy, and nobody waits longer.
    Busy,
    /// Not settled: look again after this, or when there is output.
    Not(Duration),
}

/// Output since somebody looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Without escape sequences; lines end with LF.
    pub text: String,
    /// Was some dropped before it?
    pub truncated: bool,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    timing: Timing,
    output: Vec<u8>,
    dropped: bool,
    /// When there was input or output last.
    moved: Duration,
    /// When somebody asked last.
    used: Duration,
    /// Since when it is known to read.
    reads: Option<Duration>,
    ended: Option<Exit>,
}

impl Session {
    /// It begins.
    pub fn new(timing: Timing) -> Self {
        let (moved, used) = (Duration::ZERO, Duration::ZERO);
        Self { timing, output: Vec::new(), dropped: false, moved, used, reads: None, ended: None }
    }

    /// The program wrote.
    pub fn wrote(&mut self, at: Duration, bytes: &[u8]) {
        self.moved = at;
        // output is use: a build that runs for hours is not idle
        self.used = at;
        self.output.extend_from_slice(bytes);
        let over = self.output.len().saturating_sub(OUTPUT_BYTES_MAX);
        if over > 0 {
            self.output.drain(..over);
            self.dropped = true;
        }
    }

    /// Somebody typed.
    pub fn typed(&mut self, at: Duration) {
        (self.moved, self.used) = (at, at);
    }

    /// Somebody looked at it.
    pub fn used(&mut self, at: Duration) {
        self.used = at;
    }

    /// The program ended.
    pub fn end(&mut self, exit: Exit) {
        self.ended = Some(exit);
    }

    /// How it ended, if it did.
    pub fn exit(&self) -> Option<Exit> {
        self.ended
    }

    /// Has it been idle too long?
    pub fn is_idle(&self, at: Duration) -> bool {
        at.saturating_sub(self.used) >= self.timing.idle
    }

    /// Takes the output since the last time, without a character that is not whole yet (unless the program ended).
    pub fn take(&mut self, at: Duration) -> Taken {
        self.used = at;
        let whole = if self.ended.is_some() { self.output.len() } else { whole_characters(&self.output).len() };
        let bytes: Vec<u8> = self.output.drain(..whole).collect();
        let text = ansi::strip(&String::from_utf8_lossy(&bytes)).replace("\r\n", "\n").replace('\r', "");
        Taken { text, truncated: std::mem::take(&mut self.dropped) }
    }

    /// Has it settled since `since`? `foreground` is asked only when it matters.
    pub fn settled(&mut self, at: Duration, since: Duration, foreground: impl FnOnce() -> Foreground) -> Settled {
        if let Some(exit) = self.ended {
            return Settled::Ended(exit);
        }
        let quiet = at.saturating_sub(self.moved);
        let patience = self.timing.patience.saturating_sub(at.saturating_sub(since));
        if quiet < self.timing.quiet {
            let wait = self.timing.quiet.saturating_sub(quiet);
            // one that never pauses is busy
            return if patience.is_zero() { Settled::Busy } else { Settled::Not(wait.min(patience)) };
        }
        let state = foreground();
        let reads = self.reads.filter(|reads| state == Foreground::Reads && *reads >= self.moved);
        self.reads = (state == Foreground::Reads).then(|| reads.unwrap_or(at));
        let again = match state {
            // what it wrote just before may still be on its way here
            Foreground::Reads if reads.is_some_and(|reads| at.saturating_sub(reads) >= self.timing.quiet) => {
                return Settled::Waits;
            }
            Foreground::Reads => {
                self.timing.quiet.saturating_sub(reads.map_or(Duration::ZERO, |r| at.saturating_sub(r)))
            }
            Foreground::Unknown if quiet >= self.timing.unknown => return Settled::Waits,
            Foreground::Unknown => self.timing.unknown.saturating_sub(quiet),
            Foreground::Busy => self.timing.quiet,
        };
        if patience.is_zero() { Settled::Busy } else { Settled::Not(again.min(patience)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn who_reads_and_is_quiet_waits() {
        let mut session = Session::new(Timing::default());
        session.wrote(ms(10), b">>> ");
        assert_eq!(session.settled(ms(20), ms(0), || panic!("too early")), Settled::Not(ms(50)));
        assert_eq!(session.settled(ms(70), ms(0), || Foreground::Reads), Settled::Not(ms(60)));
        assert_eq!(session.settled(ms(100), ms(0), || Foreground::Reads), Settled::Not(ms(30)));
        assert_eq!(session.settled(ms(130), ms(0), || Foreground::Reads), Settled::Waits);
        assert_eq!(session.settled(ms(130), ms(0), || Foreground::Busy), Settled::Not(ms(60)));
        assert_eq!(session.settled(ms(5_000), ms(0), || Foreground::Busy), Settled::Busy);
        assert_eq!(session.take(ms(80)).text, ">>> ");
        assert_eq!(session.take(ms(80)).text, "");
        // what arrives only after it was seen to read begins the quiet anew
        assert_eq!(session.settled(ms(5_100), ms(5_000), || Foreground::Reads), Settled::Not(ms(60)));
        session.wrote(ms(5_110), b"late");
        assert_eq!(session.settled(ms(5_170), ms(5_000), || Foreground::Reads), Settled::Not(ms(60)));
        assert_eq!(session.settled(ms(5_230), ms(5_000), || Foreground::Reads), Settled::Waits);
    }

    #[test]
    fn where_nobody_tells_quiet_is_waited_for() {
        let mut session = Session::new(Timing::default());
        assert_eq!(session.settled(ms(100), ms(0), || Foreground::Unknown), Settled::Not(ms(400)));
        assert_eq!(session.settled(ms(500), ms(0), || Foreground::Unknown), Settled::Waits);
    }

    #[test]
    fn one_that_never_pauses_is_busy() {
        let mut session = Session::new(Timing::default());
        session.wrote(ms(5_000), b"y\n");
        assert_eq!(session.settled(ms(5_001), ms(0), || Foreground::Busy), Settled::Busy);
        session.end(Exit::Code(3));
        assert_eq!(session.settled(ms(5_001), ms(5_000), || Foreground::Busy), Settled::Ended(Exit::Code(3)));
    }

    #[test]
    fn output_is_plain_whole_and_bounded() {
        let mut session = Session::new(Timing::default());
        session.wrote(ms(1), "\x1b[1mä\x1b[0m\r\nb".as_bytes());
        session.wrote(ms(1), &[0xC3]);
        assert_eq!(session.take(ms(2)).text, "ä\nb");
        session.wrote(ms(3), &[0xA4]);
        assert_eq!(session.take(ms(3)).text, "ä");
        session.wrote(ms(4), &vec![b'x'; OUTPUT_BYTES_MAX + 5]);
        let taken = session.take(ms(5));
        assert!(taken.truncated && taken.text.len() == OUTPUT_BYTES_MAX);
        assert!(!session.take(ms(5)).truncated);
    }

    #[test]
    fn idle_means_neither_used_nor_writing() {
        let mut session = Session::new(Timing { idle: ms(100), ..Timing::default() });
        assert!(session.is_idle(ms(100)));
        session.typed(ms(50));
        assert!(!session.is_idle(ms(149)) && session.is_idle(ms(150)));
        session.wrote(ms(150), b"x");
        assert!(!session.is_idle(ms(200)));
    }
}

//! What a terminal shows, for whoever looks in later: the screen as a model, and the last bytes as they were.

use std::collections::VecDeque;
use std::num::NonZeroU16;

use crate::Size;

/// Bytes kept as they were.
pub const RING_BYTES: usize = 256 * 1_024;

fn cells(size: Size) -> (NonZeroU16, NonZeroU16) {
    let at_least_one = |n| NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN);
    (at_least_one(size.rows), at_least_one(size.columns))
}

/// A terminal's screen.
pub struct Screen {
    model: vt100::Parser,
    ring: VecDeque<u8>,
}

impl Screen {
    /// An empty one.
    pub fn new(size: Size) -> Self {
        let (rows, columns) = cells(size);
        Self { model: vt100::Parser::new(rows, columns, 0), ring: VecDeque::new() }
    }

    /// Output of the program.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.model.process(bytes);
        let last = bytes.get(bytes.len().saturating_sub(RING_BYTES)..).unwrap_or_default();
        let over = (self.ring.len() + last.len()).saturating_sub(RING_BYTES);
        self.ring.drain(..over);
        self.ring.extend(last);
    }

    /// It has another size now.
    pub fn resize(&mut self, size: Size) {
        let (rows, columns) = cells(size);
        self.model.screen_mut().set_size(rows, columns);
    }

    /// Its size.
    pub fn size(&self) -> Size {
        let (rows, columns) = self.model.screen().size();
        Size { rows: rows.get(), columns: columns.get() }
    }

    /// What makes an empty terminal of this size show the same, modes and cursor included.
    pub fn snapshot(&self) -> Vec<u8> {
        self.model.screen().state_formatted().into()
    }

    /// The text that is shown.
    pub fn text(&self) -> String {
        self.model.screen().contents()
    }

    /// The last output as it was, from the beginning of a line where some is missing.
    pub fn scrollback(&self) -> Vec<u8> {
        let all: Vec<u8> = self.ring.iter().copied().collect();
        if all.len() < RING_BYTES {
            return all;
        }
        let from = all.iter().position(|b| *b == b'\n').map_or(0, |n| n + 1);
        all.get(from..).unwrap_or_default().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_snapshot_shows_the_same() {
        let mut screen = Screen::new(Size { rows: 4, columns: 20 });
        screen.feed(b"\x1b[2J\x1b[H\x1b[1;31mhello\x1b[0m\r\n> ");
        let mut other = Screen::new(screen.size());
        other.feed(&screen.snapshot());
        assert_eq!(other.text(), "hello\n> ");
        assert_eq!(other.model.screen().cursor_position(), (1, 2));
        assert_eq!(other.snapshot(), screen.snapshot());
    }

    #[test]
    fn the_ring_is_bounded() {
        let mut screen = Screen::new(Size::DEFAULT);
        for n in 0..40_000 {
            screen.feed(format!("line {n}\r\n").as_bytes());
        }
        let kept = screen.scrollback();
        assert!(kept.len() <= RING_BYTES && kept.starts_with(b"line ") && kept.ends_with(b"line 39999\r\n"));
        screen.resize(Size { rows: 2, columns: 10 });
        assert_eq!(screen.size(), Size { rows: 2, columns: 10 });
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), rows in 1u16..5, columns in 1u16..9) {
            let mut screen = Screen::new(Size { rows: 3, columns: 7 });
            screen.feed(&bytes);
            screen.resize(Size { rows, columns });
            screen.feed(&bytes);
            let _ = (screen.snapshot(), screen.text());
        }
    }
}

//! What is kept of a stream: its beginning and its end, however long it is.

use std::collections::VecDeque;

/// A stream as it comes: the first half of the bound and the last.
#[derive(Clone, Debug)]
pub struct Output {
    bound: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

/// A stream as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The text: what is no UTF-8 is replaced, and a line in the middle says how much is missing, if any.
    pub text: String,
    /// Is some missing?
    pub truncated: bool,
    /// Bytes that there were.
    pub total: u64,
}

impl Output {
    /// Nothing yet; keeps at most `bound` bytes.
    pub fn new(bound: usize) -> Self {
        Self { bound, head: Vec::new(), tail: VecDeque::new(), total: 0 }
    }

    /// More of it.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let head_bound = self.bound / 2;
        let (head, rest) = bytes.split_at(bytes.len().min(head_bound.saturating_sub(self.head.len())));
        self.head.extend_from_slice(head);
        let tail_bound = self.bound - head_bound;
        let rest = rest.get(rest.len().saturating_sub(tail_bound)..).unwrap_or_default();
        let over = (self.tail.len() + rest.len()).saturating_sub(tail_bound);
        self.tail.drain(..over);
        self.tail.extend(rest);
    }

    /// What is kept of it.
    pub fn finish(self) -> Captured {
        let kept = self.head.len() + self.tail.len();
        let missing = self.total - kept as u64;
        let tail: Vec<u8> = self.tail.into();
        if missing == 0 {
            let whole = [self.head, tail].concat();
            let text = String::from_utf8_lossy(&whole).into_owned();
            return Captured { text, truncated: false, total: self.total };
        }
        // a character that was cut in two is no character
        let head = whole_characters(&self.head);
        let start = tail.iter().take(3).take_while(|b| (0x80..0xC0).contains(*b)).count();
        let tail = tail.get(start..).unwrap_or_default();
        let text = format!(
            "{}\n[… {missing} bytes left out …]\n{}",
            String::from_utf8_lossy(head),
            String::from_utf8_lossy(tail)
        );
        Captured { text, truncated: true, total: self.total }
    }
}

/// `bytes` without a character that is not finished.
pub(crate) fn whole_characters(bytes: &[u8]) -> &[u8] {
    let from = bytes.len().saturating_sub(3);
    let lead = (from..bytes.len()).rev().find(|i| bytes.get(*i).is_some_and(|b| *b >= 0xC0));
    let Some(lead) = lead else { return bytes };
    let length = match bytes.get(lead) {
        Some(0xF0..) => 4,
        Some(0xE0..) => 3,
        _ => 2,
    };
    if lead + length > bytes.len() { bytes.get(..lead).unwrap_or_default() } else { bytes }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn captured(bound: usize, parts: &[&[u8]]) -> Captured {
        let mut output = Output::new(bound);
        parts.iter().for_each(|part| output.push(part));
        output.finish()
    }

    #[test]
    fn short_streams_are_whole() {
        let whole = captured(10, &[b"hello", b"world"]);
        assert_eq!(whole, Captured { text: "helloworld".into(), truncated: false, total: 10 });
        assert_eq!(captured(10, &["ä".as_bytes().split_at(1).0, "ä".as_bytes().split_at(1).1]).text, "ä");
    }

    #[test]
    fn long_streams_keep_both_ends() {
        let cut = captured(4, &[b"abc", b"defgh"]);
        assert_eq!(cut.text, "ab\n[… 4 bytes left out …]\ngh");
        assert!(cut.truncated && cut.total == 8);
        let cut = captured(4, &["aéxxé".as_bytes(), "éb".as_bytes()]);
        assert!(!cut.text.contains('\u{FFFD}'), "{}", cut.text);
    }

    proptest! {
        #[test]
        fn however_it_is_cut(bytes in prop::collection::vec(any::<u8>(), 0..200), bound in 0usize..64, part in 1usize..50) {
            let mut output = Output::new(bound);
            bytes.chunks(part).for_each(|chunk| output.push(chunk));
            prop_assert!(output.head.len() + output.tail.len() <= bound);
            prop_assert_eq!(&output.head[..], &bytes[..output.head.len()]);
            let tail: Vec<u8> = output.tail.clone().into();
            prop_assert_eq!(&tail[..], &bytes[bytes.len() - tail.len()..]);
            let captured = output.finish();
            prop_assert_eq!(captured.truncated, bytes.len() > bound);
            prop_assert_eq!(captured.total, bytes.len() as u64);
        }
    }
}

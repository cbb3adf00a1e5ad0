//! What test runners say of themselves.

use std::iter::Sum;

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| Self { passed: a.passed + b.passed, failed: a.failed + b.failed })
    }
}

/// The count in a runner's closing line, if this is one: `test result: ok. 3 passed; 0 failed; …` of
/// cargo test, `Summary [ 1.2s] 3 tests run: 3 passed, 0 skipped` of nextest.
pub fn of_line(line: &str) -> Option<Count> {
    let line = line.trim();
    let closing = line.starts_with("test result:") || line.starts_with("Summary [");
    if !closing {
        return None;
    }
    let words: Vec<&str> = line.split([' ', ';', ',', '(', ')']).filter(|w| !w.is_empty()).collect();
    let before = |name: &str| {
        let at = words.iter().position(|w| *w == name)?;
        words.get(at.checked_sub(1)?)?.parse().ok()
    };
    let timed_out: u64 = before("timed").unwrap_or(0);
    Some(Count { passed: before("passed").unwrap_or(0), failed: before("failed").unwrap_or(0) + timed_out })
}

/// The line without its terminal colours.
pub fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines() {
        for (line, want) in [
            ("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured", Some((3, 0))),
            ("test result: FAILED. 2 passed; 5 failed; 0 ignored", Some((2, 5))),
            ("     Summary [   4.303s] 10 tests run: 10 passed, 0 skipped", Some((10, 0))),
            (
                "     Summary [   4.303s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 0 skipped",
                Some((9, 3)),
            ),
            ("running 3 tests", None),
            ("my test result: 5 passed", None),
        ] {
            assert_eq!(of_line(line).map(|c| (c.passed, c.failed)), want, "{line}");
        }
        assert_eq!(plain("\u{1b}[32;1m     Summary\u{1b}[0m [ 1s]"), "     Summary [ 1s]");
    }
}

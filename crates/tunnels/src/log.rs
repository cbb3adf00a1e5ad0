//! The last lines of what a tunnel said, without what is secret in them.

use std::collections::VecDeque;

/// Lines that are kept; of more, the oldest are forgotten.
pub const LINES_MAX: usize = 100;
/// Characters kept of a line.
pub const LINE_CHARS_MAX: usize = 500;

/// The last lines.
#[derive(Clone, Debug, Default)]
pub struct LogTail(VecDeque<String>);

impl LogTail {
    /// Adds a line, without `secret` and without characters that terminals obey.
    pub fn push(&mut self, line: &str, secret: Option<&str>) {
        let plain: String = redact(line, secret).chars().filter(|c| !c.is_control()).take(LINE_CHARS_MAX).collect();
        if plain.trim().is_empty() {
            return;
        }
        if self.0.len() == LINES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(plain);
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

/// Words after which a value is nobody's business.
const SECRETS: [&str; 5] = ["authtoken", "auth_token", "token", "secret", "password"];
const REDACTED: &str = "[redacted]";

/// The line without `secret`, and without what follows words such as `authtoken=`.
pub fn redact(line: &str, secret: Option<&str>) -> String {
    let line = match secret.filter(|secret| !secret.is_empty()) {
        Some(secret) => line.replace(secret, REDACTED),
        None => line.to_owned(),
    };
    let mut words = Vec::new();
    for word in line.split(' ') {
        let cut = word.find(['=', ':']).filter(|at| {
            let name = word.get(..*at).unwrap_or_default().trim_matches(|c: char| !c.is_ascii_alphanumeric());
            SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
        });
        match cut {
            Some(at) if at + 1 < word.len() => {
                words.push(format!("{}{REDACTED}", word.get(..=at).unwrap_or_default()));
            }
            _ => words.push(word.to_owned()),
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        assert_eq!(redact("with 2abcX in it, 2abcX", Some("2abcX")), "with [redacted] in it, [redacted]");
        assert_eq!(
            redact("lvl=info authtoken=2abc url=https://x", None),
            "lvl=info authtoken=[redacted] url=https://x"
        );
        assert_eq!(redact("{\"token\":\"2abc\"} token: x", Some("")), "{\"token\":[redacted] token: x");
        assert_eq!(redact("lvl=info msg=started", None), "lvl=info msg=started");
    }

    #[test]
    fn the_tail_is_bounded() {
        let mut tail = LogTail::default();
        for n in 0..LINES_MAX * 3 {
            tail.push(&format!("\x1b[31m{n}\r {}", "x".repeat(1_000)), None);
        }
        tail.push(" \r", None);
        let lines = tail.lines();
        assert_eq!(lines.len(), LINES_MAX);
        assert!(lines.iter().all(|line| line.chars().count() <= LINE_CHARS_MAX && !line.contains(['\x1b', '\r'])));
        assert!(lines[0].contains("200 "), "{}", lines[0]);
    }
}

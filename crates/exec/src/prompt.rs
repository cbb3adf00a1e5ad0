//! A shell that is told one line at a time: where the output of a line ends, and where the shell is then.
//!
//! The shell writes a mark before each of its prompts; the mark holds a number that the output cannot know.

use crate::{Captured, Output, ansi};

/// Kept of a line's output.
const OUTPUT_BYTES_MAX: usize = 1_024 * 1_024;
/// Longest mark: with a path in it.
const MARK_BYTES_MAX: usize = 8_192;
/// What a mark begins and ends with (RS, "record separator").
const EDGE: u8 = 0x1e;

/// What a line came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Without escape sequences; lines end with LF.
    pub output: Captured,
    /// The line's code.
    pub code: i32,
    /// Where the shell is.
    pub directory: String,
}

/// The marks of one shell.
pub struct Prompt {
    nonce: String,
    output: Output,
    /// What may be the beginning of a mark.
    held: Vec<u8>,
    /// What of the bytes at hand is no mark.
    shown: Vec<u8>,
    answered: Option<Answered>,
}

impl Prompt {
    /// With a number that nobody can guess, in hex.
    pub fn new(nonce: String) -> Self {
        Self { nonce, output: Output::new(OUTPUT_BYTES_MAX), held: Vec::new(), shown: Vec::new(), answered: None }
    }

    /// Variables that make `bash` write marks and nothing else of its own.
    pub fn env(&self) -> Vec<(String, String)> {
        let mark = format!(r#"printf '\036%s:%s:%s\036' {} "$?" "$PWD""#, self.nonce);
        [
            ("PS1", ""),
            ("PS2", ""),
            ("PROMPT_COMMAND", &mark),
            ("HISTFILE", "/dev/null"),
            ("BASH_SILENCE_DEPRECATION_WARNING", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// A line as it is typed: one command for the shell, however many lines it has.
    pub fn typed(line: &str) -> String {
        format!("eval {}\n", shell_words::quote(line))
    }

    /// The shell wrote. What of it is output, and no mark, is returned.
    pub fn wrote(&mut self, bytes: &[u8]) -> Vec<u8> {
        for byte in bytes {
            match (self.held.is_empty(), *byte) {
                (true, EDGE) => self.held.push(EDGE),
                (true, byte) => self.show(&[byte]),
                (false, EDGE) => {
                    self.held.push(EDGE);
                    self.mark();
                }
                (false, byte) => {
                    self.held.push(byte);
                    if self.held.len() > MARK_BYTES_MAX {
                        self.release();
                    }
                }
            }
        }
        std::mem::take(&mut self.shown)
    }

    fn show(&mut self, bytes: &[u8]) {
        self.output.push(bytes);
        self.shown.extend_from_slice(bytes);
    }

    /// What is held was no mark.
    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.show(&held);
    }

    fn mark(&mut self) {
        let text = String::from_utf8_lossy(&self.held).into_owned();
        let mut parts = text.trim_matches(char::from(EDGE)).splitn(3, ':');
        let (nonce, code, directory) = (parts.next(), parts.next().and_then(|c| c.parse().ok()), parts.next());
        match (nonce, code, directory) {
            (Some(nonce), Some(code), Some(directory)) if nonce == self.nonce => {
                self.held.clear();
                let mut output = std::mem::replace(&mut self.output, Output::new(OUTPUT_BYTES_MAX)).finish();
                output.text = ansi::strip(&output.text).replace("\r\n", "\n").replace('\r', "");
                self.answered = Some(Answered { output, code, directory: directory.to_owned() });
            }
            _ => {
                // its end may be the beginning of another
                self.held.pop();
                self.release();
                self.held.push(EDGE);
            }
        }
    }

    /// What the last line came to, once.
    pub fn take(&mut self) -> Option<Answered> {
        self.answered.take()
    }

    /// Forgets what was written before a line that comes now.
    pub fn begin(&mut self) {
        self.answered = None;
        self.output = Output::new(OUTPUT_BYTES_MAX);
    }

    /// The output so far of a line that is not done.
    pub fn so_far(&mut self) -> String {
        let output = std::mem::replace(&mut self.output, Output::new(OUTPUT_BYTES_MAX)).finish();
        ansi::strip(&output.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_end_lines() {
        let mut prompt = Prompt::new("beef".into());
        prompt.wrote(b"a > b $ #\n\x1ebe");
        assert_eq!(prompt.take(), None);
        prompt.wrote(b"ef:0:/tmp/a:b\x1e");
        let answered = prompt.take().unwrap();
        assert_eq!(
            (answered.output.text.as_str(), answered.code, answered.directory.as_str()),
            ("a > b $ #\n", 0, "/tmp/a:b")
        );
        prompt.wrote(b"x\x1edead:0:/\x1ey\x1ebeef:127:/\x1e");
        let answered = prompt.take().unwrap();
        assert_eq!((answered.output.text.as_str(), answered.code), ("xdead:0:/y", 127));
        assert_eq!(prompt.wrote(b"a\x1edead:0:/\x1eb\x1ebeef:127:/\x1ec\x1ebe"), b"a\x1edead:0:/\x1ebc");
        assert_eq!(prompt.wrote(b"ad\x1e"), b"\x1ebead");
        assert_eq!(Prompt::typed("echo 'a'\nls"), "eval 'echo '\\''a'\\''\nls'\n");
    }

    proptest! {
        #[test]
        fn however_it_is_cut(text in "[ab:\n]{0,30}", part in 1usize..9) {
            let mut prompt = Prompt::new("0f".into());
            let whole = format!("{text}\u{1e}0f:3:/w\u{1e}");
            let shown: Vec<u8> = whole.as_bytes().chunks(part).flat_map(|chunk| prompt.wrote(chunk)).collect();
            prop_assert_eq!(String::from_utf8_lossy(&shown), text.as_str());
            let answered = prompt.take().unwrap();
            prop_assert_eq!((answered.output.text, answered.code), (text, 3));
        }
    }
}

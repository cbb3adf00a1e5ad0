//! Plain output. A reader that went away is no error: there is nobody left to tell.

use std::io::{BufWriter, StdoutLock, Write};

/// Prints a line on standard output, at once.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints text as it is.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a line on standard error.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Many lines, buffered; stops writing when the reader went away.
pub struct Lines {
    out: BufWriter<StdoutLock<'static>>,
    gone: bool,
}

impl Lines {
    /// On standard output.
    pub fn new() -> Self {
        Self { out: BufWriter::new(std::io::stdout().lock()), gone: false }
    }

    /// One line.
    pub fn line(&mut self, line: &str) {
        if !self.gone {
            self.gone = writeln!(self.out, "{line}").is_err();
        }
    }

    /// Does nobody read any more?
    pub fn gone(&self) -> bool {
        self.gone
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.out.flush();
    }
}

//! Steps: a command that is shown while it runs, timed, and counted.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::count::{Count, of_line, plain};
use crate::tools;

/// Something to run.
pub struct Step {
    name: String,
    command: Command,
}

/// `cargo` as this build found it.
pub fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(tools::cargo());
    command.args(arguments);
    command
}

/// Is the code formatted?
pub fn format() -> Step {
    Step::new("format", cargo(["fmt", "--all", "--check"]))
}

/// The program that the end-to-end tests start.
pub fn gateway() -> Step {
    Step::new("build the gateway", cargo(["build", "-p", "orrery-gateway"]))
}

/// All test binaries of the workspace.
pub fn suites(more: &[&str]) -> Step {
    let mut command = if tools::has_nextest() {
        cargo(["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        cargo(["test", "--workspace", "--tests", "--no-fail-fast"])
    };
    command.args(more);
    Step::new("suites", command)
}

/// The test binaries of one package, those of a name.
pub fn one_package(package: &str, filter: &[&str]) -> Step {
    let runner = if tools::has_nextest() { vec!["nextest", "run"] } else { vec!["test", "--tests"] };
    let mut command = cargo([]);
    command.args(runner).args(["--package", package]).args(filter);
    Step::new(package, command)
}

/// The examples in the documentation.
pub fn doctests() -> Step {
    Step::new("documentation tests", cargo(["test", "--workspace", "--doc", "--no-fail-fast"]))
}

/// Lints, in tests and benches too.
pub fn clippy() -> Step {
    Step::new("clippy", cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// The documentation builds without warnings.
pub fn rustdoc() -> Step {
    let mut command = cargo(["doc", "--workspace", "--no-deps", "--document-private-items"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    Step::new("rustdoc", command)
}

/// Licences, bans and sources of the dependencies.
pub fn deny() -> Step {
    Step::new("cargo deny", cargo(["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]))
}

impl Step {
    /// A step of that name.
    pub fn new(name: &str, command: Command) -> Self {
        Self { name: name.to_owned(), command }
    }

    /// Runs it, shows what it prints, and counts: the tests it says it ran, or itself as one.
    pub fn run(mut self) -> Count {
        eprintln!("\n── {} ──", self.name);
        #[expect(clippy::disallowed_methods, reason = "a tool that times its steps")]
        let started = std::time::Instant::now();
        let counted = Arc::new(Mutex::new((Count::default(), false)));
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let good = match self.command.spawn() {
            Err(error) => {
                eprintln!("{:?} does not start: {error}", self.command.get_program());
                false
            }
            Ok(mut child) => {
                let streams: [Option<Box<dyn Read + Send>>; 2] = [
                    child.stdout.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
                    child.stderr.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
                ];
                let readers: Vec<_> = streams
                    .into_iter()
                    .flatten()
                    .map(|stream| {
                        let counted = counted.clone();
                        std::thread::spawn(move || show(stream, &counted))
                    })
                    .collect();
                let status = child.wait();
                for reader in readers {
                    // a reader that panicked has shown why
                    let _ = reader.join();
                }
                status.is_ok_and(|s| s.success())
            }
        };
        let (mut count, ran_tests) = *counted.lock().unwrap_or_else(PoisonError::into_inner);
        if !ran_tests {
            count = if good { Count { passed: 1, failed: 0 } } else { Count { passed: 0, failed: 1 } };
        } else if !good && count.failed == 0 {
            count.failed = 1;
        }
        let word = if good { "done" } else { "FAILED" };
        eprintln!("── {}: {word} in {:.0} s ──", self.name, started.elapsed().as_secs_f64());
        count
    }
}

fn show(stream: impl Read, counted: &Mutex<(Count, bool)>) {
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        // a closed terminal is no reason to stop
        let _ = writeln!(std::io::stderr(), "{line}");
        if let Some(count) = of_line(&plain(&line)) {
            let mut total = counted.lock().unwrap_or_else(PoisonError::into_inner);
            total.0 = [total.0, count].into_iter().sum();
            total.1 = true;
        }
    }
}

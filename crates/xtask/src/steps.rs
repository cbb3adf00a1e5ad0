//! The commands as lists of steps.
//!
//! In `test` each artefact is built once: one build of all targets with the features of the whole
//! workspace, which the suites then use; clippy's check artefacts, which rustdoc then uses.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::counts::{self, Counts};
use crate::run::{Watch, cargo, pretty, program, quiet, root, shown, target_dir, teed};
use crate::{fuzz, tools};

/// Where tests/js writes the closing lines of `node --test`.
const NODE_SUMMARY: &str = "ORRERY_NODE_SUMMARY";
/// The server that end-to-end tests start.
const TEST_GATEWAY: &str = "ORRERY_TEST_GATEWAY";
const TEST_POLLER: &str = "ORRERY_TEST_POLLER";
const TEST_NODE: &str = "ORRERY_TEST_NODE";

/// What came of a step.
struct Done {
    name: &'static str,
    took: String,
    counts: Counts,
    /// Not a runner of tests: passed or failed as a whole.
    whole: bool,
}

/// Steps run so far.
struct Progress {
    planned: usize,
    done: Vec<Done>,
    watch: Watch,
}

impl Progress {
    fn new(planned: usize) -> Self {
        Self { planned, done: Vec::new(), watch: Watch::start() }
    }

    fn run(&mut self, name: &'static str, whole: bool, step: impl FnOnce() -> Result<Counts>) -> bool {
        println!("\n=== [{}/{}] {name}", self.done.len() + 1, self.planned);
        let watch = Watch::start();
        let counts = step().unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            Counts { failed: 1, ..Counts::default() }
        });
        let took = pretty(watch.elapsed());
        let good = counts.failed == 0;
        println!(
            "=== [{}/{}] {name}: {} ({took})",
            self.done.len() + 1,
            self.planned,
            if good { "ok" } else { "FAILED" }
        );
        self.done.push(Done { name, took, counts, whole });
        good
    }

    /// A step that passes or fails as a whole.
    fn whole(&mut self, name: &'static str, step: impl FnOnce() -> Result<bool>) -> bool {
        self.run(name, true, || {
            let good = step()?;
            Ok(Counts { passed: u64::from(good), failed: u64::from(!good), skipped: 0 })
        })
    }

    /// A step that counts tests.
    fn tests(&mut self, name: &'static str, step: impl FnOnce() -> Result<Counts>) -> bool {
        self.run(name, false, step)
    }

    /// Prints the table and the closing line.
    fn finish(self) -> bool {
        println!("\n{:<28} {:>10} {:>8} {:>8}", "step", "time", "passed", "failed");
        let mut sum = Counts::default();
        for done in &self.done {
            let Counts { passed, failed, skipped } = done.counts;
            let note = if skipped > 0 { format!("  ({skipped} not run)") } else { String::new() };
            let word = |n: u64, word: &str| if done.whole && n > 0 { word.to_owned() } else { n.to_string() };
            println!(
                "{:<28} {:>10} {:>8} {:>8}{note}",
                done.name,
                done.took,
                word(passed, "ok"),
                word(failed, "FAILED")
            );
            sum += done.counts;
            // a test that exists and does not run proves nothing
            sum.failed += skipped;
        }
        println!("{:<28} {:>10}", "total", pretty(self.watch.elapsed()));
        if sum.skipped > 0 {
            println!("{} test(s) were not run and count as failed", sum.skipped);
        }
        println!("{} passed, {} failed", sum.passed, sum.failed);
        sum.failed == 0
    }
}

/// The counts that a runner printed; a runner that failed without a failed test (it did not compile)
/// counts as one failure, and so does one that printed no counts.
fn counted(good: bool, counts: Option<Counts>) -> Counts {
    let mut counts = counts.unwrap_or(Counts { failed: 1, ..Counts::default() });
    if !good && counts.failed == 0 {
        counts.failed = 1;
    }
    counts
}

fn fmt_check() -> Result<bool> {
    let good = shown(cargo().args(["fmt", "--all", "--check"]))?;
    if !good {
        println!("run `cargo xtask fmt`");
    }
    Ok(good)
}

fn clippy() -> Result<bool> {
    shown(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"]))
}

fn rustdoc() -> Result<bool> {
    shown(cargo().env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps", "--locked", "--quiet"]))
}

fn deny() -> Result<bool> {
    Ok(tools::cargo_deny()?
        && shown(cargo().args(["deny", "--log-level", "warn", "check", "licenses", "bans", "sources"]))?)
}

fn npm_install() -> Result<bool> {
    let folder = root().join("tests/js");
    shown(program("npm").current_dir(folder).args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--loglevel=error",
    ]))
}

/// A program to test: a copy, so that a build in between cannot swap it under the tests.
fn copy_of(name: &str) -> Result<PathBuf> {
    let target = target_dir()?;
    let (built, folder) = (target.join("debug").join(name), target.join("xtask"));
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let copy = folder.join(name);
    // another name first: a running copy of an earlier run may not be written to
    let fresh = folder.join(format!("{name}.new"));
    std::fs::copy(&built, &fresh).with_context(|| built.display().to_string())?;
    std::fs::rename(&fresh, &copy).with_context(|| copy.display().to_string())?;
    Ok(copy)
}

/// Cargo beside a private PostgreSQL and Redis, which end with it.
fn with_servers() -> Result<Command> {
    let mut command = program(&target_dir()?.join("debug/with-servers").to_string_lossy());
    command.arg(cargo().get_program());
    Ok(command)
}

/// The runner of the suites: nextest, else cargo's own.
fn suites(filter: &[String], only_e2e: bool) -> Result<Counts> {
    let (gateway, poller, node) = (copy_of("orrery-gateway")?, copy_of("orrery-poller")?, copy_of("orrery-node")?);
    let node_summary = target_dir()?.join("xtask/node-summary.txt");
    // one of an earlier run is not ours
    let _ = std::fs::remove_file(&node_summary);
    let nextest = tools::has_nextest();
    let mut command = with_servers()?;
    command.env(TEST_GATEWAY, gateway).env(TEST_POLLER, poller).env(TEST_NODE, node).env(NODE_SUMMARY, &node_summary);
    if nextest {
        command.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
    } else {
        println!("cargo-nextest is not there; using cargo test");
        command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
        if !only_e2e {
            command.args(["--lib", "--bins", "--tests"]);
        }
    }
    if only_e2e {
        command.args(["--test", "e2e"]);
    }
    if nextest || filter.is_empty() {
        command.args(filter);
    } else {
        command.arg("--").args(filter);
    }
    let (good, output) = teed(&mut command)?;
    let mut sum = counted(good, if nextest { counts::nextest(&output) } else { counts::cargo_test(&output) });
    if !filter.is_empty() {
        // left out on purpose
        sum.skipped = 0;
    }
    match std::fs::read_to_string(&node_summary) {
        // the failure itself is also one of the Rust test that ran node
        Ok(text) => sum += counted(true, counts::node(&text)),
        Err(_) if filter.is_empty() => println!("no summary of node's tests: see the test `js`"),
        Err(_) => {}
    }
    Ok(sum)
}

fn doctests() -> Result<Counts> {
    let (good, output) = teed(cargo().args(["test", "--workspace", "--doc", "--locked", "--no-fail-fast", "--quiet"]))?;
    Ok(counted(good, counts::cargo_test(&output)))
}

fn build() -> Command {
    let mut command = cargo();
    command.args(["build", "--workspace", "--all-targets", "--locked"]);
    command
}

/// `cargo xtask test`.
pub(crate) fn test() -> Result<bool> {
    let schemathesis = fuzz::found()?;
    let mut progress = Progress::new(if schemathesis.is_some() { 10 } else { 9 });
    if let Some(version) = quiet(program("rustc").arg("--version")) {
        println!("{}", version.trim());
    }
    progress.whole("tools", tools::system_packages);
    progress.whole("format", fmt_check);
    progress.whole("npm packages", npm_install);
    if progress.whole("build", || shown(&mut build())) {
        progress.tests("suites", || suites(&[], false));
        progress.tests("doctests", doctests);
        match &schemathesis {
            Some(tool) => {
                progress.whole("schemathesis, briefly", || fuzz::bounded(tool));
            }
            None => println!("schemathesis is left out: `cargo xtask setup --schemathesis` gets it"),
        }
    } else {
        println!("the suites need the build, so they count as failed");
        progress.whole("suites", || Ok(false));
        progress.whole("doctests", || Ok(false));
        if schemathesis.is_some() {
            progress.whole("schemathesis, briefly", || Ok(false));
        }
    }
    progress.whole("clippy", clippy);
    progress.whole("documentation", rustdoc);
    progress.whole("licences, bans, sources", deny);
    Ok(progress.finish())
}

/// `cargo xtask check`.
pub(crate) fn check() -> Result<bool> {
    shown(cargo().args(["check", "--workspace", "--all-targets"]))
}

/// `cargo xtask fast`.
pub(crate) fn fast() -> Result<bool> {
    let mut progress = Progress::new(1);
    progress.tests("suites of the crates", || {
        let nextest = tools::has_nextest();
        if !shown(cargo().args(["build", "--quiet", "--package", "orrery-testkit", "--bins"]))? {
            return Ok(Counts { failed: 1, ..Counts::default() });
        }
        let mut command = with_servers()?;
        command.args(if nextest { ["nextest", "run"].as_slice() } else { ["test"].as_slice() });
        command.args(["--workspace", "--exclude", "e2e", "--no-fail-fast"]);
        let (good, output) = teed(&mut command)?;
        Ok(counted(good, if nextest { counts::nextest(&output) } else { counts::cargo_test(&output) }))
    });
    Ok(progress.finish())
}

/// `cargo xtask lint`.
pub(crate) fn lint() -> Result<bool> {
    let mut progress = Progress::new(3);
    progress.whole("format", fmt_check);
    progress.whole("clippy", clippy);
    progress.whole("documentation", rustdoc);
    Ok(progress.finish())
}

/// `cargo xtask tidy`.
pub(crate) fn tidy() -> Result<bool> {
    // features of the whole workspace, so that nothing is built for this alone
    shown(cargo().args(["test", "--quiet", "--workspace", "--test", "e2e", "--", "tidy::"]))
}

/// `cargo xtask e2e`.
pub(crate) fn e2e(filter: &[String]) -> Result<bool> {
    let mut progress = Progress::new(4);
    progress.whole("tools", tools::system_packages);
    progress.whole("npm packages", npm_install);
    if progress.whole("build", || shown(cargo().args(["build", "--workspace", "--bins"]))) {
        progress.tests("end to end", || suites(filter, true));
    }
    Ok(progress.finish())
}

/// `cargo xtask fmt`.
pub(crate) fn fmt() -> Result<bool> {
    shown(cargo().args(["fmt", "--all"]))
}

/// `cargo xtask bench`.
pub(crate) fn bench(arguments: &[String]) -> Result<bool> {
    shown(cargo().args(["bench", "--package", "benches"]).args(arguments))
}

/// `cargo xtask audit`.
pub(crate) fn audit() -> Result<bool> {
    Ok(tools::cargo_deny()? && shown(cargo().args(["deny", "check", "advisories"]))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_that_fails_counts() {
        let some = |passed, failed| Some(Counts { passed, failed, skipped: 0 });
        assert_eq!(counted(true, some(3, 0)).failed, 0);
        assert_eq!(counted(false, some(3, 2)).failed, 2);
        assert_eq!(counted(false, some(3, 0)).failed, 1, "it did not compile");
        assert_eq!(counted(true, None).failed, 1, "it printed no counts");
    }

    #[test]
    fn a_failed_step_fails_the_whole() {
        let mut progress = Progress::new(2);
        assert!(progress.whole("good", || Ok(true)));
        assert!(!progress.whole("bad", || Ok(false)));
        assert!(!progress.finish());
        let mut progress = Progress::new(1);
        assert!(!progress.whole("broken", || anyhow::bail!("no such program")));
        assert!(!progress.finish());
        let mut progress = Progress::new(1);
        progress.tests("skipping", || Ok(Counts { passed: 1, failed: 0, skipped: 1 }));
        assert!(!progress.finish(), "a skipped test is no passed one");
    }
}

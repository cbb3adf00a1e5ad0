//! The project's commands: `cargo xtask help` lists them.
//!
//! `test` is what a contributor runs before a change is handed in and what continuous integration
//! runs. It needs cargo and, for the browser and Socket.IO clients, what it installs or names itself.

mod counts;
mod fuzz;
mod run;
mod steps;
mod tools;

use std::process::ExitCode;

use anyhow::bail;

const HELP: &str = "\
cargo xtask COMMAND

  test           everything: format, build, all suites, lints, documentation, licences
  check          does it compile? (fastest)
  lint           format, clippy and documentation, warnings denied
  fast           the suites of the crates, without end-to-end tests
  tidy           the repository's own rules: layers, sources, links, migrations
  e2e [FILTER]   end-to-end tests with the real server, those whose name contains FILTER
  fmt            format the sources
  bench [ARGS]   the criterion benches
  schemathesis [ARGS]
                 requests made from the OpenAPI document, good and bad, to a real server (needs Python 3;
                 installs schemathesis once). Where it is installed, `test` runs a minute of it
  audit          known vulnerabilities of dependencies (needs internet)
  setup [--schemathesis]
                 install what `test` needs, or say what is missing; also what it runs only where it is there
  help           this

The exit code is 0 only if nothing failed. `test` ends with a line `N passed, M failed`: every test of
every runner counts, and so does every step that is not a test runner.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    match dispatch(command, rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; false when something failed.
fn dispatch(command: &str, rest: &[String]) -> anyhow::Result<bool> {
    let takes_arguments =
        matches!(command, "e2e" | "bench" | "schemathesis") || (command == "setup" && rest == ["--schemathesis"]);
    if !takes_arguments && !rest.is_empty() {
        bail!("`{command}` takes no arguments; see `cargo xtask help`");
    }
    match command {
        "test" => steps::test(),
        "check" => steps::check(),
        "fast" => steps::fast(),
        "lint" => steps::lint(),
        "tidy" => steps::tidy(),
        "e2e" => steps::e2e(rest),
        "fmt" => steps::fmt(),
        "bench" => steps::bench(rest),
        "schemathesis" => fuzz::schemathesis_run(rest),
        "audit" => steps::audit(),
        "setup" => {
            if !rest.is_empty() {
                fuzz::install()?;
            }
            tools::setup()
        }
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(true)
        }
        other => bail!("no command `{other}`; see `cargo xtask help`"),
    }
}

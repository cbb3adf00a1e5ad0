//! The project's own commands: `cargo xtask help`.

mod count;
mod step;
mod tools;

use std::process::ExitCode;

use count::Count;
use step::{Step, cargo};

const HELP: &str = "\
cargo xtask COMMAND

  test    everything: format, suites, end to end, documentation tests, lints, rustdoc, licences;
          installs what is missing and ends with one line, `N passed, M failed`
  fast    the suites of the crates alone
  e2e     the end-to-end tests alone
  lint    format, clippy, rustdoc, licences and bans
  tidy    the structure tests alone
  fmt     format the code
  bench   the criterion benches (the load tool is `cargo run --release -p benches --bin load -- --help`)
  audit   known vulnerabilities of the dependencies; needs the internet
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let steps = match arguments.first().map(String::as_str) {
        Some("test") => {
            let mut steps = vec![step::format(), step::gateway(), step::suites(&[])];
            steps.extend([step::doctests(), step::clippy(), step::rustdoc(), step::deny()]);
            steps
        }
        Some("fast") => vec![step::suites(&["--exclude", "e2e"])],
        Some("e2e") => vec![step::gateway(), step::one_package("e2e", &[])],
        Some("lint") => vec![step::format(), step::clippy(), step::rustdoc(), step::deny()],
        Some("tidy") => vec![step::one_package("e2e", &["tidy"])],
        Some("fmt") => vec![Step::new("format", cargo(["fmt", "--all"]))],
        Some("bench") => vec![Step::new("benches", cargo(["bench", "-p", "benches"]))],
        Some("audit") => vec![Step::new("advisories", cargo(["deny", "check", "advisories"]))],
        _ => {
            print!("{HELP}");
            let asked = arguments.first().is_none_or(|a| a == "help" || a == "--help");
            return if asked { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    };
    let needs_tools = matches!(arguments[0].as_str(), "test" | "e2e" | "lint");
    if needs_tools && let Err(error) = tools::provide(arguments[0] != "lint") {
        eprintln!("xtask: {error:#}");
        println!("0 passed, 1 failed");
        return ExitCode::FAILURE;
    }
    let total: Count = steps.into_iter().map(Step::run).sum();
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

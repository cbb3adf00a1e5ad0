//! A program that can be a runner, as the server is: the tests start it.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(orrery_exec_unix::RUNNER) {
        return orrery_exec_unix::child();
    }
    ExitCode::FAILURE
}

//! `venues check-fixtures`: connectors against recorded cases.

use std::path::Path;
use std::process::ExitCode;

use orrery_venues::conformance::{Row, check};

use super::args::VenuesCommand;
use super::output::{Lines, complain};

/// What the process ends with when the cases cannot be read.
const UNREADABLE: u8 = 3;

pub async fn run(command: &VenuesCommand) -> ExitCode {
    match command {
        VenuesCommand::CheckFixtures { directory } => check_fixtures(directory).await,
    }
}

async fn check_fixtures(directory: &Path) -> ExitCode {
    let rows = match check(directory).await {
        Ok(rows) => rows,
        Err(error) => {
            complain(&format!("error: {error}"));
            return ExitCode::from(UNREADABLE);
        }
    };
    let mut lines = Lines::new();
    for row in &rows {
        lines.line(&format!("{} {} {} {}/{}", row.venue, row.kind, row.method, row.passed(), row.total));
        for failed in &row.failed {
            complain(&format!("{} {} {}: {failed}", row.venue, row.kind, row.method));
        }
    }
    let sum = |count: fn(&Row) -> usize| rows.iter().map(count).sum::<usize>();
    let (passed, total) = (sum(Row::passed), sum(|row| row.total));
    lines.line(&format!("fixtures: {passed}/{total}"));
    if passed == total { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

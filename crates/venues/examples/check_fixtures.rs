//! Runs recorded cases of a directory, all of them or one exchange's, and says what was found instead.
//!
//! `cargo run -p orrery-venues --example check_fixtures -- testdata/venues okx`

use std::process::ExitCode;

use orrery_venues::Venue;
use orrery_venues::conformance::{CaseFile, Kind, check};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (directory, only) = (arguments.next().unwrap_or_default(), arguments.next());
    let mut files = Vec::new();
    for kind in Kind::ALL {
        for venue in Venue::ALL {
            if only.as_ref().is_none_or(|only| *only == venue.to_string()) {
                let file = std::fs::read_to_string(format!("{directory}/{kind}/{venue}.json"));
                files.extend(file.ok().map(|text| CaseFile { kind, venue, text }));
            }
        }
    }
    let rows = match check(&files).await {
        Ok(rows) => rows,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let (mut passed, mut total) = (0, 0);
    for row in &rows {
        println!("{} {} {} {}/{}", row.venue, row.kind, row.method, row.passed(), row.total);
        row.failed.iter().for_each(|fault| println!("  {fault}"));
        (passed, total) = (passed + row.passed(), total + row.total);
    }
    println!("fixtures: {passed}/{total}");
    if passed == total { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

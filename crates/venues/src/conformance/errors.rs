//! Answers that refuse, and the class of error each stands for.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Outcome;
use crate::{Reply, Venue, json};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    status: u16,
    body: Box<RawValue>,
    call: String,
    throws: Throws,
}

#[derive(Deserialize)]
struct Throws {
    class: String,
}

pub(super) fn outcomes(venue: Venue, text: &str) -> Result<Vec<Outcome>, serde_json::Error> {
    let file: File = serde_json::from_str(text)?;
    file.cases.into_iter().map(|case| outcome(venue, case)).collect()
}

fn outcome(venue: Venue, case: Case) -> Result<Outcome, serde_json::Error> {
    let raw = case.body.get();
    let body = if raw.starts_with('"') {
        serde_json::from_str(raw)?
    } else {
        // as an exchange sends it: without the spaces of the file
        json::parse(raw).map_or_else(|| raw.to_owned(), |value| value.to_string())
    };
    // cases do not name the host that was asked; it was the one of the spot market
    let reply = Reply { status: case.status, url: "", body: &body };
    let found = venue.read(&reply).err().map(|error| error.class());
    let expected = case.throws.class;
    let fault = (found.is_none_or(|class| class.name() != expected)).then(|| {
        let found = found.map_or("no error", crate::ErrorClass::name);
        format!("status {}: {found} instead of {expected}", case.status)
    });
    Ok(Outcome { method: case.call, fault })
}

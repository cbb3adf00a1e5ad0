//! Arguments of methods, and the signed requests they send, byte for byte.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Outcome;
use super::recorded::{Account, Known, Recorded, exchange};
use crate::json::{self, Json};
use crate::{Request, Venue};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    clock_ms: i64,
    credentials: Account,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    method: String,
    args: Vec<Box<RawValue>>,
    requests: Vec<Expected>,
    #[serde(default)]
    signing: Vec<Signing>,
    throws: Option<Throws>,
}

#[derive(Deserialize)]
struct Expected {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

#[derive(Deserialize)]
struct Signing {
    #[serde(default)]
    payload: Value,
}

#[derive(Deserialize)]
struct Throws {
    name: String,
}

/// The account of the cases.
pub(super) fn account(text: &str) -> serde_json::Result<Account> {
    #[derive(Deserialize)]
    struct Whose {
        credentials: Account,
    }
    Ok(serde_json::from_str::<Whose>(text)?.credentials)
}

pub(super) async fn outcomes(venue: Venue, text: &str, known: &Known) -> serde_json::Result<Vec<Outcome>> {
    let file: File = serde_json::from_str(text)?;
    let mut outcomes = Vec::new();
    for case in &file.cases {
        let answers = Recorded::of_account(venue);
        let (exchange, wire) = exchange(venue, Some(&file.credentials), file.clock_ms, answers, Some(known));
        let arguments: Option<Vec<Json<'_>>> = case.args.iter().map(|raw| json::parse(raw.get())).collect();
        let result = exchange.call(&case.method, &arguments.unwrap_or_default()).await;
        let fault = case.thrown(result.err().as_ref()).or_else(|| case.difference(&wire.sent()));
        outcomes.push(Outcome { method: case.method.clone(), fault });
    }
    Ok(outcomes)
}

impl Case {
    /// Answers of these cases are empty, but for the account's number: an error counts only where one is expected, or
    /// where nothing is done at all.
    fn thrown(&self, error: Option<&crate::VenueError>) -> Option<String> {
        let found = error.map(|error| error.class().name());
        let expected = self.throws.as_ref().map(|throws| throws.name.as_str());
        let wrong = if expected.is_some() { found != expected } else { found == Some("NotSupported") };
        wrong.then(|| format!("{} instead of {}", found.unwrap_or("no error"), expected.unwrap_or("no error")))
    }

    fn difference(&self, sent: &[Request]) -> Option<String> {
        if sent.len() != self.requests.len() {
            return Some(format!("{} requests instead of {}: {sent:?}", sent.len(), self.requests.len()));
        }
        self.requests.iter().zip(sent).find_map(|(expected, found)| {
            if (expected.method.as_str(), &expected.url) != (found.verb.name(), &found.url) {
                let found = (found.verb.name(), &found.url);
                return Some(format!("{} {} instead of {} {}", found.0, found.1, expected.method, expected.url));
            }
            let headers: BTreeMap<_, _> = found.headers.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
            if headers != expected.headers {
                return Some(format!("headers {headers:?} instead of {:?}", expected.headers));
            }
            let same = expected.body == found.body || self.same_unsigned(expected.body.as_ref(), found.body.as_ref());
            (!same).then(|| format!("body {:?} instead of {:?}", found.body, expected.body))
        })
    }

    /// A JSON body that nothing signs counts by its value.
    fn same_unsigned(&self, expected: Option<&String>, found: Option<&String>) -> bool {
        let (Some(expected), Some(found)) = (expected, found) else { return false };
        let signed = self.signing.iter().any(|signing| signing.payload.to_string().contains(&quoted(expected)));
        let value = |text: &str| serde_json::from_str::<Value>(text).ok();
        !signed && value(expected).is_some() && value(expected) == value(found)
    }
}

/// The text as it stands inside of a JSON string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().trim_matches('"').to_owned()
}

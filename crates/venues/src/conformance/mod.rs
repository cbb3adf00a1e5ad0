//! Connectors against recorded cases: requests, responses, errors and streams of each exchange.
//!
//! A directory of cases holds a folder for each kind, and in it a file for each exchange, `requests/okx.json`. Source: cases made with CCXT 4.5.84 on a standing clock.

mod compare;
mod errors;
mod recorded;
mod requests;
mod responses;
mod ws;

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use self::recorded::{Account, Known};
use crate::Venue;

/// What a file's cases are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Arguments of a method, and the signed requests it sends.
    Requests,
    /// An exchange's answer, and the unified result.
    Responses,
    /// An exchange's answer, and the class of error.
    Errors,
    /// Streams: what subscribes to them, and what their messages say.
    Ws,
}

impl Kind {
    /// Every kind, in the order they are checked.
    pub const ALL: [Self; 4] = [Self::Requests, Self::Responses, Self::Errors, Self::Ws];

    /// The folder's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Responses => "responses",
            Self::Errors => "errors",
            Self::Ws => "ws",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the cases of one method came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The exchange.
    pub venue: Venue,
    /// What the cases are of.
    pub kind: Kind,
    /// The unified method.
    pub method: String,
    /// How many cases there are.
    pub total: usize,
    /// A line for each case that failed: which it is, and what was found instead.
    pub failed: Vec<String>,
}

impl Row {
    /// How many cases passed.
    pub fn passed(&self) -> usize {
        self.total - self.failed.len()
    }
}

/// A file of cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFile {
    /// What its cases are of.
    pub kind: Kind,
    /// The exchange.
    pub venue: Venue,
    /// Its text.
    pub text: String,
}

/// A file that does not hold cases.
#[derive(Debug, Error)]
#[error("{kind}/{venue}.json: {why}")]
pub struct Malformed {
    /// What its cases are of.
    pub kind: Kind,
    /// The exchange.
    pub venue: Venue,
    /// What is wrong with it.
    #[source]
    pub why: serde_json::Error,
}

/// Checks every case of these files. Requests and streams are made with the markets and currencies of the exchange's responses, if
/// they are among the files.
///
/// Errors: a file that holds no cases; a case that fails is no error.
pub async fn check(files: &[CaseFile]) -> Result<Vec<Row>, Malformed> {
    let mut rows = Vec::new();
    for CaseFile { kind, venue, text } in files {
        let (kind, venue) = (*kind, *venue);
        let of = |kind| files.iter().find(|file| file.venue == venue && file.kind == kind);
        let malformed = |kind| move |why| Malformed { kind, venue, why };
        let known = async || match of(Kind::Responses) {
            Some(file) => responses::known(venue, &file.text).await.map_err(malformed(Kind::Responses)),
            None => Ok(Known::default()),
        };
        let outcomes = match kind {
            Kind::Errors => errors::outcomes(venue, text),
            Kind::Responses => responses::outcomes(venue, text).await,
            Kind::Requests => requests::outcomes(venue, text, &known().await?).await,
            Kind::Ws => {
                let account = match of(Kind::Requests) {
                    Some(file) => requests::account(&file.text).map_err(malformed(Kind::Requests))?,
                    None => Account::any(),
                };
                ws::outcomes(venue, text, &known().await?, &account).await
            }
        };
        rows.extend(by_method(venue, kind, outcomes.map_err(malformed(kind))?));
    }
    Ok(rows)
}

/// How one case came out: its method, and what was wrong.
struct Outcome {
    method: String,
    fault: Option<String>,
}

fn by_method(venue: Venue, kind: Kind, outcomes: Vec<Outcome>) -> Vec<Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (index, Outcome { method, fault }) in outcomes.into_iter().enumerate() {
        let new = || Row { venue, kind, method: method.clone(), total: 0, failed: Vec::new() };
        let row = rows.entry(method.clone()).or_insert_with(new);
        row.total += 1;
        row.failed.extend(fault.map(|fault| format!("case {index}: {fault}")));
    }
    rows.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> Vec<CaseFile> {
        let mut files = Vec::new();
        for kind in Kind::ALL {
            for venue in Venue::ALL {
                let root = env!("CARGO_MANIFEST_DIR");
                let file = std::fs::read_to_string(format!("{root}/../../testdata/venues/{kind}/{venue}.json"));
                files.extend(file.ok().map(|text| CaseFile { kind, venue, text }));
            }
        }
        files
    }

    #[tokio::test]
    async fn every_recorded_case_passes() {
        let rows = check(&recorded()).await.unwrap();
        let failed: Vec<_> = rows.iter().filter(|row| !row.failed.is_empty()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        assert_eq!(rows.iter().filter(|row| row.kind == Kind::Errors).map(|row| row.total).sum::<usize>(), 62);
    }

    /// Recorded orders once more, which say how long they hold: only the header is new, the body is what it was.
    #[tokio::test]
    async fn orders_say_until_when_they_hold() {
        for (venue, header) in [(Venue::Okx, "expTime"), (Venue::Gate, "x-gate-exptime")] {
            let mut files: Vec<_> = recorded().into_iter().filter(|file| file.venue == venue).collect();
            let requests = files.iter_mut().find(|file| file.kind == Kind::Requests).unwrap();
            let mut file: serde_json::Value = serde_json::from_str(&requests.text).unwrap();
            let until = file["clockMs"].as_i64().unwrap() + 5_000;
            let cases = file["cases"].as_array_mut().unwrap();
            let plain = |case: &serde_json::Value| {
                let trigger = case["args"].to_string().to_lowercase();
                case["method"] == "createOrder" && case["args"][5].is_object() && !trigger.contains("price\":")
            };
            cases.retain(plain);
            assert!(!cases.is_empty());
            for case in cases {
                case["args"][5]["recvWindow"] = 5_000.into();
                case["requests"][0]["headers"][header] = until.to_string().into();
            }
            requests.text = file.to_string();
            let rows = check(&files).await.unwrap();
            let failed: Vec<_> = rows.iter().flat_map(|row| &row.failed).collect();
            assert!(failed.is_empty(), "{failed:#?}");
        }
    }

    #[test]
    fn a_wrong_case_fails() {
        let text = r#"{"cases":[{"status":200,"body":{"code":"0"},"call":"createOrder","throws":{"class":"BadRequest"}},
            {"status":200,"body":{"code":"50113"},"call":"createOrder","throws":{"class":"BadRequest"}},
            {"status":502,"body":"","call":"fetchTime","throws":{"class":"ExchangeNotAvailable"}}]}"#;
        let rows = by_method(Venue::Okx, Kind::Errors, errors::outcomes(Venue::Okx, text).unwrap());
        let expected = [
            "case 0: status 200: no error instead of BadRequest",
            "case 1: status 200: AuthenticationError instead of BadRequest",
        ];
        assert_eq!(rows.iter().map(|row| (row.passed(), row.total)).collect::<Vec<_>>(), [(0, 2), (1, 1)]);
        assert_eq!(rows[0].failed, expected);
    }

    #[tokio::test]
    async fn broken_input_is_told() {
        let of = |text: &str| [CaseFile { kind: Kind::Errors, venue: Venue::Okx, text: text.to_owned() }];
        let said = check(&of("{")).await.unwrap_err().to_string();
        assert!(said.starts_with("errors/okx.json: EOF"), "{said}");
        assert_eq!(check(&of(r#"{"cases":[]}"#)).await.unwrap(), []);
    }
}

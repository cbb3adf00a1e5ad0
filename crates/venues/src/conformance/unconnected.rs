//! Cases of what no connector does yet: each is counted, and none passes.

use serde::Deserialize;

use super::Outcome;

/// What is said of such a case.
pub(super) const FAULT: &str = "the connector does not do this yet";

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    cases: Vec<Case>,
    #[serde(default)]
    subscriptions: Vec<Case>,
    #[serde(default)]
    messages: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default = "message")]
    method: String,
}

fn message() -> String {
    "message".to_owned()
}

pub(super) fn outcomes(text: &str) -> Result<Vec<Outcome>, serde_json::Error> {
    let File { cases, subscriptions, messages } = serde_json::from_str(text)?;
    let all = cases.into_iter().chain(subscriptions).chain(messages);
    Ok(all.map(|case| Outcome { method: case.method, fault: Some(FAULT.to_owned()) }).collect())
}

//! Requests: V5 "Integration Guidance", section "Authentication".

use crate::exchange::Result;
use crate::{Exchange, Fields, Request, Verb, mac};

const BASE: &str = "https://api.bybit.com";
/// How long after its time the exchange takes a request, in milliseconds.
const RECEIVE_WINDOW: &str = "5000";

/// What everybody may ask.
pub(super) fn public(path: &str, fields: &Fields) -> Request {
    let url = if fields.is_empty() { format!("{BASE}/{path}") } else { format!("{BASE}/{path}?{}", fields.query()) };
    Request { verb: Verb::Get, url, headers: Vec::new(), body: None }
}

/// What the account asks: the query is signed, or the body.
pub(super) fn private(exchange: &Exchange, verb: Verb, path: &str, fields: &Fields) -> Result<Request> {
    let credentials = exchange.credentials()?;
    let time = exchange.now().to_string();
    let (query, body) = match verb {
        Verb::Get | Verb::Delete => (fields.query(), None),
        Verb::Post | Verb::Put | Verb::Patch => (String::new(), Some(fields.json())),
    };
    let parts = [time.as_str(), credentials.api_key.expose(), RECEIVE_WINDOW, body.as_deref().unwrap_or(&query)];
    let signature = mac::sha256(credentials.secret.expose().as_bytes(), &parts.map(str::as_bytes))?;
    let mut headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("X-BAPI-API-KEY", credentials.api_key.expose().clone()),
        ("X-BAPI-TIMESTAMP", time),
        ("X-BAPI-RECV-WINDOW", RECEIVE_WINDOW.to_owned()),
        ("X-BAPI-SIGN", hex::encode(signature)),
    ];
    if body.is_some() {
        // whose library's conventions are spoken; other clients of them are known by it too
        headers.push(("Referer", "CCXT".to_owned()));
    }
    let url = if query.is_empty() { format!("{BASE}/{path}") } else { format!("{BASE}/{path}?{query}") };
    Ok(Request { verb, url, headers, body })
}

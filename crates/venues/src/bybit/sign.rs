//! Requests: V5 "Integration Guidance", section "Authentication".

use crate::exchange::Result;
use crate::{Exchange, Fields, Request, Verb, mac};

const BASE: &str = "https://api.bybit.com";
/// How long after its time the exchange takes a request, in milliseconds.
const RECEIVE_WINDOW: &str = "5000";

/// What everybody may ask.
pub(super) fn public(path: &str, fields: &Fields) -> Request {
    let query = fields.plain_query();
    let url = if query.is_empty() { format!("{BASE}/{path}") } else { format!("{BASE}/{path}?{query}") };
    Request { verb: Verb::Get, url, headers: Vec::new(), body: None }
}

/// What the account asks: the query is signed.
pub(super) fn private(exchange: &Exchange, path: &str, fields: &Fields) -> Result<Request> {
    let query = fields.plain_query();
    let headers = signed(exchange, &query)?;
    Ok(Request { verb: Verb::Get, url: format!("{BASE}/{path}?{query}"), headers, body: None })
}

/// What the account does: the body is signed.
pub(super) fn post(exchange: &Exchange, path: &str, fields: &Fields) -> Result<Request> {
    let body = fields.json();
    let mut headers = signed(exchange, &body)?;
    // whose library's conventions are spoken; other clients of them are known by it too
    headers.push(("Referer", "CCXT".to_owned()));
    Ok(Request { verb: Verb::Post, url: format!("{BASE}/{path}"), headers, body: Some(body) })
}

fn signed(exchange: &Exchange, said: &str) -> Result<Vec<(&'static str, String)>> {
    let credentials = exchange.credentials()?;
    let time = exchange.now().to_string();
    let parts = [time.as_str(), credentials.api_key.expose(), RECEIVE_WINDOW, said];
    let signature = mac::sha256(credentials.secret.expose().as_bytes(), &parts.map(str::as_bytes))?;
    Ok(vec![
        ("Content-Type", "application/json".to_owned()),
        ("X-BAPI-API-KEY", credentials.api_key.expose().clone()),
        ("X-BAPI-TIMESTAMP", time),
        ("X-BAPI-RECV-WINDOW", RECEIVE_WINDOW.to_owned()),
        ("X-BAPI-SIGN", mac::hex(signature)),
    ])
}

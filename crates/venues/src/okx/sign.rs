//! Requests: V5 "Overview", section "REST Authentication".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::exchange::Result;
use crate::unified::Time;
use crate::{Credentials, ErrorClass, Exchange, Fields, Request, VenueError, Verb, mac};

const HOST: &str = "https://www.okx.com";

/// What everybody may ask.
pub(super) fn public(path: &str, fields: &Fields) -> Request {
    Request { verb: Verb::Get, url: format!("{HOST}{}", address(path, fields)), headers: Vec::new(), body: None }
}

/// What the account asks: the address is signed with its query.
pub(super) fn get(exchange: &Exchange, path: &str, fields: &Fields) -> Result<Request> {
    let address = address(path, fields);
    let headers = headers(exchange, Verb::Get, &address, "")?;
    Ok(Request { verb: Verb::Get, url: format!("{HOST}{address}"), headers, body: None })
}

/// What the account does: the body is signed, one object or a list of them.
pub(super) fn post(exchange: &Exchange, path: &str, body: String) -> Result<Request> {
    let address = address(path, &Fields::new());
    let mut headers = headers(exchange, Verb::Post, &address, &body)?;
    headers.push(("Content-Type", "application/json".to_owned()));
    Ok(Request { verb: Verb::Post, url: format!("{HOST}{address}"), headers, body: Some(body) })
}

/// Several objects as one body.
pub(super) fn list(of: &[Fields]) -> String {
    let objects: Vec<_> = of.iter().map(Fields::json).collect();
    format!("[{}]", objects.join(","))
}

/// The account's key, and its passphrase.
pub(super) fn account(exchange: &Exchange) -> Result<(&Credentials, &str)> {
    let credentials = exchange.credentials()?;
    let none = || VenueError::new(ErrorClass::AuthenticationError, "okx requires \"password\", the key's passphrase");
    let passphrase = credentials.password.as_ref().ok_or_else(none)?;
    Ok((credentials, passphrase.expose()))
}

fn address(path: &str, fields: &Fields) -> String {
    let query = fields.query();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/api/v5/{path}{mark}{query}")
}

fn headers(exchange: &Exchange, verb: Verb, address: &str, body: &str) -> Result<Vec<(&'static str, String)>> {
    let (credentials, passphrase) = account(exchange)?;
    let time = Time(Some(exchange.now())).iso().unwrap_or_default();
    let parts = [time.as_str(), verb.name(), address, body].map(str::as_bytes);
    let signature = mac::sha256(credentials.secret.expose().as_bytes(), &parts)?;
    Ok(vec![
        ("OK-ACCESS-KEY", credentials.api_key.expose().clone()),
        ("OK-ACCESS-PASSPHRASE", passphrase.to_owned()),
        ("OK-ACCESS-TIMESTAMP", time),
        ("OK-ACCESS-SIGN", STANDARD.encode(signature)),
    ])
}

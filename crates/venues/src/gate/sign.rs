//! Requests: APIv4, section "APIv4 signed request requirements".

use sha2::{Digest as _, Sha512};

use crate::exchange::Result;
use crate::{Exchange, Fields, Request, Value, Verb, mac};

const HOST: &str = "https://api.gateio.ws";
/// What every path begins with; it is signed too.
const ROOT: &str = "/api/v4";

/// What everybody may ask.
pub(super) fn public(path: &str, fields: &Fields) -> Request {
    Request { verb: Verb::Get, url: address(path, fields), headers: Vec::new(), body: None }
}

/// What the account asks for in the query.
pub(super) fn asked(exchange: &Exchange, verb: Verb, path: &str, fields: &Fields) -> Result<Request> {
    // an order is changed by what stands in both
    let body = (verb == Verb::Patch).then(|| fields.json());
    signed(exchange, verb, path, fields, body)
}

/// What the account says in the body.
pub(super) fn told(exchange: &Exchange, verb: Verb, path: &str, body: &Value) -> Result<Request> {
    signed(exchange, verb, path, &Fields::new(), Some(body.json()))
}

fn address(path: &str, fields: &Fields) -> String {
    let query = fields.query();
    if query.is_empty() { format!("{HOST}{ROOT}/{path}") } else { format!("{HOST}{ROOT}/{path}?{query}") }
}

fn signed(exchange: &Exchange, verb: Verb, path: &str, fields: &Fields, body: Option<String>) -> Result<Request> {
    let credentials = exchange.credentials()?;
    let time = exchange.now().div_euclid(1000).to_string();
    let digest = mac::hex(Sha512::digest(body.as_deref().unwrap_or_default()));
    let lines = [verb.name(), &format!("{ROOT}/{path}"), &fields.plain_query(), &digest, &time].join("\n");
    let signature = mac::sha512(credentials.secret.expose().as_bytes(), &[lines.as_bytes()])?;
    let headers = vec![
        ("KEY", credentials.api_key.expose().clone()),
        ("Timestamp", time),
        ("SIGN", mac::hex(signature)),
        ("Content-Type", "application/json".to_owned()),
    ];
    Ok(Request { verb, url: address(path, fields), headers, body })
}

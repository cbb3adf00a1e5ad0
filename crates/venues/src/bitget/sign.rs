//! Requests: "Quick Start", section "Signature".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::exchange::{Result, not_supported};
use crate::{ErrorClass, Exchange, Fields, Request, Venue, VenueError, Verb, mac};

const HOST: &str = "https://api.bitget.com";

/// Parameters without the one that asks for the unified account, which has an API of its own.
fn classic(fields: Fields) -> Result<Fields> {
    if fields.flag("uta") {
        return Err(not_supported(Venue::Bitget, "unified accounts"));
    }
    Ok(fields.without(&["uta"]))
}

/// What everybody may ask.
pub(super) fn public(path: &str, fields: Fields) -> Result<Request> {
    let query = classic(fields)?.query();
    let mark = if query.is_empty() { "" } else { "?" };
    Ok(Request { verb: Verb::Get, url: format!("{HOST}/api/{path}{mark}{query}"), headers: Vec::new(), body: None })
}

/// What the account asks: the query is signed, or the body.
pub(super) fn private(exchange: &Exchange, verb: Verb, path: &str, fields: Fields) -> Result<Request> {
    let credentials = exchange.credentials()?;
    let none = || VenueError::new(ErrorClass::AuthenticationError, "bitget requires \"password\"");
    let password = credentials.password.as_ref().ok_or_else(none)?;
    let fields = classic(fields)?;
    let time = exchange.now().to_string();
    let path = format!("/api/{path}");
    // the query is signed as it reads, and sent encoded
    let (sent, signed, body) = match verb {
        Verb::Post | Verb::Put | Verb::Patch => (String::new(), fields.json(), Some(fields.json())),
        Verb::Get | Verb::Delete if fields.is_empty() => Default::default(),
        Verb::Get | Verb::Delete => {
            let fields = fields.sorted();
            let query = fields.query().replacen("%24", "$", 1);
            (format!("?{query}"), format!("?{}", fields.plain_query()), None)
        }
    };
    let parts = [time.as_str(), verb.name(), path.as_str(), signed.as_str()];
    let signature = mac::sha256(credentials.secret.expose().as_bytes(), &parts.map(str::as_bytes))?;
    let mut headers = vec![
        ("ACCESS-KEY", credentials.api_key.expose().clone()),
        ("ACCESS-SIGN", STANDARD.encode(signature)),
        ("ACCESS-TIMESTAMP", time),
        ("ACCESS-PASSPHRASE", password.expose().clone()),
    ];
    if body.is_some() {
        headers.push(("Content-Type", "application/json".to_owned()));
    }
    Ok(Request { verb, url: format!("{HOST}{path}{sent}"), headers, body })
}

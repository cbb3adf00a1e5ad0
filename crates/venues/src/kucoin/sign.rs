//! Requests: "Introduction", section "Authentication".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::exchange::Result;
use crate::{ErrorClass, Exchange, Fields, Request, VenueError, Verb, mac};

/// What may not stand in an address at all; the rest is sent as it is, since it is signed so.
const NOT_IN_ADDRESSES: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// A half of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    Spot,
    Contracts,
}

impl Api {
    const fn base(self) -> &'static str {
        match self {
            Self::Spot => "https://api.kucoin.com",
            Self::Contracts => "https://api-futures.kucoin.com",
        }
    }

    fn address(self, endpoint: &str) -> String {
        format!("{}{}", self.base(), utf8_percent_encode(endpoint, NOT_IN_ADDRESSES))
    }

    /// The half of the contracts, or the other.
    pub(super) const fn of(contracts: bool) -> Self {
        if contracts { Self::Contracts } else { Self::Spot }
    }
}

fn endpoint(path: &str, fields: &Fields) -> String {
    let query = fields.plain_query();
    if query.is_empty() { format!("/api/{path}") } else { format!("/api/{path}?{query}") }
}

/// What everybody may ask.
pub(super) fn public(api: Api, path: &str, fields: &Fields) -> Request {
    Request { verb: Verb::Get, url: api.address(&endpoint(path, fields)), headers: Vec::new(), body: None }
}

/// What the account asks: by the query, or by a body of JSON.
pub(super) fn private(exchange: &Exchange, api: Api, verb: Verb, path: &str, fields: &Fields) -> Result<Request> {
    match verb {
        Verb::Get | Verb::Delete => signed(exchange, api, verb, &endpoint(path, fields), None),
        _ => {
            let body = (!fields.is_empty()).then(|| fields.json());
            signed(exchange, api, verb, &format!("/api/{path}"), body)
        }
    }
}

/// What the account asks by a body, whatever is done with the address.
pub(super) fn with_body(exchange: &Exchange, api: Api, verb: Verb, path: &str, body: String) -> Result<Request> {
    signed(exchange, api, verb, &format!("/api/{path}"), Some(body))
}

fn signed(exchange: &Exchange, api: Api, verb: Verb, endpoint: &str, body: Option<String>) -> Result<Request> {
    let credentials = exchange.credentials()?;
    let none = || VenueError::new(ErrorClass::AuthenticationError, "kucoin requires \"password\"");
    let passphrase = credentials.password.as_ref().ok_or_else(none)?;
    let secret = credentials.secret.expose().as_bytes();
    let time = exchange.now().to_string();
    let sign = |parts: &[&[u8]]| mac::sha256(secret, parts).map(|code| STANDARD.encode(code));
    let text = [time.as_str(), verb.name(), endpoint, body.as_deref().unwrap_or_default()].map(str::as_bytes);
    let (signature, passphrase) = (sign(&text)?, sign(&[passphrase.expose().as_bytes()])?);
    let mut headers = vec![
        ("KC-API-KEY-VERSION", "2".to_owned()),
        ("KC-API-KEY", credentials.api_key.expose().clone()),
        ("KC-API-TIMESTAMP", time),
    ];
    if body.is_some() {
        headers.push(("Content-Type", "application/json".to_owned()));
    }
    headers.extend([("KC-API-PASSPHRASE", passphrase), ("KC-API-SIGN", signature)]);
    Ok(Request { verb, url: api.address(endpoint), headers, body })
}

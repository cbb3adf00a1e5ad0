//! Requests: "Authentication" of the spot and of the contract markets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use orrery_kernel::Timestamp;

use crate::exchange::Result;
use crate::{Exchange, Fields, Request, Value, Verb, encoded, mac};

/// A part of the exchange, by whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    Spot,
    Contracts,
}

impl Host {
    const fn name(self) -> &'static str {
        match self {
            Self::Spot => "api.huobi.pro",
            Self::Contracts => "api.hbdm.vn",
        }
    }
}

/// What everybody may ask.
pub(super) fn public(host: Host, path: &str, fields: &Fields) -> Request {
    let url = format!("https://{}/{path}", host.name());
    let url = if fields.is_empty() { url } else { format!("{url}?{}", fields.query()) };
    Request { verb: Verb::Get, url, headers: Vec::new(), body: None }
}

/// What the account asks: the query is signed.
pub(super) fn get(exchange: &Exchange, host: Host, path: &str, fields: Fields) -> Result<Request> {
    let url = signed(exchange, Verb::Get, host, path, fields)?;
    let headers = vec![("Content-Type", "application/x-www-form-urlencoded".to_owned())];
    Ok(Request { verb: Verb::Get, url, headers, body: None })
}

/// What the account wants to be done; the body is not signed.
pub(super) fn post(exchange: &Exchange, host: Host, path: &str, body: impl Into<Value>) -> Result<Request> {
    let url = signed(exchange, Verb::Post, host, path, Fields::new())?;
    let headers = vec![("Content-Type", "application/json".to_owned())];
    Ok(Request { verb: Verb::Post, url, headers, body: Some(body.into().json()) })
}

fn signed(exchange: &Exchange, verb: Verb, host: Host, path: &str, fields: Fields) -> Result<String> {
    let credentials = exchange.credentials()?;
    let query = Fields::new()
        .with("AccessKeyId", credentials.api_key.expose().as_str())
        .with("SignatureMethod", "HmacSHA256")
        .with("SignatureVersion", "2")
        .with("Timestamp", second(exchange))
        .and(fields.sorted())
        .query();
    let host = host.name();
    let signature = signature(exchange, verb.name(), host, &format!("/{path}"), &query)?;
    Ok(format!("https://{host}/{path}?{query}&Signature={}", encoded(&signature)))
}

/// The second that it is, as requests and logins say it.
pub(super) fn second(exchange: &Exchange) -> String {
    let mut now = Timestamp::from_millis(exchange.now()).iso();
    now.truncate(19);
    now
}

/// What a query is signed with.
pub(super) fn signature(exchange: &Exchange, verb: &str, host: &str, path: &str, query: &str) -> Result<String> {
    let text = format!("{verb}\n{host}\n{path}\n{query}");
    let secret = exchange.credentials()?.secret.expose();
    Ok(BASE64.encode(mac::sha256(secret.as_bytes(), &[text.as_bytes()])?))
}

//! Requests: "Authentication", a token that names what is asked by its hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha512};

use crate::exchange::Result;
use crate::{Exchange, Fields, Request, Verb, mac};

const BASE: &str = "https://api.upbit.com/v1";

/// What everybody may ask.
pub(super) fn public(path: &str, fields: &Fields) -> Request {
    Request { verb: Verb::Get, url: address(path, fields), headers: Vec::new(), body: None }
}

/// What the account asks and does.
pub(super) fn private(exchange: &Exchange, verb: Verb, path: &str, fields: &Fields) -> Result<Request> {
    let mut headers = vec![("Authorization", format!("Bearer {}", token(exchange, &fields.plain_query())?))];
    if verb != Verb::Post {
        return Ok(Request { verb, url: address(path, fields), headers, body: None });
    }
    headers.push(("Content-Type", "application/json".to_owned()));
    Ok(Request { verb, url: format!("{BASE}/{path}"), headers, body: Some(fields.json()) })
}

fn address(path: &str, fields: &Fields) -> String {
    let query = fields.query();
    if query.is_empty() { format!("{BASE}/{path}") } else { format!("{BASE}/{path}?{query}") }
}

/// A JSON Web Token (RFC 7519) that is good for one request; `asked` is its query, also of what goes as a body.
pub(super) fn token(exchange: &Exchange, asked: &str) -> Result<String> {
    let credentials = exchange.credentials()?;
    let mut claims =
        Fields::new().with("access_key", credentials.api_key.expose().as_str()).with("nonce", exchange.uuid());
    if !asked.is_empty() {
        claims.set("query_hash", mac::hex(Sha512::digest(asked)));
        claims.set("query_hash_alg", "SHA512");
    }
    let header = Fields::new().with("alg", "HS256").with("typ", "JWT");
    let signed = [header.json(), claims.json()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let signature = mac::sha256(credentials.secret.expose().as_bytes(), &[signed.as_bytes()])?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

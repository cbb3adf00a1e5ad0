//! Addresses and signed requests: "Coinbase App API Key Authentication" and the older keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::SecretKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;

use crate::exchange::Result;
use crate::query::Query;
use crate::{ErrorClass, Exchange, Fields, Request, Value, VenueError, Verb, mac};

const HOST: &str = "api.coinbase.com";
/// The version of the older paths that their answers are read by.
const VERSION: (&str, &str) = ("CB-VERSION", "2018-05-30");
/// How long a token holds, in seconds.
const TOKEN_SECONDS: i64 = 120;

/// A path of Advanced Trade.
pub(super) fn v3(path: &str) -> String {
    format!("api/v3/brokerage/{path}")
}

/// What everybody may see is at one path for everybody, and at another for accounts.
pub(super) fn public(q: &Query<'_>, path: &str, fields: Fields) -> Result<Request> {
    let fields = fields.and(q.params.clone()).without(&["usePrivate"]);
    match q.params.flag("usePrivate") {
        true => signed(q.exchange, Verb::Get, &v3(path), &fields),
        false => Ok(open(&v3(&format!("market/{path}")), &fields)),
    }
}

/// A request that anybody may send.
pub(super) fn open(path: &str, fields: &Fields) -> Request {
    Request { verb: Verb::Get, url: address(path, fields), headers: vec![version()], body: None }
}

/// A request of the account.
pub(super) fn signed(exchange: &Exchange, verb: Verb, path: &str, fields: &Fields) -> Result<Request> {
    let (url, body) = match verb {
        Verb::Get => (address(path, fields), None),
        _ => (address(path, &Fields::new()), (!fields.is_empty()).then(|| fields.json())),
    };
    let mut headers = vec![version(), ("Content-Type", "application/json".to_owned())];
    let credentials = exchange.credentials()?;
    let (key, secret) = (credentials.api_key.expose(), credentials.secret.expose());
    if key.contains("organizations/") || secret.starts_with("-----BEGIN") {
        let uri = format!("{} {HOST}/{path}", verb.name());
        headers.push(("Authorization", format!("Bearer {}", token(exchange, Some(&uri))?)));
    } else {
        let seconds = exchange.now().div_euclid(1_000).to_string();
        let payload = match verb {
            Verb::Get if path.starts_with("v2/") && !fields.is_empty() => format!("?{}", fields.query()),
            _ => body.clone().unwrap_or_default(),
        };
        let parts = [seconds.as_str(), verb.name(), "/", path, &payload].map(str::as_bytes);
        headers.push(("CB-ACCESS-SIGN", hex::encode(mac::sha256(secret.as_bytes(), &parts)?)));
        headers.push(("CB-ACCESS-KEY", key.clone()));
        headers.push(("CB-ACCESS-TIMESTAMP", seconds));
    }
    Ok(Request { verb, url, headers, body })
}

/// A JSON Web Token of the account (RFC 7519, ES256); one for a request names it.
pub(super) fn token(exchange: &Exchange, uri: Option<&str>) -> Result<String> {
    let credentials = exchange.credentials()?;
    let key = credentials.api_key.expose().as_str();
    if key.starts_with("-----BEGIN") {
        let message = "coinbase: the API key is the name of the key, organizations/…, and not the public key";
        return Err(VenueError::new(ErrorClass::ArgumentsRequired, message));
    }
    let head =
        Fields::new().with("alg", "ES256").with("typ", "JWT").with("kid", key).with("nonce", exchange.unique(32));
    let seconds = exchange.now().div_euclid(1_000);
    let claims = Fields::new()
        .with("aud", Value::List(vec!["retail_rest_api_proxy".into()]))
        .with("iss", "coinbase-cloud")
        .with("nbf", seconds)
        .with("exp", seconds.saturating_add(TOKEN_SECONDS))
        .with("sub", key)
        .with("iat", seconds)
        .with_some("uri", uri);
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head.json()), URL_SAFE_NO_PAD.encode(claims.json()));
    let signature: Signature = signing_key(credentials.secret.expose())?.sign(text.as_bytes());
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.normalize_s().to_bytes())))
}

/// The private key of a PEM file, in either form.
fn signing_key(pem: &str) -> Result<SigningKey> {
    // files of keys are JSON, and who copies from one copies its line ends so
    let pem = pem.replace("\\n", "\n");
    let key = SecretKey::from_sec1_pem(&pem).ok().or_else(|| SecretKey::from_pkcs8_pem(&pem).ok());
    let none = || {
        let message = "coinbase: the secret is no private key of the curve P-256 (ECDSA) in PEM";
        VenueError::new(ErrorClass::AuthenticationError, message)
    };
    key.map(|key| SigningKey::from(&key)).ok_or_else(none)
}

fn address(path: &str, fields: &Fields) -> String {
    let query = fields.query_repeating();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("https://{HOST}/{path}{mark}{query}")
}

fn version() -> (&'static str, String) {
    (VERSION.0, VERSION.1.to_owned())
}

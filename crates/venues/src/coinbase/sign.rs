//! Addresses and signed requests: "Coinbase App API Key Authentication" and the older keys.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::KEYPAIR_LENGTH;
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
    if cloud(exchange)? {
        let uri = format!("{} {HOST}/{path}", verb.name());
        headers.push(("Authorization", format!("Bearer {}", token(exchange, Some(&uri))?)));
    } else {
        let seconds = exchange.now().div_euclid(1_000).to_string();
        let payload = match verb {
            Verb::Get if path.starts_with("v2/") && !fields.is_empty() => format!("?{}", fields.query()),
            _ => body.clone().unwrap_or_default(),
        };
        let parts = [seconds.as_str(), verb.name(), "/", path, &payload].map(str::as_bytes);
        headers.push(("CB-ACCESS-SIGN", mac::hex(mac::sha256(secret.as_bytes(), &parts)?)));
        headers.push(("CB-ACCESS-KEY", key.clone()));
        headers.push(("CB-ACCESS-TIMESTAMP", seconds));
    }
    Ok(Request { verb, url, headers, body })
}

/// Whether the account's key signs tokens; older keys sign each request.
pub(super) fn cloud(exchange: &Exchange) -> Result<bool> {
    let credentials = exchange.credentials()?;
    let secret = credentials.secret.expose();
    let pem = secret.starts_with("-----BEGIN") || edwards(secret).is_some();
    Ok(pem || credentials.api_key.expose().contains("organizations/"))
}

/// A JSON Web Token of the account (RFC 7519, ES256 or EdDSA as its key is); one for a request names it.
pub(super) fn token(exchange: &Exchange, uri: Option<&str>) -> Result<String> {
    let credentials = exchange.credentials()?;
    let key = credentials.api_key.expose().as_str();
    if key.starts_with("-----BEGIN") {
        let message = "coinbase: the API key is the name of the key, organizations/…, and not the public key";
        return Err(VenueError::new(ErrorClass::ArgumentsRequired, message));
    }
    let edwards = edwards(credentials.secret.expose());
    let (algorithm, audience, issuer) = match edwards {
        Some(_) => ("EdDSA", "cdp_service", "cdp"),
        None => ("ES256", "retail_rest_api_proxy", "coinbase-cloud"),
    };
    let head =
        Fields::new().with("alg", algorithm).with("typ", "JWT").with("kid", key).with("nonce", exchange.unique(32));
    let seconds = exchange.now().div_euclid(1_000);
    let claims = Fields::new()
        .with("aud", Value::List(vec![audience.into()]))
        .with("iss", issuer)
        .with("nbf", seconds)
        .with("exp", seconds.saturating_add(TOKEN_SECONDS))
        .with("sub", key)
        .with("iat", seconds);
    let claims = match edwards {
        Some(_) => claims.with_some("uris", uri.map(|uri| Value::List(vec![uri.into()]))),
        None => claims.with_some("uri", uri),
    };
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head.json()), URL_SAFE_NO_PAD.encode(claims.json()));
    let signature = match edwards {
        Some(key) => key.sign(text.as_bytes()).to_bytes().to_vec(),
        None => {
            let signature: Signature = signing_key(credentials.secret.expose())?.sign(text.as_bytes());
            signature.normalize_s().to_bytes().to_vec()
        }
    };
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The private key of the curve Ed25519, if the secret is one: the base64 of its seed and of its public half.
fn edwards(secret: &str) -> Option<ed25519_dalek::SigningKey> {
    let bytes: [u8; KEYPAIR_LENGTH] = STANDARD.decode(secret).ok()?.try_into().ok()?;
    ed25519_dalek::SigningKey::from_keypair_bytes(&bytes).ok()
}

/// The private key of a PEM file, in either form.
fn signing_key(pem: &str) -> Result<SigningKey> {
    // files of keys are JSON, and who copies from one copies its line ends so
    let pem = pem.replace("\\n", "\n");
    let key = SecretKey::from_sec1_pem(&pem).ok().or_else(|| SecretKey::from_pkcs8_pem(&pem).ok());
    let none = || {
        let message = "coinbase: the secret is no private key of P-256 (ECDSA) in PEM, or of Ed25519 in base64";
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

#[cfg(test)]
mod tests {
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier as _;
    use p256::pkcs8::{EncodePrivateKey as _, LineEnding};

    use super::*;
    use crate::Venue;
    use crate::transport::tests::nowhere;

    const KEY: &str = "organizations/1/apiKeys/2";

    #[test]
    fn a_token_is_signed_by_a_key_in_any_form_of_pem() {
        let key = SecretKey::from_slice(&[7; 32]).unwrap();
        let sec1 = key.to_sec1_pem(LineEnding::LF).unwrap().to_string();
        let pkcs8 = key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string();
        let signed = |pem: &str| token(&nowhere(Venue::Coinbase, KEY, pem), Some("GET api.coinbase.com/x")).unwrap();
        let token = signed(&sec1);
        assert_eq!(signed(&pkcs8), token);
        assert_eq!(signed(&sec1.replace('\n', "\\n")), token);
        let (text, signature) = token.rsplit_once('.').unwrap();
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        VerifyingKey::from(SigningKey::from(&key)).verify(text.as_bytes(), &signature).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(text.split_once('.').unwrap().1).unwrap();
        let expected =
            r#"{"aud":["retail_rest_api_proxy"],"iss":"coinbase-cloud","nbf":1700000000,"exp":1700000120,"sub":"#;
        assert!(String::from_utf8(claims).unwrap().starts_with(expected));
    }

    #[test]
    fn a_key_of_the_other_curve_signs_tokens_of_the_other_kind() {
        // RFC 8032, section 7.1, test 1
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let pair = STANDARD.encode([hex::decode(seed).unwrap(), hex::decode(public).unwrap()].concat());
        let exchange = nowhere(Venue::Coinbase, "d2efa49a", &pair);
        assert!(cloud(&exchange).unwrap());
        let token = token(&exchange, Some("GET api.coinbase.com/x")).unwrap();
        let (text, signature) = token.rsplit_once('.').unwrap();
        let signature = ed25519_dalek::Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&hex::decode(seed).unwrap().try_into().unwrap());
        key.verify(text.as_bytes(), &signature).unwrap();
        let (head, claims) = text.split_once('.').unwrap();
        let read = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        assert!(read(head).starts_with(r#"{"alg":"EdDSA","typ":"JWT","kid":"d2efa49a","nonce":"#));
        let expected = r#"{"aud":["cdp_service"],"iss":"cdp","nbf":1700000000,"exp":1700000120,"sub":"d2efa49a","iat":1700000000,"uris":["GET api.coinbase.com/x"]}"#;
        assert_eq!(read(claims), expected);
        // one byte is wrong: it is no pair, and an older key as far as anybody can say
        let odd = format!("A{}", &pair[1..]);
        assert!(!cloud(&nowhere(Venue::Coinbase, "k", &odd)).unwrap());
    }

    #[test]
    fn what_is_no_key_is_told() {
        let class = |key, secret| token(&nowhere(Venue::Coinbase, key, secret), None).unwrap_err().class();
        assert_eq!(class(KEY, "-----BEGIN EC PRIVATE KEY-----\nx"), ErrorClass::AuthenticationError);
        assert_eq!(class("-----BEGIN PUBLIC KEY-----", "-----BEGIN"), ErrorClass::ArgumentsRequired);
    }

    #[test]
    fn older_keys_sign_each_request() {
        let exchange = nowhere(Venue::Coinbase, "key", "secret");
        let signature = |verb, path, fields: Fields| {
            let request = signed(&exchange, verb, path, &fields).unwrap();
            request.headers.into_iter().find(|(name, _)| *name == "CB-ACCESS-SIGN").unwrap().1
        };
        let accounts = signature(Verb::Get, "v2/accounts", Fields::new().with("limit", 250));
        assert_eq!(accounts, "96ced0f3a3cbdea36431eb4eacd2317be0e0f1ccb6419ca255ccedb1eadb6ade");
        let ids = Fields::new().with("order_ids", ["a".to_owned()].as_slice());
        let cancel = signature(Verb::Post, "api/v3/brokerage/orders/batch_cancel", ids);
        assert_eq!(cancel, "b88ea92e2d996cdca6f5be06073ff7abee4485b37045b39cadaabf11893fb94c");
        let fills = Fields::new().with("limit", 2);
        let fills = signature(Verb::Get, "api/v3/brokerage/orders/historical/fills", fills);
        assert_eq!(fills, "8418c1e95473e15dfa3a63c3a4c356fa264c528918d5a286bc0d916319b94012");
    }
}

//! Requests: Spot REST, "Authentication".

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha2::{Digest as _, Sha256};

use crate::exchange::Result;
use crate::{ErrorClass, Exchange, Fields, Request, VenueError, Verb, mac};

const HOST: &str = "https://api.kraken.com";

/// Secrets are base64; whether they are padded is not what makes them right.
const SECRETS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What everybody may ask.
pub(super) fn public(path: &str, fields: &Fields) -> Request {
    let query = fields.nested_query();
    let mark = if query.is_empty() { "" } else { "?" };
    Request { verb: Verb::Get, url: format!("{HOST}/0/public/{path}{mark}{query}"), headers: Vec::new(), body: None }
}

/// What the account asks, as a form.
pub(super) fn private(exchange: &Exchange, path: &str, fields: Fields) -> Result<Request> {
    let fields = numbered(exchange, fields);
    // a price that follows the market is a share of it, which forms are not taken with
    if fields.text(&["price"]).is_some_and(|price| price.ends_with('%')) {
        return signed(exchange, path, &fields, fields.json(), "application/json");
    }
    signed(exchange, path, &fields, fields.nested_query(), "application/x-www-form-urlencoded")
}

/// What the account asks of several orders at once, as JSON.
pub(super) fn batch(exchange: &Exchange, path: &str, fields: Fields) -> Result<Request> {
    let fields = numbered(exchange, fields);
    signed(exchange, path, &fields, fields.json(), "application/json")
}

fn numbered(exchange: &Exchange, fields: Fields) -> Fields {
    Fields::new().with("nonce", exchange.next_nonce().to_string()).and(fields)
}

fn signed(exchange: &Exchange, path: &str, fields: &Fields, body: String, kind: &str) -> Result<Request> {
    let credentials = exchange.credentials()?;
    let address = format!("/0/private/{path}");
    let secret = SECRETS.decode(credentials.secret.expose()).map_err(|error| {
        VenueError::new(ErrorClass::AuthenticationError, &format!("kraken the secret is no base64: {error}"))
    })?;
    let nonce = fields.text(&["nonce"]).unwrap_or_default();
    let digest = Sha256::new().chain_update(nonce).chain_update(&body).finalize();
    let signature = mac::sha512(&secret, &[address.as_bytes(), &digest])?;
    let headers = vec![
        ("API-Key", credentials.api_key.expose().clone()),
        ("API-Sign", STANDARD.encode(signature)),
        ("Content-Type", kind.to_owned()),
    ];
    Ok(Request { verb: Verb::Post, url: format!("{HOST}{address}"), headers, body: Some(body) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Venue;
    use crate::transport::tests::nowhere;

    #[test]
    fn requests_of_one_millisecond_have_numbers_of_their_own() {
        let (one, other) = (nowhere(Venue::Kraken, "k", "c2VjcmV0"), nowhere(Venue::Kraken, "k", "c2VjcmV0"));
        let other = other.numbered_with(&one);
        let nonce = |of: &Exchange| {
            let request = private(of, "Balance", Fields::new()).unwrap();
            request.body.unwrap().strip_prefix("nonce=").unwrap().parse::<i64>().unwrap()
        };
        let first = nonce(&one);
        assert_eq!([nonce(&one), nonce(&other), nonce(&one)], [first + 1, first + 2, first + 3]);
    }
}

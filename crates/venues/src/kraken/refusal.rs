//! Kraken Spot REST, "Errors": `{"error":["EOrder:Insufficient funds"]}` with status 200. Kraken Futures:
//! `{"result":"error","error":"apiLimitExceeded"}` and `{"errors":[{"code":98}]}`. Of a batch each order may say its
//! own: `{"error":[],"result":{"orders":[{"error":"EOrder:Insufficient funds"}]}}`.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions, VenueError};

/// What streams say beside what stands in the table of the HTTP API, or with another meaning.
const STREAMS: [(ErrorClass, &[&str]); 10] = [
    (
        ErrorClass::BadRequest,
        &[
            "Malformed request",
            "Pair field must be an array",
            "Pair field unsupported for this subscription type",
            "Subscription",
            "Event(s) not found",
            "EGeneral:Invalid arguments",
            "ETrade:Invalid request",
        ],
    ),
    (
        ErrorClass::BadSymbol,
        &["Currency pair not in ISO 4217-A3 format", "Currency pair not supported", "Pair(s) not found"],
    ),
    (ErrorClass::PermissionDenied, &["EAccount:Invalid permissions"]),
    (ErrorClass::AccountSuspended, &["EAuth:Account temporary disabled"]),
    (ErrorClass::AuthenticationError, &["EAuth:Account unconfirmed", "ESession:Invalid session"]),
    (
        ErrorClass::RateLimitExceeded,
        &["EAuth:Rate limit exceeded", "EAuth:Too many requests", "EOrder:Rate limit exceeded"],
    ),
    (ErrorClass::InsufficientFunds, &["EOrder:Insufficient funds", "EOrder:Insufficient margin"]),
    (ErrorClass::OrderNotFound, &["EOrder:Unknown order", "EOrder:Unknown position"]),
    (
        ErrorClass::InvalidOrder,
        &[
            "EOrder:Cannot open",
            "EOrder:Invalid",
            "EOrder:Margin",
            "EOrder:Order minimum not met",
            "EOrder:Orders limit exceeded",
            "EOrder:Positions limit exceeded",
            "EOrder:Scheduled orders limit exceeded",
        ],
    ),
    (ErrorClass::ExchangeNotAvailable, &["EService:Deadline elapsed", "EService:Unavailable"]),
];

/// What a stream refuses; nothing for a channel that is subscribed to already, which is what was wanted.
pub(super) fn of_stream(said: &str) -> Option<VenueError> {
    if said.starts_with("Already subscribed") {
        return None;
    }
    let of_market = said.contains("EService:Market in").then_some(ErrorClass::NotSupported);
    let known =
        || STREAMS.iter().find(|(_, words)| words.iter().any(|words| said.contains(words))).map(|(class, _)| *class);
    let class = of_market.or_else(known).unwrap_or(ErrorClass::ExchangeError);
    Some(VenueError::new(class, &format!("kraken {said}")))
}

pub(crate) fn refusal(known: &Exceptions, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let table = &known.everywhere;
    let of = |said: Option<&str>| table.exact(said).or_else(|| table.broad(said));
    let error = body?.get("error");
    let of_orders = || {
        let orders = body.get("result").get("orders").list().unwrap_or_default();
        let said = orders.iter().find_map(|order| order.text_of(&["error"]))?;
        of(Some(said)).or(Some(ErrorClass::ExchangeError))
    };
    match error.list() {
        Some([]) => of_orders(),
        Some(each) => each.iter().find_map(|one| of(one.text())).or(Some(ErrorClass::ExchangeError)),
        None => error.text().map(|said| of(Some(said)).unwrap_or(ErrorClass::ExchangeError)),
    }
}

#[cfg(test)]
mod tests {
    use crate::{ErrorClass, Reply, Venue};

    #[test]
    fn a_stream_says_what_it_refuses() {
        let class = |said| super::of_stream(said).map(|error| error.class());
        assert_eq!(class("EOrder:Insufficient funds (insufficient user funds)"), Some(ErrorClass::InsufficientFunds));
        assert_eq!(class("Currency pair not supported FOO/BAR"), Some(ErrorClass::BadSymbol));
        assert_eq!(class("EService:Market in post_only mode"), Some(ErrorClass::NotSupported));
        assert_eq!(
            class("Unsupported field: 'price' for the given msg type: add order"),
            Some(ErrorClass::ExchangeError)
        );
        assert_eq!(class("Already subscribed to one or more channels"), None);
    }

    #[test]
    fn an_order_of_a_batch_may_be_refused_alone() {
        let class = |body| {
            let reply = Reply { status: 200, url: "https://example.org/", body };
            Venue::Kraken.read(&reply).err().map(|error| error.class())
        };
        let refused = r#"{"error":[],"result":{"orders":[{"txid":"O"},{"error":"EOrder:Insufficient funds"}]}}"#;
        assert_eq!(class(refused), Some(ErrorClass::InsufficientFunds));
        let refused = r#"{"error":[],"result":{"orders":[{"error":"EOrder:Never heard of"}]}}"#;
        assert_eq!(class(refused), Some(ErrorClass::ExchangeError));
        assert_eq!(class(r#"{"error":[],"result":{"orders":[{"txid":"O"}]}}"#), None);
    }
}

//! An answer of an exchange, and whether it is a refusal.

use crate::json::{self, Json};
use crate::{ErrorClass, Venue, VenueError};
use crate::{binance, bitget, bybit, coinbase, gate, htx, kraken, kucoin, okx, upbit};

/// An answer over HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'t> {
    /// The HTTP status.
    pub status: u16,
    /// The address that was asked.
    pub url: &'t str,
    /// The whole body.
    pub body: &'t str,
}

impl Venue {
    /// The answer's body, or what the exchange refused.
    ///
    /// Errors: the class the exchange's code or words stand for; else the class of the HTTP status; else
    /// [`ErrorClass::BadResponse`] for a body that is not JSON.
    pub fn read<'t>(self, reply: &Reply<'t>) -> Result<Json<'t>, VenueError> {
        let body = json::parse(reply.body);
        let class = self.refusal(reply, body.as_ref()).or_else(|| {
            let by_status = &self.description().http_exceptions;
            by_status.get(&reply.status).copied().or((reply.status >= 400).then_some(ErrorClass::ExchangeError))
        });
        if let Some(class) = class {
            let message = format!("{self} {} {}", reply.status, reply.body);
            return Err(VenueError::new(class, &message).of_status(reply.status));
        }
        body.ok_or_else(|| {
            let said = "the answer is not JSON:";
            VenueError::new(ErrorClass::BadResponse, &format!("{self} {} {said} {}", reply.status, reply.body))
                .of_status(reply.status)
        })
    }

    /// The class of what the answer itself says, if it says that something went wrong.
    fn refusal(self, reply: &Reply<'_>, body: Option<&Json<'_>>) -> Option<ErrorClass> {
        let known = &self.description().exceptions;
        match self {
            Self::Binance => binance::refusal(known, reply, body),
            Self::Bybit => bybit::refusal(known, reply, body),
            Self::Okx => okx::refusal(known, body),
            Self::Coinbase => coinbase::refusal(known, body),
            Self::Kraken => kraken::refusal(known, body),
            Self::Kucoin => kucoin::refusal(known, reply, body),
            Self::Htx => htx::refusal(known, reply, body),
            Self::Gate => gate::refusal(known, body),
            Self::Bitget => bitget::refusal(known, body),
            Self::Upbit => upbit::refusal(known, body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(venue: Venue, status: u16, body: &str) -> Option<ErrorClass> {
        let reply = Reply { status, url: "https://example.org/", body };
        venue.read(&reply).err().map(|error| error.class())
    }

    #[test]
    fn pages_of_a_proxy_are_known_by_their_status() {
        for venue in Venue::ALL {
            assert_eq!(
                class(venue, 502, "<html>Bad Gateway</html>"),
                Some(ErrorClass::ExchangeNotAvailable),
                "{venue}"
            );
            assert_eq!(class(venue, 504, ""), Some(ErrorClass::RequestTimeout), "{venue}");
            assert_eq!(class(venue, 200, "<html>Please wait</html>"), Some(ErrorClass::BadResponse), "{venue}");
            assert_eq!(class(venue, 499, ""), Some(ErrorClass::ExchangeError), "{venue}");
        }
    }

    #[test]
    fn good_answers_are_read() {
        let good = [
            (Venue::Binance, r#"{"orderId":28}"#),
            (Venue::Binance, r#"{"code":"200","msg":"done"}"#),
            (Venue::Bybit, r#"{"retCode":0,"retMsg":"OK","result":{}}"#),
            (Venue::Okx, r#"{"code":"0","msg":"","data":[]}"#),
            (Venue::Coinbase, r#"{"success":true,"success_response":{"order_id":"1"}}"#),
            (Venue::Kraken, r#"{"error":[],"result":{}}"#),
            (Venue::Kucoin, r#"{"code":"200000","data":{}}"#),
            (Venue::Htx, r#"{"status":"ok","data":[]}"#),
            (Venue::Gate, r#"{"id":"1"}"#),
            (Venue::Bitget, r#"{"code":"00000","msg":"success","data":{}}"#),
            (Venue::Upbit, r#"{"uuid":"1"}"#),
        ];
        for (venue, body) in good {
            assert_eq!(class(venue, 200, body), None, "{venue} {body}");
        }
    }
}

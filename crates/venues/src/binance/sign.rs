//! Requests: "General API Information", sections "Request Security" and "SIGNED Endpoint security".

use crate::exchange::Result;
use crate::{Exchange, Fields, Request, Verb, mac};

/// How long after its time the exchange takes a request, in milliseconds.
const RECEIVE_WINDOW: i64 = 10_000;

/// A part of the API, by CCXT's name of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    Spot,
    SpotAccount,
    Wallet,
    WalletStatus,
    Linear,
    LinearAccount,
    LinearAccountV3,
    /// Asked for with the key alone.
    LinearKey,
}

impl Api {
    const fn base(self) -> &'static str {
        match self {
            Self::Spot | Self::SpotAccount => "https://api.binance.com/api/v3",
            Self::Wallet | Self::WalletStatus => "https://api.binance.com/sapi/v1",
            Self::Linear | Self::LinearAccount | Self::LinearKey => "https://fapi.binance.com/fapi/v1",
            Self::LinearAccountV3 => "https://fapi.binance.com/fapi/v3",
        }
    }

    const fn signed(self) -> bool {
        matches!(self, Self::SpotAccount | Self::Wallet | Self::LinearAccount | Self::LinearAccountV3)
    }
}

pub(super) fn request(exchange: &Exchange, api: Api, verb: Verb, path: &str, fields: Fields) -> Result<Request> {
    let url = format!("{}/{path}", api.base());
    if !api.signed() {
        let url = if fields.is_empty() { url } else { format!("{url}?{}", fields.query()) };
        let headers = match api {
            Api::LinearKey => vec![("X-MBX-APIKEY", exchange.credentials()?.api_key.expose().clone())],
            _ => Vec::new(),
        };
        return Ok(Request { verb, url, headers, body: None });
    }
    let credentials = exchange.credentials()?;
    let window: i64 = fields.text(&["recvWindow"]).and_then(|text| text.parse().ok()).unwrap_or(RECEIVE_WINDOW);
    let fields = Fields::new().with("timestamp", exchange.now()).and(fields).with("recvWindow", window);
    let query = fields.query();
    let signature = mac::sha256(credentials.secret.expose().as_bytes(), &[query.as_bytes()])?;
    let signed = format!("{query}&signature={}", mac::hex(signature));
    let key = ("X-MBX-APIKEY", credentials.api_key.expose().clone());
    Ok(match verb {
        Verb::Get | Verb::Delete => Request { verb, url: format!("{url}?{signed}"), headers: vec![key], body: None },
        Verb::Post | Verb::Put | Verb::Patch => {
            let form = ("Content-Type", "application/x-www-form-urlencoded".to_owned());
            Request { verb, url, headers: vec![key, form], body: Some(signed) }
        }
    })
}

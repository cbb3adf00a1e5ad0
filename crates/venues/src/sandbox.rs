//! Testnets: where an exchange lets everybody trade with money that is none.

use crate::{ErrorClass, Venue, VenueError};

/// Hosts of exchanges, and of their testnets (each exchange's documentation; CCXT's `urls.test`).
const BINANCE: [(&str, &str); 5] = [
    ("api.binance.com", "testnet.binance.vision"),
    ("fapi.binance.com", "testnet.binancefuture.com"),
    ("stream.binance.com:9443", "stream.testnet.binance.vision"),
    ("ws-api.binance.com:443", "ws-api.testnet.binance.vision"),
    ("fstream.binance.com", "fstream.binancefuture.com"),
];
const BYBIT: [(&str, &str); 2] =
    [("api.bybit.com", "api-testnet.bybit.com"), ("stream.bybit.com", "stream-testnet.bybit.com")];
const GATE: [(&str, &str); 2] =
    [("api.gateio.ws", "api-testnet.gateapi.io"), ("fx-ws.gateio.ws", "fx-ws-testnet.gateio.ws")];
const OKX: [(&str, &str); 1] = [("ws.okx.com:8443", "wspap.okx.com:8443")];

impl Venue {
    /// Whether it has a testnet.
    pub const fn has_sandbox(self) -> bool {
        matches!(self, Self::Binance | Self::Bybit | Self::Okx | Self::Gate)
    }

    /// The same address at the testnet. OKX tells it from the exchange by a header ([`Self::sandbox_header`]).
    ///
    /// Errors: [`ErrorClass::NotSupported`] for an exchange that has none.
    ///
    /// ```
    /// use orrery_venues::Venue;
    ///
    /// let there = Venue::Bybit.sandbox("https://api.bybit.com/v5/market/time").unwrap();
    /// assert_eq!(there, "https://api-testnet.bybit.com/v5/market/time");
    /// assert!(Venue::Kraken.sandbox("https://api.kraken.com/0/public/Time").is_err());
    /// ```
    pub fn sandbox(self, url: &str) -> Result<String, VenueError> {
        let hosts: &[(&str, &str)] = match self {
            Self::Binance => &BINANCE,
            Self::Bybit => &BYBIT,
            Self::Gate => &GATE,
            Self::Okx => &OKX,
            _ => return Err(VenueError::new(ErrorClass::NotSupported, &format!("{self} does not have a sandbox URL"))),
        };
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let there = hosts.iter().find(|(here, _)| *here == host).map_or(host, |(_, there)| there);
        Ok(format!("{scheme}://{there}{path}"))
    }

    /// What a request to the testnet says beside.
    pub const fn sandbox_header(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Okx => Some(("x-simulated-trading", "1")),
            _ => None,
        }
    }
}

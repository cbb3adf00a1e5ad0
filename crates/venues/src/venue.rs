//! The ten exchanges.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use thiserror::Error;

use crate::Description;

/// An exchange that has a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Venue {
    /// <https://developers.binance.com/docs/>
    Binance,
    /// <https://bybit-exchange.github.io/docs/v5/intro>
    Bybit,
    /// <https://www.okx.com/docs-v5/en/>
    Okx,
    /// Advanced Trade, <https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/overview>
    Coinbase,
    /// <https://docs.kraken.com/api/>
    Kraken,
    /// <https://www.kucoin.com/docs/>
    Kucoin,
    /// <https://www.htx.com/en-us/opend/newApiPages/>
    Htx,
    /// <https://www.gate.io/docs/developers/apiv4/>
    Gate,
    /// <https://www.bitget.com/api-doc/common/intro>
    Bitget,
    /// <https://global-docs.upbit.com/reference>
    Upbit,
}

impl Venue {
    /// Every exchange.
    pub const ALL: [Self; 10] = [
        Self::Binance,
        Self::Bybit,
        Self::Okx,
        Self::Coinbase,
        Self::Kraken,
        Self::Kucoin,
        Self::Htx,
        Self::Gate,
        Self::Bitget,
        Self::Upbit,
    ];

    /// The name in lower case that stands in configuration and channels.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Bybit => "bybit",
            Self::Okx => "okx",
            Self::Coinbase => "coinbase",
            Self::Kraken => "kraken",
            Self::Kucoin => "kucoin",
            Self::Htx => "htx",
            Self::Gate => "gate",
            Self::Bitget => "bitget",
            Self::Upbit => "upbit",
        }
    }

    /// What is known of the exchange as data; read once.
    pub fn description(self) -> &'static Description {
        static READ: [OnceLock<Description>; Venue::ALL.len()] = [const { OnceLock::new() }; Venue::ALL.len()];
        #[expect(clippy::indexing_slicing, reason = "the enumeration has as many places as the table")]
        #[expect(clippy::expect_used, reason = "the text is part of the program and a test reads every one")]
        READ[self as usize].get_or_init(|| serde_json::from_str(self.describe()).expect("the description is valid"))
    }

    /// CCXT's `describe()` of it, as JSON text.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Binance => include_str!("../describe/binance.json"),
            Self::Bybit => include_str!("../describe/bybit.json"),
            Self::Okx => include_str!("../describe/okx.json"),
            Self::Coinbase => include_str!("../describe/coinbase.json"),
            Self::Kraken => include_str!("../describe/kraken.json"),
            Self::Kucoin => include_str!("../describe/kucoin.json"),
            Self::Htx => include_str!("../describe/htx.json"),
            Self::Gate => include_str!("../describe/gate.json"),
            Self::Bitget => include_str!("../describe/bitget.json"),
            Self::Upbit => include_str!("../describe/upbit.json"),
        }
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A name that is no exchange with a connector.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no connector to {0:?}")]
pub struct UnknownVenue(String);

impl FromStr for Venue {
    type Err = UnknownVenue;

    fn from_str(id: &str) -> Result<Self, UnknownVenue> {
        Self::ALL.into_iter().find(|venue| venue.id() == id).ok_or_else(|| UnknownVenue(id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exchange_is_described() {
        for venue in Venue::ALL {
            assert_eq!(venue.description().id, venue.id());
            assert_eq!(venue.id().parse(), Ok(venue));
            assert!(venue.description().http_exceptions.contains_key(&503));
        }
        assert!("mtgox".parse::<Venue>().is_err());
    }

    #[test]
    fn a_part_of_an_exchange_has_its_own_codes() {
        let exceptions = &Venue::Binance.description().exceptions;
        assert!(exceptions.parts["linear"].exact(Some("-2022")).is_some());
        assert!(exceptions.everywhere.exact(Some("-1021")).is_some());
    }
}

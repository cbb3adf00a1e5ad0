//! Streams of accounts: what there is to listen to, how long one may, and who is told.

use std::time::Duration;

use super::Topic;
use crate::exchange::Result;
use crate::unified::{Balances, Order, Position};
use crate::{Exchange, Fields, Venue};

/// A part of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// What spot markets are traded with; where the exchange has one account for everything, all of it.
    Main,
    /// What contracts are traded with.
    Contracts,
}

/// What is said of an account, as it happens.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A stream of it began, perhaps anew: what happened before is not told.
    Began,
    /// What a part of it has now; currencies that are not named did not change.
    Balance(Part, Balances),
    /// Orders that changed.
    Orders(Vec<Order>),
    /// Positions that changed.
    Positions(Vec<Position>),
}

/// Takes what is said of an account. It must not wait: nobody waits for it.
pub trait Listener: Send + Sync {
    /// Something was said.
    fn heard(&self, news: News);
}

use Part::{Contracts, Main};
use Topic::{Balance, Orders, Positions};

impl Venue {
    /// What is listened to of an account. Trades are not: what they change is told as an order and as a balance.
    pub const fn account_streams(self) -> &'static [(Part, Topic)] {
        match self {
            // one stream says everything of a part
            Self::Binance => &[(Main, Balance), (Contracts, Balance)],
            Self::Bybit | Self::Okx => &[(Main, Balance), (Main, Orders), (Main, Positions)],
            Self::Coinbase => &[(Main, Orders)],
            // contracts at Gate want the account's number, which no key tells
            Self::Kraken | Self::Gate | Self::Upbit => &[(Main, Balance), (Main, Orders)],
            Self::Htx => &[(Main, Balance), (Main, Orders), (Contracts, Balance), (Contracts, Orders)],
            Self::Kucoin | Self::Bitget => {
                &[(Main, Balance), (Main, Orders), (Contracts, Balance), (Contracts, Orders), (Contracts, Positions)]
            }
        }
    }
}

impl Part {
    /// The parameters of [`Exchange::watch`] that choose it.
    pub fn params(self, topic: Topic) -> Fields {
        match (self, topic) {
            // positions are in contracts always
            (Main, _) | (_, Positions) => Fields::new(),
            (Contracts, _) => Fields::new().with("type", "swap"),
        }
    }
}

impl Exchange {
    /// How often [`Exchange::keep_listening`] is called while this address is listened to; none where the right to
    /// listen does not run out.
    pub fn keeps_listening(&self, url: &str) -> Option<Duration> {
        self.venue().streams().keeps_listening(url)
    }

    /// Makes the right to listen at this address last longer.
    ///
    /// Errors: those of the way there, and what the exchange refused: the connection is to be made anew then.
    pub async fn keep_listening(&self, url: &str) -> Result<()> {
        self.venue().streams().keep_listening(self, url).await
    }
}

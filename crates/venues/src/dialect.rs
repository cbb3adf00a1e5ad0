//! How an exchange's answers become unified structures.

use crate::json::Json;
use crate::methods::Connector;
use crate::stream::Streams;
use crate::unified::{Balances, Candle, Market, Markets, Order, Position, Ticker, Trade};
use crate::{Venue, binance, bitget, bybit, coinbase, gate, htx, kraken, kucoin, okx, upbit};

/// Where a part of an answer stands: the exchange's markets, and the one that was asked for, if one was.
#[derive(Debug, Clone, Copy)]
pub struct Context<'m> {
    /// Every market of the exchange.
    pub markets: &'m Markets,
    /// The market of the question.
    pub asked: Option<&'m Market>,
}

impl<'m> Context<'m> {
    /// The market of an answer that names it `id`: by its name; of two markets with one name the contract or the
    /// other; for a name that is not known, or none, the one that was asked for.
    pub fn market(&self, id: Option<&str>, contract: bool) -> Option<&'m Market> {
        id.and_then(|id| self.markets.named(id, contract)).or(self.asked)
    }

    /// The market and its symbol; the symbol of one that is not known is the exchange's name.
    pub fn symbol(&self, id: Option<&str>, contract: bool) -> (Option<&'m Market>, Option<String>) {
        let market = self.market(id, contract);
        (market, market.map(|market| market.symbol.clone()).or_else(|| id.map(str::to_owned)))
    }
}

/// What one exchange's answers mean. Fields that are missing or make no sense are left out of what is made.
pub trait Dialect: Sync {
    /// The markets of the answers to the questions for them, in that order; `of` is the address that was asked.
    fn markets(&self, of: &str, answer: &Json<'_>) -> Vec<Market>;
    /// A ticker.
    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker;
    /// A trade.
    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade;
    /// An order of the account.
    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order;
    /// A candle.
    fn candle(&self, raw: &Json<'_>, context: Context<'_>) -> Candle;
    /// A further name of a market that answers may use instead of its id.
    fn alias(&self, market: &Market) -> Option<String> {
        let _ = market;
        None
    }
    /// What the account has; none where the answer of one part of the exchange is not told from another's.
    fn balance(&self, raw: &Json<'_>, context: Context<'_>) -> Option<Balances> {
        let _ = (raw, context);
        None
    }
    /// A position; none where one answer does not say all of it.
    fn position(&self, raw: &Json<'_>, context: Context<'_>) -> Option<Position> {
        let _ = (raw, context);
        None
    }
}

impl Venue {
    /// How its answers are read.
    pub fn dialect(self) -> &'static dyn Dialect {
        self.connector()
    }

    /// How it is asked.
    pub(crate) fn connector(self) -> &'static dyn Connector {
        self.streams()
    }

    /// How it is listened to.
    pub(crate) fn streams(self) -> &'static dyn Streams {
        match self {
            Self::Binance => &binance::Dialect,
            Self::Bybit => &bybit::Dialect,
            Self::Okx => &okx::Dialect,
            Self::Coinbase => &coinbase::Dialect,
            Self::Kraken => &kraken::Dialect,
            Self::Kucoin => &kucoin::Dialect,
            Self::Htx => &htx::Dialect,
            Self::Gate => &gate::Dialect,
            Self::Bitget => &bitget::Dialect,
            Self::Upbit => &upbit::Dialect,
        }
    }
}

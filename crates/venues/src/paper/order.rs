//! Orders and trades as they are kept.

use orrery_kernel::Timestamp;

use super::PaperMarket;
use crate::unified::Side;

/// Whether an order names a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaperKind {
    /// At this price or better.
    Limit,
    /// At what there is; its price is the worst that there was when it was planned.
    Market,
}

/// How long an order stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeInForce {
    /// Until it is filled or taken back.
    Gtc,
    /// Not at all: what is not filled at once is over.
    Ioc,
    /// Not at all, and it is filled whole or not.
    Fok,
    /// As [`Self::Gtc`], but only if nothing is filled at once.
    Po,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaperStatus {
    /// Written down; whether its money is held is not known yet.
    Pending,
    /// In the book.
    Open,
    /// Filled.
    Closed,
    /// Taken back.
    Canceled,
    /// Over, since it does not stay.
    Expired,
    /// Never taken: there was too little money, or it would have been filled at once and was not to be.
    Rejected,
}

macro_rules! names {
    ($of:ident: $($variant:ident = $name:literal),*) => {
        impl $of {
            /// The name that stores keep.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The inverse of [`Self::name`].
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

names!(PaperKind: Limit = "limit", Market = "market");
names!(TimeInForce: Gtc = "GTC", Ioc = "IOC", Fok = "FOK", Po = "PO");
names!(PaperStatus: Pending = "pending", Open = "open", Closed = "closed", Canceled = "canceled",
    Expired = "expired", Rejected = "rejected");

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperOrder {
    /// The market.
    pub symbol: String,
    /// 1, 2, 3 … in its market; what came first is filled first.
    pub n: i64,
    /// Whose.
    pub account: String,
    /// The account's own name of it.
    pub client_id: Option<String>,
    /// Which way.
    pub side: Side,
    /// Whether it names a price.
    pub kind: PaperKind,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// The worst price, in ticks.
    pub price: i64,
    /// In lots.
    pub lots: i64,
    /// Lots that were filled.
    pub filled: i64,
    /// What was filled, in minor units of the quote currency.
    pub cost: i64,
    /// Paid so far, in minor units of what it receives.
    pub fee: i64,
    /// Held when it was made, in minor units of what it pays with.
    pub held: i64,
    /// Of that, what is held still; of one that is over, what was given back.
    pub left: i64,
    /// What became of it.
    pub status: PaperStatus,
    /// Since when it is there.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was last filled.
    pub traded_at: Option<Timestamp>,
}

impl PaperOrder {
    /// Lots that were not filled.
    pub const fn remaining(&self) -> i64 {
        self.lots - self.filled
    }

    /// Whether nothing more becomes of it.
    pub const fn is_over(&self) -> bool {
        !matches!(self.status, PaperStatus::Pending | PaperStatus::Open)
    }

    /// Whether it has something to give back: one that was never taken held nothing, or not for long.
    pub const fn released(&self) -> i64 {
        match self.status {
            PaperStatus::Canceled | PaperStatus::Expired => self.left,
            _ => 0,
        }
    }

    /// The exchange's name of it: `BTCUSDT-17`.
    pub fn id(&self, market: &PaperMarket) -> String {
        format!("{}-{}", market.id, self.n)
    }

    /// The market's id and the number that stand in a name.
    pub fn parse_id(id: &str) -> Option<(&str, i64)> {
        let (market, n) = id.rsplit_once('-')?;
        let canonical = n.bytes().all(|b| b.is_ascii_digit()) && !n.starts_with('0');
        Some((market, n.parse().ok().filter(|_| canonical)?))
    }
}

/// One side of a trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Whose order.
    pub account: String,
    /// Its number.
    pub order: i64,
    /// In minor units of what it receives.
    pub fee: i64,
}

/// A fill. A side that is none is the market around the users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperTrade {
    /// The market.
    pub symbol: String,
    /// 1, 2, 3 … in its market.
    pub n: i64,
    /// In ticks.
    pub price: i64,
    /// How much.
    pub lots: i64,
    /// Which way the order went that came.
    pub taker: Side,
    /// Who bought.
    pub buyer: Option<Party>,
    /// Who sold.
    pub seller: Option<Party>,
    /// What the buyer held and needed no more, in minor units of the quote currency.
    pub freed: i64,
    /// When.
    pub at: Timestamp,
}

impl PaperTrade {
    /// The order's side of the trade; of one that met itself in another order of the account, the one asked for.
    pub fn side_of(&self, account: &str, order: Option<i64>) -> Option<(Side, &Party)> {
        let is = |party: &&Party| party.account == account && order.is_none_or(|order| party.order == order);
        let buyer = self.buyer.as_ref().filter(is).map(|party| (Side::Buy, party));
        buyer.or_else(|| self.seller.as_ref().filter(is).map(|party| (Side::Sell, party)))
    }
}

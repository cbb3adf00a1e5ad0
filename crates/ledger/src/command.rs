//! What callers ask of the ledger.

use std::time::Duration;

use orrery_kernel::{AMOUNT_MAX, Asset, SnapshotId, UserId};

use crate::{Bucket, Seq};

/// Who asks. Idempotency keys are scoped to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// A user through a surface.
    User(UserId),
    /// An operator at the command line.
    Operator,
    /// A job of ours.
    System,
}

impl Actor {
    /// The text form that stores keep and the hash chain covers: `user:7`, `operator`, `system`.
    pub fn code(self) -> String {
        match self {
            Self::User(u) => format!("user:{u}"),
            Self::Operator => "operator".into(),
            Self::System => "system".into(),
        }
    }

    /// The inverse of [`Actor::code`].
    pub fn parse(code: &str) -> Option<Self> {
        match code {
            "operator" => Some(Self::Operator),
            "system" => Some(Self::System),
            _ => code.strip_prefix("user:")?.parse().ok().filter(|id| *id > 0).map(|id| Self::User(UserId(id))),
        }
    }
}

/// A key under which an actor's command has at most one effect, for ever.
/// 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdemKey(Box<str>);

/// The text is no idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 visible ASCII characters")]
pub struct KeyError;

impl IdemKey {
    /// Checks and wraps a key.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let good = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if good { Ok(Self(text.into())) } else { Err(KeyError) }
    }

    /// A key of 128 bits, for callers that gave none.
    pub fn from_bits(bits: [u8; 16]) -> Self {
        Self(format!("auto-{}", hex::encode(bits)).into())
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The user's side of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Rupees for bitcoin.
    Buy,
    /// Bitcoin for rupees.
    Sell,
}

/// The side of a trade that the caller named exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// Paise.
    Inr(i64),
    /// Satoshis.
    Btc(i64),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Money of `user` enters from outside.
    Deposit {
        /// Whose.
        user: UserId,
        /// INR or BTC.
        asset: Asset,
        /// Minor units.
        amount: i64,
    },
    /// Money of the house enters from outside.
    FundHouse {
        /// Which money.
        asset: Asset,
        /// `Inventory` or `Treasury` (INR only).
        bucket: Bucket,
        /// Minor units.
        amount: i64,
    },
    /// A market buy or sell against the house's inventory.
    Trade {
        /// Who trades.
        user: UserId,
        /// Buy or sell.
        side: Side,
        /// How much, and in which money that is exact.
        size: Size,
        /// The stored price to trade at.
        snapshot: SnapshotId,
        /// The worst rate the caller accepts, paise per bitcoin.
        worst_rate: Option<i64>,
    },
    /// Undo entry `seq` by a new entry with every leg swapped.
    Reverse {
        /// The entry to undo.
        seq: Seq,
    },
}

/// An operation with its author and key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// Who asks.
    pub actor: Actor,
    /// Under which key.
    pub key: IdemKey,
    /// For what.
    pub operation: Operation,
}

/// The ledger's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A price older than this refuses trades.
    pub max_age: Duration,
    /// The least the house's INR inventory may be, paise; at most 0 lets it go short.
    pub floor_inr: i64,
    /// The least the house's BTC inventory may be, satoshis.
    pub floor_btc: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_age: Duration::from_secs(90), floor_inr: -AMOUNT_MAX, floor_btc: -AMOUNT_MAX }
    }
}

impl Limits {
    pub(crate) fn inventory_floor(&self, asset: Asset) -> i64 {
        match asset {
            Asset::INR => self.floor_inr,
            Asset::BTC => self.floor_btc,
            _ => 0,
        }
    }
}

//! Journal entries.

use orrery_kernel::{SnapshotId, Timestamp};

use crate::{Account, Actor, IdemKey, Size};

/// Position in the journal: 1, 2, 3 … without a gap.
pub type Seq = i64;

/// Most legs an entry may have.
pub const LEGS_MAX: usize = 64;

/// The genesis head is the SHA-256 of this text.
pub const GENESIS_TEXT: &str = "ledger/v1";

/// What an entry records. The numbers are part of the hashed form and of stored rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Money of a user entered.
    Deposit = 1,
    /// Money of the house entered.
    FundHouse = 2,
    /// Market buy.
    MarketBuy = 3,
    /// Market sell.
    MarketSell = 4,
    /// An earlier entry undone.
    Reverse = 5,
}

/// One movement; `amount` > 0, both ends the same asset, `from` ≠ `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Falls by `amount`.
    pub from: Account,
    /// Rises by `amount`.
    pub to: Account,
    /// Minor units.
    pub amount: i64,
    /// Balance of `from` after this leg.
    pub from_after: i64,
    /// Balance of `to` after this leg.
    pub to_after: i64,
}

/// One immutable, all-or-nothing record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// What it records.
    pub kind: Kind,
    /// Who asked.
    pub actor: Actor,
    /// Under which key.
    pub key: IdemKey,
    /// The price it was made at.
    pub snapshot: Option<SnapshotId>,
    /// The size the caller named, for trades.
    pub size: Option<Size>,
    /// The entry it undoes.
    pub refs: Option<Seq>,
    /// 1 to [`LEGS_MAX`] movements, in order.
    pub legs: Vec<Leg>,
    /// When it was decided; never before its predecessor.
    pub at: Timestamp,
    /// Hash of its predecessor.
    pub prev: [u8; 32],
    /// SHA-256 of `prev` and the canonical form.
    pub hash: [u8; 32],
}

/// The end of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Last entry; 0 when there is none.
    pub seq: Seq,
    /// Its hash; the genesis hash when there is none.
    pub hash: [u8; 32],
    /// Its time; the epoch when there is none.
    pub at: Timestamp,
}

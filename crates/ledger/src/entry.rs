//! Journal entries.

use orrery_kernel::{SnapshotId, Timestamp};

use crate::{Account, Actor, IdemKey, Side, Size};

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
    /// A limit order to buy; rupees are reserved.
    PlaceBuy = 6,
    /// A limit order to sell; bitcoin is reserved.
    PlaceSell = 7,
    /// A limit order to buy was executed.
    FillBuy = 8,
    /// A limit order to sell was executed.
    FillSell = 9,
    /// A limit order was withdrawn by its owner.
    CancelOrder = 10,
    /// A limit order ran out.
    ExpireOrder = 11,
    /// From one user to another.
    Transfer = 12,
    /// Money of a user left, by an administrator.
    Withdraw = 13,
    /// A withdrawal asked for; the money is reserved.
    Hold = 14,
    /// A withdrawal paid out, wholly or in part.
    PostHold = 15,
    /// A withdrawal called off.
    VoidHold = 16,
    /// A withdrawal ran out.
    ExpireHold = 17,
    /// Bitcoin locked against a loan.
    LockCollateral = 18,
    /// Collateral given back.
    ReleaseCollateral = 19,
    /// Money lent.
    Borrow = 20,
    /// Debt paid back.
    Repay = 21,
    /// Interest added to a debt.
    Accrue = 22,
    /// Collateral sold down to the target.
    LiquidatePartial = 23,
    /// Collateral sold for the whole debt.
    LiquidateFull = 24,
    /// A debt without collateral given up.
    WriteOff = 25,
    /// A plan's buy.
    PlanBuy = 26,
    /// A plan's sell.
    PlanSell = 27,
    /// TST given to a wallet.
    Grant = 28,
    /// A wallet's signed transaction.
    WalletTransaction = 29,
    /// Play money given to a paper account.
    PaperGrant = 30,
    /// Play money reserved for a paper order.
    PaperHold = 31,
    /// What a paper order did not need, given back.
    PaperRelease = 32,
    /// A paper order met another, or the house.
    PaperFill = 33,
}

impl Kind {
    /// Every kind, by number.
    pub const ALL: [Self; 33] = [
        Self::Deposit,
        Self::FundHouse,
        Self::MarketBuy,
        Self::MarketSell,
        Self::Reverse,
        Self::PlaceBuy,
        Self::PlaceSell,
        Self::FillBuy,
        Self::FillSell,
        Self::CancelOrder,
        Self::ExpireOrder,
        Self::Transfer,
        Self::Withdraw,
        Self::Hold,
        Self::PostHold,
        Self::VoidHold,
        Self::ExpireHold,
        Self::LockCollateral,
        Self::ReleaseCollateral,
        Self::Borrow,
        Self::Repay,
        Self::Accrue,
        Self::LiquidatePartial,
        Self::LiquidateFull,
        Self::WriteOff,
        Self::PlanBuy,
        Self::PlanSell,
        Self::Grant,
        Self::WalletTransaction,
        Self::PaperGrant,
        Self::PaperHold,
        Self::PaperRelease,
        Self::PaperFill,
    ];

    /// The kind of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Does it end an order or a hold, whose own entry stands for it in statements?
    pub fn is_closing(self) -> bool {
        matches!(
            self,
            Self::FillBuy
                | Self::FillSell
                | Self::CancelOrder
                | Self::ExpireOrder
                | Self::PostHold
                | Self::VoidHold
                | Self::ExpireHold
        )
    }

    /// May an administrator undo it? Orders and holds are ended instead, loans repaid.
    pub fn is_reversible(self) -> bool {
        matches!(
            self,
            Self::Deposit
                | Self::FundHouse
                | Self::MarketBuy
                | Self::MarketSell
                | Self::PlanBuy
                | Self::PlanSell
                | Self::Transfer
                | Self::Withdraw
        )
    }

    /// The user's side, for trades and orders.
    pub fn side(self) -> Option<Side> {
        match self {
            Self::MarketBuy | Self::PlanBuy | Self::PlaceBuy | Self::FillBuy => Some(Side::Buy),
            Self::MarketSell | Self::PlanSell | Self::PlaceSell | Self::FillSell => Some(Side::Sell),
            _ => None,
        }
    }
}

/// What an order, a hold or a loan was agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// An order's limit in paise per bitcoin; a loan's interest in hundredths of a percent a year;
    /// 0 where there is none.
    pub rate: i64,
    /// When an order or a hold runs out.
    pub until: Option<Timestamp>,
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
    /// The entry it undoes, or the order or hold it ends. No two entries name the same.
    pub refs: Option<Seq>,
    /// What an order, a hold or a loan was agreed on.
    pub terms: Option<Terms>,
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

//! What callers ask of the ledger.

use std::time::Duration;

use orrery_kernel::{AMOUNT_MAX, Asset, SnapshotId, Timestamp, UserId};

use crate::{Bucket, PaperFill, Seq};

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
        /// Does a plan trade, rather than the user by hand?
        plan: bool,
    },
    /// Undo entry `seq` by a new entry with every leg swapped.
    Reverse {
        /// The entry to undo.
        seq: Seq,
    },
    /// A limit order, for which what it can cost at its limit is reserved.
    PlaceOrder {
        /// Whose.
        user: UserId,
        /// Buy or sell.
        side: Side,
        /// How much, and in which money that is exact.
        size: Size,
        /// The worst rate it may be filled at, paise per bitcoin.
        limit: i64,
        /// When it runs out.
        expires_at: Option<Timestamp>,
    },
    /// Execute a whole order at a price that crosses its limit.
    FillOrder {
        /// Whose.
        user: UserId,
        /// The entry that placed it.
        order: Seq,
        /// The stored price.
        snapshot: SnapshotId,
    },
    /// Withdraw an open order.
    CancelOrder {
        /// Whose.
        user: UserId,
        /// The entry that placed it.
        order: Seq,
    },
    /// End an open order whose time is over.
    ExpireOrder {
        /// Whose.
        user: UserId,
        /// The entry that placed it.
        order: Seq,
    },
    /// From one user to another.
    Transfer {
        /// Sender.
        from: UserId,
        /// Receiver.
        to: UserId,
        /// INR or BTC.
        asset: Asset,
        /// Minor units.
        amount: i64,
    },
    /// Money of `user` leaves at once: a hold and its posting in one entry.
    Withdraw {
        /// Whose.
        user: UserId,
        /// INR or BTC.
        asset: Asset,
        /// Minor units.
        amount: i64,
    },
    /// Reserve money for a withdrawal.
    Hold {
        /// Whose.
        user: UserId,
        /// INR or BTC.
        asset: Asset,
        /// Minor units.
        amount: i64,
        /// When it runs out.
        expires_at: Option<Timestamp>,
    },
    /// Pay a withdrawal out; what is not paid goes back.
    PostHold {
        /// Whose.
        user: UserId,
        /// The entry that made it.
        hold: Seq,
        /// Minor units; `None`: all of it.
        amount: Option<i64>,
    },
    /// Call a withdrawal off.
    VoidHold {
        /// Whose.
        user: UserId,
        /// The entry that made it.
        hold: Seq,
    },
    /// End a withdrawal whose time is over.
    ExpireHold {
        /// Whose.
        user: UserId,
        /// The entry that made it.
        hold: Seq,
    },
    /// Lock bitcoin against the user's loan, opening it where there is none.
    LockCollateral {
        /// Whose.
        user: UserId,
        /// Satoshis.
        amount: i64,
        /// Interest of a loan that this opens, hundredths of a percent a year.
        rate_bps: i64,
    },
    /// Give collateral back, as far as the loan's value allows.
    ReleaseCollateral {
        /// Whose.
        user: UserId,
        /// Satoshis.
        amount: i64,
        /// The stored price to judge by; not looked at without a debt.
        snapshot: SnapshotId,
    },
    /// Lend money of the treasury.
    Borrow {
        /// To whom.
        user: UserId,
        /// Paise.
        amount: i64,
        /// The stored price to judge by.
        snapshot: SnapshotId,
    },
    /// Pay debt back, interest first; the last payment frees the collateral and ends the loan.
    Repay {
        /// Whose.
        user: UserId,
        /// Paise; no more than the debt is taken.
        amount: i64,
    },
    /// Add the interest due so far.
    Accrue {
        /// Whose.
        user: UserId,
    },
    /// Sell collateral of a loan that is no longer worth its debt.
    Liquidate {
        /// Whose.
        user: UserId,
        /// For the whole debt, rather than down to the target.
        full: bool,
        /// The stored price to sell at.
        snapshot: SnapshotId,
    },
    /// Give a debt up whose collateral is gone.
    WriteOff {
        /// Whose.
        user: UserId,
    },
    /// TST from outside to a wallet.
    Grant {
        /// The wallet's address.
        wallet: Box<str>,
        /// Millionths of TST.
        amount: i64,
    },
    /// A signed transaction of a wallet in TST: its steps in order, then the fee to the house's income. One
    /// that cannot be executed is not remembered, so that it may be tried again under the same key.
    WalletTransaction {
        /// The wallet that pays.
        from: Box<str>,
        /// SHA-256 of the signed text: another transaction is another request.
        hash: [u8; 32],
        /// In order; each sees what the ones before it did.
        steps: Vec<WalletStep>,
        /// Millionths of TST, from 0.
        fee: i64,
    },
    /// Play money for a paper account.
    PaperGrant {
        /// The account's name.
        account: Box<str>,
        /// A paper asset.
        asset: Asset,
        /// Minor units.
        amount: i64,
    },
    /// Reserve play money for an order. A shortage is remembered: the order is refused for good.
    PaperHold {
        /// The account's name.
        account: Box<str>,
        /// A paper asset.
        asset: Asset,
        /// Minor units.
        amount: i64,
    },
    /// Give back what an order that is over did not need.
    PaperRelease {
        /// The account's name.
        account: Box<str>,
        /// A paper asset.
        asset: Asset,
        /// Minor units.
        amount: i64,
    },
    /// Exchange what the orders of two sides hold.
    PaperFill(PaperFill),
}

/// A step of [`Operation::WalletTransaction`]; amounts are millionths of TST.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WalletStep {
    /// Pay.
    Pay {
        /// The wallet that receives; paying oneself moves nothing, but asks for the amount.
        to: Box<str>,
        /// From 1.
        amount: i64,
    },
    /// Go on only if a wallet holds at least so much.
    AtLeast {
        /// The wallet.
        wallet: Box<str>,
        /// From 1.
        amount: i64,
    },
}

impl WalletStep {
    /// The wallet that it is about, besides the one that pays.
    pub fn wallet(&self) -> &str {
        match self {
            Self::Pay { to: wallet, .. } | Self::AtLeast { wallet, .. } => wallet,
        }
    }

    /// Its amount.
    pub fn amount(&self) -> i64 {
        match self {
            Self::Pay { amount, .. } | Self::AtLeast { amount, .. } => *amount,
        }
    }
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
            // the house stands for everybody else in the market
            _ if asset.is_paper() => -AMOUNT_MAX,
            _ => 0,
        }
    }
}

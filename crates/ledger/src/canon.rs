//! The bytes that hashes cover. Fixed once; a change needs a new version byte.
//!
//! All integers are little-endian. `text` is a two-byte length and that many bytes; an absent
//! number is 0 (numbers that may be absent are at least 1 when present).
//!
//! | entry | bytes |
//! | --- | --- |
//! | version | 1: `1`, or `2` with terms |
//! | seq | 8 |
//! | kind | 1, see [`Kind`](crate::Kind) |
//! | actor | text, see [`Actor::code`](crate::Actor::code) |
//! | key | text |
//! | snapshot | 8, or 0 |
//! | size | 1 (`0` none, `1` INR, `2` BTC) and 8 |
//! | refs | 8, or 0 |
//! | terms | only in version 2: rate (8) and until (8, microseconds, or 0) |
//! | at | 8, microseconds |
//! | legs | 2, how many; then for each: from (text), to (text), amount (8); accounts by [`Account::code`](crate::Account::code) |
//!
//! `hash = SHA-256(prev ‖ bytes)`; the first `prev` is SHA-256 of [`GENESIS_TEXT`]. The balances
//! after each leg are not hashed: they follow from the legs.

use orrery_kernel::Timestamp;
use sha2::{Digest, Sha256};

use crate::{Account, Entry, GENESIS_TEXT, Operation, Side, Size, WalletStep};

struct Bytes(Vec<u8>);

impl Bytes {
    fn number(&mut self, n: i64) -> &mut Self {
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }

    fn byte(&mut self, b: u8) -> &mut Self {
        self.0.push(b);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        // codes and keys are far below 64 KiB by construction
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
        self
    }

    fn size(&mut self, size: Option<Size>) -> &mut Self {
        match size {
            None => self.byte(0).number(0),
            Some(Size::Inr(n)) => self.byte(1).number(n),
            Some(Size::Btc(n)) => self.byte(2).number(n),
        }
    }
}

/// The head of an empty journal.
pub fn genesis() -> [u8; 32] {
    Sha256::digest(GENESIS_TEXT.as_bytes()).into()
}

impl Entry {
    /// The canonical bytes; see the module.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Bytes(Vec::with_capacity(192));
        bytes
            .byte(if self.terms.is_some() { 2 } else { 1 })
            .number(self.seq)
            .byte(self.kind as u8)
            .text(&self.actor.code())
            .text(self.key.as_str())
            .number(self.snapshot.map_or(0, |s| s.0))
            .size(self.size)
            .number(self.refs.unwrap_or(0));
        if let Some(terms) = self.terms {
            bytes.number(terms.rate).number(terms.until.map_or(0, Timestamp::micros));
        }
        bytes.number(self.at.micros());
        let count = u16::try_from(self.legs.len()).unwrap_or(u16::MAX);
        bytes.0.extend_from_slice(&count.to_le_bytes());
        for leg in &self.legs {
            bytes.text(&leg.from.code()).text(&leg.to.code()).number(leg.amount);
        }
        bytes.0
    }

    /// `SHA-256(prev ‖ canonical)`.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::new_with_prefix(self.prev).chain_update(self.canonical()).finalize().into()
    }
}

impl Operation {
    /// SHA-256 that a key is bound to. What belongs to the moment and not to the request is left out
    /// (the price, a loan's interest): a retry after it moved is the same request.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut bytes = Bytes(Vec::with_capacity(64));
        match self {
            Self::Deposit { user, asset, amount } => bytes.byte(1).number(user.0).text(asset.code()).number(*amount),
            Self::FundHouse { asset, bucket, amount } => {
                bytes.byte(2).text(&Account::house(*asset, *bucket).code()).number(*amount)
            }
            Self::Trade { user, side, size, snapshot: _, worst_rate, plan } => {
                bytes.byte(3).number(user.0).byte(u8::from(*side == Side::Sell)).size(Some(*size));
                bytes.number(worst_rate.unwrap_or(0));
                // what was bound before there were plans stays as it was
                if *plan { bytes.byte(1) } else { &mut bytes }
            }
            Self::Reverse { seq } => bytes.byte(4).number(*seq),
            Self::PlaceOrder { user, side, size, limit, expires_at } => bytes
                .byte(5)
                .number(user.0)
                .byte(u8::from(*side == Side::Sell))
                .size(Some(*size))
                .number(*limit)
                .number(expires_at.map_or(0, Timestamp::micros)),
            Self::FillOrder { user, order, snapshot: _ } => bytes.byte(6).number(user.0).number(*order),
            Self::CancelOrder { user, order } => bytes.byte(7).number(user.0).number(*order),
            Self::ExpireOrder { user, order } => bytes.byte(8).number(user.0).number(*order),
            Self::Transfer { from, to, asset, amount } => {
                bytes.byte(9).number(from.0).number(to.0).text(asset.code()).number(*amount)
            }
            Self::Withdraw { user, asset, amount } => bytes.byte(10).number(user.0).text(asset.code()).number(*amount),
            Self::Hold { user, asset, amount, expires_at } => bytes
                .byte(11)
                .number(user.0)
                .text(asset.code())
                .number(*amount)
                .number(expires_at.map_or(0, Timestamp::micros)),
            Self::PostHold { user, hold, amount } => {
                bytes.byte(12).number(user.0).number(*hold).number(amount.unwrap_or(0))
            }
            Self::VoidHold { user, hold } => bytes.byte(13).number(user.0).number(*hold),
            Self::ExpireHold { user, hold } => bytes.byte(14).number(user.0).number(*hold),
            Self::LockCollateral { user, amount, rate_bps: _ } => bytes.byte(15).number(user.0).number(*amount),
            Self::ReleaseCollateral { user, amount, snapshot: _ } => bytes.byte(16).number(user.0).number(*amount),
            Self::Borrow { user, amount, snapshot: _ } => bytes.byte(17).number(user.0).number(*amount),
            Self::Repay { user, amount } => bytes.byte(18).number(user.0).number(*amount),
            Self::Accrue { user } => bytes.byte(19).number(user.0),
            Self::Liquidate { user, full, snapshot: _ } => bytes.byte(20).number(user.0).byte(u8::from(*full)),
            Self::WriteOff { user } => bytes.byte(21).number(user.0),
            Self::Grant { wallet, amount } => bytes.byte(22).text(wallet).number(*amount),
            Self::WalletTransaction { from, hash, steps, fee } => {
                bytes.byte(23).text(from).number(*fee);
                bytes.0.extend_from_slice(hash);
                for step in steps {
                    match step {
                        WalletStep::Pay { to, amount } => bytes.byte(1).text(to).number(*amount),
                        WalletStep::AtLeast { wallet, amount } => bytes.byte(2).text(wallet).number(*amount),
                    };
                }
                &mut bytes
            }
            Self::PaperGrant { account, asset, amount } => {
                bytes.byte(24).text(account).text(asset.code()).number(*amount)
            }
            Self::PaperHold { account, asset, amount } => {
                bytes.byte(25).text(account).text(asset.code()).number(*amount)
            }
            Self::PaperRelease { account, asset, amount } => {
                bytes.byte(26).text(account).text(asset.code()).number(*amount)
            }
            Self::PaperFill(fill) => {
                let side = |side: &Option<Box<str>>| side.as_deref().unwrap_or_default().to_owned();
                bytes.byte(27).text(&side(&fill.buyer)).text(&side(&fill.seller));
                bytes.text(fill.base.code()).text(fill.quote.code()).number(fill.amount).number(fill.cost);
                bytes.number(fill.buyer_fee).number(fill.seller_fee).number(fill.freed)
            }
        };
        Sha256::digest(&bytes.0).into()
    }
}

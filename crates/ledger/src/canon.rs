//! The bytes that hashes cover. Fixed once; a change needs a new version byte.
//!
//! All integers are little-endian. `text` is a two-byte length and that many bytes; an absent
//! number is 0 (numbers that may be absent are at least 1 when present).
//!
//! | entry | bytes |
//! | --- | --- |
//! | version | 1, always `1` |
//! | seq | 8 |
//! | kind | 1, see [`Kind`](crate::Kind) |
//! | actor | text, see [`Actor::code`](crate::Actor::code) |
//! | key | text |
//! | snapshot | 8, or 0 |
//! | size | 1 (`0` none, `1` INR, `2` BTC) and 8 |
//! | refs | 8, or 0 |
//! | at | 8, microseconds |
//! | legs | 2, how many; then for each: from (text), to (text), amount (8); accounts by [`Account::code`](crate::Account::code) |
//!
//! `hash = SHA-256(prev ‖ bytes)`; the first `prev` is SHA-256 of [`GENESIS_TEXT`]. The balances
//! after each leg are not hashed: they follow from the legs.

use sha2::{Digest, Sha256};

use crate::{Account, Entry, GENESIS_TEXT, Operation, Side, Size};

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
            .byte(1)
            .number(self.seq)
            .byte(self.kind as u8)
            .text(&self.actor.code())
            .text(self.key.as_str())
            .number(self.snapshot.map_or(0, |s| s.0))
            .size(self.size)
            .number(self.refs.unwrap_or(0))
            .number(self.at.micros());
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
    /// SHA-256 that a key is bound to. A trade's snapshot is left out: a retry after the price moved
    /// is the same request.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut bytes = Bytes(Vec::with_capacity(64));
        match self {
            Self::Deposit { user, asset, amount } => {
                bytes.byte(1).number(user.0).text(asset.code()).number(*amount);
            }
            Self::FundHouse { asset, bucket, amount } => {
                bytes.byte(2).text(&Account::house(*asset, *bucket).code()).number(*amount);
            }
            Self::Trade { user, side, size, snapshot: _, worst_rate } => {
                bytes
                    .byte(3)
                    .number(user.0)
                    .byte(u8::from(*side == Side::Sell))
                    .size(Some(*size))
                    .number(worst_rate.unwrap_or(0));
            }
            Self::Reverse { seq } => {
                bytes.byte(4).number(*seq);
            }
        }
        Sha256::digest(&bytes.0).into()
    }
}

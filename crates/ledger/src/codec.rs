//! Outcomes as bytes, for the idempotency table. Version 1; little-endian; texts with a two-byte
//! length. A reader of garbage gets `None`, never a panic.

use orrery_kernel::{Asset, Timestamp, UserId};

use crate::{Account, Kind, Outcome, Receipt, Refusal, Sheet};

const VERSION: u8 = 1;

struct Writer(Vec<u8>);

impl Writer {
    fn byte(&mut self, b: u8) {
        self.0.push(b);
    }

    fn number(&mut self, n: i64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    fn number(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = u16::from_le_bytes(self.bytes(2)?.try_into().ok()?);
        std::str::from_utf8(self.bytes(usize::from(length))?).ok()
    }
}

impl Outcome {
    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer(Vec::with_capacity(112));
        w.byte(VERSION);
        match self {
            Self::Posted(r) => {
                w.byte(0);
                w.byte(r.kind as u8);
                for n in [r.seq, r.user.map_or(0, |u| u.0), r.inr, r.btc, r.rate, r.at.micros()] {
                    w.number(n);
                }
                let s = &r.sheet;
                for n in [
                    s.available_inr,
                    s.available_btc,
                    s.reserved_inr,
                    s.reserved_btc,
                    s.collateral_btc,
                    s.borrowed_inr,
                    s.interest_accrued,
                ] {
                    w.number(n);
                }
            }
            Self::Refused(refusal) => match refusal {
                Refusal::Insufficient { asset, required, available } => {
                    w.byte(1);
                    w.text(asset.code());
                    w.number(*required);
                    w.number(*available);
                }
                Refusal::Bound { account } => {
                    w.byte(2);
                    w.text(&account.code());
                }
                Refusal::Dust => w.byte(3),
                Refusal::StalePrice => w.byte(4),
                Refusal::Slippage => w.byte(5),
                Refusal::NoSuchEntry => w.byte(6),
                Refusal::NotReversible => w.byte(7),
                Refusal::NoSuchOrder => w.byte(8),
                Refusal::NoSuchHold => w.byte(9),
                Refusal::NotOpen => w.byte(10),
                Refusal::NotCrossed => w.byte(11),
                Refusal::NoLoan => w.byte(12),
                Refusal::NoDebt => w.byte(13),
                Refusal::Undersecured { allowed, debt } => {
                    w.byte(14);
                    w.number(*allowed);
                    w.number(*debt);
                }
                Refusal::Healthy => w.byte(15),
                Refusal::Secured => w.byte(16),
            },
        }
        w.0
    }

    /// The inverse of [`Outcome::to_bytes`]; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader(bytes);
        if r.byte()? != VERSION {
            return None;
        }
        let outcome = match r.byte()? {
            0 => {
                let kind = Kind::from_number(r.byte()?)?;
                let (seq, user) = (r.number()?, r.number()?);
                Self::Posted(Receipt {
                    seq,
                    kind,
                    user: (user > 0).then_some(UserId(user)),
                    inr: r.number()?,
                    btc: r.number()?,
                    rate: r.number()?,
                    at: Timestamp::from_micros(r.number()?),
                    sheet: Sheet {
                        available_inr: r.number()?,
                        available_btc: r.number()?,
                        reserved_inr: r.number()?,
                        reserved_btc: r.number()?,
                        collateral_btc: r.number()?,
                        borrowed_inr: r.number()?,
                        interest_accrued: r.number()?,
                    },
                })
            }
            1 => Self::Refused(Refusal::Insufficient {
                asset: Asset::parse(r.text()?)?,
                required: r.number()?,
                available: r.number()?,
            }),
            2 => Self::Refused(Refusal::Bound { account: Account::parse(r.text()?)? }),
            3 => Self::Refused(Refusal::Dust),
            4 => Self::Refused(Refusal::StalePrice),
            5 => Self::Refused(Refusal::Slippage),
            6 => Self::Refused(Refusal::NoSuchEntry),
            7 => Self::Refused(Refusal::NotReversible),
            8 => Self::Refused(Refusal::NoSuchOrder),
            9 => Self::Refused(Refusal::NoSuchHold),
            10 => Self::Refused(Refusal::NotOpen),
            11 => Self::Refused(Refusal::NotCrossed),
            12 => Self::Refused(Refusal::NoLoan),
            13 => Self::Refused(Refusal::NoDebt),
            14 => Self::Refused(Refusal::Undersecured { allowed: r.number()?, debt: r.number()? }),
            15 => Self::Refused(Refusal::Healthy),
            16 => Self::Refused(Refusal::Secured),
            _ => return None,
        };
        r.0.is_empty().then_some(outcome)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Bucket;

    fn outcomes() -> impl Strategy<Value = Outcome> {
        let receipt = (any::<[i64; 12]>(), 0_usize..Kind::ALL.len(), 0_i64..3).prop_map(|(n, kind, user)| {
            Outcome::Posted(Receipt {
                seq: n[0],
                kind: Kind::ALL[kind],
                user: (user > 0).then_some(UserId(user)),
                inr: n[1],
                btc: n[2],
                rate: n[3],
                at: Timestamp::from_micros(n[4]),
                sheet: Sheet {
                    available_inr: n[5],
                    available_btc: n[6],
                    reserved_inr: n[7],
                    reserved_btc: n[8],
                    collateral_btc: n[9],
                    borrowed_inr: n[10],
                    interest_accrued: n[11],
                },
            })
        });
        let refusal = prop_oneof![
            (any::<i64>(), any::<i64>()).prop_map(|(required, available)| Refusal::Insufficient {
                asset: Asset::BTC,
                required,
                available
            }),
            Just(Refusal::Bound { account: Account::house(Asset::INR, Bucket::Inventory) }),
            Just(Refusal::Dust),
            Just(Refusal::StalePrice),
            Just(Refusal::Slippage),
            Just(Refusal::NoSuchEntry),
            Just(Refusal::NotReversible),
            Just(Refusal::NoSuchOrder),
            Just(Refusal::NoSuchHold),
            Just(Refusal::NotOpen),
            Just(Refusal::NotCrossed),
            Just(Refusal::NoLoan),
            Just(Refusal::NoDebt),
            (any::<i64>(), any::<i64>()).prop_map(|(allowed, debt)| Refusal::Undersecured { allowed, debt }),
            Just(Refusal::Healthy),
            Just(Refusal::Secured),
        ];
        prop_oneof![receipt, refusal.prop_map(Outcome::Refused)]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(outcome in outcomes()) {
            prop_assert_eq!(Outcome::from_bytes(&outcome.to_bytes()), Some(outcome));
        }

        #[test]
        fn a_cut_or_longer_text_is_not_an_outcome(outcome in outcomes(), cut in 0_usize..200) {
            let bytes = outcome.to_bytes();
            if cut < bytes.len() {
                prop_assert_eq!(Outcome::from_bytes(&bytes[..cut]), None);
            }
            prop_assert_eq!(Outcome::from_bytes(&[&bytes[..], &[0]].concat()), None);
        }

        #[test]
        fn garbage_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Outcome::from_bytes(&bytes);
        }
    }
}

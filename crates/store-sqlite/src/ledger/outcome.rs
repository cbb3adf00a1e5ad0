//! Outcomes as JSON text. Domain types are not serde types; these twins fix the stored form. Released
//! fields keep their meaning: an outcome is replayed as it was for as long as the database lives.

use orrery_kernel::{Asset, StoreError, Timestamp, UserId};
use orrery_ledger::{Account, Kind, Outcome, Receipt, Refusal, Sheet};
use serde::{Deserialize, Serialize};

use crate::error::corrupt;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Stored {
    Posted { seq: i64, kind: i64, user: Option<i64>, inr: i64, btc: i64, rate: i64, at: i64, sheet: StoredSheet },
    Insufficient { asset: String, required: i64, available: i64 },
    Bound { account: String },
    Dust,
    StalePrice,
    Slippage,
    NoSuchEntry,
    NotReversible,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSheet {
    available_inr: i64,
    available_btc: i64,
    reserved_inr: i64,
    reserved_btc: i64,
    collateral_btc: i64,
    borrowed_inr: i64,
    interest_accrued: i64,
}

const KINDS: [Kind; 5] = [Kind::Deposit, Kind::FundHouse, Kind::MarketBuy, Kind::MarketSell, Kind::Reverse];

/// The stored number of a kind.
pub(super) fn kind_number(kind: Kind) -> i64 {
    i64::from(kind as u8)
}

/// The kind of a stored number.
pub(super) fn kind(number: i64) -> Option<Kind> {
    KINDS.into_iter().find(|k| kind_number(*k) == number)
}

pub(super) fn encode(outcome: &Outcome) -> Result<String, StoreError> {
    let stored = match outcome {
        Outcome::Posted(r) => Stored::Posted {
            seq: r.seq,
            kind: kind_number(r.kind),
            user: r.user.map(|u| u.0),
            inr: r.inr,
            btc: r.btc,
            rate: r.rate,
            at: r.at.micros(),
            sheet: StoredSheet {
                available_inr: r.sheet.available_inr,
                available_btc: r.sheet.available_btc,
                reserved_inr: r.sheet.reserved_inr,
                reserved_btc: r.sheet.reserved_btc,
                collateral_btc: r.sheet.collateral_btc,
                borrowed_inr: r.sheet.borrowed_inr,
                interest_accrued: r.sheet.interest_accrued,
            },
        },
        Outcome::Refused(refusal) => match refusal {
            Refusal::Insufficient { asset, required, available } => {
                Stored::Insufficient { asset: asset.code().to_owned(), required: *required, available: *available }
            }
            Refusal::Bound { account } => Stored::Bound { account: account.code() },
            Refusal::Dust => Stored::Dust,
            Refusal::StalePrice => Stored::StalePrice,
            Refusal::Slippage => Stored::Slippage,
            Refusal::NoSuchEntry => Stored::NoSuchEntry,
            Refusal::NotReversible => Stored::NotReversible,
        },
    };
    serde_json::to_string(&stored).map_err(|e| corrupt("idempotency.outcome", e))
}

pub(super) fn decode(text: &str) -> Result<Outcome, StoreError> {
    const WHAT: &str = "idempotency.outcome";
    let refused = |refusal| Ok(Outcome::Refused(refusal));
    match serde_json::from_str(text).map_err(|e| corrupt(WHAT, e))? {
        Stored::Posted { seq, kind: number, user, inr, btc, rate, at, sheet } => Ok(Outcome::Posted(Receipt {
            seq,
            kind: kind(number).ok_or_else(|| corrupt(WHAT, format!("kind {number}")))?,
            user: user.map(UserId),
            inr,
            btc,
            rate,
            at: Timestamp::from_micros(at),
            sheet: Sheet {
                available_inr: sheet.available_inr,
                available_btc: sheet.available_btc,
                reserved_inr: sheet.reserved_inr,
                reserved_btc: sheet.reserved_btc,
                collateral_btc: sheet.collateral_btc,
                borrowed_inr: sheet.borrowed_inr,
                interest_accrued: sheet.interest_accrued,
            },
        })),
        Stored::Insufficient { asset, required, available } => refused(Refusal::Insufficient {
            asset: Asset::parse(&asset).ok_or_else(|| corrupt(WHAT, format!("asset {asset:?}")))?,
            required,
            available,
        }),
        Stored::Bound { account } => refused(Refusal::Bound {
            account: Account::parse(&account).ok_or_else(|| corrupt(WHAT, format!("account {account:?}")))?,
        }),
        Stored::Dust => refused(Refusal::Dust),
        Stored::StalePrice => refused(Refusal::StalePrice),
        Stored::Slippage => refused(Refusal::Slippage),
        Stored::NoSuchEntry => refused(Refusal::NoSuchEntry),
        Stored::NotReversible => refused(Refusal::NotReversible),
    }
}

#[cfg(test)]
mod tests {
    use orrery_ledger::Bucket;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let refused = |r| encode(&Outcome::Refused(r)).unwrap();
        assert_eq!(refused(Refusal::Dust), r#""dust""#);
        assert_eq!(refused(Refusal::StalePrice), r#""stale_price""#);
        assert_eq!(
            refused(Refusal::Insufficient { asset: Asset::BTC, required: 2, available: 1 }),
            r#"{"insufficient":{"asset":"BTC","required":2,"available":1}}"#
        );
        let account = Account::user(UserId(7), Asset::INR, Bucket::Available);
        assert_eq!(refused(Refusal::Bound { account }), r#"{"bound":{"account":"user:7/INR/available"}}"#);
        for kind in KINDS {
            let text = encode(&Outcome::Posted(Receipt {
                seq: 3,
                kind,
                user: None,
                inr: 1,
                btc: 0,
                rate: 0,
                at: Timestamp::from_micros(5),
                sheet: Sheet::default(),
            }));
            let want = format!(
                r#"{{"posted":{{"seq":3,"kind":{},"user":null,"inr":1,"btc":0,"rate":0,"at":5,"sheet":{{"available_inr":0,"available_btc":0,"reserved_inr":0,"reserved_btc":0,"collateral_btc":0,"borrowed_inr":0,"interest_accrued":0}}}}}}"#,
                kind as u8
            );
            assert_eq!(text.unwrap(), want);
        }
    }

    #[test]
    fn garbage_is_corrupt() {
        for text in ["", "{}", "\"gone\"", r#"{"bound":{"account":"x"}}"#, r#"{"dust":1}"#] {
            assert!(matches!(decode(text), Err(StoreError::Corrupt { .. })), "{text}");
        }
    }

    proptest! {
        #[test]
        fn outcomes_survive(
            numbers in any::<[i64; 13]>(), kind in 0..KINDS.len(), user in any::<Option<i64>>(), which in 0..8_u8,
        ) {
            let [seq, inr, btc, rate, at, a, b, c, d, e, f, g, h] = numbers;
            let outcome = match which {
                0 => Outcome::Refused(Refusal::Insufficient { asset: Asset::INR, required: a, available: b }),
                1 => Outcome::Refused(Refusal::Bound {
                    account: Account::user(UserId(a.saturating_abs().max(1)), Asset::TST, Bucket::Interest),
                }),
                2 => Outcome::Refused(Refusal::Dust),
                3 => Outcome::Refused(Refusal::StalePrice),
                4 => Outcome::Refused(Refusal::Slippage),
                5 => Outcome::Refused(Refusal::NoSuchEntry),
                6 => Outcome::Refused(Refusal::NotReversible),
                _ => Outcome::Posted(Receipt {
                    seq, kind: KINDS[kind], user: user.map(UserId), inr, btc, rate, at: Timestamp::from_micros(at),
                    sheet: Sheet {
                        available_inr: a, available_btc: b, reserved_inr: c, reserved_btc: d, collateral_btc: e,
                        borrowed_inr: f, interest_accrued: g.wrapping_add(h),
                    },
                }),
            };
            prop_assert_eq!(decode(&encode(&outcome).unwrap()).unwrap(), outcome);
        }
    }
}

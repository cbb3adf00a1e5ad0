//! The reference model's part on paper trading.

use orrery_kernel::{AMOUNT_MAX, Asset};
use orrery_ledger::{Operation, PaperFill};

use super::Legs;

fn money(n: i64) -> Option<i128> {
    (1..=AMOUNT_MAX).contains(&n).then_some(i128::from(n))
}

/// The entry's kind and movements; `None`: broken shape.
pub(super) fn legs(operation: &Operation) -> Option<(u8, Legs)> {
    let own = |account: &str, asset: Asset, bucket: &str| format!("paper:{account}/{asset}/{bucket}");
    Some(match operation {
        Operation::PaperGrant { account, asset, amount } => {
            let to = own(account, *asset, "available");
            (30, vec![(format!("world/{asset}/outside"), to, money(*amount)?)])
        }
        Operation::PaperHold { account, asset, amount } => {
            let (from, to) = (own(account, *asset, "available"), own(account, *asset, "reserved"));
            (31, vec![(from, to, money(*amount)?)])
        }
        Operation::PaperRelease { account, asset, amount } => {
            let (from, to) = (own(account, *asset, "reserved"), own(account, *asset, "available"));
            (32, vec![(from, to, money(*amount)?)])
        }
        Operation::PaperFill(fill) => (33, fill_legs(fill)?),
        _ => return None,
    })
}

fn fill_legs(fill: &PaperFill) -> Option<Legs> {
    let (cost, amount) = (money(fill.cost)?, money(fill.amount)?);
    let code = |side: &Option<Box<str>>, bucket: &str, asset: Asset| match side {
        Some(name) => format!("paper:{name}/{asset}/{bucket}"),
        None => format!("house/{asset}/inventory"),
    };
    let (b, s) = (&fill.buyer, &fill.seller);
    if b.is_none() && s.is_none() {
        return None;
    }
    let mut legs = vec![
        (code(b, "reserved", fill.quote), code(s, "available", fill.quote), cost),
        (code(s, "reserved", fill.base), code(b, "available", fill.base), amount),
    ];
    // a fee is at most what is received, and the house pays none
    for (side, asset, fee, most) in [(b, fill.base, fill.buyer_fee, amount), (s, fill.quote, fill.seller_fee, cost)] {
        match i128::from(fee) {
            0 => {}
            n if n < 0 || n > most || side.is_none() => return None,
            n => legs.push((code(side, "available", asset), format!("house/{asset}/income"), n)),
        }
    }
    match (b, fill.freed) {
        (_, 0) => {}
        (Some(_), n) => legs.push((code(b, "reserved", fill.quote), code(b, "available", fill.quote), money(n)?)),
        (None, _) => return None,
    }
    Some(legs)
}

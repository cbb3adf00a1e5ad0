//! When two commands under one key are the same request.

use orrery_ledger::Operation;

/// A trade names the price of its moment, which a retry cannot know.
pub(super) fn same(a: &Operation, b: &Operation) -> bool {
    match (a, b) {
        (
            Operation::Trade { user: u1, side: s1, size: z1, worst_rate: w1, plan: p1, .. },
            Operation::Trade { user: u2, side: s2, size: z2, worst_rate: w2, plan: p2, .. },
        ) => (u1, s1, z1, w1, p1) == (u2, s2, z2, w2, p2),
        (Operation::FillOrder { user: u1, order: o1, .. }, Operation::FillOrder { user: u2, order: o2, .. }) => {
            (u1, o1) == (u2, o2)
        }
        (
            Operation::LockCollateral { user: u1, amount: n1, .. },
            Operation::LockCollateral { user: u2, amount: n2, .. },
        )
        | (
            Operation::ReleaseCollateral { user: u1, amount: n1, .. },
            Operation::ReleaseCollateral { user: u2, amount: n2, .. },
        )
        | (Operation::Borrow { user: u1, amount: n1, .. }, Operation::Borrow { user: u2, amount: n2, .. }) => {
            (u1, n1) == (u2, n2)
        }
        (Operation::Liquidate { user: u1, full: f1, .. }, Operation::Liquidate { user: u2, full: f2, .. }) => {
            (u1, f1) == (u2, f2)
        }
        _ => a == b,
    }
}

//! Users' orders in the book: by price, then by number.

use std::collections::BTreeSet;

use crate::unified::Side;

/// Numbers of orders. A price that is better for who comes is smaller here: bids are kept as negative numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    bids: BTreeSet<(i64, i64)>,
    asks: BTreeSet<(i64, i64)>,
}

const fn key(side: Side, price: i64) -> i64 {
    match side {
        Side::Buy => -price,
        Side::Sell => price,
    }
}

/// Whether somebody on `side` with the limit `limit` trades at `price`.
pub(super) const fn takes(side: Side, limit: i64, price: i64) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// The side that `side` meets.
pub(super) const fn against(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

impl Book {
    const fn side(&self, side: Side) -> &BTreeSet<(i64, i64)> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    const fn side_mut(&mut self, side: Side) -> &mut BTreeSet<(i64, i64)> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    pub(super) fn add(&mut self, side: Side, price: i64, n: i64) {
        self.side_mut(side).insert((key(side, price), n));
    }

    pub(super) fn remove(&mut self, side: Side, price: i64, n: i64) {
        self.side_mut(side).remove(&(key(side, price), n));
    }

    /// Price and number of the order that is first on its side.
    pub(super) fn best(&self, side: Side) -> Option<(i64, i64)> {
        self.of(side).next()
    }

    /// Prices and numbers of a side, the first first.
    pub(super) fn of(&self, side: Side) -> impl Iterator<Item = (i64, i64)> {
        self.side(side).iter().map(move |(price, n)| (price.abs(), *n))
    }
}

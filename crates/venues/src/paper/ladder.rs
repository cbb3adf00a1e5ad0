//! The market around the users: liquidity that stands around a price from elsewhere.

use std::collections::VecDeque;

use super::{PaperMarket, Reference};
use crate::Number;
use crate::unified::Side;

/// Levels of each side.
const LEVELS: i64 = 20;
/// Levels of a book that is given, at most.
const GIVEN_MAX: usize = 200;
/// Hundredths of a percent of the price between levels.
const STEP_BPS: i64 = 5;
/// What stands at the first level, in whole units of the quote currency; the second has twice that, and so on.
const FIRST_WORTH: i64 = 5_000;

/// Levels of price in ticks and lots, the best first. What users take is gone until the next price.
#[derive(Debug, Clone, Default)]
pub(super) struct Ladder {
    bids: VecDeque<(i64, i64)>,
    asks: VecDeque<(i64, i64)>,
}

impl Ladder {
    /// Around a price; none for one that makes no sense.
    pub(super) fn around(market: &PaperMarket, reference: &Reference) -> Option<Self> {
        let (bid, ask) = (market.ticks(reference.bid).ok()?, market.ticks(reference.ask).ok()?);
        // a spread of less than a tick
        let ask = if ask == bid { bid.saturating_add(1) } else { ask };
        if ask < bid {
            return None;
        }
        if let Some(depth) = &reference.depth {
            let read = |side: &[(Number, Number)]| -> VecDeque<_> {
                let level =
                    |(price, amount): &(Number, Number)| Some((market.ticks(*price).ok()?, market.lots(*amount).ok()?));
                side.iter().take(GIVEN_MAX).filter_map(level).collect()
            };
            let mut ladder = Self { bids: read(&depth.bids), asks: read(&depth.asks) };
            ladder.bids.make_contiguous().sort_unstable_by_key(|(price, _)| std::cmp::Reverse(*price));
            ladder.asks.make_contiguous().sort_unstable_by_key(|(price, _)| *price);
            let crossed = matches!((ladder.bids.front(), ladder.asks.front()), (Some(b), Some(a)) if b.0 >= a.0);
            return (!crossed).then_some(ladder);
        }
        let step = (bid.saturating_mul(STEP_BPS) / 10_000).max(1);
        let one = 10_i64.pow(market.quote.decimals());
        let level = |i: i64, price: i64| (price, market.affordable(price, FIRST_WORTH * (i + 1) * one).max(1));
        let bids = (0..LEVELS).map(|i| (i, bid - i * step)).filter(|(_, price)| *price > 0);
        Some(Self {
            bids: bids.map(|(i, price)| level(i, price)).collect(),
            asks: (0..LEVELS).map(|i| level(i, ask.saturating_add(i * step))).collect(),
        })
    }

    pub(super) const fn side(&self, side: Side) -> &VecDeque<(i64, i64)> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    /// Takes lots from the best level of a side.
    pub(super) fn take(&mut self, side: Side, lots: i64) {
        let levels = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        if let Some((_, there)) = levels.front_mut() {
            *there -= lots;
            if *there <= 0 {
                levels.pop_front();
            }
        }
    }
}

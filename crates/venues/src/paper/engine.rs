//! One market's matching.

use std::collections::BTreeMap;
use std::sync::Arc;

use orrery_kernel::Timestamp;

use super::book::{Book, against, takes};
use super::ladder::Ladder;
use super::{PaperFees, PaperKind, PaperMarket, PaperOrder, PaperStatus, PaperTrade, Party, Reference, TimeInForce};
use crate::unified::Side;
use crate::{ErrorClass, VenueError};

/// Open orders of one market; one more is refused.
pub const OPEN_MAX: usize = 10_000;

/// What a command changed, to be written down whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Orders as they stand after it, by number.
    pub orders: BTreeMap<i64, PaperOrder>,
    /// Fills, in order.
    pub trades: Vec<PaperTrade>,
}

/// How much a market order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So many lots.
    Lots(i64),
    /// What so many minor units of the quote currency buy, or what is sold for them.
    Cost(i64),
}

/// What a market order would meet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Planned {
    /// Lots that it would be filled with.
    pub lots: i64,
    /// What they cost, in minor units of the quote currency.
    pub cost: i64,
    /// The last price, in ticks; 0 if there is nothing to meet.
    pub worst: i64,
}

/// A market: its book and the market around it. The same commands lead to the same changes.
#[derive(Debug, Clone)]
pub struct Engine {
    market: Arc<PaperMarket>,
    fees: PaperFees,
    book: Book,
    open: BTreeMap<i64, PaperOrder>,
    ladder: Ladder,
    renewed: Option<Timestamp>,
    trades: i64,
}

/// What stands best against an order.
#[derive(Clone, Copy)]
enum Best {
    Order(i64),
    Ladder,
}

impl Engine {
    /// A market with these open orders, whose last trade has the number `trades`.
    pub fn new(market: Arc<PaperMarket>, fees: PaperFees, open: Vec<PaperOrder>, trades: i64) -> Self {
        let mut engine = Self {
            market,
            fees,
            book: Book::default(),
            open: BTreeMap::new(),
            ladder: Ladder::default(),
            renewed: None,
            trades,
        };
        for order in open.into_iter().filter(|order| order.status == PaperStatus::Open) {
            engine.rest(order);
        }
        engine
    }

    /// The market.
    pub const fn market(&self) -> &Arc<PaperMarket> {
        &self.market
    }

    /// Orders in the book, by number.
    pub fn open(&self) -> impl Iterator<Item = &PaperOrder> {
        self.open.values()
    }

    /// Moves the market around the users to a price; one that is not later than the last changes nothing. Orders that
    /// it crosses are filled at their own prices, as far as what stands there goes.
    ///
    /// Errors: [`ErrorClass::ExchangeNotAvailable`] for a price that makes no sense.
    pub fn refer(&mut self, reference: &Reference, now: Timestamp) -> Result<Changes, VenueError> {
        if self.renewed.is_some_and(|at| reference.at <= at) {
            return Ok(Changes::default());
        }
        let ladder = Ladder::around(&self.market, reference).ok_or_else(|| {
            let (bid, ask) = (reference.bid, reference.ask);
            let message = format!("paper has no price of {}: bid {bid}, ask {ask}", self.market.symbol);
            VenueError::new(ErrorClass::ExchangeNotAvailable, &message)
        })?;
        (self.ladder, self.renewed) = (ladder, Some(reference.at));
        let mut changes = Changes::default();
        for side in [Side::Buy, Side::Sell] {
            while let Some((price, n)) = self.book.best(side)
                && let Some((there, lots)) = self.ladder.side(against(side)).front().copied()
                && takes(side, price, there)
            {
                let taken = self.meet(n, lots, now, &mut changes);
                self.ladder.take(against(side), taken);
            }
        }
        Ok(changes)
    }

    /// Fills an open order with up to `lots` of the market around it; gives how many it took.
    fn meet(&mut self, n: i64, lots: i64, now: Timestamp, changes: &mut Changes) -> i64 {
        let Some(mut order) = self.take_out(n) else { return lots };
        let (price, lots) = (order.price, lots.min(order.remaining()));
        let part = self.fill(&mut order, price, lots, false, now);
        self.record(&order, part, None, (price, lots), against(order.side), changes);
        self.put_back(order, now, changes);
        lots
    }

    /// What a market order would meet now.
    pub fn plan(&self, side: Side, size: Size) -> Planned {
        let mut planned = Planned::default();
        for (price, there) in self.levels(against(side)) {
            let wanted = match size {
                Size::Lots(lots) => lots - planned.lots,
                Size::Cost(cost) => self.market.affordable(price, cost - planned.cost),
            };
            let lots = there.min(wanted);
            if lots <= 0 {
                break;
            }
            planned.lots += lots;
            planned.cost = planned.cost.saturating_add(self.market.cost(price, lots));
            planned.worst = price;
        }
        planned
    }

    /// Price and lots of what stands on a side, users first at each price, the best first.
    fn levels(&self, side: Side) -> impl Iterator<Item = (i64, i64)> {
        let mut users = self.book.of(side).filter_map(|(p, n)| Some((p, self.open.get(&n)?.remaining()))).peekable();
        let mut around = self.ladder.side(side).iter().copied().peekable();
        std::iter::from_fn(move || match (users.peek(), around.peek()) {
            (Some((user, _)), Some((other, _))) if takes(against(side), *other, *user) => users.next(),
            (Some(_), None) => users.next(),
            _ => around.next(),
        })
    }

    /// The book as everybody sees it: so many prices of each side, bids and asks, in ticks and lots.
    pub fn depth(&self, most: usize) -> [Vec<(i64, i64)>; 2] {
        [Side::Buy, Side::Sell].map(|side| {
            let mut seen: Vec<(i64, i64)> = Vec::new();
            for (price, lots) in self.levels(side) {
                let full = seen.len() == most;
                match seen.last_mut() {
                    Some((last, there)) if *last == price => *there = there.saturating_add(lots),
                    _ if full => break,
                    _ => seen.push((price, lots)),
                }
            }
            seen
        })
    }

    /// Whether an order would be filled at once, at least in part.
    pub fn crosses(&self, order: &PaperOrder) -> bool {
        self.levels(against(order.side)).next().is_some_and(|(price, _)| takes(order.side, order.price, price))
    }

    /// Takes an order whose money is held. It is filled with what there is at its price or better, then rests or is
    /// over, as its time in force says.
    pub fn place(&mut self, mut order: PaperOrder, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        let stays = matches!(order.time_in_force, TimeInForce::Gtc | TimeInForce::Po);
        let ends = match order.time_in_force {
            TimeInForce::Po if self.crosses(&order) => true,
            TimeInForce::Fok => self.reach(&order) < order.remaining(),
            _ => stays && self.open.len() >= OPEN_MAX,
        };
        order.updated_at = now;
        if ends {
            order.status = PaperStatus::Expired;
            changes.orders.insert(order.n, order);
            return changes;
        }
        while order.remaining() > 0
            && let Some((best, price, lots)) = self.best_for(&order)
        {
            // what it holds was enough for the book that it was planned on
            let lots = lots.min(order.remaining()).min(match (order.kind, order.side) {
                (PaperKind::Market, Side::Buy) => self.market.affordable(price, order.left),
                _ => i64::MAX,
            });
            if lots == 0 {
                break;
            }
            self.exchange(&mut order, best, (price, lots), now, &mut changes);
        }
        order.status = match order.remaining() {
            0 => PaperStatus::Closed,
            _ if stays => PaperStatus::Open,
            _ => PaperStatus::Expired,
        };
        changes.orders.insert(order.n, order.clone());
        if order.status == PaperStatus::Open {
            self.rest(order);
        }
        changes
    }

    /// Lots that stand at an order's price or better.
    fn reach(&self, order: &PaperOrder) -> i64 {
        let within = self.levels(against(order.side)).take_while(|(price, _)| takes(order.side, order.price, *price));
        within.fold(0, |sum: i64, (_, lots)| sum.saturating_add(lots))
    }

    /// What is next for an order, with its price and lots; at one price users go before the market around them.
    fn best_for(&self, order: &PaperOrder) -> Option<(Best, i64, i64)> {
        let other = against(order.side);
        let user = self.book.best(other).and_then(|(p, n)| Some((Best::Order(n), p, self.open.get(&n)?.remaining())));
        let around = self.ladder.side(other).front().map(|(price, lots)| (Best::Ladder, *price, *lots));
        let best = match (user, around) {
            (Some(user), Some(around)) => Some(if takes(order.side, around.1, user.1) { user } else { around }),
            (user, around) => user.or(around),
        };
        best.filter(|(_, price, _)| takes(order.side, order.price, *price))
    }

    fn exchange(
        &mut self,
        order: &mut PaperOrder,
        with: Best,
        (price, lots): (i64, i64),
        now: Timestamp,
        changes: &mut Changes,
    ) {
        let came = self.fill(order, price, lots, true, now);
        match with {
            Best::Ladder => {
                self.ladder.take(against(order.side), lots);
                self.record(order, came, None, (price, lots), order.side, changes);
            }
            Best::Order(n) => {
                let Some(mut there) = self.take_out(n) else { return };
                let was = self.fill(&mut there, price, lots, false, now);
                self.record(order, came, Some(was), (price, lots), order.side, changes);
                self.put_back(there, now, changes);
            }
        }
    }

    /// Fills an order's side of a trade; gives its part of it and what it held and needs no more.
    fn fill(&self, order: &mut PaperOrder, price: i64, lots: i64, came: bool, now: Timestamp) -> (Party, i64) {
        let (cost, amount) = (self.market.cost(price, lots), self.market.amount(lots));
        order.filled += lots;
        order.cost = order.cost.saturating_add(cost);
        (order.traded_at, order.updated_at) = (Some(now), now);
        let (received, paid) = if order.side == Side::Buy { (amount, cost) } else { (cost, amount) };
        let fee = self.fees.of(received, came);
        order.fee = order.fee.saturating_add(fee);
        let after = order.left - paid;
        order.left = match (order.side, order.kind) {
            _ if order.remaining() == 0 => 0,
            (Side::Buy, PaperKind::Limit) => self.market.cost(order.price, order.remaining()),
            _ => after,
        };
        (Party { account: order.account.clone(), order: order.n, fee }, after - order.left)
    }

    /// Writes a trade down, of an order that was just filled and of another or the market around them.
    fn record(
        &mut self,
        order: &PaperOrder,
        (party, freed): (Party, i64),
        other: Option<(Party, i64)>,
        (price, lots): (i64, i64),
        taker: Side,
        changes: &mut Changes,
    ) {
        let (other, other_freed) = other.map_or((None, 0), |(party, freed)| (Some(party), freed));
        let (buyer, seller, freed) = match order.side {
            Side::Buy => (Some(party), other, freed),
            Side::Sell => (other, Some(party), other_freed),
        };
        self.trades += 1;
        let (symbol, n, at) = (order.symbol.clone(), self.trades, order.updated_at);
        changes.trades.push(PaperTrade { symbol, n, price, lots, taker, buyer, seller, freed, at });
    }

    /// Takes an open order back; none, if it is not open.
    pub fn cancel(&mut self, n: i64, now: Timestamp) -> Option<Changes> {
        let order = PaperOrder { status: PaperStatus::Canceled, updated_at: now, ..self.take_out(n)? };
        Some(Changes { orders: BTreeMap::from([(n, order)]), trades: Vec::new() })
    }

    fn rest(&mut self, order: PaperOrder) {
        self.book.add(order.side, order.price, order.n);
        self.open.insert(order.n, order);
    }

    fn take_out(&mut self, n: i64) -> Option<PaperOrder> {
        let order = self.open.remove(&n)?;
        self.book.remove(order.side, order.price, n);
        Some(order)
    }

    fn put_back(&mut self, mut order: PaperOrder, now: Timestamp, changes: &mut Changes) {
        if order.remaining() == 0 {
            (order.status, order.updated_at) = (PaperStatus::Closed, now);
        }
        changes.orders.insert(order.n, order.clone());
        if order.status == PaperStatus::Open {
            self.rest(order);
        }
    }
}

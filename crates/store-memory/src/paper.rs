//! Orders and trades of the exchange `paper`, in process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_kernel::StoreError;
use orrery_venues::paper::{
    OrderQuery, PaperOrder, PaperState, PaperStatus, PaperStore, PaperTrade, Step, Stepped, TradeQuery, Which,
};

/// A market's counters, and what belongs to it with the step of its last change.
#[derive(Debug, Default)]
struct Kept {
    counters: PaperState,
    orders: BTreeMap<i64, (PaperOrder, i64)>,
    trades: Vec<(PaperTrade, i64)>,
}

/// Markets by their symbols; lost with the process.
#[derive(Debug, Default)]
pub struct MemoryPaper(Mutex<BTreeMap<String, Kept>>);

impl MemoryPaper {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is(which: Which, status: PaperStatus) -> bool {
    match which {
        Which::All => true,
        Which::Live => matches!(status, PaperStatus::Pending | PaperStatus::Open),
        Which::Closed => status == PaperStatus::Closed,
        Which::Canceled => matches!(status, PaperStatus::Canceled | PaperStatus::Expired),
    }
}

/// The first so many, or the last, still in order.
fn part<T>(mut list: Vec<T>, first: bool, limit: u32) -> Vec<T> {
    let limit = limit as usize;
    if first {
        list.truncate(limit);
    } else {
        list.drain(..list.len().saturating_sub(limit));
    }
    list
}

#[async_trait]
impl PaperStore for MemoryPaper {
    async fn paper_version(&self, symbol: &str) -> Result<i64, StoreError> {
        Ok(self.all().get(symbol).map_or(0, |kept| kept.counters.version))
    }

    async fn paper_versions(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let all = self.all();
        let versions = all.iter().map(|(symbol, kept)| (symbol.clone(), kept.counters.version));
        let mut versions: Vec<_> = versions.filter(|(_, version)| *version > 0).collect();
        versions.truncate(1_000);
        Ok(versions)
    }

    async fn paper_market(&self, symbol: &str) -> Result<PaperState, StoreError> {
        let all = self.all();
        let Some(kept) = all.get(symbol) else { return Ok(PaperState::default()) };
        let settled = kept.counters.settled;
        let orders = |wanted: fn(&PaperOrder, i64, i64) -> bool| {
            let found = kept.orders.values().filter(|(order, step)| wanted(order, *step, settled));
            found.map(|(order, _)| order.clone()).collect()
        };
        let due = kept.trades.iter().filter(|(_, step)| *step > settled);
        Ok(PaperState {
            live: orders(|order, _, _| !order.is_over()),
            over: orders(|order, step, settled| order.is_over() && step > settled),
            due: due.map(|(trade, _)| trade.clone()).collect(),
            ..kept.counters
        })
    }

    async fn paper_step(&self, step: &Step) -> Result<Stepped, StoreError> {
        let mut all = self.all();
        let (version, last) =
            all.get(&step.symbol).map_or((0, 0), |kept| (kept.counters.version, kept.counters.orders));
        if version != step.seen {
            return Ok(Stepped::Outdated);
        }
        let names = |order: &PaperOrder| {
            let known = all.values().flat_map(|kept| kept.orders.values());
            known.filter(|(there, _)| there.account == order.account && there.client_id == order.client_id).count() > 0
        };
        if step.orders.iter().any(|order| order.n > last && order.client_id.is_some() && names(order)) {
            return Ok(Stepped::NameTaken);
        }
        let kept = all.entry(step.symbol.clone()).or_default();
        let counters = &mut kept.counters;
        counters.version = version + 1;
        counters.settled = counters.settled.max(step.settled);
        for order in &step.orders {
            counters.orders = counters.orders.max(order.n);
            kept.orders.insert(order.n, (order.clone(), version + 1));
        }
        for trade in &step.trades {
            counters.trades = counters.trades.max(trade.n);
            kept.trades.push((trade.clone(), version + 1));
        }
        Ok(Stepped::Done)
    }

    async fn paper_order(&self, symbol: &str, n: i64) -> Result<Option<PaperOrder>, StoreError> {
        Ok(self.all().get(symbol).and_then(|kept| kept.orders.get(&n)).map(|(order, _)| order.clone()))
    }

    async fn paper_order_named(&self, account: &str, client_id: &str) -> Result<Option<PaperOrder>, StoreError> {
        let all = self.all();
        let mut known = all.values().flat_map(|kept| kept.orders.values()).map(|(order, _)| order);
        Ok(known.find(|order| order.account == account && order.client_id.as_deref() == Some(client_id)).cloned())
    }

    async fn paper_orders(&self, query: &OrderQuery) -> Result<Vec<PaperOrder>, StoreError> {
        let all = self.all();
        let known = all.values().flat_map(|kept| kept.orders.values()).map(|(order, _)| order);
        let mut found: Vec<_> = known
            .filter(|order| order.account == query.account && is(query.which, order.status))
            .filter(|order| query.symbol.as_ref().is_none_or(|symbol| *symbol == order.symbol))
            .filter(|order| query.since.is_none_or(|since| order.created_at >= since))
            .cloned()
            .collect();
        found.sort_by(|a, b| (a.created_at, &a.symbol, a.n).cmp(&(b.created_at, &b.symbol, b.n)));
        Ok(part(found, query.since.is_some(), query.limit))
    }

    async fn paper_trades(&self, query: &TradeQuery) -> Result<Vec<PaperTrade>, StoreError> {
        let all = self.all();
        let known = all.values().flat_map(|kept| &kept.trades).map(|(trade, _)| trade);
        let own = |trade: &PaperTrade| {
            query.account.as_ref().is_none_or(|account| trade.side_of(account, query.order).is_some())
        };
        let mut found: Vec<_> = known
            .filter(|trade| own(trade) && query.symbol.as_ref().is_none_or(|symbol| *symbol == trade.symbol))
            .filter(|trade| query.since.is_none_or(|since| trade.at >= since))
            .cloned()
            .collect();
        found.sort_by(|a, b| (a.at, &a.symbol, a.n).cmp(&(b.at, &b.symbol, b.n)));
        Ok(part(found, query.since.is_some(), query.limit))
    }
}

//! The port of the exchange `paper`.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};
use orrery_store_rows::paper as rows;
use orrery_venues::paper::{
    OrderQuery, PaperOrder, PaperState, PaperStore, PaperTrade, Party, Step, Stepped, TradeQuery,
};

use crate::call::Call;
use crate::db::Postgres;
use crate::sql::paper as sql;
use crate::write::{Lock, Tx};

fn put_order(order: PaperOrder, step: i64) -> Call {
    let call = sql::PUT_PAPER_ORDER.call().bind(order.symbol).bind(order.n).bind(order.account).bind(order.client_id);
    let call = call.bind(rows::side_name(order.side)).bind(order.kind.name()).bind(order.time_in_force.name());
    let call = call.bind(order.price).bind(order.lots).bind(order.filled).bind(order.cost).bind(order.fee);
    let call = call.bind(order.held).bind(order.left).bind(rows::state_number(order.status));
    let call = call.bind(order.created_at.micros()).bind(order.updated_at.micros());
    call.bind(order.traded_at.map(Timestamp::micros)).bind(step)
}

fn insert_trade(trade: PaperTrade, step: i64) -> Call {
    let party = |call: Call, party: Option<Party>| {
        let (order, fee) = (party.as_ref().map(|party| party.order), party.as_ref().map(|party| party.fee));
        call.bind(party.map(|party| party.account)).bind(order).bind(fee)
    };
    let call = sql::INSERT_PAPER_TRADE.call().bind(trade.symbol).bind(trade.n).bind(trade.price).bind(trade.lots);
    let call = party(party(call.bind(rows::side_name(trade.taker)), trade.buyer), trade.seller);
    call.bind(trade.freed).bind(trade.at.micros()).bind(step)
}

/// The market's counters; of one that there was nothing of, none yet.
async fn counters(tx: &mut Tx, symbol: &str) -> Result<PaperState, StoreError> {
    let row = tx.optional(sql::PAPER_MARKET.call().bind(symbol.to_owned())).await?;
    Ok(row.map(|row| rows::market(&row)).transpose()?.unwrap_or_default())
}

async fn orders(tx: &mut Tx, call: Call) -> Result<Vec<PaperOrder>, StoreError> {
    tx.all(call).await?.iter().map(|row| rows::order(row)).collect()
}

async fn whole(tx: &mut Tx, symbol: String) -> Result<PaperState, StoreError> {
    tx.nothing_to_keep();
    let market = counters(tx, &symbol).await?;
    let live = orders(tx, sql::LIVE_PAPER_ORDERS.call().bind(symbol.clone())).await?;
    let over = orders(tx, sql::PAPER_ORDERS_OVER.call().bind(symbol.clone()).bind(market.settled)).await?;
    let due = tx.all(sql::PAPER_TRADES_DUE.call().bind(symbol).bind(market.settled)).await?;
    let due = due.iter().map(|row| rows::trade(row)).collect::<Result<_, _>>()?;
    Ok(PaperState { live, over, due, ..market })
}

async fn take(tx: &mut Tx, step: Step) -> Result<Stepped, StoreError> {
    let market = counters(tx, &step.symbol).await?;
    if market.version != step.seen {
        tx.nothing_to_keep();
        return Ok(Stepped::Outdated);
    }
    for order in step.orders.iter().filter(|order| order.n > market.orders) {
        let Some(name) = &order.client_id else { continue };
        let named = sql::PAPER_ORDER_NAMED.call().bind(order.account.clone()).bind(name.clone());
        if tx.optional(named).await?.is_some() {
            tx.nothing_to_keep();
            return Ok(Stepped::NameTaken);
        }
    }
    let next = market.version + 1;
    let last = |known: i64, new: Option<i64>| new.map_or(known, |new| new.max(known));
    let last_order = last(market.orders, step.orders.iter().map(|order| order.n).max());
    let last_trade = last(market.trades, step.trades.iter().map(|trade| trade.n).max());
    let put = sql::PUT_PAPER_MARKET.call().bind(step.symbol).bind(next).bind(step.settled.max(market.settled));
    tx.execute(put.bind(last_order).bind(last_trade)).await?;
    for order in step.orders {
        tx.execute(put_order(order, next)).await?;
    }
    for trade in step.trades {
        tx.execute(insert_trade(trade, next)).await?;
    }
    Ok(Stepped::Done)
}

#[async_trait]
impl PaperStore for Postgres {
    async fn paper_version(&self, symbol: &str) -> Result<i64, StoreError> {
        let row = self.optional(sql::PAPER_MARKET.call().bind(symbol.to_owned())).await?;
        row.map_or(Ok(0), |row| rows::market(&row).map(|market| market.version))
    }

    async fn paper_versions(&self) -> Result<Vec<(String, i64)>, StoreError> {
        self.all(sql::PAPER_VERSIONS.call()).await?.iter().map(|row| rows::version(row)).collect()
    }

    async fn paper_market(&self, symbol: &str) -> Result<PaperState, StoreError> {
        let symbol = symbol.to_owned();
        self.write(Lock::Paper, move |tx| Box::pin(whole(tx, symbol))).await
    }

    async fn paper_step(&self, step: &Step) -> Result<Stepped, StoreError> {
        let step = step.clone();
        self.write(Lock::Paper, move |tx| Box::pin(take(tx, step))).await
    }

    async fn paper_order(&self, symbol: &str, n: i64) -> Result<Option<PaperOrder>, StoreError> {
        let row = self.optional(sql::PAPER_ORDER.call().bind(symbol.to_owned()).bind(n)).await?;
        row.as_ref().map(|row| rows::order(row)).transpose()
    }

    async fn paper_order_named(&self, account: &str, client_id: &str) -> Result<Option<PaperOrder>, StoreError> {
        let call = sql::PAPER_ORDER_NAMED.call().bind(account.to_owned()).bind(client_id.to_owned());
        let row = self.optional(call).await?;
        row.as_ref().map(|row| rows::order(row)).transpose()
    }

    async fn paper_orders(&self, query: &OrderQuery) -> Result<Vec<PaperOrder>, StoreError> {
        let sql = if query.since.is_some() { &sql::FIRST_PAPER_ORDERS } else { &sql::LAST_PAPER_ORDERS };
        let (first, last) = rows::states(query.which);
        let since = query.since.map_or(i64::MIN, Timestamp::micros);
        let call = sql.call().bind(query.account.clone()).bind(query.symbol.clone().unwrap_or_default());
        let rows = self.all(call.bind(first).bind(last).bind(since).bind(i64::from(query.limit))).await?;
        let mut found: Vec<_> = rows.iter().map(|row| rows::order(row)).collect::<Result<_, _>>()?;
        if query.since.is_none() {
            found.reverse();
        }
        Ok(found)
    }

    async fn paper_trades(&self, query: &TradeQuery) -> Result<Vec<PaperTrade>, StoreError> {
        let (since, limit) = (query.since.map_or(i64::MIN, Timestamp::micros), i64::from(query.limit));
        let symbol = query.symbol.clone().unwrap_or_default();
        let first = query.since.is_some();
        let call = match &query.account {
            Some(account) => {
                let sql = if first { &sql::FIRST_OWN_PAPER_TRADES } else { &sql::LAST_OWN_PAPER_TRADES };
                sql.call().bind(account.clone()).bind(symbol).bind(since).bind(query.order.unwrap_or(0)).bind(limit)
            }
            None => {
                let sql = if first { &sql::FIRST_PAPER_TRADES } else { &sql::LAST_PAPER_TRADES };
                sql.call().bind(symbol).bind(since).bind(limit)
            }
        };
        let mut found: Vec<_> = self.all(call).await?.iter().map(|row| rows::trade(row)).collect::<Result<_, _>>()?;
        if !first {
            found.reverse();
        }
        Ok(found)
    }
}

//! Lists of the account's orders and fills, and what is asked of several orders: "List Orders", "List Fills",
//! "Cancel Orders".

use super::Dialect;
use super::new_order::Ask;
use super::parse::NOTHING;
use super::sign::{signed, v3};
use crate::exchange::Result;
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::unified::{Order, Raw, Time, Trade};
use crate::{Context, Dialect as _, ErrorClass, Fields, Verb};

/// Orders of one answer if no number is asked for.
const ORDERS: i64 = 100;

/// The end of a list, in milliseconds, and the parameters without it.
pub(super) fn until(params: &Fields) -> (Option<i64>, Fields) {
    let until = params.text(&["until"]).and_then(|digits| digits.parse().ok());
    (until, params.clone().without(&["until"]))
}

/// A list that goes on says so in its first element.
fn continued(body: &Json<'_>, first: Option<&mut Raw>) {
    if let (Some(cursor), Some(info)) = (body.text_of(&["cursor"]), first) {
        *info = std::mem::take(info).with("cursor", cursor);
    }
}

impl Dialect {
    /// Orders of the account, in one state or in any.
    pub(super) async fn history(&self, q: Query<'_>, status: Option<&str>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let asked = q.market_if_any(&markets)?;
        let mut page = q.page;
        let limit = *page.limit.get_or_insert(ORDERS);
        let (until, params) = until(&q.params);
        let fields = Fields::new()
            .with_some("order_status", status)
            .with_some("product_id", asked.map(|market| market.id.as_str()))
            .with("limit", limit)
            .with_some("start_date", Time(page.since).iso())
            .with_some("end_date", Time(until).iso())
            .and(params);
        let request = signed(q.exchange, Verb::Get, &v3("orders/historical/batch"), &fields)?;
        let context = Context { markets: &markets, asked };
        let read = |body: &Json<'_>| {
            let mut orders = body.get("orders").each(|one| self.order(one, context));
            continued(body, orders.first_mut().map(|order| &mut order.info));
            orders
        };
        let mut orders = q.exchange.ask(request, read).await?;
        orders.sort_by_key(|order| order.time.0);
        orders.retain(|order| asked.is_none_or(|market| order.symbol.as_ref() == Some(&market.symbol)));
        Ok(page.of(orders, |order| order.time.0))
    }

    pub(super) async fn cancel(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let context = Context { markets: &markets, asked: q.market_if_any(&markets)? };
        let fields = Fields::new().with("order_ids", ids).and(q.params.clone());
        let request = signed(q.exchange, Verb::Post, &v3("orders/batch_cancel"), &fields)?;
        let read = |body: &Json<'_>| {
            let all = body.get("results").list().unwrap_or_default();
            let failed = all.iter().find(|one| one.get("success").flag() != Some(true));
            match failed {
                Some(one) => Err(q.error(ErrorClass::BadRequest, &format!("has failed: {one}"))),
                None => Ok(all.iter().map(|one| self.order(one, context)).collect()),
            }
        };
        q.exchange.ask(request, read).await?
    }

    /// Sends what ends in an order.
    pub(super) async fn made(&self, q: &Query<'_>, ask: Ask, context: Context<'_>) -> Result<Order> {
        let request = signed(q.exchange, Verb::Post, &v3(ask.path), &ask.fields)?;
        q.exchange.ask(request, |body| self.order(body.get("success_response").unwrap_or(&NOTHING), context)).await
    }

    pub(super) async fn fills(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let asked = q.market_if_any(&markets)?;
        let (until, params) = until(&q.params);
        let fields = Fields::new()
            .with_some("product_id", asked.map(|market| market.id.as_str()))
            .with_some("limit", q.page.limit)
            .with_some("start_sequence_timestamp", Time(q.page.since).iso())
            .with_some("end_sequence_timestamp", Time(until).iso())
            .and(params);
        let request = signed(q.exchange, Verb::Get, &v3("orders/historical/fills"), &fields)?;
        let context = Context { markets: &markets, asked };
        let read = |body: &Json<'_>| {
            let mut trades = body.get("fills").each(|one| self.trade(one, context));
            continued(body, trades.first_mut().map(|trade| &mut trade.info));
            trades
        };
        let mut trades = q.exchange.ask(request, read).await?;
        trades.sort_by(|one, other| (one.time.0, &one.id).cmp(&(other.time.0, &other.id)));
        trades.retain(|trade| asked.is_none_or(|market| trade.symbol.as_ref() == Some(&market.symbol)));
        Ok(q.page.of(trades, |trade| trade.time.0))
    }
}

//! Orders of the account: which endpoint is asked of the spot market, the high-frequency system and contracts.

use super::Dialect;
use super::market_data::listed_trades;
use super::new_order::{contract_fields, spot_fields};
use super::params::{classic, client_id, contracts, high_frequency, margin_mode, take, take_flag, trade_type, until};
use super::parse::{data, said};
use super::sign::{Api, private, with_body};
use crate::exchange::{NewOrder, Result};
use crate::json::{Access as _, Json};
use crate::query::{Page, Query};
use crate::unified::{Market, Order, Raw, Trade};
use crate::{Context, Dialect as _, ErrorClass, Fields, Request, Value, Verb, encoded};

/// Trades of contracts in one answer, at most.
const TRADES_MAX: i64 = 1000;

/// An order of which only its name is said, if that.
fn named(info: Raw, id: Option<String>) -> Order {
    Order { info, id, ..Order::default() }.completed(None)
}

/// Orders of a market, if one was asked for, in order of time.
fn listed(mut orders: Vec<Order>, market: Option<&Market>, page: Page) -> Vec<Order> {
    orders.retain(|order| market.is_none_or(|market| order.symbol.as_ref() == Some(&market.symbol)));
    orders.sort_by_key(|order| order.time.0);
    page.of(orders, |order| order.time.0)
}

fn of_symbol(market: Option<&Market>) -> Fields {
    Fields::new().with_some("symbol", market.map(|market| market.id.as_str()))
}

fn needed<'m>(q: &Query<'_>, market: Option<&'m Market>) -> Result<&'m Market> {
    market.ok_or_else(|| q.error(ErrorClass::ArgumentsRequired, "requires a symbol argument for such orders"))
}

impl Dialect {
    pub(super) async fn new_orders(&self, mut q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let of = orders.iter().map(|order| markets.of(&order.symbol)).collect::<Result<Vec<_>>>()?;
        let Some(first) = of.first().copied() else {
            return Err(q.error(ErrorClass::ArgumentsRequired, "requires at least one order"));
        };
        if of.iter().any(|market| market.contract() != first.contract()) {
            return Err(q.error(ErrorClass::BadRequest, "takes orders of the spot market, or of contracts"));
        }
        let request = if first.contract() {
            let all = of.iter().zip(&orders).map(|(market, order)| contract_fields(q.exchange, market, order));
            let all = all.map(|fields| fields.map(|fields| fields.json())).collect::<Result<Vec<_>>>()?;
            with_body(q.exchange, Api::Contracts, Verb::Post, "v1/orders/multi", format!("[{}]", all.join(",")))?
        } else {
            if of.iter().any(|market| market.symbol != first.symbol) {
                return Err(q.error(ErrorClass::BadRequest, "takes orders of one market"));
            }
            if orders.iter().any(|order| order.order_type != "limit") {
                return Err(q.error(ErrorClass::BadRequest, "takes limit orders only"));
            }
            let all = orders.iter().map(|order| spot_fields(q.exchange, first, order).map(Value::Object));
            let all = Value::List(all.collect::<Result<_>>()?);
            let fast = high_frequency(q.exchange, &mut q.params);
            let path = match take_flag(&mut q.params, &["sync"]) {
                true => "v1/hf/orders/multi/sync",
                false if fast => "v1/hf/orders/multi",
                false => "v1/orders/multi",
            };
            let fields = of_symbol(Some(first)).with("orderList", all).and(q.params);
            private(q.exchange, Api::Spot, Verb::Post, path, &fields)?
        };
        let context = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| {
            let list = data(body);
            let list = if first.contract() { list } else { list.get("data") };
            list.each(|raw| self.order(raw, context))
        };
        Ok(listed(q.exchange.ask(request, read).await?, None, Page::default()))
    }

    pub(super) async fn cancel(&self, mut q: Query<'_>) -> Result<Order> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        if contracts(&mut q.params, market) {
            return q.exchange.ask(self.cancel_of_contracts(&q, market)?, |body| named(Raw::of(body), None)).await;
        }
        let client = client_id(&q.params).map(encoded);
        let (request, parsed) = self.cancel_of_spot(&mut q, market, client.as_deref())?;
        let context = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| {
            if parsed {
                return said(body, |raw| self.order(raw, context));
            }
            let data = data(body);
            let first = data.get("cancelledOrderIds").at(0).text();
            let id = first.or_else(|| data.text_of(&["orderId"])).map(str::to_owned);
            named(data.map(Raw::of).unwrap_or_default(), id)
        };
        q.exchange.ask(request, read).await
    }

    fn cancel_of_contracts(&self, q: &Query<'_>, market: Option<&Market>) -> Result<Request> {
        let (path, fields) = match client_id(&q.params) {
            Some(client) => {
                let fields = of_symbol(Some(needed(q, market)?)).and(q.params.clone());
                (format!("v1/orders/client-order/{}", encoded(client)), fields)
            }
            None => (format!("v1/orders/{}", encoded(q.id)), q.params.clone()),
        };
        let fields = fields.without(&["clientOrderId", "clientOid"]);
        private(q.exchange, Api::Contracts, Verb::Delete, &path, &fields)
    }

    /// What takes an order of the spot market back, and whether the answer is an order.
    fn cancel_of_spot(
        &self,
        q: &mut Query<'_>,
        market: Option<&Market>,
        client: Option<&str>,
    ) -> Result<(Request, bool)> {
        let waits = take_flag(&mut q.params, &["stop", "trigger"]);
        let fast = high_frequency(q.exchange, &mut q.params);
        let waits_for_it = take_flag(&mut q.params, &["sync"]);
        let margin = margin_mode(&mut q.params).is_some();
        let margin = take(&mut q.params, &["tradeType"]).as_deref() == Some("MARGIN_TRADE") || margin;
        let mut fields = Fields::new();
        if (fast || waits_for_it || margin) && !waits {
            fields = of_symbol(Some(needed(q, market)?));
        }
        let id = encoded(q.id);
        let (path, parsed) = match (client, waits) {
            (Some(client), true) => {
                fields.set("clientOid", client);
                let of_margin = "v3/hf/margin/stop-order/cancel-by-clientOid";
                (if margin { of_margin } else { "v1/stop-order/cancelOrderByClientOid" }.to_owned(), !margin)
            }
            (Some(client), false) if margin => (format!("v3/hf/margin/orders/client-order/{client}"), true),
            (Some(client), false) if waits_for_it => (format!("v1/hf/orders/sync/client-order/{client}"), true),
            (Some(client), false) if fast => (format!("v1/hf/orders/client-order/{client}"), true),
            (Some(client), false) => (format!("v1/order/client-order/{client}"), true),
            (None, true) if margin => {
                fields.set("orderId", q.id);
                ("v3/hf/margin/stop-order/cancel-by-id".to_owned(), false)
            }
            (None, true) => (format!("v1/stop-order/{id}"), false),
            (None, false) if margin => (format!("v3/hf/margin/orders/{id}"), false),
            (None, false) if waits_for_it => (format!("v1/hf/orders/sync/{id}"), false),
            (None, false) if fast => (format!("v1/hf/orders/{id}"), true),
            (None, false) => (format!("v1/orders/{id}"), false),
        };
        let rest = q.params.clone().without(&["clientOid", "clientOrderId"]);
        Ok((private(q.exchange, Api::Spot, Verb::Delete, &path, &fields.and(rest))?, parsed))
    }

    pub(super) async fn cancel_several(&self, mut q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let clients = match q.params.get("clientOrderIds").or_else(|| q.params.get("clientOids")) {
            Some(Value::List(clients)) => clients.clone(),
            _ => Vec::new(),
        };
        q.params = q.params.without(&["clientOrderIds", "clientOids"]);
        let by_client = !clients.is_empty();
        let mut of_clients = Vec::new();
        for client in clients {
            of_clients.push(of_symbol(Some(needed(&q, market)?)).with("clientOid", client));
        }
        let request = match market.filter(|market| !market.contract()) {
            // several orders of the spot market are taken back by an endpoint of unified accounts only
            Some(market) => {
                let of_ids =
                    ids.iter().map(|id| Fields::new().with("orderId", id.as_str()).and(of_symbol(Some(market))));
                let all = of_clients.into_iter().chain(of_ids).map(Value::Object).collect();
                let mode = take(&mut q.params, &["accountMode"]).unwrap_or_else(|| "unified".to_owned());
                let margin = margin_mode(&mut q.params);
                let kind = match margin.as_deref() {
                    Some("isolated") if mode == "unified" => {
                        return Err(q.error(ErrorClass::NotSupported, "has no isolated margin of unified accounts"));
                    }
                    Some(_) if mode == "unified" => "MARGIN".to_owned(),
                    Some(margin) => margin.to_uppercase(),
                    None => "SPOT".to_owned(),
                };
                let fields = Fields::new().with("tradeType", kind).with("cancelOrderList", Value::List(all));
                let path = format!("ua/v1/{}/order/cancel-batch", encoded(&mode));
                private(q.exchange, Api::Spot, Verb::Post, &path, &fields.and(q.params))?
            }
            None => {
                let of_ids = ids.iter().map(|id| Value::from(id.as_str()));
                let all = of_clients.into_iter().map(Value::Object).chain(of_ids).collect();
                let name = if by_client { "clientOidsList" } else { "orderIdsList" };
                let body = Fields::new().with(name, Value::List(all)).and(q.params).json();
                with_body(q.exchange, Api::Contracts, Verb::Delete, "v1/orders/multi-cancel", body)?
            }
        };
        let context = Context { markets: &markets, asked: market };
        let of_unified = market.is_some_and(|market| !market.contract());
        let read = |body: &Json<'_>| {
            let list = if of_unified { data(body).get("items") } else { data(body) };
            list.each(|raw| self.order(raw, context))
        };
        Ok(listed(q.exchange.ask(request, read).await?, market, Page::default()))
    }

    pub(super) async fn cancel_all(&self, mut q: Query<'_>) -> Result<Vec<Order>> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let contract = contracts(&mut q.params, market);
        let waits = take_flag(&mut q.params, &["stop", "trigger"]);
        let mut fields = of_symbol(market);
        if contract {
            let path = if waits { "v1/stopOrders" } else { "v1/orders" };
            let request = private(q.exchange, Api::Contracts, Verb::Delete, path, &fields.and(q.params))?;
            let read = |body: &Json<'_>| vec![named(data(body).map(Raw::of).unwrap_or_default(), None)];
            return q.exchange.ask(request, read).await;
        }
        let fast = high_frequency(q.exchange, &mut q.params);
        let margin = margin_mode(&mut q.params);
        if let Some(mode) = &margin {
            if !waits {
                needed(&q, market)?;
            } else if mode == "isolated" {
                return Err(q.error(ErrorClass::BadRequest, "has no stop orders with an isolated margin"));
            }
            fields.set("tradeType", trade_type(Some(mode)));
        }
        let path = match (waits, margin.is_some()) {
            (true, true) => "v3/hf/margin/stop-order/cancel",
            (true, false) => "v1/stop-order/cancel",
            (false, true) => "v3/hf/margin/orders",
            (false, false) if fast && market.is_none() => "v1/hf/orders/cancelAll",
            (false, false) if fast => "v1/hf/orders",
            (false, false) => "v1/orders",
        };
        let request = private(q.exchange, Api::Spot, Verb::Delete, path, &fields.and(q.params))?;
        q.exchange.ask(request, |body| vec![named(Raw::of(body), None)]).await
    }

    pub(super) async fn one_order(&self, mut q: Query<'_>) -> Result<Order> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let contract = match market {
            Some(market) => market.contract(),
            None => contracts(&mut q.params, None),
        };
        let request = if contract { of_contracts(&mut q)? } else { of_spot(&mut q, market)? };
        let context = Context { markets: &markets, asked: market };
        // stop orders of an account's own name come as a list
        let read = |body: &Json<'_>| match data(body).at(0) {
            Some(first) => self.order(first, context),
            None => said(body, |raw| self.order(raw, context)),
        };
        q.exchange.ask(request, read).await
    }

    /// Orders that are `active` or `done`.
    pub(super) async fn orders_that_are(&self, mut q: Query<'_>, status: &str) -> Result<Vec<Order>> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let asked = q.params.text(&["type"]).map(str::to_owned);
        let contract = match (market, asked.as_deref()) {
            (Some(market), _) => market.contract(),
            (None, Some(kind @ ("spot" | "margin" | "swap" | "future" | "contract"))) => {
                q.params = q.params.without(&["type"]);
                !matches!(kind, "spot" | "margin")
            }
            (None, _) => false,
        };
        let waits = take_flag(&mut q.params, &["stop", "trigger"]);
        let request = if contract {
            contracts_that_are(&mut q, status, market, waits)?
        } else {
            spot_that_are(&mut q, status, market, waits)?
        };
        let context = Context { markets: &markets, asked: market };
        let read = |body: &Json<'_>| {
            let list = data(body).get("items").or_else(|| data(body));
            list.each(|raw| self.order(raw, context))
        };
        Ok(listed(q.exchange.ask(request, read).await?, market, q.page))
    }

    pub(super) async fn own_trades(&self, mut q: Query<'_>) -> Result<Vec<Trade>> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let mut fields = of_symbol(market);
        let request = if contracts(&mut q.params, market) {
            let end = until(&mut q.params, "endAt");
            let fields = fields
                .with_some("startAt", q.page.since)
                .with_some("pageSize", q.page.limit.map(|limit| limit.min(TRADES_MAX)));
            private(q.exchange, Api::Contracts, Verb::Get, "v1/fills", &fields.and(end).and(q.params.clone()))?
        } else {
            let fast = high_frequency(q.exchange, &mut q.params);
            let margin = margin_mode(&mut q.params);
            if fast || margin.is_some() {
                needed(&q, market)?;
            }
            if margin.is_some() {
                fields = Fields::new().with("tradeType", trade_type(margin.as_deref())).and(fields);
            }
            let end = until(&mut q.params, "endAt");
            let path = match margin {
                Some(_) => "v3/hf/margin/fills",
                None if fast => "v1/hf/fills",
                None => "v1/fills",
            };
            let limit = q.page.limit.filter(|_| path != "v1/fills");
            let fields = fields.and(end).with_some("limit", limit).with_some("startAt", q.page.since);
            private(q.exchange, Api::Spot, Verb::Get, path, &fields.and(q.params.clone()))?
        };
        let context = Context { markets: &markets, asked: market };
        let read = |body: &Json<'_>| data(body).get("items").each(|raw| self.trade(raw, context));
        Ok(listed_trades(q.exchange.ask(request, read).await?, market, q.page))
    }
}

fn of_contracts(q: &mut Query<'_>) -> Result<Request> {
    let client = client_id(&q.params).map(str::to_owned);
    let rest = q.params.clone().without(&["clientOid", "clientOrderId"]);
    let (path, fields) = match client {
        Some(client) => ("v1/orders/byClientOid".to_owned(), Fields::new().with("clientOid", client)),
        None => (format!("v1/orders/{}", encoded(q.id)), Fields::new()),
    };
    private(q.exchange, Api::Contracts, Verb::Get, &path, &fields.and(rest))
}

fn of_spot(q: &mut Query<'_>, market: Option<&Market>) -> Result<Request> {
    let waits = take_flag(&mut q.params, &["stop", "trigger"]);
    let fast = high_frequency(q.exchange, &mut q.params);
    let margin = margin_mode(&mut q.params).is_some();
    let mut fields = Fields::new();
    if (fast || margin) && !waits {
        fields = of_symbol(Some(needed(q, market)?));
    }
    let client = client_id(&q.params).map(str::to_owned);
    let id = encoded(client.as_deref().unwrap_or(q.id));
    let path = match (client, waits) {
        (Some(client), true) => {
            fields.set("clientOid", client);
            if !margin {
                fields = fields.and(of_symbol(market));
            }
            if margin { "v3/hf/margin/stop-order/clientOid" } else { "v1/stop-order/queryOrderByClientOid" }.to_owned()
        }
        (Some(_), false) if margin => format!("v3/hf/margin/orders/client-order/{id}"),
        (Some(_), false) if fast => format!("v1/hf/orders/client-order/{id}"),
        (Some(_), false) => format!("v1/order/client-order/{id}"),
        (None, true) if margin => {
            fields.set("orderId", q.id);
            "v3/hf/margin/stop-order/orderId".to_owned()
        }
        (None, true) => format!("v1/stop-order/{id}"),
        (None, false) if margin => format!("v3/hf/margin/orders/{id}"),
        (None, false) if fast => format!("v1/hf/orders/{id}"),
        (None, false) => format!("v1/orders/{id}"),
    };
    let rest = q.params.clone().without(&["clientOid", "clientOrderId"]);
    private(q.exchange, Api::Spot, Verb::Get, &path, &fields.and(rest))
}

fn contracts_that_are(q: &mut Query<'_>, status: &str, market: Option<&Market>, waits: bool) -> Result<Request> {
    if waits && status != "active" {
        return Err(q.error(ErrorClass::BadRequest, "has stop orders that still wait only"));
    }
    let end = until(&mut q.params, "endAt");
    let fields = Fields::new().with_some("status", (!waits).then_some(status)).and(of_symbol(market));
    let fields = fields.with_some("startAt", q.page.since).and(end);
    let path = if waits { "v1/stopOrders" } else { "v1/orders" };
    private(q.exchange, Api::Contracts, Verb::Get, path, &fields.and(q.params.clone()))
}

fn spot_that_are(q: &mut Query<'_>, status: &str, market: Option<&Market>, waits: bool) -> Result<Request> {
    let end = until(&mut q.params, "endAt");
    let fast = high_frequency(q.exchange, &mut q.params);
    if fast {
        needed(q, market)?;
    }
    let margin = margin_mode(&mut q.params);
    let mut fields = of_symbol(market).with("tradeType", trade_type(margin.as_deref()));
    let margin = margin.is_some();
    let active = status == "active";
    let path = match (waits, margin) {
        (true, true) => "v3/hf/margin/stop-orders",
        (true, false) => "v1/stop-order",
        (false, true) if active => "v3/hf/margin/orders/active",
        (false, true) => "v3/hf/margin/orders/done",
        (false, false) if fast && active => "v1/hf/orders/active",
        (false, false) if fast => "v1/hf/orders/done",
        (false, false) => "v1/orders",
    };
    // active orders with borrowed money are told all at once
    if waits || !margin || !active {
        fields = fields
            .with_some("status", (!margin).then_some(status))
            .with_some("startAt", q.page.since)
            .with_some("pageSize", q.page.limit)
            .and(end);
    }
    private(q.exchange, Api::Spot, Verb::Get, path, &fields.and(q.params.clone()))
}

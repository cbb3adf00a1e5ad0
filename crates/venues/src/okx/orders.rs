//! The account's orders and trades: "Trade" and "Algo Trading".

use super::http::{missing, part};
use super::order::sorted;
use super::parse::{Dialect, data};
use super::sign::{get, list, post};
use super::{edited_order, new_order};
use crate::exchange::{NewOrder, Result};
use crate::json::Json;
use crate::query::Query;
use crate::unified::{Market, Markets, Order, Trade};
use crate::{Context, Dialect as _, ErrorClass, Fields, Value};

/// Most orders of one answer.
const ORDERS_MAX: i64 = 100;

/// Parameters that only choose where to ask.
const CHOICES: [&str; 4] = ["method", "stop", "trigger", "trailing"];

/// Whether orders are asked for that wait for something, and of which type.
struct Waiting<'p> {
    trigger: bool,
    trailing: bool,
    kind: Option<&'p str>,
}

impl<'p> Waiting<'p> {
    fn of(params: &'p Fields) -> Self {
        let trigger = params.flag("stop") || params.flag("trigger");
        Self { trigger, trailing: params.flag("trailing"), kind: params.text(&["ordType"]) }
    }

    fn any(&self) -> bool {
        self.trigger || self.trailing || self.kind.is_some_and(new_order::waits)
    }

    /// What the exchange has to be told, if the parameters do not say it.
    fn word(&self) -> Option<&'static str> {
        match self {
            Self { trailing: true, .. } => Some("move_order_stop"),
            Self { trigger: true, kind: None, .. } => Some("trigger"),
            _ => None,
        }
    }
}

/// The names of orders that a parameter holds: a text with commas, or a list.
fn names(params: &Fields, of: &[&str]) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Text(text) | Value::Digits(text) => Some(text.clone()),
        _ => None,
    };
    match of.iter().find_map(|name| params.get(name)) {
        Some(Value::Text(text)) => text.split(',').map(str::to_owned).collect(),
        Some(Value::List(list)) => list.iter().filter_map(text).collect(),
        Some(one) => text(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Only the market is known beforehand.
fn of_market(market: Option<&Market>) -> Fields {
    Fields::new().with_some("instId", market.map(|market| market.id.as_str()))
}

impl Dialect {
    /// The one order of an answer.
    fn one(&self, body: &Json<'_>, market: &Market, markets: &Markets) -> Option<Order> {
        data(body).first().map(|raw| self.order(raw, market.context(markets)))
    }

    async fn listed(&self, q: Query<'_>, path: &str, fields: Fields) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let context = Context { markets: &markets, asked: market };
        let read = |body: &Json<'_>| data(body).iter().map(|raw| self.order(raw, context)).collect::<Vec<_>>();
        let orders = q.exchange.ask(get(q.exchange, path, &fields)?, read).await?;
        Ok(q.page.of(sorted(orders, market), |order| order.time.0))
    }

    pub(super) async fn make(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = new_order::fields(market, order)?;
        let request = if new_order::is_waiting(&fields) || new_order::waits(&order.order_type) {
            post(q.exchange, "trade/order-algo", fields.json())?
        } else {
            let mut request = post(q.exchange, "trade/batch-orders", list(&[new_order::tagged(q.exchange, fields)]))?;
            // V5 "Place multiple orders": after this time of its own the exchange does not take it
            if let Some(until) = q.exchange.until(&order.params) {
                request.headers.push(("expTime", until.to_string()));
            }
            request
        };
        let made = q.exchange.ask(request, |body| self.one(body, market, &markets)).await?;
        let made = made.ok_or_else(|| missing(&q))?;
        Ok(Order { order_type: Some(order.order_type.clone()), side: Some(order.side), ..made })
    }

    pub(super) async fn make_all(&self, q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let mut all = Vec::new();
        for mut order in orders {
            order.params = order.params.and(q.params.clone());
            let fields = new_order::fields(markets.of(&order.symbol)?, &order)?;
            all.push(new_order::tagged(q.exchange, fields));
        }
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| data(body).iter().map(|raw| self.order(raw, none)).collect::<Vec<_>>();
        let orders = q.exchange.ask(post(q.exchange, "trade/batch-orders", list(&all))?, read).await?;
        Ok(sorted(orders, None))
    }

    pub(super) async fn change(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = edited_order::fields(q.id, market, order)?;
        let path = if new_order::waits(&order.order_type) { "trade/amend-algos" } else { "trade/amend-order" };
        let request = post(q.exchange, path, fields.json())?;
        let changed = q.exchange.ask(request, |body| self.one(body, market, &markets)).await?;
        let changed = changed.ok_or_else(|| missing(&q))?;
        Ok(Order { order_type: Some(order.order_type.clone()), side: Some(order.side), ..changed })
    }

    pub(super) async fn cancel(&self, q: Query<'_>) -> Result<Order> {
        let waiting = Waiting::of(&q.params);
        if waiting.trigger || waiting.trailing {
            let none = missing(&q);
            let ids = [q.id.to_owned()];
            return self.cancel_all(q, &ids).await?.into_iter().next().ok_or(none);
        }
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = match q.params.text(&["clOrdId", "clientOrderId"]) {
            Some(client) => of_market(Some(market)).with("clOrdId", client),
            None => of_market(Some(market)).with("ordId", q.id),
        };
        let fields = fields.and(q.params.clone().without(&["clOrdId", "clientOrderId"]));
        let request = post(q.exchange, "trade/cancel-order", fields.json())?;
        q.exchange.ask(request, |body| self.one(body, market, &markets)).await?.ok_or_else(|| missing(&q))
    }

    pub(super) async fn cancel_all(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let waiting = Waiting::of(&q.params);
        let algo = waiting.trigger || waiting.trailing;
        let clients = names(&q.params, &["clOrdId", "clientOrderId"]);
        let instrument = market.id.as_str();
        let asked: Vec<Fields> = if clients.is_empty() {
            let algos = names(&q.params, &["algoId"]).into_iter().map(|id| ("algoId", id));
            let name = if algo { "algoId" } else { "ordId" };
            let ids = ids.iter().map(|id| (name, id.clone()));
            algos.chain(ids).map(|(name, id)| Fields::new().with(name, id).with("instId", instrument)).collect()
        } else {
            let name = if algo { "algoClOrdId" } else { "clOrdId" };
            clients.into_iter().map(|id| Fields::new().with("instId", instrument).with(name, id)).collect()
        };
        let algo = algo || q.params.text(&["method"]) == Some("privatePostTradeCancelAlgos");
        let path = if algo { "trade/cancel-algos" } else { "trade/cancel-batch-orders" };
        let context = market.context(&markets);
        let read = |body: &Json<'_>| data(body).iter().map(|raw| self.order(raw, context)).collect::<Vec<_>>();
        let orders = q.exchange.ask(post(q.exchange, path, list(&asked))?, read).await?;
        Ok(sorted(orders, Some(market)))
    }

    pub(super) async fn find(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let client = q.params.text(&["clOrdId", "clientOrderId"]);
        let trigger = Waiting::of(&q.params).trigger;
        let algo = trigger || q.params.text(&["method"]) == Some("privateGetTradeOrderAlgo");
        let name = match (client, trigger) {
            (Some(_), true) => "algoClOrdId",
            (Some(_), false) => "clOrdId",
            (None, true) => "algoId",
            (None, false) => "ordId",
        };
        let fields = of_market(Some(market)).with(name, client.unwrap_or(q.id));
        let fields = fields.and(q.params.clone().without(&["method", "clOrdId", "clientOrderId", "stop", "trigger"]));
        let path = if algo { "trade/order-algo" } else { "trade/order" };
        let found = q.exchange.ask(get(q.exchange, path, &fields)?, |body| self.one(body, market, &markets)).await?;
        found.ok_or_else(|| q.error(ErrorClass::OrderNotFound, &format!("finds no order {}", q.id)))
    }

    pub(super) async fn open(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let waiting = Waiting::of(&q.params);
        let algo = waiting.any() || q.params.text(&["method"]) == Some("privateGetTradeOrdersAlgoPending");
        let fields = of_market(q.market_if_any(&markets)?)
            .with_some("limit", q.page.limit.map(|limit| limit.min(ORDERS_MAX)))
            .with_some("ordType", waiting.word())
            .and(q.params.clone().without(&CHOICES));
        self.listed(q, if algo { "trade/orders-algo-pending" } else { "trade/orders-pending" }, fields).await
    }

    pub(super) async fn closed(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let waiting = Waiting::of(&q.params);
        let (kind, mut rest) = part(q.params.clone(), market);
        let mut fields = of_market(market)
            .with("instType", kind)
            .with_some("limit", q.page.limit.map(|limit| limit.min(ORDERS_MAX)))
            .with_some("state", waiting.any().then_some("effective"))
            .with_some("ordType", waiting.word());
        if !waiting.trigger && !waiting.trailing {
            fields = fields.with_some("begin", q.page.since).with_some("end", rest.text(&["until"]).map(digits));
            fields.set("state", "filled");
            rest = rest.without(&["until"]);
        }
        let path = match q.params.text(&["method"]) {
            _ if waiting.any() => "trade/orders-algo-history",
            Some("privateGetTradeOrdersAlgoHistory") => "trade/orders-algo-history",
            Some("privateGetTradeOrdersHistoryArchive") => "trade/orders-history-archive",
            _ => "trade/orders-history",
        };
        self.listed(q, path, fields.and(rest.without(&CHOICES))).await
    }

    pub(super) async fn canceled(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let waiting = Waiting::of(&q.params);
        if waiting.trigger && !waiting.trailing && waiting.kind.is_none() {
            let message =
                "requires an ordType of orders that wait: conditional, oco, trigger, move_order_stop, iceberg, twap";
            return Err(q.error(ErrorClass::ArgumentsRequired, message));
        }
        let (kind, mut rest) = part(q.params.clone(), market);
        let mut fields = of_market(market)
            .with("instType", kind)
            .with_some("limit", q.page.limit)
            .with("state", "canceled")
            .with_some("ordType", waiting.word())
            .with_some("algoId", rest.text(&["algoId"]).filter(|_| waiting.any()));
        if !waiting.any() {
            fields = fields.with_some("begin", q.page.since).with_some("end", rest.text(&["until"]).map(digits));
            rest = rest.without(&["until"]);
        }
        let algo = waiting.any() || q.params.text(&["method"]) == Some("privateGetTradeOrdersAlgoHistory");
        let path = if algo { "trade/orders-algo-history" } else { "trade/orders-history" };
        self.listed(q, path, fields.and(rest.without(&CHOICES))).await
    }

    pub(super) async fn trades_of_account(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let until = q.params.text(&["until", "till"]).map(digits);
        let (kind, rest) = part(q.params.clone().without(&["until", "till"]), market);
        let fields = of_market(market)
            .with_some("begin", q.page.since)
            .with_some("end", until)
            .with("instType", kind)
            // a limit counts from the latest, which is not what is wanted from a time on
            .with_some("limit", q.page.limit.filter(|_| q.page.since.is_none()))
            .and(rest);
        let context = Context { markets: &markets, asked: market };
        let read = |body: &Json<'_>| data(body).iter().map(|raw| self.trade(raw, context)).collect();
        let trades = q.exchange.ask(get(q.exchange, "trade/fills-history", &fields)?, read).await?;
        Ok(q.page.of(sorted_trades(trades, market), |trade| trade.time.0))
    }

    pub(super) async fn close(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let side = q.side.map(|side| match side {
            "buy" => "long",
            "sell" => "short",
            other => other,
        });
        let fields = of_market(Some(market))
            .with("mgnMode", q.params.text(&["marginMode"]).unwrap_or("cross"))
            .with_some("posSide", side)
            .with_some("clOrdId", q.params.text(&["clientOrderId"]))
            .with_some("ccy", q.params.text(&["code"]))
            .and(q.params.clone().without(&["marginMode"]));
        let request = post(q.exchange, "trade/close-position", fields.json())?;
        q.exchange.ask(request, |body| self.one(body, market, &markets)).await?.ok_or_else(|| missing(&q))
    }
}

/// Trades by time and name, those of the market that was asked for.
pub(super) fn sorted_trades(mut trades: Vec<Trade>, market: Option<&Market>) -> Vec<Trade> {
    trades.retain(|trade| market.is_none_or(|market| trade.symbol.as_ref() == Some(&market.symbol)));
    trades.sort_by(|one, other| (one.time.0, &one.id).cmp(&(other.time.0, &other.id)));
    trades
}

/// A time that is sent as it was given.
fn digits(text: &str) -> Value {
    Value::Digits(text.to_owned())
}

//! Orders of the account: "Trading" of the spot market, "Query Orders" and "Cancel Orders" of the contract markets.

use super::Dialect;
use super::account::{account, kind_name, spot_account};
use super::new_order;
use super::parse::{first, object};
use super::sign::{Host, get, post};
use crate::exchange::{NewOrder, Result, not_supported, required};
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::unified::{Market, MarketKind, Markets, Order, OrderStatus, Raw};
use crate::{Context, Dialect as _, ErrorClass, Exchange, Fields, Request, Value, Venue};

/// Longest part of the spot market's orders that is taken by time, in milliseconds.
const ORDERS_SPAN: i64 = 48 * 3_600_000;
/// What says that orders that wait are meant, and the exchange's word for each; the first that is true counts.
const WAITING: [(&str, &str); 6] = [
    ("stop", "trigger"),
    ("trigger", "trigger"),
    ("trailing", "trailing_stop"),
    ("stopLossTakeProfit", "tpsl"),
    ("stopLoss", "sl"),
    ("takeProfit", "tp"),
];
/// The account's names of orders of contracts.
const CLIENT: [&str; 3] = ["client_order_id", "clientOrderId", "algo_client_order_id"];

/// The whole number of the first of these parameters that has one.
pub(super) fn whole(params: &Fields, names: &[&str]) -> Option<i64> {
    params.text(names)?.parse().ok()
}

/// The part of the exchange that is asked, what the caller says before where the market is; and the rest of the
/// parameters.
pub(super) fn part(params: &Fields, market: Option<&Market>) -> (String, Fields) {
    let said = params.text(&["defaultType", "type"]).map(str::to_owned);
    let rest = if said.is_some() { params.clone().without(&["defaultType", "type"]) } else { params.clone() };
    (said.unwrap_or_else(|| market.map_or("spot", |market| kind_name(market.kind)).to_owned()), rest)
}

/// Which orders that wait are meant, if any are; and the rest of the parameters.
fn waiting(params: &Fields) -> (Option<&'static str>, Fields) {
    let word = WAITING.iter().find(|(name, _)| params.flag(name)).map(|(_, word)| *word);
    (word, params.clone().without(&WAITING.map(|(name, _)| name)))
}

/// Takes the mode of margin out of parameters; `cross` if none is said.
pub(super) fn margin_mode(params: Fields) -> (String, Fields) {
    let names = ["marginMode", "defaultMarginMode"];
    (params.text(&names).unwrap_or("cross").to_owned(), params.without(&names))
}

/// A contract that is settled in the quote currency.
pub(super) fn linear(market: &Market) -> Result<&Market> {
    let coins = || not_supported(Venue::Htx, "contracts settled in coins");
    if market.linear == Some(true) { Ok(market) } else { Err(coins()) }
}

/// The market of a method that wants one.
fn needed<'m>(q: &Query<'_>, market: Option<&'m Market>) -> Result<&'m Market> {
    linear(market.ok_or_else(|| required(q.exchange.venue(), q.method, "symbol"))?)
}

/// Where a contract's orders are: contracts with an end are named by what they are settled in.
fn of_contract(market: &Market) -> Fields {
    match (market.kind, &market.settle_id) {
        (MarketKind::Future, Some(settle)) => Fields::new().with("symbol", settle.as_str()),
        _ => Fields::new().with("contract_code", market.id.as_str()),
    }
}

/// The end that is asked for, under the name that the exchange has for it.
pub(super) fn until(params: Fields, name: &str) -> Fields {
    match whole(&params, &["until", "till"]) {
        Some(until) => Fields::new().with(name, until).and(params.without(&["until", "till"])),
        None => params,
    }
}

/// Which orders of a list are meant, by what became of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Past {
    All,
    Filled,
    Canceled,
}

impl Past {
    const fn spot(self) -> &'static str {
        match self {
            Self::All => "pre-submitted,submitted,partial-filled,filled,partial-canceled,canceled",
            Self::Filled => "filled",
            Self::Canceled => "partial-canceled,canceled",
        }
    }

    const fn contracts(self, waiting: bool) -> Option<&'static str> {
        match (self, waiting) {
            (Self::All, _) => None,
            (Self::Filled, true) => Some("effective"),
            (Self::Filled, false) => Some("filled"),
            (Self::Canceled, true) => Some("canceled"),
            (Self::Canceled, false) => Some("partially_canceled,canceled"),
        }
    }
}

impl Dialect {
    /// The orders of an answer: of the market that was asked for, sorted by time.
    async fn listed(&self, q: &Query<'_>, request: Request, context: Context<'_>) -> Result<Vec<Order>> {
        let read = |body: &Json<'_>| {
            let data = body.get("data");
            let list = data.list().or_else(|| data.get("orders").list());
            let parts = || ["success", "errors"].map(|name| data.get(name).list().unwrap_or_default());
            let lists = list.map_or_else(parts, |list| [list, &[]]);
            lists.into_iter().flatten().map(|one| self.order(one, context)).collect::<Vec<_>>()
        };
        let mut orders = q.exchange.ask(request, read).await?;
        orders.sort_by_key(|order| order.time.0);
        orders.retain(|order| context.asked.is_none_or(|market| order.symbol.as_ref() == Some(&market.symbol)));
        Ok(q.page.of(orders, |order| order.time.0))
    }

    pub(super) async fn past_orders(&self, q: Query<'_>, past: Past) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let (part, params) = part(&q.params, market);
        let request = if part == "spot" {
            let market = market.ok_or_else(|| required(q.exchange.venue(), q.method, "symbol"))?;
            let fields = Fields::new()
                .with("states", past.spot())
                .with("symbol", market.id.as_str())
                .with_some("start-time", q.page.since)
                .with_some("end-time", q.page.since.map(|since| since.saturating_add(ORDERS_SPAN)))
                .with_some("size", q.page.limit)
                .and(until(params, "end-time"));
            get(q.exchange, Host::Spot, "v1/order/orders", fields)?
        } else {
            let market = needed(&q, market)?;
            let (waits, params) = waiting(&params);
            let (mode, params) = margin_mode(params);
            let fields = Fields::new()
                .with_some("states", past.contracts(waits.is_some()))
                .with_some("start_time", q.page.since)
                .with_some("limit", q.page.limit)
                .with("margin_mode", mode)
                .with("contract_code", market.id.as_str())
                .with_some("type", waits)
                .and(until(params, "end_time"));
            let path = if waits.is_some() { "v5/algo/order/history" } else { "v5/trade/order/history" };
            get(q.exchange, Host::Contracts, path, fields)?
        };
        self.listed(&q, request, Context { markets: &markets, asked: market }).await
    }

    pub(super) async fn open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let (part, params) = part(&q.params, market);
        let id = market.map(|market| market.id.as_str());
        let request = if part == "spot" {
            let account = match params.text(&["account-id"]) {
                Some(account) => Some(account.to_owned()),
                None => spot_account(q.exchange).await?,
            };
            let params = params.without(&["account-id", "subType", "defaultSubType"]);
            let fields = Fields::new().with_some("symbol", id).with_some("account-id", account);
            let fields = fields.with_some("size", q.page.limit).and(params);
            get(q.exchange, Host::Spot, "v1/order/openOrders", fields)?
        } else {
            market.map(linear).transpose()?;
            let (waits, params) = waiting(&params);
            let params = params.without(&["subType", "defaultSubType"]);
            let fields = Fields::new().with_some("contract_code", id).with_some("limit", q.page.limit);
            let path = if waits.is_some() { "v5/algo/order/opens" } else { "v5/trade/order/opens" };
            get(q.exchange, Host::Contracts, path, fields.with_some("type", waits).and(params))?
        };
        self.listed(&q, request, Context { markets: &markets, asked: market }).await
    }

    pub(super) async fn one_order(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let (part, params) = part(&q.params, market);
        let request = if part == "spot" {
            let named = params.text(&["clientOrderId"]).is_some();
            let path = if named { "getClientOrder" } else { q.id };
            get(q.exchange, Host::Spot, &format!("v1/order/orders/{path}"), params)?
        } else {
            self.contract_order(&q, market, &params)?
        };
        let context = Context { markets: &markets, asked: market };
        let read = |body: &Json<'_>| match body.get("data") {
            Some(Json::Array(list)) => list.first().map(|one| self.order(one, context)),
            Some(one @ Json::Object(_)) => Some(self.order(one, context)),
            _ => None,
        };
        let found = q.exchange.ask(request, read).await?;
        found.ok_or_else(|| q.error(ErrorClass::OrderNotFound, "was answered without an order"))
    }

    fn contract_order(&self, q: &Query<'_>, market: Option<&Market>, params: &Fields) -> Result<Request> {
        let market = needed(q, market)?;
        let (waits, params) = waiting(params);
        let client = params.text(&CLIENT).map(str::to_owned);
        let params = if client.is_some() { params.without(&CLIENT) } else { params };
        let name = match (waits, &client) {
            (Some(_), Some(_)) => "algo_client_order_id",
            (Some(_), None) => "algo_id",
            (None, Some(_)) => "client_order_id",
            (None, None) => "order_id",
        };
        let fields = Fields::new().with(name, client.as_deref().unwrap_or(q.id));
        if let Some(waits) = waits {
            return get(q.exchange, Host::Contracts, "v5/algo/order", fields.with("type", waits).and(params));
        }
        let (mode, params) = margin_mode(params);
        let fields = fields.with("contract_code", market.id.as_str()).with("margin_mode", mode);
        get(q.exchange, Host::Contracts, "v5/trade/order", fields.and(params))
    }

    pub(super) async fn make_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let made = |one: Order| Order {
            order_type: Some(order.order_type.clone()),
            side: Some(order.side),
            price: order.price,
            amount: order.amount,
            ..one
        };
        if market.kind == MarketKind::Spot {
            if order.params.number(&["trailingPercent", "callback_rate"]).is_some() {
                return Err(not_supported(Venue::Htx, "orders of the spot market that trail the price"));
            }
            let fields = spot_order(q.exchange, market, order).await?;
            let request = post(q.exchange, Host::Spot, "v1/order/orders/place", fields)?;
            let read =
                |body: &Json<'_>| Order { info: Raw::of(body), id: body.string_of(&["data"]), ..Order::default() };
            return q.exchange.ask(request, |body| made(read(body)).completed(Some(market))).await;
        }
        let waits = new_order::waits(order);
        let path = if waits { "v5/algo/order" } else { "v5/trade/order" };
        let request = post(q.exchange, Host::Contracts, path, new_order::contract(market, order)?)?;
        let read = |body: &Json<'_>| {
            let one = if waits { first(body, "data") } else { object(body, "data") };
            made(self.order(one, market.context(&markets)))
        };
        q.exchange.ask(request, read).await
    }

    pub(super) async fn make_orders(&self, q: Query<'_>, orders: &[NewOrder]) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let none = || q.error(ErrorClass::ArgumentsRequired, "requires orders");
        let first = orders.first().ok_or_else(none)?;
        let market = markets.of(&first.symbol)?;
        let mut modes = orders.iter().filter_map(|order| order.params.text(&["marginMode", "defaultMarginMode"]));
        let mode = modes.next();
        if orders.iter().any(|order| order.symbol != first.symbol) || modes.any(|other| Some(other) != mode) {
            return Err(q.error(ErrorClass::BadRequest, "makes orders of one market and one margin mode only"));
        }
        let mut list = Vec::with_capacity(orders.len());
        for order in orders {
            let fields = match market.kind {
                MarketKind::Spot => spot_order(q.exchange, market, order).await?,
                _ => new_order::contract(market, order)?,
            };
            list.push(Value::Object(fields));
        }
        let (host, path) = match market.kind {
            MarketKind::Spot => (Host::Spot, "v1/order/batch-orders"),
            _ => (Host::Contracts, "v5/trade/batch_orders"),
        };
        let request = post(q.exchange, host, path, Value::List(list))?;
        self.listed(&q, request, market.context(&markets)).await
    }

    pub(super) async fn take_back(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let (part, params) = part(&q.params, market);
        let params = params.without(&["subType", "defaultSubType"]);
        let (waits, params) = waiting(&params);
        let spot = part == "spot";
        let request =
            if spot { spot_cancel(&q, params)? } else { contract_cancel(&q, needed(&q, market)?, waits, params)? };
        let context = Context { markets: &markets, asked: market };
        let read = |body: &Json<'_>| {
            let one = if waits.is_some() && !spot { first(body, "data") } else { object(body, "data") };
            let order = self.order(one, context);
            Order { id: Some(q.id.to_owned()), status: Some(OrderStatus::Canceled), ..order }
        };
        q.exchange.ask(request, read).await
    }

    pub(super) async fn take_all_back(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let (part, params) = part(&q.params, market);
        if part == "spot" {
            let fields = Fields::new().with_some("symbol", market.map(|market| market.id.as_str())).and(params);
            let request = post(q.exchange, Host::Spot, "v1/order/orders/batchCancelOpenOrders", fields)?;
            let read = |body: &Json<'_>| {
                let data = body.get("data").filter(|data| matches!(data, Json::Object(_)));
                let info = Raw::of(data.unwrap_or(&Json::Null));
                vec![Order { info, ..Order::default() }.completed(None)]
            };
            return q.exchange.ask(request, read).await;
        }
        let market = needed(&q, market)?;
        let flags = ["stop", "trigger", "stopLossTakeProfit", "trailing"];
        let waits = flags.iter().any(|flag| params.flag(flag));
        let fields = of_contract(market).with("contract_code", market.id.as_str()).and(params.without(&flags));
        let request = post(q.exchange, Host::Contracts, "v5/trade/cancel_all_orders", fields)?;
        q.exchange.ask(request, |body| if waits { Vec::new() } else { taken_back(body) }).await
    }
}

/// An order of the spot market, for the account of its kind.
async fn spot_order(exchange: &Exchange, market: &Market, order: &NewOrder) -> Result<Fields> {
    let kind = match order.params.text(&["marginMode", "defaultMarginMode"]) {
        Some("cross") => "super-margin",
        Some("isolated") => "margin",
        _ => "spot",
    };
    let account = account(exchange, kind, Some(&market.id)).await?;
    new_order::spot(exchange, market, order, account.as_deref())
}

fn spot_cancel(q: &Query<'_>, params: Fields) -> Result<Request> {
    let names = ["client-order-id", "clientOrderId"];
    match params.text(&names).map(str::to_owned) {
        Some(client) => {
            let fields = Fields::new().with("client-order-id", client).and(params.without(&names));
            post(q.exchange, Host::Spot, "v1/order/orders/submitCancelClientOrder", fields)
        }
        None => post(q.exchange, Host::Spot, &format!("v1/order/orders/{}/submitcancel", q.id), params),
    }
}

fn contract_cancel(q: &Query<'_>, market: &Market, waits: Option<&str>, params: Fields) -> Result<Request> {
    let client = params.text(&CLIENT).map(str::to_owned);
    if waits.is_none() {
        let fields = match client {
            Some(client) => Fields::new().with("client_order_id", client),
            None => Fields::new().with("order_id", q.id),
        };
        let fields = fields.and(of_contract(market)).and(params.without(&["client_order_id", "clientOrderId"]));
        return post(q.exchange, Host::Contracts, "v5/trade/cancel_order", fields);
    }
    let fields = Fields::new().with("contract_code", market.id.as_str());
    let fields = match client {
        Some(client) => fields.with("algo_client_order_id", client),
        None => fields.with("algo_id", q.id),
    };
    let one = fields.and(params.without(&CLIENT).without(&["algo_id"]));
    post(q.exchange, Host::Contracts, "v5/algo/cancel_orders", Value::List(vec![Value::Object(one)]))
}

/// Takes several orders back.
pub(super) async fn cancel_orders(q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
    let markets: std::sync::Arc<Markets> = q.markets().await?;
    let market = q.market_if_any(&markets)?;
    let (part, params) = part(&q.params, market);
    let waits = ["stop", "trigger", "stopLossTakeProfit"].iter().any(|flag| params.flag(flag));
    let params = params.without(&["stop", "trigger", "stopLossTakeProfit"]);
    let ids = || Value::List(ids.iter().map(|id| Value::from(id.as_str())).collect());
    if part == "spot" {
        let names = ["client-order-ids", "clientOrderIds", "client-order-id", "clientOrderId"];
        let fields = match names.iter().find_map(|name| params.get(name)) {
            Some(Value::List(list)) => Fields::new().with("client-order-ids", Value::List(list.clone())),
            Some(one) => Fields::new().with("client-order-ids", Value::List(vec![one.clone()])),
            None => Fields::new().with("order-ids", ids()),
        };
        let request = post(q.exchange, Host::Spot, "v1/order/orders/batchcancel", fields.and(params.without(&names)))?;
        return q.exchange.ask(request, |body| taken_back(object(body, "data"))).await;
    }
    let market = needed(&q, market)?;
    let names = ["client_order_ids", "clientOrderIds", "client_order_id", "clientOrderId"];
    let client = names.iter().find_map(|name| match params.get(name)? {
        Value::Text(text) => Some(Value::List(text.split(',').map(Value::from).collect())),
        other => Some(other.clone()),
    });
    let fields = match client {
        Some(list) => of_contract(market).with("client_order_id", list),
        None => of_contract(market).with("order_id", ids()),
    };
    let fields = fields.and(params.without(&names));
    let request = post(q.exchange, Host::Contracts, "v5/trade/cancel_batch_orders", fields)?;
    q.exchange.ask(request, |body| if waits { Vec::new() } else { taken_back(body) }).await
}

/// "Cancel Orders": names of those that were taken back, as a list or in one text, and why others were not.
fn taken_back(said: &Json<'_>) -> Vec<Order> {
    let one = |info: Raw, id: Option<String>, client_order_id: Option<String>, status: OrderStatus| {
        Order { info, id, client_order_id, status: Some(status), ..Order::default() }.completed(None)
    };
    let canceled = OrderStatus::Canceled;
    let mut orders = said.get("data").each(|order| {
        one(Raw::of(order), order.string_of(&["order_id"]), order.string_of(&["client_order_id"]), canceled)
    });
    if let Some(names) = said.text_of(&["successes"]) {
        let named = |id: &str| one(Raw::of(&Json::String(id.into())), Some(id.to_owned()), None, canceled);
        orders.extend(names.split(',').map(named));
    } else {
        let named = |id: &Json<'_>| one(Raw::of(id), Some(id).text().map(str::to_owned), None, canceled);
        orders.extend(said.get("success").each(named));
    }
    let failed = said.get("errors").or_else(|| said.get("failed"));
    orders.extend(failed.each(|order| {
        let (id, client) = (order.string_of(&["order-id", "order_id"]), order.string_of(&["client-order-id"]));
        one(Raw::of(order), id, client, OrderStatus::Failed)
    }));
    orders
}

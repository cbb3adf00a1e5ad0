//! Orders: made, changed, taken back and asked after.

use super::new_order::{self, Asked, digits};
use super::parse::Dialect;
use super::part::{Part, Scope, account, named, wallet};
use super::sign::{asked, told};
use crate::exchange::{NewOrder, Result, required};
use crate::json::{Access as _, Json};
use crate::query::{Page, Query};
use crate::unified::{Market, MarketKind, Markets, Order, Side, Trade};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, Value, VenueError, Verb, encoded};

/// Most orders of one request.
const ORDERS_MAX: usize = 10;
/// Parameters that say that orders are meant which wait for a price.
const WAITING: [&str; 3] = ["trigger", "stop", "is_stop_order"];

/// Orders by time, of this market if one was asked for.
fn of_market(mut orders: Vec<Order>, market: Option<&Market>, page: Page) -> Vec<Order> {
    // answers that name orders without their times keep the order in which they were asked for
    if orders.iter().all(|order| order.time.0.is_some()) {
        orders.sort_by_key(|order| order.time.0);
    }
    orders.retain(|order| market.is_none_or(|market| order.symbol.as_ref() == Some(&market.symbol)));
    page.of(orders, |order| order.time.0)
}

/// Milliseconds as the seconds that the exchange wants.
pub(super) fn in_seconds(ms: Option<i64>) -> Option<i64> {
    ms.map(|ms| ms / 1000)
}

/// The time in milliseconds up to which something is asked for.
pub(super) fn until(params: &Fields) -> Option<i64> {
    params.text(&["until"])?.parse().ok()
}

fn whether(params: &Fields, names: &[&str]) -> bool {
    names.iter().any(|name| params.flag(name))
}

pub(super) async fn create(dialect: &Dialect, q: &Query<'_>, order: &NewOrder) -> Result<Order> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let Asked { fields, waits } = new_order::asked(q.exchange, market, order)?;
    let scope = Scope::within(Part::of(market), Some(market), fields);
    let path = scope.path(if waits { "price_orders" } else { "orders" });
    let mut request = told(q.exchange, Verb::Post, &path, &Value::Object(scope.params.without(&["settle"])))?;
    // APIv4 "Create an order": after this time of its own the exchange does not take it
    if let Some(until) = q.exchange.until(&order.params).filter(|_| !waits) {
        request.headers.push(("x-gate-exptime", until.to_string()));
    }
    q.exchange.ask(request, |body| dialect.order(body, market.context(&markets))).await
}

pub(super) async fn close(dialect: &Dialect, q: Query<'_>) -> Result<Order> {
    let order = NewOrder {
        symbol: q.symbol.unwrap_or_default().to_owned(),
        order_type: "market".to_owned(),
        // which way it goes follows from the position
        side: q.side.and_then(Side::parse).unwrap_or(Side::Sell),
        amount: Some(Number::default()),
        price: None,
        params: Fields::new().with("close", true).and(q.params.clone()),
    };
    create(dialect, &q, &order).await
}

/// Refuses orders that cannot stand in one request.
fn of_one_kind(q: &Query<'_>, all: &[&Market], orders: &[NewOrder]) -> Result<MarketKind> {
    const TRIGGERS: [&str; 4] = ["triggerPrice", "stopPrice", "takeProfitPrice", "stopLossPrice"];
    let bad = |message: &str| q.error(ErrorClass::BadRequest, message);
    let Some(first) = all.first().filter(|_| all.len() <= ORDERS_MAX) else {
        return Err(bad("takes one to ten orders"));
    };
    if orders.iter().any(|order| TRIGGERS.iter().any(|name| order.params.get(name).is_some())) {
        return Err(q.error(ErrorClass::NotSupported, "takes no orders that wait for a price"));
    }
    if all.iter().any(|market| market.kind != first.kind || market.linear != first.linear) {
        return Err(bad("takes orders of one kind of markets"));
    }
    if first.kind == MarketKind::Future {
        return Err(q.error(ErrorClass::NotSupported, "takes no orders of contracts with an end"));
    }
    Ok(first.kind)
}

pub(super) async fn create_all(dialect: &Dialect, q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
    let markets = q.markets().await?;
    let all: Vec<&Market> = orders.iter().map(|order| markets.of(&order.symbol)).collect::<Result<_>>()?;
    of_one_kind(&q, &all, &orders)?;
    let one = |(order, market): (&NewOrder, &&Market)| {
        let params = order.params.clone().and(q.params.clone()).with("textIsRequired", true);
        let order = NewOrder { params, ..order.clone() };
        new_order::asked(q.exchange, market, &order).map(|asked| Value::Object(asked.fields))
    };
    let body = orders.iter().zip(&all).map(one).collect::<Result<Vec<Value>>>()?;
    let first = all.first().copied();
    let path = Scope::within(first.map_or(Part::Spot, Part::of), first, Fields::new()).path("batch_orders");
    let request = told(q.exchange, Verb::Post, &path, &Value::List(body))?;
    let none = Context { markets: &markets, asked: None };
    let made = q.exchange.ask(request, |body| body.each(|one| dialect.order(one, none))).await?;
    Ok(of_market(made, None, Page::default()))
}

pub(super) async fn edit(dialect: &Dialect, q: Query<'_>, order: &NewOrder) -> Result<Order> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let spot = !market.contract();
    let usual = if spot { "spot" } else { "swap" };
    let word = order.params.text(&["defaultType", "type"]).unwrap_or(usual);
    let account = if order.params.flag("unifiedAccount") { "unified" } else { wallet(word).unwrap_or(word) };
    if account == "spot" && !order.order_type.eq_ignore_ascii_case("limit") {
        return Err(q.error(ErrorClass::InvalidOrder, "changes limit orders only"));
    }
    let amount = order.amount.map(|amount| market.amount(amount)).transpose()?;
    let sells = order.side == Side::Sell;
    let size = |amount: Number| digits(if sells { Number(-amount.0) } else { amount });
    let amount = amount.map(|amount| if spot { ("amount", Value::from(amount)) } else { ("size", size(amount)) });
    let (name, amount) = amount.unzip();
    let fields = Fields::new()
        .with("currency_pair", market.id.as_str())
        .with("account", account)
        .with_some(name.unwrap_or_default(), amount)
        .with_some("price", order.price.map(|price| market.price(price)).transpose()?)
        .and(order.params.clone().without(&["defaultType", "type", "unifiedAccount"]));
    let scope = Scope::within(Part::of(market), Some(market), fields);
    let path = scope.path(&format!("orders/{}", encoded(q.id)));
    let request = if spot {
        asked(q.exchange, Verb::Patch, &path, &scope.params)?
    } else {
        told(q.exchange, Verb::Put, &path, &Value::Object(scope.params))?
    };
    q.exchange.ask(request, |body| dialect.order(body, market.context(&markets))).await
}

/// Asks after one order, or takes it back.
pub(super) async fn one(dialect: &Dialect, q: Query<'_>, verb: Verb) -> Result<Order> {
    let markets = q.markets().await?;
    let market = q.market_if_any(&markets)?;
    let scope = Scope::new(&q, market)?;
    let waits = whether(&scope.params, &WAITING);
    let mut params = scope.params.clone().without(&WAITING);
    let client = params.text(&["text", "clientOrderId"]).filter(|_| verb == Verb::Get).map(new_order::named);
    if client.is_some() {
        params = params.without(&["text", "clientOrderId"]);
    }
    let fields = match scope.part {
        Part::Spot => {
            let (account, rest) = account(waits, params)?;
            let missing = || required(q.exchange.venue(), q.method, "symbol");
            let named = if waits { None } else { Some((account, market.ok_or_else(missing)?)) };
            let (account, pair) = named.unzip();
            let pair = pair.map(|market| market.id.as_str());
            Fields::new().with_some("account", account).with_some("currency_pair", pair).and(rest)
        }
        _ => scope.fields().and(params),
    };
    let id = encoded(client.as_deref().unwrap_or(q.id));
    let path = scope.path(&format!("{}/{id}", if waits { "price_orders" } else { "orders" }));
    let request = asked(q.exchange, verb, &path, &fields)?;
    let context = Context { markets: &markets, asked: market };
    q.exchange.ask(request, |body| dialect.order(body, context)).await
}

pub(super) async fn cancel_all(dialect: &Dialect, q: Query<'_>) -> Result<Vec<Order>> {
    let markets = q.markets().await?;
    let market = q.market_if_any(&markets)?;
    let scope = Scope::new(&q, market)?;
    let waits = whether(&scope.params, &WAITING);
    let params = scope.params.clone().without(&["trigger", "stop"]);
    let fields = match scope.part {
        Part::Spot => spot_orders(waits, market, params)?,
        _ => scope.fields().and(params),
    };
    let path = scope.path(if waits { "price_orders" } else { "orders" });
    let request = asked(q.exchange, Verb::Delete, &path, &fields)?;
    let context = Context { markets: &markets, asked: market };
    let orders = q.exchange.ask(request, |body| body.each(|one| dialect.order(one, context))).await?;
    Ok(of_market(orders, market, Page::default()))
}

/// Whose orders of which spot market; those that wait know the market by another name.
fn spot_orders(waits: bool, market: Option<&Market>, params: Fields) -> Result<Fields> {
    let (account, rest) = account(waits, params)?;
    let name = if waits { "market" } else { "currency_pair" };
    let fields = Fields::new().with("account", account).with_some(name, market.map(|market| market.id.as_str()));
    Ok(fields.and(rest))
}

pub(super) async fn cancel_several(dialect: &Dialect, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
    let markets = q.markets().await?;
    let market = q.market_if_any(&markets)?;
    let scope = Scope::new(&q, market)?;
    let (path, body) = if scope.part == Part::Spot {
        let market = q.market(&markets)?;
        let one = |id: &String| Value::Object(Fields::new().with("id", id.as_str()).and(named(market)));
        ("spot/cancel_batch_orders".to_owned(), ids.iter().map(one).collect())
    } else {
        // in this path CCXT has the currency as everybody writes it
        let settle = q.params.text(&["settle"]).map(str::to_lowercase);
        let settle = settle.or_else(|| market?.settle.clone()).unwrap_or_else(|| "usdt".to_owned());
        let ids = ids.iter().map(|id| Value::from(id.as_str()));
        (format!("futures/{settle}/batch_cancel_orders"), ids.collect())
    };
    let request = told(q.exchange, Verb::Post, &path, &Value::List(body))?;
    let none = Context { markets: &markets, asked: None };
    let orders = q.exchange.ask(request, |body| body.each(|one| dialect.order(one, none))).await?;
    Ok(of_market(orders, None, Page::default()))
}

pub(super) async fn open(dialect: &Dialect, q: Query<'_>) -> Result<Vec<Order>> {
    by_status(dialect, q, "open").await
}

pub(super) async fn closed(dialect: &Dialect, q: Query<'_>) -> Result<Vec<Order>> {
    let markets = q.markets().await?;
    let market = q.market_if_any(&markets)?;
    let historical = q.params.flag("historical");
    let q = Query { params: q.params.without(&["historical"]), ..q };
    let scope = Scope::new(&q, market)?;
    let bounded = q.page.since.is_some() || until(&q.params).is_some();
    if scope.part != Part::Swap || !(historical || bounded) {
        return by_status(dialect, q, "finished").await;
    }
    let fields = scope
        .fields()
        .with_some("from", in_seconds(q.page.since))
        .with_some("to", in_seconds(until(&scope.params)))
        .with_some("limit", q.page.limit)
        .and(scope.params.clone().without(&["until"]));
    let request = asked(q.exchange, Verb::Get, &scope.path("orders_timerange"), &fields)?;
    let context = Context { markets: &markets, asked: market };
    let orders = q.exchange.ask(request, |body| body.each(|one| dialect.order(one, context))).await?;
    Ok(of_market(orders, market, q.page))
}

async fn by_status(dialect: &Dialect, q: Query<'_>, status: &str) -> Result<Vec<Order>> {
    let markets = q.markets().await?;
    let market = q.market_if_any(&markets)?;
    let scope = Scope::new(&q, market)?;
    let spot = scope.part == Part::Spot;
    let waits = whether(&scope.params, &["trigger", "stop"]);
    let open = spot && !waits && status == "open";
    let params = scope.params.clone().without(&["trigger", "stop"]);
    let (whose, params) = if spot {
        let (account, rest) = account(waits, params)?;
        let (account, name) = if waits { (None, "market") } else { (Some(account), "currency_pair") };
        let pair = market.map(|market| market.id.as_str());
        (Fields::new().with_some("account", account).with_some(name, pair), rest)
    } else {
        (scope.fields(), params)
    };
    let mut fields = whose.with("status", status).with_some("limit", q.page.limit);
    let mut params = params;
    if spot {
        fields = fields.with_some("from", in_seconds(q.page.since)).with_some("to", in_seconds(until(&params)));
        params = params.without(&["until"]);
    }
    let fields = fields.with_some("last_id", params.text(&["lastId", "last_id"]));
    let fields = fields.and(params.without(&["lastId", "last_id"]));
    let path = match (waits, open) {
        (true, _) => "price_orders",
        (_, true) => "open_orders",
        _ => "orders",
    };
    let request = asked(q.exchange, Verb::Get, &scope.path(path), &fields)?;
    let context = Context { markets: &markets, asked: market };
    let read = |body: &Json<'_>| -> Vec<Order> {
        let all = body.list().unwrap_or_default().iter();
        if open {
            return all.flat_map(|pair| pair.get("orders").each(|one| dialect.order(one, context))).collect();
        }
        all.map(|one| dialect.order(one, context)).collect()
    };
    Ok(of_market(q.exchange.ask(request, read).await?, market, q.page))
}

pub(super) async fn my_trades(dialect: &Dialect, q: Query<'_>) -> Result<Vec<Trade>> {
    let markets = q.markets().await?;
    let market = q.market_if_any(&markets)?;
    let scope = Scope::new(&q, market)?;
    let params = scope.params.clone().without(&["until"]);
    let (fields, params) = match scope.part {
        Part::Spot => {
            let (account, rest) = account(false, params)?;
            (scope.fields().with("account", account), rest)
        }
        _ => (scope.fields(), params),
    };
    let fields = fields
        .with_some("limit", q.page.limit)
        .with_some("from", in_seconds(q.page.since))
        .with_some("to", in_seconds(until(&scope.params)))
        .and(params);
    let path = if scope.part == Part::Swap { "my_trades_timerange" } else { "my_trades" };
    let request = asked(q.exchange, Verb::Get, &scope.path(path), &fields)?;
    trades(dialect, &q, request, &markets, market).await
}

/// What a request for trades is answered, by time, of the market that was asked for.
pub(super) async fn trades(
    dialect: &Dialect,
    q: &Query<'_>,
    request: crate::Request,
    markets: &Markets,
    market: Option<&Market>,
) -> Result<Vec<Trade>, VenueError> {
    let context = Context { markets, asked: market };
    let mut trades = q.exchange.ask(request, |body| body.each(|one| dialect.trade(one, context))).await?;
    trades.sort_by(|left, right| (left.time.0, &left.id).cmp(&(right.time.0, &right.id)));
    trades.retain(|trade| market.is_none_or(|market| trade.symbol.as_ref() == Some(&market.symbol)));
    Ok(q.page.of(trades, |trade| trade.time.0))
}

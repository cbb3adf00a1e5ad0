//! The account's orders and trades: V5 "Trade".

use super::Dialect;
use super::data::in_order;
use super::parse::list;
use super::sign::{post, private};
use super::{new_order, part};
use crate::exchange::{NewOrder, Result, required};
use crate::json::{self, Access as _, Json};
use crate::query::Query;
use crate::unified::{Market, Markets, Order, Raw, Trade};
use crate::{Context, Dialect as _, ErrorClass, Fields, Value};

/// What contracts are settled in if nothing else is asked for.
const SETTLED: &str = "USDT";

/// Says in the first element of a page where the next one begins, as CCXT does.
pub(super) fn continued(body: &Json<'_>, first: Option<&mut Raw>) {
    if let (Some(cursor), Some(info)) = (body.get("result").text_of(&["nextPageCursor", "cursor"]), first) {
        *info = std::mem::take(info).with("nextPageCursor", cursor);
    }
}

/// What contracts are settled in, if neither a market nor a currency says which of them are meant.
pub(super) fn settled(market: Option<&Market>, part: &str, params: &Fields) -> Option<String> {
    let all = market.is_none() && part != "spot" && part != "option" && params.text(&["baseCoin"]).is_none();
    all.then(|| params.text(&["settleCoin"]).unwrap_or(SETTLED).to_owned())
}

/// The market of an order, its name, and the rest of what is said of it.
fn base(market: Option<&Market>) -> Fields {
    Fields::new().with_some("symbol", market.map(|market| market.id.as_str()))
}

impl Dialect {
    /// An order of which only its names are said.
    fn named(&self, body: &Json<'_>, market: &Market, markets: &Markets) -> Order {
        let nothing = Json::Object(Vec::new());
        self.order(body.get("result").unwrap_or(&nothing), market.context(markets))
    }

    pub(super) async fn new_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let (path, fields) = new_order::create(market, order)?;
        q.exchange.ask(post(q.exchange, path, &fields)?, |body| self.named(body, market, &markets)).await
    }

    pub(super) async fn new_orders(&self, q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let mut wanted = Vec::new();
        let mut first: Option<&Market> = None;
        for order in &orders {
            let market = markets.of(&order.symbol)?;
            let (_, fields) = new_order::create(market, order)?;
            wanted.push(Value::Object(fields.without(&["category"])));
            if first.is_some_and(|first| (first.kind, first.linear) != (market.kind, market.linear)) {
                return Err(q.error(ErrorClass::BadRequest, "takes orders of one kind of market at once"));
            }
            first = first.or(Some(market));
        }
        let first = first.ok_or_else(|| required(q.exchange.venue(), q.method, "orders"))?;
        let (part, params) = part::asked(Some(first), q.params.clone());
        let fields = Fields::new().with("category", part).with("request", Value::List(wanted)).and(params);
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| self.batch(body, none);
        q.exchange.ask(post(q.exchange, "v5/order/create-batch", &fields)?, read).await
    }

    /// Orders of a batch; what the exchange says of each stands in a list of its own.
    fn batch(&self, body: &Json<'_>, context: Context<'_>) -> Vec<Order> {
        let words = body.get("retExtInfo").get("list");
        let one = |(place, raw): (usize, &Json<'_>)| {
            let word = words.at(place).filter(|word| word.text_of(&["code"]) != Some("0"));
            let said = match (Value::of(raw), word.map(Value::of)) {
                (Value::Object(order), Some(Value::Object(word))) => order.and(word).json(),
                _ => return self.order(raw, context),
            };
            json::parse(&said).map(|said| self.order(&said, context)).unwrap_or_default()
        };
        list(body).iter().enumerate().map(one).collect()
    }

    pub(super) async fn amend(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let fields = new_order::edit(q.id, q.market(&markets)?, order)?;
        let read = |body: &Json<'_>| {
            let name = |name: &str| body.get("result").string_of(&[name]);
            let order = Order { info: Raw::of(body), id: name("orderId"), ..Order::default() };
            Order { client_order_id: name("orderLinkId"), ..order }.completed(None)
        };
        q.exchange.ask(post(q.exchange, "v5/order/amend", &fields)?, read).await
    }

    pub(super) async fn cancel(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let (part, params) = part::asked(Some(market), q.params.clone());
        let mut fields = base(Some(market));
        let mut params = params;
        if !market.contract() {
            let waiting;
            (waiting, params) = part::waiting(params);
            fields.set("orderFilter", waiting.unwrap_or("Order"));
        }
        let fields = fields.with("orderId", q.id).with("category", part).and(params);
        q.exchange.ask(post(q.exchange, "v5/order/cancel", &fields)?, |body| self.named(body, market, &markets)).await
    }

    pub(super) async fn cancel_listed(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let (part, params) = part::asked(Some(market), q.params.clone());
        if part == part::INVERSE {
            return Err(q.error(ErrorClass::NotSupported, "takes no contracts settled in coins"));
        }
        let clients = params.get("clientOrderIds").or_else(|| params.get("clientOids"));
        let clients = match clients {
            Some(Value::List(names)) => names.clone(),
            _ => Vec::new(),
        };
        let one = |name: &str, id: Value| Value::Object(base(Some(market)).with(name, id));
        let by_client = clients.into_iter().map(|id| one("orderLinkId", id));
        let all = by_client.chain(ids.iter().map(|id| one("orderId", Value::from(id.as_str())))).collect();
        let fields = Fields::new().with("category", part).with("request", Value::List(all));
        let fields = fields.and(params.without(&["clientOrderIds", "clientOids"]));
        let context = market.context(&markets);
        let read = |body: &Json<'_>| list(body).iter().map(|raw| self.order(raw, context)).collect::<Vec<_>>();
        let mut orders = q.exchange.ask(post(q.exchange, "v5/order/cancel-batch", &fields)?, read).await?;
        orders.retain(|order| order.symbol.as_ref() == Some(&market.symbol));
        Ok(orders)
    }

    pub(super) async fn cancel_all(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let (part, params) = part::asked(market, q.params.clone());
        let (waiting, params) = part::waiting(params);
        let fields = base(market)
            .with("category", part)
            .with_some("settleCoin", settled(market, part, &params))
            .with_some("orderFilter", waiting)
            .and(params);
        let context = Context { markets: &markets, asked: market };
        let read = |body: &Json<'_>| match body.get("result").get("list").list() {
            Some(orders) => orders.iter().map(|raw| self.order(raw, context)).collect(),
            None => vec![Order { info: Raw::of(body), ..Order::default() }.completed(None)],
        };
        q.exchange.ask(post(q.exchange, "v5/order/cancel-all", &fields)?, read).await
    }

    pub(super) async fn one_order(&self, q: Query<'_>) -> Result<Order> {
        if !q.params.flag("acknowledged") {
            let message = "sees the last 500 orders only; set params[\"acknowledged\"] = true, or use fetchOpenOrders \
                           or fetchClosedOrders";
            return Err(q.error(ErrorClass::ArgumentsRequired, message));
        }
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let (part, params) = part::asked(Some(market), q.params.clone().without(&["acknowledged"]));
        let (waiting, params) = part::waiting(params);
        let fields = base(Some(market)).with("orderId", q.id).with("category", part);
        let fields = fields.with_some("orderFilter", waiting).and(params);
        let read = |body: &Json<'_>| list(body).first().map(|raw| self.order(raw, market.context(&markets)));
        let order = q.exchange.ask(private(q.exchange, "v5/order/realtime", &fields)?, read).await?;
        order.ok_or_else(|| q.error(ErrorClass::OrderNotFound, &format!("found no order {}", q.id)))
    }

    pub(super) async fn open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let (part, params) = part::asked(market, q.params.clone());
        let (waiting, params) = part::waiting(params);
        let fields = base(market)
            .with_some("settleCoin", settled(market, part, &params))
            .with("category", part)
            .with_some("orderFilter", waiting)
            .with_some("limit", q.page.limit)
            .and(params);
        self.orders(&q, "v5/order/realtime", &fields, Context { markets: &markets, asked: market }).await
    }

    /// Orders that are over, of one state or of all.
    pub(super) async fn past_orders(&self, q: Query<'_>, status: Option<&str>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let params = Fields::new().with_some("orderStatus", status).and(q.params.clone());
        let (part, params) = part::asked(market, params);
        let (waiting, params) = part::waiting(params);
        let (until, params) = part::until(params, &["endTime", "until"]);
        let fields = base(market)
            .with("category", part)
            .with_some("orderFilter", waiting)
            .with_some("limit", q.page.limit)
            .with_some("startTime", q.page.since)
            .with_some("endTime", until)
            .and(params);
        self.orders(&q, "v5/order/history", &fields, Context { markets: &markets, asked: market }).await
    }

    async fn orders(&self, q: &Query<'_>, path: &str, fields: &Fields, context: Context<'_>) -> Result<Vec<Order>> {
        let read = |body: &Json<'_>| {
            let mut orders: Vec<Order> = list(body).iter().map(|raw| self.order(raw, context)).collect();
            continued(body, orders.first_mut().map(|order| &mut order.info));
            orders
        };
        let mut orders = q.exchange.ask(private(q.exchange, path, fields)?, read).await?;
        orders.sort_by_key(|order| order.time.0);
        orders.retain(|order| context.asked.is_none_or(|market| order.symbol.as_ref() == Some(&market.symbol)));
        Ok(q.page.of(orders, |order| order.time.0))
    }

    pub(super) async fn my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let (part, params) = part::asked(market, q.params.clone());
        let (until, params) = part::until(params, &["until", "till"]);
        let fields = Fields::new()
            .with("execType", "Trade")
            .and(base(market))
            .with("category", part)
            .with_some("limit", q.page.limit)
            .with_some("startTime", q.page.since)
            .with_some("endTime", until)
            .and(params);
        let context = Context { markets: &markets, asked: market };
        let read = |body: &Json<'_>| {
            let mut trades: Vec<Trade> = list(body).iter().map(|raw| self.trade(raw, context)).collect();
            continued(body, trades.first_mut().map(|trade| &mut trade.info));
            trades
        };
        let trades = q.exchange.ask(private(q.exchange, "v5/execution/list", &fields)?, read).await?;
        Ok(in_order(trades, market, q.page))
    }

    pub(super) async fn trades_of(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let order = match q.params.text(&["clientOrderId", "orderLinkId"]) {
            Some(client) => Fields::new().with("orderLinkId", client),
            None => Fields::new().with("orderId", q.id),
        };
        let params = order.and(q.params.clone().without(&["clientOrderId", "orderLinkId"]));
        self.my_trades(Query { params, ..q }).await
    }
}

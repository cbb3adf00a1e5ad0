//! The methods over HTTP.

use async_trait::async_trait;

use super::new_order;
use super::parse::{Dialect, list};
use super::sign::{private, public};
use crate::exchange::{NewOrder, Result, not_supported};
use crate::json::{Access as _, Json};
use crate::methods::Connector;
use crate::query::{Page, Query};
use crate::unified::{
    Candle, FundingRate, Market, MarketKind, Markets, Order, OrderBook, Raw, Ticker, Time, Trade, TradingFee, levels,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, Venue, VenueError, Verb};

/// Candles of one answer if no number is asked for.
const CANDLES: i64 = 200;
/// Depth of a book if none is asked for: in the spot market, and of contracts.
const DEPTH: [i64; 2] = [50, 25];

/// The part of the exchange that a market is in.
pub(super) fn category(market: &Market) -> &'static str {
    match (market.kind, market.linear) {
        (MarketKind::Spot, _) => "spot",
        (_, Some(true)) => "linear",
        _ => "inverse",
    }
}

fn asked<'m>(q: &Query<'_>, markets: &'m Markets) -> Result<(&'m Market, Fields)> {
    let market = q.market(markets)?;
    Ok((market, Fields::new().with("symbol", market.id.as_str())))
}

/// Says in the first element of a page where the next one begins, as CCXT does.
fn continued(body: &Json<'_>, first: Option<&mut Raw>) {
    if let (Some(cursor), Some(info)) = (body.get("result").text_of(&["nextPageCursor"]), first) {
        *info = std::mem::take(info).with("nextPageCursor", cursor);
    }
}

impl Dialect {
    async fn tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let wanted = q.listed(&markets)?;
        let part = wanted.first().map_or("spot", |market| category(market));
        let request = public("v5/market/tickers", &Fields::new().with("category", part).and(q.params));
        let contract = part != "spot";
        let read = |body: &Json<'_>| {
            let one = |raw: &Json<'_>| {
                let asked = raw.get("symbol").text().and_then(|id| markets.named(id, contract));
                self.ticker(raw, Context { markets: &markets, asked })
            };
            list(body).iter().map(one).collect::<Vec<_>>()
        };
        let mut tickers = q.exchange.ask(request, read).await?;
        let named = |ticker: &Ticker| wanted.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
        tickers.retain(|ticker| wanted.is_empty() || named(ticker));
        Ok(tickers)
    }

    async fn orders(&self, q: Query<'_>, path: &str, status: Option<&str>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let fields = match market {
            Some(market) => Fields::new().with("symbol", market.id.as_str()).with("category", category(market)),
            None => Fields::new().with("settleCoin", "USDT").with("category", "linear"),
        };
        let fields = fields.with_some("limit", q.page.limit).with_some("startTime", q.page.since);
        let fields = fields.with_some("orderStatus", status).and(q.params);
        let request = private(q.exchange, Verb::Get, path, &fields)?;
        let context = Context { markets: &markets, asked: market };
        let read = |body: &Json<'_>| {
            let mut orders: Vec<Order> = list(body).iter().map(|raw| self.order(raw, context)).collect();
            continued(body, orders.first_mut().map(|order| &mut order.info));
            orders
        };
        let mut orders = q.exchange.ask(request, read).await?;
        orders.sort_by_key(|order| order.time.0);
        Ok(q.page.of(orders, |order| order.time.0))
    }
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, q: Query<'_>) -> Result<i64> {
        let request = public("v5/market/time", &q.params);
        let time = q.exchange.ask(request, |body| Time::parse(body.get("time").text()).0).await?;
        time.ok_or_else(|| VenueError::new(ErrorClass::BadResponse, "bybit fetchTime() has no time"))
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        let mut all = Vec::new();
        for part in ["spot", "linear", "inverse"] {
            let fields = Fields::new().with("category", part).with_some("limit", (part != "spot").then_some(1000));
            let mut cursor: Option<String> = None;
            // pages of contracts; the number of pages is bounded by what an q.exchange can have
            for _ in 0..32 {
                let fields = fields.clone().and(q.params.clone()).with_some("cursor", cursor.take());
                let read = |body: &Json<'_>| {
                    let next = body.get("result").string_of(&["nextPageCursor"]);
                    (self.markets(part, body), next)
                };
                let (markets, next) = q.exchange.ask(public("v5/market/instruments-info", &fields), read).await?;
                all.extend(markets);
                if next.is_none() {
                    break;
                }
                cursor = next;
            }
        }
        Ok(all)
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let request = public("v5/market/tickers", &fields.with("category", category(market)).and(q.params));
        let none = || VenueError::new(ErrorClass::BadResponse, "bybit fetchTicker() has no ticker");
        let read = |body: &Json<'_>| list(body).first().map(|raw| self.ticker(raw, market.context(&markets)));
        q.exchange.ask(request, read).await?.ok_or_else(none)
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        self.tickers(q).await
    }

    async fn fetch_bids_asks(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        self.tickers(q).await
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let depth = q.depth.unwrap_or(DEPTH[usize::from(market.contract())]);
        let fields = fields.with("category", category(market)).with("limit", depth).and(q.params);
        let read = |body: &Json<'_>| {
            let Some(book) = body.get("result") else { return OrderBook::default() };
            OrderBook {
                symbol: Some(market.symbol.clone()),
                bids: levels(book.get("b")),
                asks: levels(book.get("a")),
                time: Time::parse(book.get("ts").text()),
                ..OrderBook::default()
            }
            .sorted()
        };
        q.exchange.ask(public("v5/market/orderbook", &fields), read).await
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let fields = fields.with_some("limit", q.page.limit).with("category", category(market)).and(q.params);
        let context = market.context(&markets);
        let read = |body: &Json<'_>| list(body).iter().map(|raw| self.trade(raw, context)).collect::<Vec<_>>();
        let mut trades = q.exchange.ask(public("v5/market/recent-trade", &fields), read).await?;
        trades.sort_by_key(|trade| trade.time.0);
        Ok(q.page.of(trades, |trade| trade.time.0))
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let (interval, length) = interval(q.timeframe).ok_or_else(|| {
            VenueError::new(ErrorClass::BadRequest, &format!("bybit has no candles of {:?}", q.timeframe))
        })?;
        // the first candle that begins at the time or after it
        let start =
            q.page.since.map(|since| since.saturating_add(length - 1).div_euclid(length).saturating_mul(length));
        let fields = fields
            .with_some("start", start)
            .with("limit", q.page.limit.unwrap_or(CANDLES))
            .with("interval", interval)
            .with("category", category(market))
            .and(q.params);
        let context = market.context(&markets);
        let read = |body: &Json<'_>| list(body).iter().map(|raw| self.candle(raw, context)).collect::<Vec<_>>();
        let mut candles = q.exchange.ask(public("v5/market/kline", &fields), read).await?;
        candles.sort_by_key(|candle| candle.0);
        Ok(q.page.of(candles, |candle| candle.0))
    }

    async fn create_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let request = private(q.exchange, Verb::Post, "v5/order/create", &new_order::fields(market, order)?)?;
        q.exchange.ask(request, |body| self.named(body, market, &markets)).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let (market, mut fields) = asked(&q, &markets)?;
        if !market.contract() {
            fields.set("orderFilter", "Order");
        }
        if q.params.text(&["orderLinkId"]).is_none() {
            fields.set("orderId", q.id);
        }
        let fields = fields.with("category", category(market)).and(q.params);
        let request = private(q.exchange, Verb::Post, "v5/order/cancel", &fields)?;
        q.exchange.ask(request, |body| self.named(body, market, &markets)).await
    }

    async fn cancel_all_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let fields = fields.with("category", category(market)).and(q.params);
        let request = private(q.exchange, Verb::Post, "v5/order/cancel-all", &fields)?;
        let read = |body: &Json<'_>| match body.get("result").get("list").list() {
            Some(orders) => orders.iter().map(|raw| self.order(raw, market.context(&markets))).collect(),
            None => vec![Order { info: Raw::of(body), ..Order::default() }.completed(None)],
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        if !q.params.flag("acknowledged") {
            let message = "bybit fetchOrder() sees the last 500 orders only; set q.params[\"acknowledged\"] = true, or use \
                           fetchOpenOrders or fetchClosedOrders";
            return Err(VenueError::new(ErrorClass::ArgumentsRequired, message));
        }
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let fields = fields.with("orderId", q.id).with("category", category(market));
        let request =
            private(q.exchange, Verb::Get, "v5/order/realtime", &fields.and(q.params.without(&["acknowledged"])))?;
        let none = || VenueError::new(ErrorClass::OrderNotFound, &format!("bybit has no order {}", q.id));
        let read = |body: &Json<'_>| list(body).first().map(|raw| self.order(raw, market.context(&markets)));
        q.exchange.ask(request, read).await?.ok_or_else(none)
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let page = q.page;
        let unbounded = Query { page: Page { since: None, ..page }, ..q };
        let orders = self.orders(unbounded, "v5/order/realtime", None).await?;
        Ok(page.of(orders, |order| order.time.0))
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.orders(q, "v5/order/history", Some("Filled")).await
    }

    async fn fetch_my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let fields = Fields::new()
            .with("execType", "Trade")
            .with_some("symbol", market.map(|market| market.id.as_str()))
            .with("category", market.map_or("linear", category))
            .with_some("limit", q.page.limit)
            .with_some("startTime", q.page.since)
            .and(q.params);
        let request = private(q.exchange, Verb::Get, "v5/execution/list", &fields)?;
        let context = Context { markets: &markets, asked: market };
        let read = |body: &Json<'_>| {
            let mut trades: Vec<Trade> = list(body).iter().map(|raw| self.trade(raw, context)).collect();
            continued(body, trades.first_mut().map(|trade| &mut trade.info));
            trades
        };
        let mut trades = q.exchange.ask(request, read).await?;
        trades.sort_by_key(|trade| trade.time.0);
        Ok(q.page.of(trades, |trade| trade.time.0))
    }

    async fn fetch_order_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        self.fetch_my_trades(Query { params: Fields::new().with("orderId", q.id).and(q.params), ..q }).await
    }

    async fn fetch_trading_fee(&self, q: Query<'_>) -> Result<TradingFee> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let fields = fields.with("category", category(market)).and(q.params);
        let request = private(q.exchange, Verb::Get, "v5/account/fee-rate", &fields)?;
        let read = |body: &Json<'_>| {
            let first = list(body).first();
            let number = |name: &str| first.get(name).text().and_then(Number::parse);
            TradingFee {
                info: first.map(Raw::of).unwrap_or_default(),
                symbol: Some(market.symbol.clone()),
                maker: number("makerFeeRate"),
                taker: number("takerFeeRate"),
                ..TradingFee::default()
            }
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_funding_rate(&self, q: Query<'_>) -> Result<FundingRate> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        if !market.contract() {
            return Err(not_supported(Venue::Bybit, "fetchFundingRate() in markets that are no contracts"));
        }
        let fields = fields.with("category", category(market)).and(q.params);
        let read = |body: &Json<'_>| {
            let first = list(body).first();
            let number = |name: &str| first.get(name).text().and_then(Number::parse);
            FundingRate {
                info: first.map(Raw::of).unwrap_or_default(),
                symbol: Some(market.symbol.clone()),
                mark_price: number("markPrice"),
                index_price: number("indexPrice"),
                time: Time::parse(body.get("time").text()),
                funding_rate: number("fundingRate"),
                funding: Time::parse(first.get("nextFundingTime").text()),
                ..FundingRate::default()
            }
        };
        q.exchange.ask(public("v5/market/tickers", &fields), read).await
    }

    async fn set_leverage(&self, q: Query<'_>, leverage: Number) -> Result<Raw> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let fields = fields.with("buyLeverage", leverage).with("sellLeverage", leverage);
        let fields = fields.with("category", category(market)).and(q.params);
        q.exchange.ask(private(q.exchange, Verb::Post, "v5/position/set-leverage", &fields)?, Raw::of).await
    }
}

impl Dialect {
    /// An order of which only its names are said.
    fn named(&self, body: &Json<'_>, market: &Market, markets: &Markets) -> Order {
        let said = body.get("result").unwrap_or(body);
        self.order(said, market.context(markets))
    }
}

/// The exchange's word for a length of candles, and the length in milliseconds.
fn interval(timeframe: &str) -> Option<(&'static str, i64)> {
    const MINUTE: i64 = 60_000;
    Some(match timeframe {
        "1m" => ("1", MINUTE),
        "3m" => ("3", 3 * MINUTE),
        "5m" => ("5", 5 * MINUTE),
        "15m" => ("15", 15 * MINUTE),
        "30m" => ("30", 30 * MINUTE),
        "1h" => ("60", 60 * MINUTE),
        "2h" => ("120", 120 * MINUTE),
        "4h" => ("240", 240 * MINUTE),
        "6h" => ("360", 360 * MINUTE),
        "12h" => ("720", 720 * MINUTE),
        "1d" => ("D", 1_440 * MINUTE),
        "1w" => ("W", 10_080 * MINUTE),
        "1M" => ("M", 43_200 * MINUTE),
        _ => return None,
    })
}

//! The methods over HTTP.

use async_trait::async_trait;

use super::Dialect;
use super::sign::{private, public};
use super::{network, new_order, parse};
use crate::exchange::{NewOrder, Result};
use crate::json::{self, Access as _, Json};
use crate::methods::Connector;
use crate::query::{Page, Query};
use crate::unified::{
    Balances, Candle, DepositAddress, Market, Order, OrderBook, Raw, Ticker, Time, Trade, TradingFee,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Venue, Verb};

/// Trades and candles of one answer if no number is asked for.
const COUNT: i64 = 200;
/// Characters of the names of markets in one address, after which another is asked.
const NAMES_LENGTH: usize = 4000;

impl Dialect {
    async fn tickers(&self, q: &Query<'_>, symbols: Option<&[String]>) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| body.each(|raw| self.ticker(raw, none));
        let Some(symbols) = symbols else {
            let mut quotes: Vec<&str> = markets.all().iter().map(|market| market.quote_id.as_str()).collect();
            quotes.sort_unstable();
            quotes.dedup();
            let fields = Fields::new().with("quote_currencies", quotes.join(",")).and(q.params.clone());
            return q.exchange.ask(public("ticker/all", &fields), read).await;
        };
        let wanted: Vec<&Market> = symbols.iter().map(|symbol| markets.of(symbol)).collect::<Result<_>>()?;
        let mut tickers = Vec::new();
        for names in names(&wanted) {
            let fields = Fields::new().with("markets", names).and(q.params.clone());
            tickers.extend(q.exchange.ask(public("ticker", &fields), read).await?);
        }
        let named = |ticker: &Ticker| wanted.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
        tickers.retain(named);
        Ok(tickers)
    }

    async fn orders(&self, q: Query<'_>, path: &str, fields: Fields) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let context = Context { markets: &markets, asked: market };
        let request = private(q.exchange, Verb::Get, path, &fields.and(q.params))?;
        let mut orders = q.exchange.ask(request, |body| body.each(|raw| self.order(raw, context))).await?;
        orders.sort_by_key(|order| order.time.0);
        orders.retain(|order| market.is_none_or(|market| order.symbol.as_ref() == Some(&market.symbol)));
        Ok(q.page.of(orders, |order| order.time.0))
    }

    async fn past_orders(&self, q: Query<'_>, state: &str) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let until = q.params.text(&["until", "till"]).and_then(|digits| digits.parse::<i64>().ok());
        let fields = Fields::new()
            .with("state", state)
            .with_some("market", q.market_if_any(&markets)?.map(|market| market.id.as_str()))
            .with_some("start_time", q.page.since)
            .with_some("limit", q.page.limit)
            .with_some("end_time", until);
        let params = q.params.clone().without(&["until", "till"]);
        self.orders(Query { params, ..q }, "orders/closed", fields).await
    }

    /// Asks after one order, or does something with it.
    async fn one_order(&self, q: Query<'_>, verb: Verb, path: &str, fields: &Fields) -> Result<Order> {
        let markets = q.markets().await?;
        let none = Context { markets: &markets, asked: None };
        q.exchange.ask(private(q.exchange, verb, path, fields)?, |body| self.order(body, none)).await
    }
}

/// The names of markets, in so many parts that each fits into an address.
fn names(markets: &[&Market]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for market in markets {
        match all.last_mut() {
            Some(names) if names.len() < NAMES_LENGTH => *names = format!("{names},{}", market.id),
            _ => all.push(market.id.clone()),
        }
    }
    all
}

fn book(raw: &Json<'_>, market: &Market) -> OrderBook {
    let units = raw.get("orderbook_units").list().unwrap_or_default();
    let side = |price: &str, size: &str| {
        let level = |unit: &Json<'_>| Some((unit.number_of(&[price])?, unit.number_of(&[size])?));
        units.iter().filter_map(level).collect()
    };
    OrderBook {
        symbol: Some(market.symbol.clone()),
        bids: side("bid_price", "bid_size"),
        asks: side("ask_price", "ask_size"),
        time: Time::parse(raw.text_of(&["timestamp"])),
        ..OrderBook::default()
    }
    .sorted()
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        q.exchange.ask(public("market/all", &q.params), |body| self.markets("", body)).await
    }

    async fn fetch_currencies(&self, _: Query<'_>) -> Result<Vec<Raw>> {
        // there is no list of them; markets name every currency
        Ok(Vec::new())
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        let symbols = [q.symbol.unwrap_or_default().to_owned()];
        let found = self.tickers(&q, Some(&symbols)).await?.pop();
        found.ok_or_else(|| q.error(ErrorClass::NullResponse, "found no ticker"))
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        self.tickers(&q, q.symbols).await
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new().with("markets", market.id.as_str()).with_some("count", q.depth);
        let fields = fields.and(q.params.clone());
        let read = |body: &Json<'_>| {
            let of = |raw: &&Json<'_>| raw.text_of(&["market"]) == Some(market.id.as_str());
            body.list().and_then(|books| books.iter().find(of)).map(|raw| book(raw, market))
        };
        let found = q.exchange.ask(public("orderbook", &fields), read).await?;
        found.ok_or_else(|| q.error(ErrorClass::NullResponse, "found no book"))
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let count = q.page.limit.unwrap_or(COUNT);
        let fields = Fields::new().with("market", market.id.as_str()).with("count", count).and(q.params);
        let read = |body: &Json<'_>| body.each(|raw| self.trade(raw, market.context(&markets)));
        let mut trades = q.exchange.ask(public("trades/ticks", &fields), read).await?;
        trades.sort_by(|one, other| (one.time.0, &one.id).cmp(&(other.time.0, &other.id)));
        trades.retain(|trade| trade.symbol.as_ref() == Some(&market.symbol));
        Ok(Page { limit: Some(count), ..q.page }.of(trades, |trade| trade.time.0))
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let length = q.candle_length()?;
        let count = q.page.limit.unwrap_or(COUNT);
        let end = |since: i64| Time(Some(since.saturating_add(length.saturating_mul(count)))).iso();
        let fields = Fields::new()
            .with("market", market.id.as_str())
            .with("count", count)
            .with_some("to", q.page.since.and_then(end))
            .and(q.params);
        let path = match q.timeframe {
            "1s" => "candles/seconds".to_owned(),
            "1m" | "3m" | "5m" | "10m" | "15m" | "30m" | "1h" | "4h" => format!("candles/minutes/{}", length / 60_000),
            "1d" => "candles/days".to_owned(),
            "1w" => "candles/weeks".to_owned(),
            "1M" => "candles/months".to_owned(),
            "1y" => "candles/years".to_owned(),
            other => format!("candles/{other}"),
        };
        let read = |body: &Json<'_>| body.each(|raw| self.candle(raw, market.context(&markets)));
        let mut candles = q.exchange.ask(public(&path, &fields), read).await?;
        candles.sort_by_key(|candle| candle.0);
        Ok(Page { limit: Some(count), ..q.page }.of(candles, |candle| candle.0))
    }

    async fn create_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let fields = new_order::create(&q, q.market(&markets)?, order)?;
        let path = if order.params.flag("test") { "orders/test" } else { "orders" };
        self.one_order(q, Verb::Post, path, &fields).await
    }

    async fn edit_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let fields = new_order::other(&q, q.market(&markets)?, order)?;
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| {
            // the answer is about the order that is gone
            let said = Fields::new()
                .with_some("uuid", body.text_of(&["new_order_uuid"]))
                .with_some("identifier", body.text_of(&["new_order_identifier"]))
                .with_some("side", body.text_of(&["side"]))
                .with_some("market", body.text_of(&["market"]))
                .json();
            json::parse(&said).map(|said| self.order(&said, none)).unwrap_or_default()
        };
        q.exchange.ask(private(q.exchange, Verb::Post, "orders/cancel_and_new", &fields)?, read).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        let fields = Fields::new().with("uuid", q.id).and(q.params.clone());
        self.one_order(q, Verb::Delete, "order", &fields).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        let fields = Fields::new().with("uuid", q.id).and(q.params.clone());
        self.one_order(q, Verb::Get, "order", &fields).await
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let fields = Fields::new()
            .with_some("market", q.market_if_any(&markets)?.map(|market| market.id.as_str()))
            .with_some("limit", q.page.limit);
        self.orders(q, "orders/open", fields).await
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, "done").await
    }

    async fn fetch_canceled_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, "cancel").await
    }

    async fn fetch_balance(&self, q: Query<'_>) -> Result<Balances> {
        q.exchange.ask(private(q.exchange, Verb::Get, "accounts", &q.params)?, parse::balances).await
    }

    async fn fetch_trading_fee(&self, q: Query<'_>) -> Result<TradingFee> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new().with("market", market.id.as_str()).and(q.params);
        let read = |body: &Json<'_>| {
            let dearer = |one: &str, other: &str| Some(body.number_of(&[one])?.max(body.number_of(&[other])?));
            TradingFee {
                info: Raw::of(body),
                symbol: Some(market.symbol.clone()),
                maker: dearer("maker_ask_fee", "maker_bid_fee"),
                taker: dearer("ask_fee", "bid_fee"),
                percentage: Some(true),
                tier_based: Some(false),
            }
        };
        q.exchange.ask(private(q.exchange, Verb::Get, "orders/chance", &fields)?, read).await
    }

    async fn fetch_deposit_address(&self, q: Query<'_>, currency: &str) -> Result<DepositAddress> {
        let markets = q.markets().await?;
        let id = q.currency(&markets, currency)?;
        let network = q.params.text(&["networkCode", "network"]);
        let network = network.ok_or_else(|| q.error(ErrorClass::ArgumentsRequired, "requires params[\"network\"]"))?;
        let fields = Fields::new()
            .with("currency", id)
            .with("net_type", network::id(network))
            .and(q.params.clone().without(&["networkCode", "network"]));
        let read = |body: &Json<'_>| {
            let code = body.text_of(&["currency"]).map(|id| Venue::Upbit.description().currency(id));
            DepositAddress {
                info: Raw::of(body),
                network: body.text_of(&["net_type"]).map(|id| network::code(id, code.as_deref()).to_owned()),
                currency: code,
                address: body.string_of(&["deposit_address"]),
                tag: body.string_of(&["secondary_address"]),
            }
        };
        let request = private(q.exchange, Verb::Get, "deposits/coin_address", &fields)?;
        let found = q.exchange.ask(request, read).await?;
        if found.address.is_none() {
            return Err(q.error(ErrorClass::InvalidAddress, "found no address"));
        }
        Ok(found)
    }
}

//! The methods over HTTP.

use async_trait::async_trait;

use super::markets::{self, lent};
use super::parse::{Dialect, PAIRS, named, seconds};
use super::part::{Part, Scope};
use super::sign::public;
use super::{account, orders};
use crate::exchange::{NewOrder, Result, required};
use crate::json::{Access as _, Json};
use crate::methods::Connector;
use crate::query::Query;
use crate::unified::{
    Balances, Candle, DepositAddress, FundingRate, LedgerEntry, Leverage, Market, MarketKind, Order, OrderBook,
    PastFunding, Position, Raw, Ticker, Time, Trade, TradingFee, Transfer, levels,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, Verb};

/// Most levels of a book: of the spot market, and of contracts.
const LEVELS_MAX: [i64; 2] = [1000, 300];
/// Most candles of one answer: of the spot market, and of contracts.
const CANDLES_MAX: [i64; 2] = [1000, 1999];
/// Most trades of one answer.
const TRADES_MAX: i64 = 1000;
/// What contracts are settled in.
const SETTLED: [&str; 2] = ["usdt", "btc"];

/// A market, and where it is asked after.
fn place<'m>(q: &Query<'_>, market: &'m Market) -> Scope<'m> {
    Scope::within(Part::of(market), Some(market), q.params.clone())
}

fn perpetual<'m>(q: &Query<'_>, market: &'m Market) -> Result<&'m Market> {
    if market.kind == MarketKind::Swap {
        return Ok(market);
    }
    Err(q.error(ErrorClass::BadSymbol, "is for contracts without an end only"))
}

/// The length of candles in seconds: `15m`.
fn length(timeframe: &str) -> Option<i64> {
    let unit = match timeframe.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        'M' => 2_592_000,
        'y' => 31_536_000,
        _ => return None,
    };
    timeframe.get(..timeframe.len() - 1)?.parse::<i64>().ok()?.checked_mul(unit)
}

fn book(body: &Json<'_>, market: &Market) -> OrderBook {
    let side = |name: &str| {
        let of_contract = |level: &Json<'_>| Some((level.number_of(&["p"])?, level.number_of(&["s"])?));
        if market.contract() {
            body.get(name).each(of_contract).into_iter().flatten().collect()
        } else {
            levels(body.get(name))
        }
    };
    let Time(current) = Time::parse(body.get("current").text());
    OrderBook {
        symbol: Some(market.symbol.clone()),
        bids: side("bids"),
        asks: side("asks"),
        // contracts have it in seconds, whose fraction does not count
        time: Time(if market.contract() { current.map(|time| time.saturating_mul(1000)) } else { current }),
        nonce: body.get("id").text().and_then(|digits| digits.parse().ok()),
        ..OrderBook::default()
    }
    .sorted()
}

fn funding_rate(raw: &Json<'_>, context: Context<'_>) -> FundingRate {
    let number = |name: &str| raw.number_of(&[name]);
    FundingRate {
        info: Raw::of(raw),
        symbol: named(context, raw.text_of(&["name"]), true).1,
        mark_price: number("mark_price"),
        index_price: number("index_price"),
        interest_rate: number("interest_rate"),
        funding_rate: number("funding_rate"),
        funding: Time(seconds(raw.text_of(&["funding_next_apply"]))),
        next_funding_rate: number("funding_rate_indicative"),
        interval: raw.text_of(&["funding_interval"]).map(interval),
        ..FundingRate::default()
    }
}

/// How far apart payments are, told in seconds.
fn interval(seconds: &str) -> String {
    match seconds {
        "3600" => "1h".to_owned(),
        "14400" => "4h".to_owned(),
        "28800" => "8h".to_owned(),
        "57600" => "16h".to_owned(),
        "86400" => "24h".to_owned(),
        // CCXT says others in milliseconds
        other => format!("{other}000"),
    }
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, q: Query<'_>) -> Result<i64> {
        let request = public("spot/time", &q.params);
        let time = q.exchange.ask(request, |body| Time::parse(body.get("server_time").text()).0).await?;
        time.ok_or_else(|| q.error(ErrorClass::BadResponse, "has no server_time"))
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        let lent = q.exchange.ask(public(&format!("margin/{PAIRS}"), &q.params), lent).await?;
        let read = |body: &Json<'_>| body.each(|raw| markets::spot(raw, &lent));
        let spot = q.exchange.ask(public(&format!("spot/{PAIRS}"), &q.params), read).await?;
        let mut all: Vec<Market> = spot.into_iter().flatten().collect();
        for settle in SETTLED {
            let path = format!("futures/{settle}/contracts");
            all.extend(q.exchange.ask(public(&path, &q.params), |body| self.markets(&path, body)).await?);
        }
        Ok(all)
    }

    async fn fetch_currencies(&self, q: Query<'_>) -> Result<Vec<Raw>> {
        q.exchange.ask(public("spot/currencies", &q.params), |body| body.each(Raw::of)).await
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let scope = place(&q, market);
        let request = public(&scope.path("tickers"), &scope.fields().and(scope.params.clone()));
        let none = || q.error(ErrorClass::NullResponse, "has no ticker");
        let read = |body: &Json<'_>| body.at(0).map(|raw| self.ticker(raw, market.context(&markets)));
        q.exchange.ask(request, read).await?.ok_or_else(none)
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let first = q.listed(&markets)?.first().copied();
        let part = Scope::new(&q, first)?.part;
        let scope = Scope::within(part, None, q.params.clone().without(&["defaultType", "type"]));
        let fields = Fields::new().with("timezone", "utc0").and(scope.params.clone());
        let none = Context { markets: &markets, asked: None };
        let request = public(&scope.path("tickers"), &fields);
        let mut tickers = q.exchange.ask(request, |body| body.each(|one| self.ticker(one, none))).await?;
        let wanted = |symbol: &String| q.symbols.is_none_or(|symbols| symbols.contains(symbol));
        tickers.retain(|ticker| ticker.symbol.as_ref().is_some_and(wanted));
        Ok(tickers)
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let scope = place(&q, market);
        let [of_spot, of_contracts] = LEVELS_MAX;
        let most = if market.contract() { of_contracts } else { of_spot };
        let fields = scope.fields().with_some("limit", q.depth.map(|depth| depth.min(most))).with("with_id", true);
        let request = public(&scope.path("order_book"), &fields.and(scope.params.clone()));
        let book = q.exchange.ask(request, |body| book(body, market)).await?;
        if book.time.0.is_none() {
            return Err(q.error(ErrorClass::ExchangeError, "has no time"));
        }
        Ok(book)
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let scope = place(&q, market);
        let until = scope.params.text(&["to", "until"]).and_then(|digits| digits.parse().ok());
        let fields = scope
            .fields()
            .with_some("to", orders::in_seconds(until))
            .with_some("limit", q.page.limit.map(|limit| limit.min(TRADES_MAX)))
            .with_some("from", orders::in_seconds(q.page.since).filter(|_| market.contract()))
            .and(scope.params.clone());
        let request = public(&scope.path("trades"), &fields);
        orders::trades(self, &q, request, &markets, Some(market)).await
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let mut scope = place(&q, market);
        let [of_spot, of_contracts] = CANDLES_MAX;
        let most = if market.contract() { of_contracts } else { of_spot };
        let limit = q.page.limit.map_or(most, |limit| limit.min(most));
        let until = orders::in_seconds(orders::until(&scope.params));
        let mut fields = scope.fields().with("interval", if q.timeframe == "1w" { "7d" } else { q.timeframe });
        if let Some(from) = orders::in_seconds(q.page.since) {
            let unknown = || q.error(ErrorClass::NotSupported, &format!("has no candles of {:?}", q.timeframe));
            let length = length(q.timeframe).ok_or_else(unknown)?;
            let last = from.saturating_add(limit.saturating_sub(1).saturating_mul(length));
            let to = last.min(q.exchange.now() / 1000).min(until.unwrap_or(i64::MAX));
            fields = fields.with("from", from).with("to", to);
        } else {
            fields = fields.with_some("to", until).with("limit", limit);
        }
        scope.params = scope.params.without(&["until"]);
        let price = scope.params.text(&["price"]).filter(|word| matches!(*word, "mark" | "index"));
        if let Some(price) = price.filter(|_| market.contract()) {
            fields.set("contract", format!("{price}_{}", market.id));
            scope.params = scope.params.without(&["price"]);
        }
        let request = public(&scope.path("candlesticks"), &fields.and(scope.params.clone()));
        let context = market.context(&markets);
        let mut candles = q.exchange.ask(request, |body| body.each(|one| self.candle(one, context))).await?;
        candles.sort_by_key(|candle| candle.0);
        Ok(crate::Page { limit: Some(limit), ..q.page }.of(candles, |candle| candle.0))
    }

    async fn fetch_funding_rate(&self, q: Query<'_>) -> Result<FundingRate> {
        let markets = q.markets().await?;
        let market = perpetual(&q, q.market(&markets)?)?;
        let scope = place(&q, market);
        let request = public(&scope.path(&format!("contracts/{}", market.id)), &scope.params);
        let none = Context { markets: &markets, asked: None };
        q.exchange.ask(request, |body| funding_rate(body, none)).await
    }

    async fn fetch_funding_rate_history(&self, q: Query<'_>) -> Result<Vec<PastFunding>> {
        let markets = q.markets().await?;
        let market = perpetual(&q, q.market(&markets)?)?;
        let scope = place(&q, market);
        let fields = scope
            .fields()
            .with_some("limit", q.page.limit)
            .with_some("from", orders::in_seconds(q.page.since))
            .with_some("to", orders::in_seconds(orders::until(&scope.params)))
            .and(scope.params.clone().without(&["until"]));
        let one = |raw: &Json<'_>| PastFunding {
            info: Raw::of(raw),
            symbol: Some(market.symbol.clone()),
            funding_rate: raw.number_of(&["r"]),
            time: Time(seconds(raw.get("t").text())),
        };
        let request = public(&scope.path("funding_rate"), &fields);
        let mut rates = q.exchange.ask(request, |body| body.each(one)).await?;
        rates.sort_by_key(|rate| rate.time.0);
        Ok(q.page.of(rates, |rate| rate.time.0))
    }

    async fn create_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        orders::create(self, &q, order).await
    }

    async fn create_orders(&self, q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
        orders::create_all(self, q, orders).await
    }

    async fn edit_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        orders::edit(self, q, order).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        orders::one(self, q, Verb::Delete).await
    }

    async fn cancel_orders(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        orders::cancel_several(self, q, ids).await
    }

    async fn cancel_all_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        orders::cancel_all(self, q).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        orders::one(self, q, Verb::Get).await
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        orders::open(self, q).await
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        orders::closed(self, q).await
    }

    async fn fetch_my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        orders::my_trades(self, q).await
    }

    async fn fetch_order_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        if q.symbol.is_none() {
            return Err(required(q.exchange.venue(), q.method, "symbol"));
        }
        orders::my_trades(self, Query { params: Fields::new().with("order_id", q.id), ..q }).await
    }

    async fn fetch_balance(&self, q: Query<'_>) -> Result<Balances> {
        account::balance(q).await
    }

    async fn fetch_ledger(&self, q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
        account::ledger(q, currency).await
    }

    async fn fetch_deposit_address(&self, q: Query<'_>, currency: &str) -> Result<DepositAddress> {
        account::deposit_address(q, currency).await
    }

    async fn transfer(&self, q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
        account::transfer(q, currency, amount, from, to).await
    }

    async fn fetch_trading_fee(&self, q: Query<'_>) -> Result<TradingFee> {
        account::trading_fee(q).await
    }

    async fn fetch_position(&self, q: Query<'_>) -> Result<Position> {
        account::position(self, q).await
    }

    async fn fetch_positions(&self, q: Query<'_>) -> Result<Vec<Position>> {
        account::positions(self, q).await
    }

    async fn close_position(&self, q: Query<'_>) -> Result<Order> {
        orders::close(self, q).await
    }

    async fn fetch_leverage(&self, q: Query<'_>) -> Result<Leverage> {
        account::leverage(q).await
    }

    async fn set_leverage(&self, q: Query<'_>, leverage: Number) -> Result<Raw> {
        account::set_leverage(q, leverage).await
    }

    async fn set_position_mode(&self, q: Query<'_>, hedged: bool) -> Result<Raw> {
        account::set_position_mode(q, hedged).await
    }
}

//! What everybody may ask: V5 "Market".

use std::collections::HashSet;

use super::Dialect;
use super::parse::list;
use super::part;
use super::sign::public;
use crate::exchange::Result;
use crate::json::{self, Access as _, Json};
use crate::query::{Page, Query};
use crate::unified::{Candle, FundingRate, Market, Markets, OrderBook, PastFunding, Raw, Ticker, Time, Trade, levels};
use crate::{Context, Dialect as _, ErrorClass, Fields};

/// Candles of one answer if no number is asked for.
const CANDLES: i64 = 200;
/// Depth of a book if none is asked for: in the spot market, and of contracts.
const DEPTH: [i64; 2] = [50, 25];
/// Past funding rates of one answer, at most.
const PAST_RATES: i64 = 200;
/// Contracts of one answer, at most.
const CONTRACTS: i64 = 1000;
/// Answers that the contracts of one part are read from, at most.
const PAGES_MAX: usize = 32;
/// Parts of the exchange, and contracts that can be traded before their spot market is there.
const LISTS: [(&str, Option<&str>); 5] = [
    ("spot", None),
    (part::LINEAR, None),
    (part::LINEAR, Some("PreLaunch")),
    (part::INVERSE, None),
    (part::INVERSE, Some("PreLaunch")),
];

pub(super) async fn markets(dialect: &Dialect, q: Query<'_>) -> Result<Vec<Market>> {
    let mut all: Vec<Market> = Vec::new();
    let mut known = HashSet::new();
    for (part, status) in LISTS {
        let fields = Fields::new()
            .with("category", part)
            .with_some("limit", (part != "spot").then_some(CONTRACTS))
            .with_some("status", status);
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let fields = fields.clone().and(q.params.clone()).with_some("cursor", cursor.take());
            let read = |body: &Json<'_>| {
                let next = body.get("result").string_of(&["nextPageCursor"]);
                (dialect.markets(part, body), next)
            };
            let (markets, next) = q.exchange.ask(public("v5/market/instruments-info", &fields), read).await?;
            let last = markets.is_empty() || next.is_none();
            all.extend(markets.into_iter().filter(|market| known.insert(market.symbol.clone())));
            if last {
                break;
            }
            cursor = next;
        }
    }
    Ok(all)
}

/// A market, and the part of the exchange that is asked for it.
struct Asked<'m> {
    market: &'m Market,
    part: &'static str,
    params: Fields,
}

fn asked<'m>(q: &Query<'_>, markets: &'m Markets) -> Result<Asked<'m>> {
    let market = q.market(markets)?;
    let (part, params) = part::asked(Some(market), q.params.clone());
    Ok(Asked { market, part, params })
}

impl Asked<'_> {
    fn fields(&self) -> Fields {
        Fields::new().with("symbol", self.market.id.as_str())
    }
}

pub(super) async fn ticker(dialect: &Dialect, q: Query<'_>) -> Result<Ticker> {
    let markets = q.markets().await?;
    let asked = asked(&q, &markets)?;
    let fields = asked.fields().with("category", asked.part).and(asked.params.clone());
    let context = asked.market.context(&markets);
    let read = |body: &Json<'_>| dialect.ticker(list(body).first().unwrap_or(&Json::Object(Vec::new())), context);
    q.exchange.ask(public("v5/market/tickers", &fields), read).await
}

pub(super) async fn tickers(dialect: &Dialect, q: Query<'_>) -> Result<Vec<Ticker>> {
    let markets = q.markets().await?;
    let wanted = q.listed(&markets)?;
    if wanted.windows(2).any(|pair| matches!(pair, [one, other] if one.kind != other.kind)) {
        return Err(q.error(ErrorClass::BadRequest, "takes markets of one kind at once"));
    }
    let (part, params) = part::asked(wanted.last().copied(), q.params.clone());
    let fields = Fields::new().with("category", part).and(params);
    let context = Context { markets: &markets, asked: None };
    let read = |body: &Json<'_>| -> Vec<Ticker> { list(body).iter().map(|raw| dialect.ticker(raw, context)).collect() };
    let mut tickers = q.exchange.ask(public("v5/market/tickers", &fields), read).await?;
    let named = |ticker: &Ticker| wanted.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
    tickers.retain(|ticker| q.symbols.is_none() || named(ticker));
    Ok(tickers)
}

pub(super) async fn order_book(q: Query<'_>) -> Result<OrderBook> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let depth = q.depth.unwrap_or(DEPTH[usize::from(market.contract())]);
    let fields = Fields::new().with("symbol", market.id.as_str()).with("category", part::of(market));
    let fields = fields.with("limit", depth).and(q.params);
    let read = |body: &Json<'_>| {
        let book = body.get("result");
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

pub(super) async fn trades(dialect: &Dialect, q: Query<'_>) -> Result<Vec<Trade>> {
    let markets = q.markets().await?;
    let asked = asked(&q, &markets)?;
    let fields = asked.fields().with_some("limit", q.page.limit).with("category", asked.part);
    let fields = fields.and(asked.params.clone());
    let context = asked.market.context(&markets);
    let read = |body: &Json<'_>| -> Vec<Trade> { list(body).iter().map(|raw| dialect.trade(raw, context)).collect() };
    let trades = q.exchange.ask(public("v5/market/recent-trade", &fields), read).await?;
    Ok(in_order(trades, Some(asked.market), q.page))
}

/// Trades of the market that was asked for, the oldest first.
pub(super) fn in_order(mut trades: Vec<Trade>, market: Option<&Market>, page: Page) -> Vec<Trade> {
    trades.sort_by(|one, other| (one.time.0, &one.id).cmp(&(other.time.0, &other.id)));
    trades.retain(|trade| market.is_none_or(|market| trade.symbol.as_ref() == Some(&market.symbol)));
    page.of(trades, |trade| trade.time.0)
}

pub(super) async fn candles(dialect: &Dialect, q: Query<'_>) -> Result<Vec<Candle>> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let limit = q.page.limit.unwrap_or(CANDLES);
    let (until, params) = part::until(q.params.clone(), &["until", "till"]);
    let fields = Fields::new()
        .with("symbol", market.id.as_str())
        .with_some("start", q.page.since.map(|since| first_after(&q, since)).transpose()?)
        .with("limit", limit)
        .with_some("end", until)
        .with("interval", interval(q.timeframe))
        .with("category", part::of(market));
    let path = match params.text(&["price"]).filter(|_| market.contract()) {
        Some("mark") => "v5/market/mark-price-kline",
        Some("index") => "v5/market/index-price-kline",
        Some("premiumIndex") => "v5/market/premium-index-price-kline",
        _ => "v5/market/kline",
    };
    let params = if market.contract() { params.without(&["price"]) } else { params };
    let context = market.context(&markets);
    let read = |body: &Json<'_>| -> Vec<Candle> { list(body).iter().map(|raw| dialect.candle(raw, context)).collect() };
    let mut candles = q.exchange.ask(public(path, &fields.and(params)), read).await?;
    candles.sort_by_key(|candle| candle.0);
    Ok(Page { limit: Some(limit), ..q.page }.of(candles, |candle| candle.0))
}

/// When the first candle opens that opens at a time or after it.
fn first_after(q: &Query<'_>, since: i64) -> Result<i64> {
    let length = q.candle_length()?;
    Ok(since.saturating_add(length - 1).div_euclid(length).saturating_mul(length))
}

/// CCXT's words for lengths of candles, and the exchange's.
const INTERVALS: [(&str, &str); 13] = [
    ("1m", "1"),
    ("3m", "3"),
    ("5m", "5"),
    ("15m", "15"),
    ("30m", "30"),
    ("1h", "60"),
    ("2h", "120"),
    ("4h", "240"),
    ("6h", "360"),
    ("12h", "720"),
    ("1d", "D"),
    ("1w", "W"),
    ("1M", "M"),
];

/// The exchange's word for a length of candles.
pub(super) fn interval(timeframe: &str) -> &str {
    INTERVALS.iter().find(|(word, _)| *word == timeframe).map_or(timeframe, |(_, interval)| *interval)
}

/// CCXT's word for the exchange's.
pub(super) fn timeframe(interval: &str) -> Option<&'static str> {
    INTERVALS.iter().find(|(_, word)| *word == interval).map(|(timeframe, _)| *timeframe)
}

pub(super) async fn funding_rate(q: Query<'_>) -> Result<FundingRate> {
    let markets = q.markets().await?;
    let asked = asked(&q, &markets)?;
    if !asked.market.contract() {
        return Err(q.error(ErrorClass::BadSymbol, "is for contracts only"));
    }
    if q.params.text(&["defaultType", "type"]).map_or(asked.market.expiry.is_some(), |kind| kind != "swap") {
        return Err(q.error(ErrorClass::NotSupported, "is for contracts without an end only"));
    }
    let fields = asked.fields().with("category", asked.part).and(asked.params.clone());
    let read = |body: &Json<'_>| {
        let of = |raw: &&Json<'_>| {
            let market = markets.named(raw.text_of(&["symbol"]).unwrap_or_default(), true);
            market.is_some_and(|market| market.symbol == asked.market.symbol)
        };
        list(body).iter().find(of).map(|raw| rate(raw, body, asked.market))
    };
    let rate = q.exchange.ask(public("v5/market/tickers", &fields), read).await?;
    rate.ok_or_else(|| q.error(ErrorClass::NullResponse, "found no rate"))
}

fn rate(raw: &Json<'_>, body: &Json<'_>, market: &Market) -> FundingRate {
    let hours = interval_of(market).map(|minutes| minutes / 60);
    FundingRate {
        info: Raw::of(raw),
        symbol: Some(market.symbol.clone()),
        mark_price: raw.number_of(&["markPrice"]),
        index_price: raw.number_of(&["indexPrice"]),
        time: Time::parse(body.get("time").text()),
        funding_rate: raw.number_of(&["fundingRate"]),
        funding: Time::parse(raw.text_of(&["nextFundingTime"])),
        interval: hours.map(|hours| format!("{hours}h")),
        ..FundingRate::default()
    }
}

/// How far apart payments are, in minutes.
fn interval_of(market: &Market) -> Option<i64> {
    json::parse(market.info.as_str())?.text_of(&["fundingInterval"])?.parse().ok()
}

pub(super) async fn past_rates(q: Query<'_>) -> Result<Vec<PastFunding>> {
    let markets = q.markets().await?;
    let asked = asked(&q, &markets)?;
    if !matches!(asked.part, part::LINEAR | part::INVERSE) {
        return Err(q.error(ErrorClass::NotSupported, "is for contracts only"));
    }
    let limit = q.page.limit.unwrap_or(PAST_RATES);
    let (until, params) = part::until(asked.params.clone(), &["endTime", "until"]);
    let apart = interval_of(asked.market).unwrap_or(480).saturating_mul(60_000);
    // the exchange takes a start with an end only
    let follows = || Some(q.page.since?.saturating_add(limit.saturating_mul(apart)));
    let fields = Fields::new()
        .with("limit", limit)
        .with("symbol", asked.market.id.as_str())
        .with("category", asked.part)
        .with_some("startTime", q.page.since)
        .with_some("endTime", until.or_else(follows))
        .and(params);
    let nobody = Context { markets: &markets, asked: None };
    let read = |body: &Json<'_>| -> Vec<PastFunding> { list(body).iter().map(|raw| past_rate(raw, nobody)).collect() };
    let mut rates = q.exchange.ask(public("v5/market/funding/history", &fields), read).await?;
    rates.sort_by_key(|rate| rate.time.0);
    rates.retain(|rate| rate.symbol.as_ref() == Some(&asked.market.symbol));
    Ok(Page { limit: Some(limit), ..q.page }.of(rates, |rate| rate.time.0))
}

fn past_rate(raw: &Json<'_>, context: Context<'_>) -> PastFunding {
    PastFunding {
        info: Raw::of(raw),
        symbol: context.symbol(raw.text_of(&["symbol"]), true).1,
        funding_rate: raw.number_of(&["fundingRate"]),
        time: Time::parse(raw.text_of(&["fundingRateTimestamp"])),
    }
}

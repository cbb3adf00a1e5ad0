//! What everybody may ask of markets.

use std::collections::HashSet;

use super::Dialect;
use super::params::{HIGH_FREQUENCY, classic, contracts, take, until};
use super::parse::{contract_ticker, data, nanoseconds, said, spot_ticker};
use super::sign::{Api, private, public};
use crate::exchange::Result;
use crate::json::{Access as _, Json};
use crate::query::{Page, Query};
use crate::unified::{Candle, FundingRate, Market, OrderBook, PastFunding, Raw, Ticker, Time, Trade, levels};
use crate::{Context, Dialect as _, ErrorClass, Exchange, Fields, VenueError, Verb};

/// Candles of one answer if no number is asked for: of the spot market, and of contracts.
const CANDLES: [i64; 2] = [1500, 200];
/// Depths that books have; the first is that of a book that is asked for without one.
const DEPTHS: [i64; 2] = [100, 20];

fn asked(market: &Market) -> Fields {
    Fields::new().with("symbol", market.id.as_str())
}

/// An answer's element with a time that stands beside the list.
fn with_time(raw: &Json<'_>, time: Option<&str>) -> Raw {
    let (Some(time), crate::Value::Object(fields)) = (time, crate::Value::of(raw)) else { return Raw::of(raw) };
    let text = fields.with("time", crate::Value::Digits(time.to_owned())).json();
    crate::json::parse(&text).map_or_else(|| Raw::of(raw), |raw| Raw::of(&raw))
}

impl Dialect {
    pub(super) async fn every_market(&self, q: Query<'_>) -> Result<Vec<Market>> {
        let params = q.params.without(&["marginables", "uta"]);
        let account = q.exchange.credentials().is_ok();
        // every list is asked for before the first is looked at: one that fails does not spare the others
        let list = |api: Api, path: &str| q.exchange.ask(public(api, path, &params), |body| self.markets("", body));
        let spot = list(Api::Spot, "v2/symbols").await;
        let (mut shared, mut alone) = (HashSet::new(), HashSet::new());
        if account {
            shared = borrowing(q.exchange, "v3/margin/symbols", &params).await?;
            alone = borrowing(q.exchange, "v1/isolated/symbols", &params).await?;
        }
        let contracts = list(Api::Contracts, "v1/contracts/active").await;
        if account {
            let request = private(q.exchange, Api::Spot, Verb::Get, "v1/hf/accounts/opened", &Fields::new())?;
            let opened = permitted(q.exchange.ask(request, |body| data(body).flag()).await)?;
            if let Some(fast) = opened.flatten() {
                q.exchange.learn(HIGH_FREQUENCY, if fast { "true" } else { "false" });
            }
        }
        let mut all = spot?;
        for market in &mut all {
            let modes = (shared.contains(&market.id), alone.contains(&market.id));
            market.margin = market.margin.map(|margin| margin || modes.0 || modes.1);
            market.margin_modes = Some(modes);
        }
        all.extend(contracts?);
        Ok(all)
    }

    pub(super) async fn ticker_of(&self, mut q: Query<'_>) -> Result<Ticker> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        take(&mut q.params, &["defaultType", "type"]);
        let context = market.context(&markets);
        let fields = asked(market).and(q.params);
        let (request, contract) = if market.contract() {
            (public(Api::Contracts, "v1/ticker", &fields), true)
        } else {
            (public(Api::Spot, "v1/market/stats", &fields), false)
        };
        let read = if contract { contract_ticker } else { spot_ticker };
        q.exchange.ask(request, |body| said(body, |raw| read(raw, context))).await
    }

    pub(super) async fn tickers_of(&self, mut q: Query<'_>) -> Result<Vec<Ticker>> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let wanted = q.listed(&markets)?;
        if wanted.iter().any(|market| Some(market.kind) != wanted.first().map(|market| market.kind)) {
            return Err(q.error(ErrorClass::BadRequest, "takes markets of one kind"));
        }
        let contract = contracts(&mut q.params, wanted.first().copied());
        let context = Context { markets: &markets, asked: None };
        let (api, path) = match contract {
            true if take(&mut q.params, &["method"]).as_deref() == Some("futuresPublicGetAllTickers") => {
                (Api::Contracts, "v1/allTickers")
            }
            true => (Api::Contracts, "v1/contracts/active"),
            false => (Api::Spot, "v1/market/allTickers"),
        };
        let read = |body: &Json<'_>| {
            if contract {
                return data(body).each(|raw| contract_ticker(raw, context));
            }
            let time = data(body).text_of(&["time", "ts"]);
            let one = |raw: &Json<'_>| {
                let ticker = spot_ticker(raw, context);
                Ticker { time: Time::parse(time), info: with_time(raw, time), ..ticker }
            };
            data(body).get("ticker").or_else(|| data(body).get("list")).each(one)
        };
        let mut tickers = q.exchange.ask(public(api, path, &q.params), read).await?;
        tickers.retain(|ticker| ticker.symbol.is_some());
        if q.symbols.is_some() {
            let named = |ticker: &Ticker| wanted.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
            tickers.retain(named);
        }
        Ok(tickers)
    }

    pub(super) async fn book(&self, mut q: Query<'_>) -> Result<OrderBook> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let contract = contracts(&mut q.params, Some(market));
        if q.depth.is_some_and(|depth| !DEPTHS.contains(&depth)) {
            let class = if contract { ErrorClass::BadRequest } else { ErrorClass::ExchangeError };
            return Err(q.error(class, "has books of 20 or 100 levels"));
        }
        if q.params.text(&["level"]).is_some_and(|level| level != "2") {
            return Err(q.error(ErrorClass::BadRequest, "has books of level 2 only"));
        }
        let public_fields = asked(market).and(q.params.clone().without(&["level"]));
        let depth = q.depth.unwrap_or(DEPTHS[0]);
        let request = match (contract, q.depth) {
            (true, None) => public(Api::Contracts, "v1/level2/snapshot", &asked(market).and(q.params)),
            (true, Some(_)) => public(Api::Contracts, &format!("v1/level2/depth{depth}"), &asked(market).and(q.params)),
            // the whole book is told to accounts only
            (false, None) if q.exchange.credentials().is_ok() => {
                let fields = asked(market).and(q.params);
                private(q.exchange, Api::Spot, Verb::Get, "v3/market/orderbook/level2", &fields)?
            }
            (false, _) => public(Api::Spot, &format!("v1/market/orderbook/level2_{depth}"), &public_fields),
        };
        let read = |body: &Json<'_>| {
            let book = data(body);
            let told = Time::parse(book.text_of(&["time"]));
            OrderBook {
                symbol: Some(market.symbol.clone()),
                bids: levels(book.get("bids")),
                asks: levels(book.get("asks")),
                time: if told.0.is_some() { told } else { nanoseconds(book.text_of(&["ts"])) },
                nonce: book.text_of(&["sequence"]).and_then(|digits| digits.parse().ok()),
                ..OrderBook::default()
            }
            .sorted()
        };
        q.exchange.ask(request, read).await
    }

    pub(super) async fn trades_of(&self, mut q: Query<'_>) -> Result<Vec<Trade>> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let contract = contracts(&mut q.params, Some(market));
        let path = if contract { "v1/trade/history" } else { "v1/market/histories" };
        let request = public(Api::of(contract), path, &asked(market).and(q.params));
        let context = market.context(&markets);
        let read = |body: &Json<'_>| data(body).each(|raw| self.trade(raw, context));
        let trades = q.exchange.ask(request, read).await?;
        Ok(listed_trades(trades, Some(market), q.page))
    }

    pub(super) async fn candles(&self, mut q: Query<'_>) -> Result<Vec<Candle>> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let contract = market.contract();
        let length = length(q.timeframe)
            .ok_or_else(|| q.error(ErrorClass::NotSupported, &format!("has no candles of {:?}", q.timeframe)))?;
        let now = q.exchange.now();
        let Page { since, limit } = q.page;
        let span = |limit: i64| limit.saturating_mul(length);
        let (page, end) = match (since, limit) {
            (Some(since), limit) => {
                let limit = limit.unwrap_or(CANDLES[usize::from(contract)]);
                (Page { since: Some(since), limit: Some(limit) }, since.saturating_add(span(limit)))
            }
            (None, Some(limit)) => (Page { since: Some(now.saturating_sub(span(limit))), limit: Some(limit) }, now),
            (None, None) => (Page::default(), now),
        };
        let request = if contract {
            let fields =
                asked(market).with("granularity", minutes(q.timeframe)).with_some("from", page.since).with("to", end);
            public(Api::Contracts, "v1/kline/query", &fields.and(q.params))
        } else {
            let fields = asked(market)
                .with("type", word(q.timeframe))
                .with_some("startAt", page.since.map(|ms| ms.div_euclid(1000)))
                .with("endAt", end.div_euclid(1000));
            public(Api::Spot, "v1/market/candles", &fields.and(q.params))
        };
        let context = market.context(&markets);
        let read = |body: &Json<'_>| data(body).each(|raw| self.candle(raw, context));
        let mut candles = q.exchange.ask(request, read).await?;
        candles.sort_by_key(|candle| candle.0);
        Ok(page.of(candles, |candle| candle.0))
    }

    pub(super) async fn funding_rate(&self, mut q: Query<'_>) -> Result<FundingRate> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let path = format!("v1/funding-rate/{}/current", crate::encoded(&market.id));
        let context = market.context(&markets);
        let read = |raw: &Json<'_>| {
            let market = context.market(raw.text_of(&["symbol"]), true);
            let time = |name: &str| Time::parse(raw.text_of(&[name]));
            FundingRate {
                info: Raw::of(raw),
                symbol: market.map(|market| market.symbol.clone()),
                interest_rate: raw.number_of(&["dailyInterestRate"]),
                funding_rate: raw.number_of(&["nextFundingRate", "value"]),
                funding: time("fundingTime"),
                next_funding: time("newGranularityStartTime"),
                previous_funding: time("timePoint"),
                interval: raw.text_of(&["granularity", "currentGranularity"]).map(|ms| interval(ms).to_owned()),
                ..FundingRate::default()
            }
        };
        q.exchange.ask(public(Api::Contracts, &path, &q.params), |body| said(body, read)).await
    }

    pub(super) async fn past_funding(&self, mut q: Query<'_>) -> Result<Vec<PastFunding>> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let now = q.exchange.now();
        let end = Fields::new().with("to", now).and(until(&mut q.params, "to"));
        let fields = asked(market).with("from", q.page.since.unwrap_or(0)).and(end).and(q.params);
        let context = market.context(&markets);
        let one = |raw: &Json<'_>| PastFunding {
            info: Raw::of(raw),
            symbol: context.market(raw.text_of(&["symbol"]), true).map(|market| market.symbol.clone()),
            funding_rate: raw.number_of(&["fundingRate"]),
            time: Time::parse(raw.text_of(&["ts", "timepoint"])),
        };
        let request = public(Api::Contracts, "v1/contract/funding-rates", &fields);
        let mut rates = q.exchange.ask(request, |body| data(body).each(one)).await?;
        rates.retain(|rate| rate.symbol.as_ref() == Some(&market.symbol));
        rates.sort_by_key(|rate| rate.time.0);
        Ok(q.page.of(rates, |rate| rate.time.0))
    }
}

/// The markets that can be traded with borrowed money.
async fn borrowing(exchange: &Exchange, path: &str, params: &Fields) -> Result<HashSet<String>> {
    let request = private(exchange, Api::Spot, Verb::Get, path, params)?;
    let read = |body: &Json<'_>| {
        let list = data(body).get("items").or_else(|| data(body));
        list.each(|one| one.string_of(&["symbol"])).into_iter().flatten().collect()
    };
    Ok(permitted(exchange.ask(request, read).await)?.unwrap_or_default())
}

/// What was answered, or nothing where the account's key may not ask: it can trade all the same.
pub(super) fn permitted<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.class().is_a(ErrorClass::ExchangeError) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Trades of a market, if one was asked for, in order of time.
pub(super) fn listed_trades(mut trades: Vec<Trade>, market: Option<&Market>, page: Page) -> Vec<Trade> {
    trades.retain(|trade| market.is_none_or(|market| trade.symbol.as_ref() == Some(&market.symbol)));
    trades.sort_by(|one, other| (one.time.0, &one.id).cmp(&(other.time.0, &other.id)));
    page.of(trades, |trade| trade.time.0)
}

/// The length of candles in milliseconds.
fn length(timeframe: &str) -> Option<i64> {
    let unit = timeframe.chars().last()?;
    let count: i64 = timeframe.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        'M' => 2_592_000,
        'y' => 31_536_000,
        _ => return None,
    };
    count.checked_mul(seconds)?.checked_mul(1000)
}

/// The spot market's word for a length of candles.
pub(super) fn word(timeframe: &str) -> String {
    let units = [("m", "min"), ("h", "hour"), ("d", "day"), ("w", "week"), ("M", "month")];
    let known = matches!(
        timeframe,
        "1m" | "3m" | "5m" | "15m" | "30m" | "1h" | "2h" | "4h" | "6h" | "8h" | "12h" | "1d" | "1w" | "1M"
    );
    let named = units.iter().find_map(|(unit, word)| Some(format!("{}{word}", timeframe.strip_suffix(unit)?)));
    named.filter(|_| known).unwrap_or_else(|| timeframe.to_owned())
}

/// The length of candles of contracts: in minutes.
fn minutes(timeframe: &str) -> crate::Value {
    match timeframe {
        "1m" => 1.into(),
        "5m" => 5.into(),
        "15m" => 15.into(),
        "30m" => 30.into(),
        "1h" => 60.into(),
        "2h" => 120.into(),
        "4h" => 240.into(),
        "8h" => 480.into(),
        "12h" => 720.into(),
        "1d" => 1_440.into(),
        "1w" => 10_080.into(),
        other => other.into(),
    }
}

pub(super) fn interval(ms: &str) -> &str {
    match ms {
        "3600000" => "1h",
        "14400000" => "4h",
        "28800000" => "8h",
        "57600000" => "16h",
        "86400000" => "24h",
        other => other,
    }
}

/// The error for an answer without what was asked for.
pub(super) fn empty(q: &Query<'_>, what: &str) -> VenueError {
    q.error(ErrorClass::BadResponse, &format!("has no {what}"))
}

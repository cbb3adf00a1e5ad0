//! Candles: "Get Klines" of the spot market, "Query Kline Data" of the contract markets.

use super::sign::{Host, public};
use crate::exchange::Result;
use crate::query::Query;
use crate::unified::Market;
use crate::{ErrorClass, Fields, Request, Value};

/// Most candles of one answer: of the spot market's history, and of all others.
const MOST: [i64; 2] = [1000, 2000];
/// Which candles of a contract are asked for, if not those of its trades.
const KINDS: [&str; 2] = ["priceType", "price"];

/// The request for candles, and how many of them are wanted at most.
pub(super) fn request(q: &Query<'_>, market: &Market) -> Result<(Request, Option<i64>)> {
    if market.contract() { of_contract(q, market) } else { Ok(of_spot(q, market)) }
}

fn of_spot(q: &Query<'_>, market: &Market) -> (Request, Option<i64>) {
    let fields = Fields::new().with("period", period(q.timeframe)).with("symbol", market.id.as_str());
    let params = q.params.clone().without(&KINDS).without(&["until", "useHistoricalEndpointForSpot"]);
    if q.params.get("useHistoricalEndpointForSpot") == Some(&Value::Flag(false)) {
        let fields = fields.with_some("size", q.page.limit.map(|limit| limit.min(MOST[1])));
        return (public(Host::Spot, "market/history/kline", &fields.and(params)), q.page.limit);
    }
    let fields = fields
        .with_some("from", q.page.since.map(|since| since / 1000))
        .with_some("to", until(q))
        .with_some("size", q.page.limit.map(|limit| limit.min(MOST[0])));
    (public(Host::Spot, "market/history/candles", &fields.and(params)), q.page.limit)
}

fn of_contract(q: &Query<'_>, market: &Market) -> Result<(Request, Option<i64>)> {
    let kind = q.params.text(&KINDS);
    let path = match kind {
        Some("mark") => "index/market/history/linear_swap_mark_price_kline",
        Some("premiumIndex") => "index/market/history/linear_swap_premium_index_kline",
        Some("index") => return Err(q.error(ErrorClass::BadRequest, "has no candles of the index of a contract")),
        _ => "linear-swap-ex/market/history/kline",
    };
    let limit = q.page.limit.unwrap_or(MOST[1]);
    let mut fields = Fields::new()
        .with("period", period(q.timeframe))
        .with_some("size", q.page.limit.map(|limit| limit.min(MOST[1])));
    if kind.is_none() {
        let unknown = || q.error(ErrorClass::NotSupported, &format!("knows no timeframe {:?}", q.timeframe));
        let span = seconds(q.timeframe).ok_or_else(unknown)?.saturating_mul(limit.saturating_sub(1));
        let now = q.exchange.now() / 1000;
        let from = q.page.since.map_or(now.saturating_sub(span), |since| since / 1000);
        let to = q.page.since.map_or(now, |_| from.saturating_add(span));
        fields = fields.with("from", from).with("to", until(q).unwrap_or(to));
    }
    let fields = fields.with("contract_code", market.id.as_str());
    let params = q.params.clone().without(&KINDS).without(&["until"]);
    Ok((public(Host::Contracts, path, &fields.and(params)), Some(limit)))
}

/// The end that is asked for, in seconds.
fn until(q: &Query<'_>) -> Option<i64> {
    q.params.text(&["until"])?.parse::<i64>().ok().map(|ms| ms / 1000)
}

pub(super) fn period(timeframe: &str) -> String {
    match timeframe {
        "1h" => "60min".to_owned(),
        "1M" => "1mon".to_owned(),
        "1m" | "5m" | "15m" | "30m" => format!("{timeframe}in"),
        "4h" => "4hour".to_owned(),
        "1d" => "1day".to_owned(),
        "1w" => "1week".to_owned(),
        "1y" => "1year".to_owned(),
        other => other.to_owned(),
    }
}

/// How long a candle is.
fn seconds(timeframe: &str) -> Option<i64> {
    let (unit_at, unit) = timeframe.char_indices().next_back()?;
    let count: i64 = timeframe.get(..unit_at)?.parse().ok()?;
    let unit = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        'M' => 30 * 86_400,
        'y' => 365 * 86_400,
        _ => return None,
    };
    count.checked_mul(unit)
}

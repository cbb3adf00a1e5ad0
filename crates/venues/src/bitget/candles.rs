//! What candles are asked for: "Get Candlestick Data" and "Get History Candlestick Data" of each market.

use super::part::{product, until};
use crate::exchange::Result;
use crate::query::{Page, Query};
use crate::unified::Market;
use crate::{ErrorClass, Fields};

const DAY: i64 = 86_400_000;
/// Candles of one answer: what CCXT reckons with, what is asked for if nothing is said, and most of the past.
const LIMITS: (i64, i64, i64) = (100, 1000, 200);
/// Longest time that is asked of contracts' past.
const SPAN: i64 = 90 * DAY;

/// What is asked, and which part of the answer is wanted.
pub(super) struct Candles {
    pub path: &'static str,
    pub fields: Fields,
    pub page: Page,
}

/// The exchange's word for a length of candles.
fn word(timeframe: &str, spot: bool) -> &str {
    match timeframe {
        "1m" if spot => "1min",
        "3m" if spot => "3min",
        "5m" if spot => "5min",
        "15m" if spot => "15min",
        "30m" if spot => "30min",
        "1h" if !spot => "1H",
        "2h" if !spot => "2H",
        "4h" if !spot => "4H",
        "6h" => "6Hutc",
        "12h" => "12Hutc",
        "1d" => "1Dutc",
        "3d" => "3Dutc",
        "1w" => "1Wutc",
        "1M" => "1Mutc",
        other => other,
    }
}

/// A length of candles in milliseconds.
fn length(q: &Query<'_>) -> Result<i64> {
    let bad = || q.error(ErrorClass::NotSupported, &format!("has no candles of {:?}", q.timeframe));
    let (unit_at, unit) = q.timeframe.char_indices().last().ok_or_else(bad)?;
    let number: i64 = q.timeframe.get(..unit_at).and_then(|digits| digits.parse().ok()).ok_or_else(bad)?;
    let unit = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => DAY,
        'w' => 7 * DAY,
        'M' => 30 * DAY,
        'y' => 365 * DAY,
        _ => return Err(bad()),
    };
    Ok(unit.saturating_mul(number))
}

/// Most candles of one answer, where the exchange tells fewer than elsewhere.
fn most(timeframe: &str, spot: bool) -> Option<i64> {
    Some(match (timeframe, spot) {
        ("1d", true) => 300,
        ("3d" | "1w" | "1M", true) => 100,
        ("4h", false) => 540,
        ("6h", false) => 360,
        ("12h", false) => 180,
        ("1d", false) => 90,
        ("3d", false) => 30,
        ("1w", false) => 13,
        ("1M", false) => 4,
        _ => return None,
    })
}

/// How many days the recent candles go back.
fn recent_days(timeframe: &str) -> Option<i64> {
    Some(match timeframe {
        "1m" | "3m" | "5m" | "15m" | "30m" => 30,
        "1h" => 60,
        "2h" => 120,
        "4h" => 240,
        "6h" => 360,
        "12h" => 720,
        "1d" => 1_440,
        "3d" => 3 * 1_440,
        "1w" => 7 * 1_440,
        "1M" => 30 * 1_440,
        _ => return None,
    })
}

pub(super) fn ask(q: &Query<'_>, market: &Market) -> Result<Candles> {
    let spot = !market.contract();
    let (now, length) = (q.exchange.now(), length(q)?);
    let (reckoned, unsaid, most_past) = LIMITS;
    let limit = q.page.limit.map(|limit| limit.min(unsaid).min(most(q.timeframe, spot).unwrap_or(limit)));
    let fields = Fields::new().with("symbol", market.id.as_str()).with("granularity", word(q.timeframe, spot));
    let (asked_until, params) = until(Fields::new(), q.params.clone());
    let asked_until: Option<i64> = asked_until.text(&["endTime"]).and_then(|digits| digits.parse().ok());
    let since = q.page.since;
    // the exchange counts candles back from the end, so there is one whenever there is a start
    let span = limit.unwrap_or(reckoned).saturating_mul(length);
    let end = asked_until.or_else(|| Some(since?.saturating_add(span))).map(|end| end.min(now));
    let start = since.or_else(|| Some(end?.saturating_sub(span)));
    let mut fields = fields.with_some("startTime", since).with_some("endTime", end);
    let oldest = recent_days(q.timeframe).map(|days| now.saturating_sub((days - 1) * DAY));
    let beyond = start.is_some_and(|start| oldest.is_some_and(|oldest| start <= oldest));
    let past = beyond || params.flag("useHistoryEndpoint");
    let limit = if past {
        let limit = limit.unwrap_or(reckoned).min(most_past);
        if let Some(end) = end {
            let start = end.saturating_sub(limit.saturating_mul(length));
            fields.set("startTime", start);
            if !spot && end.saturating_sub(start) > SPAN {
                fields.set("endTime", start.saturating_add(SPAN));
            }
        }
        limit
    } else {
        limit.unwrap_or(unsaid)
    };
    fields.set("limit", limit);
    let price = params.text(&["price"]).map(str::to_owned);
    let (product, params) = product(Some(market), params.without(&["price"]));
    let page = Page { since, limit: Some(limit) };
    if spot {
        let path = if past { "v2/spot/market/history-candles" } else { "v2/spot/market/candles" };
        return Ok(Candles { path, fields: fields.and(params), page });
    }
    let fields = fields.with("productType", product).and(params);
    let (path, fields) = match (past, price.as_deref()) {
        (false, Some(kind @ ("mark" | "index"))) => {
            ("v2/mix/market/candles", Fields::new().with("kLineType", kind).and(fields))
        }
        (false, _) => ("v2/mix/market/candles", fields),
        (true, Some("mark")) => ("v2/mix/market/history-mark-candles", fields),
        (true, Some("index")) => ("v2/mix/market/history-index-candles", fields),
        (true, _) => ("v2/mix/market/history-candles", fields),
    };
    Ok(Candles { path, fields, page })
}

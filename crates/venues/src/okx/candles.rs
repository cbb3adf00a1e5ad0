//! Candles: "Get candlesticks" and its history, of prices, marks and indices.

use super::parse::{Dialect, data};
use super::sign::public;
use crate::exchange::Result;
use crate::json::Json;
use crate::query::{Page, Query};
use crate::unified::Candle;
use crate::{Dialect as _, ErrorClass, Fields};

/// Candles of one answer if no number is asked for, and at most; of marks and indices there are fewer.
const CANDLES: i64 = 100;
const CANDLES_MAX: i64 = 300;
/// The recent candles; what is older is history.
const RECENT: i64 = 1_440;
/// Lengths that the exchange writes with a capital letter; shorter ones are minutes, the longest are months.
const HOURS_AND_LONGER: [&str; 7] = ["1h", "2h", "4h", "6h", "12h", "1d", "1w"];
/// Candles of this length, in milliseconds, and longer ones begin by default at another hour than UTC's.
const LONG: i64 = 6 * 3_600_000;

/// What is asked for.
pub(super) struct Wanted {
    pub(super) bar: String,
    /// In milliseconds.
    length: i64,
}

impl Wanted {
    /// Errors: [`ErrorClass::NotSupported`] for a length that is none.
    pub(super) fn of(q: &Query<'_>) -> Result<Self> {
        let timeframe = if q.timeframe.is_empty() { "1m" } else { q.timeframe };
        let none = || q.error(ErrorClass::NotSupported, &format!("knows no candles of {timeframe:?}"));
        let length = length(timeframe).ok_or_else(none)?;
        let known = HOURS_AND_LONGER.contains(&timeframe);
        let word = if known { timeframe.to_uppercase() } else { timeframe.to_owned() };
        Ok(Self { bar: if length < LONG { word } else { format!("{word}utc") }, length })
    }
}

fn length(timeframe: &str) -> Option<i64> {
    const MINUTE: i64 = 60_000;
    let unit = match timeframe.chars().last()? {
        's' => 1_000,
        'm' => MINUTE,
        'h' => 60 * MINUTE,
        'd' => 1_440 * MINUTE,
        'w' => 10_080 * MINUTE,
        'M' => 43_200 * MINUTE,
        'y' => 525_600 * MINUTE,
        _ => return None,
    };
    let number: i64 = timeframe.get(..timeframe.len() - 1)?.parse().ok()?;
    number.checked_mul(unit)
}

impl Dialect {
    pub(super) async fn candles(&self, wanted: Wanted, q: Query<'_>) -> Result<Vec<Candle>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let of = q.params.text(&["price"]).filter(|of| matches!(*of, "mark" | "index"));
        let most = if of.is_some() { CANDLES } else { CANDLES_MAX };
        let limit = q.page.limit.map_or(CANDLES, |limit| limit.min(most));
        let recent = wanted.length.saturating_mul(RECENT - 1);
        let old = q.page.since.is_some_and(|since| since < q.exchange.now().saturating_sub(recent));
        let old = q.params.text(&["type"]).map_or(old, |kind| kind == "HistoryCandles");
        let (path, most) = match (of, old) {
            (Some("mark"), false) => ("market/mark-price-candles", limit),
            (Some("mark"), true) => ("market/history-mark-price-candles", limit),
            (Some(_), false) => ("market/index-candles", limit),
            (Some(_), true) => ("market/history-index-candles", limit),
            (None, false) => ("market/candles", limit),
            (None, true) => ("market/history-candles", q.page.limit.map_or(CANDLES_MAX, |_| limit)),
        };
        // indices are named by their currencies
        let index = || format!("{}-{}", market.base_id, market.quote_id);
        let id = if of == Some("index") { index() } else { market.id.clone() };
        let end = |since: i64| since.saturating_add(wanted.length.saturating_mul(limit));
        let mut fields = Fields::new()
            .with("instId", id)
            .with("bar", wanted.bar)
            .with("limit", most)
            // what is before a time is what is later than it
            .with_some("before", q.page.since.map(|since| since.saturating_sub(1).max(0)))
            .with_some("after", q.page.since.map(end));
        if let Some(until) = q.params.text(&["until"]).and_then(|until| until.parse::<i64>().ok()) {
            fields.set("after", until);
        }
        let fields = fields.and(q.params.clone().without(&["price", "type", "until"]));
        let context = market.context(&markets);
        let read = |body: &Json<'_>| data(body).iter().map(|raw| self.candle(raw, context)).collect::<Vec<_>>();
        let mut candles = q.exchange.ask(public(path, &fields), read).await?;
        candles.sort_by_key(|candle| candle.0);
        Ok(Page { limit: Some(most), ..q.page }.of(candles, |candle| candle.0))
    }
}

//! CoinGecko's public API, version 3.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use orrery_kernel::{Entropy, Timestamp};
use orrery_market::{Chart, ChartPoint, FeedError, PriceFeed, SpotPrice, Timeframe};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::Answer;
use crate::{FeedClient, OpenError, Options};

/// Where the price may be asked, best first: all have it, the first has everything else too.
const PRICE_PATHS: [(&str, &str); 3] = [
    ("coins_markets", "/coins/markets?vs_currency=usd&ids=bitcoin"),
    ("coins_bitcoin", "/coins/bitcoin?localization=false&tickers=false&community_data=false&developer_data=false"),
    ("simple_price", SIMPLE),
];
const SIMPLE: &str = "/simple/price?ids=bitcoin&vs_currencies=usd&include_market_cap=true&include_24hr_vol=true\
                      &include_24hr_change=true&include_last_updated_at=true";
/// A price outside of this is no price of bitcoin.
const USD_MAX: i64 = 1_000_000_000;

/// Price and charts of bitcoin in US dollars.
pub struct CoinGecko {
    client: FeedClient,
    /// Index of the path that answered last.
    path: AtomicUsize,
}

impl CoinGecko {
    /// A feed from `options.base_url`, which ends in `/api/v3` at the real source.
    pub fn new(options: Options, entropy: Arc<dyn Entropy>) -> Result<Self, OpenError> {
        Ok(Self { client: FeedClient::new("coingecko", options, entropy)?, path: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl PriceFeed for CoinGecko {
    fn source(&self) -> &'static str {
        "coingecko"
    }

    async fn latest(&self, now: Timestamp) -> Result<Option<SpotPrice>, FeedError> {
        let first = self.path.load(Ordering::Relaxed);
        let mut failure = FeedError::Bad("no price endpoint".into());
        for step in 0..PRICE_PATHS.len() {
            let at = (first + step) % PRICE_PATHS.len();
            let (endpoint, path) = PRICE_PATHS[at];
            match self.client.try_get(endpoint, path).await? {
                Answer::Unchanged => return Ok(None),
                Answer::NotHere => failure = FeedError::Bad(format!("{endpoint}: 404")),
                Answer::Body(body) => match read_price(at, &body, now) {
                    Ok(price) => {
                        self.path.store(at, Ordering::Relaxed);
                        return Ok(Some(price));
                    }
                    Err(error) => {
                        self.client.forget(path);
                        failure = error;
                    }
                },
            }
        }
        Err(failure)
    }

    async fn chart(&self, timeframe: Timeframe, now: Timestamp) -> Result<Option<Chart>, FeedError> {
        let path = format!("/coins/bitcoin/market_chart?vs_currency=usd&days={}", timeframe.days());
        let Some(body) = self.client.get("market_chart", &path).await? else { return Ok(None) };
        let points = read_points(&body).inspect_err(|_| self.client.forget(&path))?;
        Ok(Some(Chart { timeframe, source: self.source().into(), points, observed_at: now }))
    }
}

fn bad(what: &str) -> FeedError {
    FeedError::Bad(what.to_owned())
}

/// A JSON number as the exact decimal it spells.
fn decimal(raw: &RawValue) -> Option<Decimal> {
    let text = raw.get();
    text.parse().or_else(|_| Decimal::from_scientific(text)).ok()
}

fn optional(raw: Option<&RawValue>) -> Option<Decimal> {
    raw.and_then(decimal)
}

/// Whole dollars, halves up, in cents: what the documented server keeps.
fn whole_dollars(usd: Decimal) -> Result<i64, FeedError> {
    let whole = usd.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    i64::try_from(whole)
        .ok()
        .filter(|usd| (1..=USD_MAX).contains(usd))
        .map(|usd| usd * 100)
        .ok_or_else(|| bad("a price out of range"))
}

#[derive(Deserialize)]
struct MarketRow<'a> {
    id: String,
    #[serde(borrow)]
    current_price: Option<&'a RawValue>,
    #[serde(borrow)]
    market_cap: Option<&'a RawValue>,
    #[serde(borrow)]
    total_volume: Option<&'a RawValue>,
    #[serde(borrow)]
    high_24h: Option<&'a RawValue>,
    #[serde(borrow)]
    ath: Option<&'a RawValue>,
    #[serde(borrow)]
    ath_change_percentage: Option<&'a RawValue>,
    ath_date: Option<String>,
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct Usd<'a> {
    #[serde(borrow)]
    usd: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct UsdText {
    usd: Option<String>,
}

#[derive(Deserialize)]
struct Coin<'a> {
    #[serde(borrow)]
    market_data: MarketData<'a>,
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct MarketData<'a> {
    #[serde(borrow)]
    current_price: Usd<'a>,
    #[serde(borrow)]
    market_cap: Option<Usd<'a>>,
    #[serde(borrow)]
    total_volume: Option<Usd<'a>>,
    #[serde(borrow)]
    high_24h: Option<Usd<'a>>,
    #[serde(borrow)]
    ath: Option<Usd<'a>>,
    #[serde(borrow)]
    ath_change_percentage: Option<Usd<'a>>,
    ath_date: Option<UsdText>,
}

#[derive(Deserialize)]
struct Simple<'a> {
    #[serde(borrow)]
    bitcoin: SimpleRow<'a>,
}

#[derive(Deserialize)]
struct SimpleRow<'a> {
    #[serde(borrow)]
    usd: Option<&'a RawValue>,
    #[serde(borrow)]
    usd_market_cap: Option<&'a RawValue>,
    #[serde(borrow)]
    usd_24h_vol: Option<&'a RawValue>,
    last_updated_at: Option<i64>,
}

fn read_price(path: usize, body: &Bytes, now: Timestamp) -> Result<SpotPrice, FeedError> {
    let not = |_| bad("a price answer of another shape");
    let price = |usd: Option<&RawValue>| whole_dollars(optional(usd).ok_or_else(|| bad("an answer without a price"))?);
    let base = SpotPrice {
        source: "coingecko".into(),
        usd_cents: 0,
        market_cap_usd: None,
        volume_24h_usd: None,
        high_24h_usd: None,
        ath_usd: None,
        ath_date: None,
        ath_change_pct: None,
        source_updated_at: None,
        observed_at: now,
    };
    match path {
        0 => {
            let rows: Vec<MarketRow<'_>> = serde_json::from_slice(body).map_err(not)?;
            let row = rows.iter().find(|r| r.id == "bitcoin").ok_or_else(|| bad("an answer without bitcoin"))?;
            Ok(SpotPrice {
                usd_cents: price(row.current_price)?,
                market_cap_usd: optional(row.market_cap),
                volume_24h_usd: optional(row.total_volume),
                high_24h_usd: optional(row.high_24h),
                ath_usd: optional(row.ath),
                ath_date: row.ath_date.as_deref().and_then(date),
                ath_change_pct: optional(row.ath_change_percentage),
                source_updated_at: row.last_updated.as_deref().and_then(instant),
                ..base
            })
        }
        1 => {
            let coin: Coin<'_> = serde_json::from_slice(body).map_err(not)?;
            let data = coin.market_data;
            let usd = |u: &Option<Usd<'_>>| u.as_ref().and_then(|u| optional(u.usd));
            Ok(SpotPrice {
                usd_cents: price(data.current_price.usd)?,
                market_cap_usd: usd(&data.market_cap),
                volume_24h_usd: usd(&data.total_volume),
                high_24h_usd: usd(&data.high_24h),
                ath_usd: usd(&data.ath),
                ath_date: data.ath_date.and_then(|d| d.usd).as_deref().and_then(date),
                ath_change_pct: usd(&data.ath_change_percentage),
                source_updated_at: coin.last_updated.as_deref().and_then(instant),
                ..base
            })
        }
        _ => {
            let simple: Simple<'_> = serde_json::from_slice(body).map_err(not)?;
            Ok(SpotPrice {
                usd_cents: price(simple.bitcoin.usd)?,
                market_cap_usd: optional(simple.bitcoin.usd_market_cap),
                volume_24h_usd: optional(simple.bitcoin.usd_24h_vol),
                source_updated_at: simple.bitcoin.last_updated_at.map(Timestamp::from_secs),
                ..base
            })
        }
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|t| Timestamp::from_micros(t.timestamp_micros()))
}

/// `2021-11-10T14:24:11.849Z` to `2021-11-10`.
fn date(text: &str) -> Option<String> {
    instant(text).map(Timestamp::date)
}

#[derive(Deserialize)]
struct Points<'a> {
    #[serde(borrow)]
    prices: Vec<(&'a RawValue, &'a RawValue)>,
}

fn read_points(body: &Bytes) -> Result<Vec<ChartPoint>, FeedError> {
    let read: Points<'_> = serde_json::from_slice(body).map_err(|_| bad("a chart of another shape"))?;
    let mut points = Vec::with_capacity(read.prices.len());
    for (at, usd) in read.prices {
        let ms =
            decimal(at).and_then(|d| i64::try_from(d.trunc()).ok()).ok_or_else(|| bad("a chart time out of range"))?;
        let usd = decimal(usd).ok_or_else(|| bad("a chart price that is no number"))?;
        points.push(ChartPoint { at: Timestamp::from_millis(ms), usd_cents: whole_dollars(usd)? });
    }
    points.sort_by_key(|p| p.at);
    points.dedup_by_key(|p| p.at);
    if points.is_empty() {
        return Err(bad("a chart without points"));
    }
    Ok(thin(points, Chart::POINTS_MAX))
}

/// Every n-th point and the last, at most `max`.
fn thin(points: Vec<ChartPoint>, max: usize) -> Vec<ChartPoint> {
    if points.len() <= max {
        return points;
    }
    let step = points.len().div_ceil(max - 1);
    let last = points.last().copied();
    let mut kept: Vec<_> = points.into_iter().step_by(step).collect();
    if kept.last() != last.as_ref() {
        kept.extend(last);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        let raw = |t: &str| decimal(&RawValue::from_string(t.into()).unwrap());
        assert_eq!(raw("37066.77"), Some("37066.77".parse().unwrap()));
        assert_eq!(raw("7.24e11"), Some("724000000000".parse().unwrap()));
        assert_eq!(raw("null"), None);
        for (usd, cents) in [("37066.77", 3_706_700), ("37066.5", 3_706_700), ("37066.49", 3_706_600), ("1", 100)] {
            assert_eq!(whole_dollars(usd.parse().unwrap()).unwrap(), cents);
        }
        for usd in ["0.4", "-5", "0", "99999999999"] {
            assert!(whole_dollars(usd.parse().unwrap()).is_err(), "{usd}");
        }
    }

    #[test]
    fn long_charts_are_thinned_to_their_ends() {
        let points: Vec<_> = (0..10_000).map(|i| ChartPoint { at: Timestamp::from_secs(i), usd_cents: i }).collect();
        let kept = thin(points.clone(), 3_000);
        assert!(kept.len() <= 3_000 && kept.len() > 2_000);
        assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
    }
}

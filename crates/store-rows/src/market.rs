//! Market data.

use orrery_kernel::{StoreError, Timestamp};
use orrery_market::{Chart, ChartPoint, PriceRow, Sentiment, Setting, SpotPrice, Timeframe};
use rust_decimal::Decimal;

use crate::{Columns, corrupt};

/// A figure as text.
pub fn text(d: Option<Decimal>) -> Option<String> {
    d.map(|d| d.to_string())
}

fn decimal(row: &dyn Columns, i: usize) -> Result<Option<Decimal>, StoreError> {
    let text: Option<&str> = row.get(i)?;
    text.map(|t| t.parse().map_err(|e| corrupt("prices", format!("column {i}: {e}")))).transpose()
}

/// The eleven columns of a price.
pub fn price(row: &dyn Columns) -> Result<PriceRow, StoreError> {
    Ok(PriceRow {
        id: row.get(0)?,
        price: SpotPrice {
            source: row.get(1)?,
            usd_cents: row.get(2)?,
            market_cap_usd: decimal(row, 3)?,
            volume_24h_usd: decimal(row, 4)?,
            high_24h_usd: decimal(row, 5)?,
            ath_usd: decimal(row, 6)?,
            ath_date: row.get(7)?,
            ath_change_pct: decimal(row, 8)?,
            source_updated_at: row.get::<Option<i64>>(9)?.map(Timestamp::from_micros),
            observed_at: row.time(10)?,
        },
    })
}

/// A chart's points as JSON: `[[time, US cents], …]`.
pub fn points(chart: &Chart) -> Result<String, StoreError> {
    let points: Vec<(i64, i64)> = chart.points.iter().map(|p| (p.at.micros(), p.usd_cents)).collect();
    serde_json::to_string(&points).map_err(|e| corrupt("charts.points", e))
}

/// The four columns of a chart, with its id.
pub fn chart(row: &dyn Columns, timeframe: Timeframe) -> Result<(i64, Chart), StoreError> {
    let points: Vec<(i64, i64)> = serde_json::from_str(row.get(2)?).map_err(|e| corrupt("charts.points", e))?;
    let points =
        points.into_iter().map(|(at, usd_cents)| ChartPoint { at: Timestamp::from_micros(at), usd_cents }).collect();
    Ok((row.get(0)?, Chart { timeframe, source: row.get(1)?, points, observed_at: row.time(3)? }))
}

/// The six columns of a sentiment, with its id.
pub fn sentiment(row: &dyn Columns) -> Result<(i64, Sentiment), StoreError> {
    let sentiment = Sentiment {
        source: row.get(1)?,
        value: row.get(2)?,
        classification: row.get(3)?,
        data_date: row.get(4)?,
        observed_at: row.time(5)?,
    };
    Ok((row.get(0)?, sentiment))
}

/// The three columns of a setting.
pub fn setting(row: &dyn Columns) -> Result<Setting, StoreError> {
    Ok(Setting { name: row.get(0)?, value_e4: row.get(1)?, updated_at: row.time(2)? })
}

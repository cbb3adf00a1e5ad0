//! The market's port.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};
use orrery_market::{Chart, ChartPoint, MarketStore, PriceRow, Sentiment, Setting, SpotPrice, Timeframe};
use rust_decimal::Decimal;

use crate::call::Fields;
use crate::db::Sqlite;
use crate::error::corrupt;
use crate::sql::market as sql;

const PRICES_MAX: i64 = 100_000;
const CHARTS_MAX: i64 = 2;
const SENTIMENT_DAYS_MAX: i64 = 1_000;

fn text(d: Option<Decimal>) -> Option<String> {
    d.map(|d| d.to_string())
}

fn decimal(row: &Fields, i: usize) -> Result<Option<Decimal>, StoreError> {
    let text: Option<&str> = row.get(i)?;
    text.map(|t| t.parse().map_err(|e| corrupt("prices", format!("column {i}: {e}")))).transpose()
}

fn price(row: &Fields) -> Result<PriceRow, StoreError> {
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

#[async_trait]
impl MarketStore for Sqlite {
    async fn append_price(&self, price: &SpotPrice) -> Result<PriceRow, StoreError> {
        let price = price.clone();
        self.write(|tx| {
            Box::pin(async move {
                let insert = sql::INSERT_PRICE
                    .call()
                    .bind(price.source.clone())
                    .bind(price.usd_cents)
                    .bind(text(price.market_cap_usd))
                    .bind(text(price.volume_24h_usd))
                    .bind(text(price.high_24h_usd))
                    .bind(text(price.ath_usd))
                    .bind(price.ath_date.clone())
                    .bind(text(price.ath_change_pct))
                    .bind(price.source_updated_at.map(Timestamp::micros))
                    .bind(price.observed_at.micros());
                let id: i64 = tx.one(insert).await?.get(0)?;
                tx.execute(sql::PRUNE_PRICES.call().bind(id - PRICES_MAX)).await?;
                Ok(PriceRow { id, price })
            })
        })
        .await
    }

    async fn prices(&self, limit: u32) -> Result<Vec<PriceRow>, StoreError> {
        self.all(sql::PRICES.call().bind(limit)).await?.iter().map(price).collect()
    }

    async fn settings(&self) -> Result<Vec<Setting>, StoreError> {
        let setting = |row: &Fields| Ok(Setting { name: row.get(0)?, value_e4: row.get(1)?, updated_at: row.time(2)? });
        self.all(sql::SETTINGS.call()).await?.iter().map(setting).collect()
    }

    async fn put_settings(&self, settings: &[Setting]) -> Result<(), StoreError> {
        let settings = settings.to_vec();
        self.write(|tx| {
            Box::pin(async move {
                for s in settings {
                    let put = sql::PUT_SETTING.call().bind(s.name).bind(s.value_e4).bind(s.updated_at.micros());
                    tx.execute(put).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn put_chart(&self, chart: &Chart) -> Result<i64, StoreError> {
        let points: Vec<(i64, i64)> = chart.points.iter().map(|p| (p.at.micros(), p.usd_cents)).collect();
        let points = serde_json::to_string(&points).map_err(|e| corrupt("charts.points", e))?;
        let name = chart.timeframe.name();
        let insert = sql::INSERT_CHART
            .call()
            .bind(name)
            .bind(chart.source.clone())
            .bind(points)
            .bind(chart.observed_at.micros());
        self.write(move |tx| {
            Box::pin(async move {
                let id = tx.one(insert).await?.get(0)?;
                tx.execute(sql::PRUNE_CHARTS.call().bind(name).bind(CHARTS_MAX)).await?;
                Ok(id)
            })
        })
        .await
    }

    async fn chart(&self, timeframe: Timeframe) -> Result<Option<(i64, Chart)>, StoreError> {
        let Some(row) = self.optional(sql::CHART.call().bind(timeframe.name())).await? else { return Ok(None) };
        let points: Vec<(i64, i64)> = serde_json::from_str(row.get(2)?).map_err(|e| corrupt("charts.points", e))?;
        let points = points
            .into_iter()
            .map(|(at, usd_cents)| ChartPoint { at: Timestamp::from_micros(at), usd_cents })
            .collect();
        Ok(Some((row.get(0)?, Chart { timeframe, source: row.get(1)?, points, observed_at: row.time(3)? })))
    }

    async fn put_sentiment(&self, sentiment: &Sentiment) -> Result<i64, StoreError> {
        let put = sql::PUT_SENTIMENT
            .call()
            .bind(sentiment.data_date.clone())
            .bind(sentiment.source.clone())
            .bind(sentiment.value)
            .bind(sentiment.classification.clone())
            .bind(sentiment.observed_at.micros());
        self.write(|tx| {
            Box::pin(async move {
                let id = tx.one(put).await?.get(0)?;
                tx.execute(sql::PRUNE_SENTIMENT.call().bind(SENTIMENT_DAYS_MAX)).await?;
                Ok(id)
            })
        })
        .await
    }

    async fn sentiment(&self) -> Result<Option<(i64, Sentiment)>, StoreError> {
        let Some(row) = self.optional(sql::SENTIMENT.call()).await? else { return Ok(None) };
        let sentiment = Sentiment {
            source: row.get(1)?,
            value: row.get(2)?,
            classification: row.get(3)?,
            data_date: row.get(4)?,
            observed_at: row.time(5)?,
        };
        Ok(Some((row.get(0)?, sentiment)))
    }
}

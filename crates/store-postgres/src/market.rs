//! The market's port.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp};
use orrery_market::{Chart, MarketStore, PriceRow, Sentiment, Setting, SpotPrice, Timeframe};
use orrery_store_rows::market as rows;

use crate::db::Postgres;
use crate::sql::market as sql;
use crate::write::Lock;

const PRICES_MAX: i64 = 100_000;
const CHARTS_MAX: i64 = 2;
const SENTIMENT_DAYS_MAX: i64 = 1_000;

#[async_trait]
impl MarketStore for Postgres {
    async fn append_price(&self, price: &SpotPrice) -> Result<PriceRow, StoreError> {
        let price = price.clone();
        self.write(Lock::Market, |tx| {
            Box::pin(async move {
                let insert = sql::INSERT_PRICE
                    .call()
                    .bind(price.source.clone())
                    .bind(price.usd_cents)
                    .bind(rows::text(price.market_cap_usd))
                    .bind(rows::text(price.volume_24h_usd))
                    .bind(rows::text(price.high_24h_usd))
                    .bind(rows::text(price.ath_usd))
                    .bind(price.ath_date.clone())
                    .bind(rows::text(price.ath_change_pct))
                    .bind(price.source_updated_at.map(Timestamp::micros))
                    .bind(price.observed_at.micros());
                let id: i64 = tx.one(insert).await?.columns().get(0)?;
                tx.execute(sql::PRUNE_PRICES.call().bind(id - PRICES_MAX)).await?;
                Ok(PriceRow { id, price })
            })
        })
        .await
    }

    async fn prices(&self, limit: u32) -> Result<Vec<PriceRow>, StoreError> {
        self.all(sql::PRICES.call().bind(i64::from(limit))).await?.iter().map(|row| rows::price(row)).collect()
    }

    async fn settings(&self) -> Result<Vec<Setting>, StoreError> {
        self.all(sql::SETTINGS.call()).await?.iter().map(|row| rows::setting(row)).collect()
    }

    async fn put_settings(&self, settings: &[Setting]) -> Result<(), StoreError> {
        let settings = settings.to_vec();
        self.write(Lock::Market, |tx| {
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
        let name = chart.timeframe.name();
        let insert = sql::INSERT_CHART
            .call()
            .bind(name)
            .bind(chart.source.clone())
            .bind(rows::points(chart)?)
            .bind(chart.observed_at.micros());
        self.write(Lock::Market, move |tx| {
            Box::pin(async move {
                let id = tx.one(insert).await?.columns().get(0)?;
                tx.execute(sql::PRUNE_CHARTS.call().bind(name).bind(CHARTS_MAX)).await?;
                Ok(id)
            })
        })
        .await
    }

    async fn chart(&self, timeframe: Timeframe) -> Result<Option<(i64, Chart)>, StoreError> {
        let row = self.optional(sql::CHART.call().bind(timeframe.name())).await?;
        row.map(|row| rows::chart(&row, timeframe)).transpose()
    }

    async fn put_sentiment(&self, sentiment: &Sentiment) -> Result<i64, StoreError> {
        let put = sql::PUT_SENTIMENT
            .call()
            .bind(sentiment.data_date.clone())
            .bind(sentiment.source.clone())
            .bind(i64::from(sentiment.value))
            .bind(sentiment.classification.clone())
            .bind(sentiment.observed_at.micros());
        self.write(Lock::Market, |tx| {
            Box::pin(async move {
                let id = tx.one(put).await?.columns().get(0)?;
                tx.execute(sql::PRUNE_SENTIMENT.call().bind(SENTIMENT_DAYS_MAX)).await?;
                Ok(id)
            })
        })
        .await
    }

    async fn sentiment(&self) -> Result<Option<(i64, Sentiment)>, StoreError> {
        self.optional(sql::SENTIMENT.call()).await?.map(|row| rows::sentiment(&row)).transpose()
    }
}

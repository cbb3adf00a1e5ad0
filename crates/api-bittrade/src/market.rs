//! `/api/bitcoin/*` and `/api/market-rates`.

use std::sync::Arc;

use axum::Json as Reply;
use axum::extract::State;
use orrery_app::App;
use orrery_app::market::Quote;
use orrery_http_kit::{Anonymous, Fail, Query, Segment};
use orrery_kernel::{Error, ErrorCode, Timestamp};
use orrery_market::Timeframe;
use orrery_protocol::bittrade::{
    ChartReply, CurrentReply, ErrorBody, HistoryItem, PointBody, RatesReply, SentimentReply,
};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;

use crate::BitTrade;

const HISTORY_DEFAULT: u32 = 10;
const HISTORY_MAX: u32 = 1_000;

fn no_price() -> Error {
    Error::new(ErrorCode::NotFound, "No Bitcoin data found")
}

fn number(decimal: Option<Decimal>) -> Option<f64> {
    decimal.and_then(|d| d.to_f64())
}

fn stale(app: &App, quote: &Quote, now: Timestamp) -> bool {
    now.since(quote.snapshot.price.observed_at) > app.market.max_age()
}

/// Market data now
#[utoipa::path(get, path = "/api/bitcoin/current", tag = "market",
    responses((status = 200, body = CurrentReply), (status = 404, body = ErrorBody)))]
pub(crate) async fn current(
    State(app): State<Arc<App>>,
    Anonymous(ctx, _): Anonymous<BitTrade>,
) -> Result<Reply<CurrentReply>, Fail<BitTrade>> {
    let (quote, cached) = app.market.current(ctx.now).await?.ok_or_else(no_price)?;
    let (seen, price) = (&quote.row.price, &quote.snapshot.price);
    Ok(Reply(CurrentReply {
        id: quote.row.id,
        btc_usd_price: price.btc_usd_cents / 100,
        market_cap_usd: number(seen.market_cap_usd),
        volume_24h_usd: number(seen.volume_24h_usd),
        high_24h_usd: number(seen.high_24h_usd),
        ath_usd: number(seen.ath_usd),
        ath_date: seen.ath_date.clone(),
        ath_change_pct: number(seen.ath_change_pct),
        last_updated: price.observed_at.iso(),
        buy_rate_inr: price.buy_rate / 100,
        sell_rate_inr: price.sell_rate / 100,
        cached,
        source: price.source.clone(),
        stale: stale(&app, &quote, ctx.now),
    }))
}

/// Buy and sell rates now
#[utoipa::path(get, path = "/api/market-rates", tag = "market",
    responses((status = 200, body = RatesReply), (status = 404, body = ErrorBody)))]
pub(crate) async fn rates(
    State(app): State<Arc<App>>,
    Anonymous(ctx, _): Anonymous<BitTrade>,
) -> Result<Reply<RatesReply>, Fail<BitTrade>> {
    let (quote, cached) = app.market.current(ctx.now).await?.ok_or_else(no_price)?;
    let price = &quote.snapshot.price;
    Ok(Reply(RatesReply {
        btc_usd_price: price.btc_usd_cents / 100,
        buy_rate_inr: price.buy_rate / 100,
        sell_rate_inr: price.sell_rate / 100,
        timestamp: ctx.now.iso(),
        cached,
        source: price.source.clone(),
        observed_at: price.observed_at.iso(),
        stale: stale(&app, &quote, ctx.now),
    }))
}

/// A chart
#[utoipa::path(get, path = "/api/bitcoin/chart/{timeframe}", tag = "market",
    params(("timeframe" = String, Path, description = "1d, 7d, 30d, 90d or 365d")),
    responses((status = 200, body = ChartReply), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn chart(
    State(app): State<Arc<App>>,
    Anonymous(ctx, _): Anonymous<BitTrade>,
    Segment(timeframe, _): Segment<BitTrade>,
) -> Result<Reply<ChartReply>, Fail<BitTrade>> {
    let timeframe = Timeframe::parse(&timeframe).ok_or_else(|| Error::invalid("timeframe", "Invalid timeframe"))?;
    let (id, chart, cached) = app
        .market
        .chart(timeframe, ctx.now)
        .await?
        .ok_or_else(|| Error::new(ErrorCode::NotFound, format!("No chart data found for {}", timeframe.name())))?;
    // the document shows these two without zone and fraction
    let bare = |at: Option<Timestamp>| at.map(|t| t.iso()[..19].to_owned()).unwrap_or_default();
    Ok(Reply(ChartReply {
        id,
        timeframe: timeframe.name().into(),
        data_points_count: chart.points.len(),
        price_change_pct: number(chart.change_pct()),
        date_from: bare(chart.points.first().map(|p| p.at)),
        date_to: bare(chart.points.last().map(|p| p.at)),
        price_data: chart
            .points
            .iter()
            .map(|p| PointBody { timestamp: p.at.iso(), price: p.usd_cents / 100 })
            .collect(),
        last_updated: chart.observed_at.iso(),
        cached,
        source: chart.source,
    }))
}

/// Fear & Greed index
#[utoipa::path(get, path = "/api/bitcoin/sentiment", tag = "market",
    responses((status = 200, body = SentimentReply), (status = 404, body = ErrorBody)))]
pub(crate) async fn sentiment(
    State(app): State<Arc<App>>,
    Anonymous(ctx, _): Anonymous<BitTrade>,
) -> Result<Reply<SentimentReply>, Fail<BitTrade>> {
    let (id, sentiment, cached) = app
        .market
        .sentiment(ctx.now)
        .await?
        .ok_or_else(|| Error::new(ErrorCode::NotFound, "No sentiment data found"))?;
    Ok(Reply(SentimentReply {
        id,
        fear_greed_value: sentiment.value,
        fear_greed_classification: sentiment.classification,
        data_date: sentiment.data_date,
        last_updated: sentiment.observed_at.iso(),
        cached,
        source: sentiment.source,
    }))
}

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    limit: Option<String>,
}

/// Recent prices, newest first
#[utoipa::path(get, path = "/api/bitcoin/history", tag = "market",
    params(("limit" = Option<u32>, Query, description = "1 to 1000, default 10")),
    responses((status = 200, body = Vec<HistoryItem>), (status = 400, body = ErrorBody)))]
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    Anonymous(_, _): Anonymous<BitTrade>,
    Query(query, _): Query<BitTrade, HistoryQuery>,
) -> Result<Reply<Vec<HistoryItem>>, Fail<BitTrade>> {
    let limit = crate::trading::whole("limit", query.limit.as_deref(), HISTORY_DEFAULT, HISTORY_MAX)?;
    let rows = app.market.history(limit).await?;
    Ok(Reply(
        rows.into_iter()
            .map(|row| HistoryItem {
                id: row.id,
                btc_usd_price: row.price.usd_cents / 100,
                market_cap_usd: number(row.price.market_cap_usd),
                created_at: row.price.observed_at.iso(),
            })
            .collect(),
    ))
}

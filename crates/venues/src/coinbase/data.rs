//! What everybody may see of a market over time: "Get Public Market Trades" and "Get Public Product Candles".

use super::Dialect;
use super::orders::until;
use super::sign::public;
use crate::exchange::{Result, required};
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::unified::{Candle, Trade};
use crate::{Dialect as _, ErrorClass, Fields, encoded};

/// Candles of one answer, at most.
const CANDLES: i64 = 300;
/// Trades of one answer, at most.
const TRADES: i64 = 1000;

fn seconds(ms: i64) -> String {
    (ms / 1_000).to_string()
}

/// Seconds of `15m`.
fn length(timeframe: &str) -> Option<i64> {
    let (count, unit) = timeframe.split_at_checked(timeframe.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        "M" => 2_592_000,
        "y" => 31_536_000,
        _ => return None,
    };
    count.parse::<i64>().ok().filter(|count| *count > 0)?.checked_mul(seconds)
}

fn granularity(timeframe: &str) -> &str {
    match timeframe {
        "1m" => "ONE_MINUTE",
        "5m" => "FIVE_MINUTE",
        "15m" => "FIFTEEN_MINUTE",
        "30m" => "THIRTY_MINUTE",
        "1h" => "ONE_HOUR",
        "2h" => "TWO_HOUR",
        "6h" => "SIX_HOUR",
        "1d" => "ONE_DAY",
        other => other,
    }
}

impl Dialect {
    pub(super) async fn trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let (until, params) = until(&q.params);
        if q.page.since.is_some() && until.is_none() {
            return Err(required(q.exchange.venue(), q.method, "until (of params, beside since)"));
        }
        let fields = Fields::new()
            .with_some("start", q.page.since.map(seconds))
            .with_some("limit", q.page.limit.map(|limit| limit.min(TRADES)))
            .with_some("end", until.map(seconds));
        let q = Query { params, ..q };
        let context = market.context(&markets);
        let request = public(&q, &format!("products/{}/ticker", encoded(&market.id)), fields)?;
        let mut trades =
            q.exchange.ask(request, |body| body.get("trades").each(|one| self.trade(one, context))).await?;
        trades.sort_by(|one, other| (one.time.0, &one.id).cmp(&(other.time.0, &other.id)));
        trades.retain(|trade| trade.symbol.as_ref() == Some(&market.symbol));
        Ok(q.page.of(trades, |trade| trade.time.0))
    }

    pub(super) async fn candles(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let limit = q.page.limit.map_or(CANDLES, |limit| limit.min(CANDLES));
        let unknown = || q.error(ErrorClass::NotSupported, &format!("knows no timeframe {:?}", q.timeframe));
        let span = length(q.timeframe).and_then(|length| length.checked_mul(limit)).ok_or_else(unknown)?;
        let start = match q.page.since {
            Some(since) => since / 1_000,
            None => q.exchange.now() / 1_000 - span,
        };
        let end = q.params.text(&["until", "end"]).and_then(|digits| digits.parse().ok()).map(seconds);
        let fields = Fields::new()
            .with("granularity", granularity(q.timeframe))
            .with("start", start.to_string())
            .with("end", end.unwrap_or_else(|| start.saturating_add(span).to_string()));
        let mut page = q.page;
        page.limit = Some(limit);
        let q = Query { params: q.params.clone().without(&["until", "end"]), ..q };
        let context = market.context(&markets);
        let request = public(&q, &format!("products/{}/candles", encoded(&market.id)), fields)?;
        let read = |body: &Json<'_>| body.get("candles").each(|one| self.candle(one, context));
        let mut candles = q.exchange.ask(request, read).await?;
        candles.sort_by_key(|candle| candle.0);
        Ok(page.of(candles, |candle| candle.0))
    }
}

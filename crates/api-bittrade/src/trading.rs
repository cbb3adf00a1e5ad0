//! `/api/trade`, `/api/balance`, `/api/transactions`.

use std::sync::Arc;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue};
use orrery_app::App;
use orrery_app::desk::Declined;
use orrery_app::trading::Trading;
use orrery_http_kit::{Auth, Fail, Json, Query};
use orrery_kernel::{AMOUNT_MAX, Asset, Error, parse_minor};
use orrery_ledger::{IdemKey, Kind, Side, Size};
use orrery_protocol::Rupees;
use orrery_protocol::bittrade::{BalanceBody, ErrorBody, TradeReply, TradeRequest, TransactionsReply};
use serde::Deserialize;

use crate::{BitTrade, fields, render};

const PAGE_ROWS_DEFAULT: u32 = 50;

/// The client's `Idempotency-Key`, if it sent one (draft-ietf-httpapi-idempotency-key-header; a
/// quoted string is taken without its quotes).
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdemKey>, Error> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bad = || Error::invalid("Idempotency-Key", "Idempotency-Key must be 1 to 128 visible ASCII characters");
    if values.next().is_some() {
        return Err(Error::invalid("Idempotency-Key", "Idempotency-Key must be sent once"));
    }
    let text = value.to_str().map_err(|_| bad())?;
    let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    // names that our own jobs use are not to be taken by clients
    IdemKey::new(text).map(Some).map_err(|_| bad())
}

/// Marks an answer that was given before.
pub(crate) fn replayed(mut response: Response, replay: bool) -> Response {
    if replay {
        response.headers_mut().insert("idempotent-replay", HeaderValue::from_static("true"));
    }
    response
}

pub(crate) fn refused(e: Declined) -> Response {
    replayed(Fail::<BitTrade>::from(e.error).into_response(), e.replay)
}

/// A whole number of a query string within `1..=max`.
pub(crate) fn whole(field: &'static str, text: Option<&str>, default: u32, max: u32) -> Result<u32, Error> {
    let Some(text) = text else { return Ok(default) };
    let number = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number
        .filter(|n| (1..=max).contains(n))
        .ok_or_else(|| Error::invalid(field, format!("{field} must be a whole number between 1 and {max}")))
}

fn parse(request: &TradeRequest) -> Result<(Side, Size), Error> {
    let side = match request.action.as_deref() {
        Some("buy") => Side::Buy,
        Some("sell") => Side::Sell,
        _ => return Err(Error::invalid("action", r#"Invalid action. Must be "buy" or "sell""#)),
    };
    if request.kind.as_deref() != Some("market") {
        return Err(Error::invalid("type", "Only market orders are supported in this endpoint"));
    }
    let invalid = |why: &str| Error::invalid("amount", format!("Invalid amount{why}"));
    let text = request.amount.as_ref().map(|a| a.0.as_str()).filter(|t| !t.is_empty()).ok_or_else(|| invalid(""))?;
    let asset = match request.currency.as_deref() {
        Some("inr") => Asset::INR,
        Some("btc") => Asset::BTC,
        _ => {
            // a bad amount is told first, as the documented server does
            parse_minor(text, Asset::BTC.decimals()).map_err(|e| invalid(&format!(": it {e}")))?;
            return Err(Error::invalid("currency", r#"Invalid currency. Must be "inr" or "btc""#));
        }
    };
    let amount = parse_minor(text, asset.decimals()).map_err(|e| invalid(&format!(": it {e}")))?;
    if !(1..=AMOUNT_MAX).contains(&amount) {
        return Err(invalid(": it must be more than zero"));
    }
    Ok((side, if asset == Asset::INR { Size::Inr(amount) } else { Size::Btc(amount) }))
}

/// Trade at the market
///
/// Send an `Idempotency-Key` to make a retry safe: under one key there is at most one trade, and
/// the first answer comes again with `Idempotent-Replay: true`.
#[utoipa::path(post, path = "/api/trade", tag = "trading", security(("bearer" = [])), request_body = TradeRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = TradeReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn trade(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, TradeRequest>,
) -> Result<Response, Fail<BitTrade>> {
    let (side, size) = parse(&request)?;
    let key = idempotency_key(&headers)?;
    let traded = match app.trading.trade(&ctx, side, size, key).await {
        Ok(traded) => traded,
        Err(e) => return Ok(refused(e)),
    };
    let receipt = traded.receipt;
    let reply = TradeReply {
        id: receipt.seq,
        kind: if receipt.kind == Kind::MarketBuy { "MARKET_BUY" } else { "MARKET_SELL" }.into(),
        action: if receipt.kind == Kind::MarketBuy { "buy" } else { "sell" }.into(),
        btc_amount: receipt.btc,
        inr_amount: Rupees(receipt.inr),
        inr_amount_paise: receipt.inr,
        execution_price: Rupees(receipt.rate),
        execution_price_paise: receipt.rate,
        status: "EXECUTED".into(),
        timestamp: receipt.at.iso(),
        updated_balance: render::balance(&receipt.sheet),
    };
    Ok(replayed(Reply(reply).into_response(), traded.replay))
}

/// Own balances
#[utoipa::path(get, path = "/api/balance", tag = "trading", security(("bearer" = [])), responses(
    (status = 200, body = BalanceBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn balance(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<BalanceBody>, Fail<BitTrade>> {
    let (sheet, _) = app.trading.balance(&ctx).await?;
    Ok(Reply(render::balance(&sheet)))
}

#[derive(Deserialize)]
pub(crate) struct PageQuery {
    limit: Option<String>,
    page: Option<String>,
    before: Option<String>,
}

/// Own transactions, newest first
///
/// By page, or after a cursor: with `before`, the page begins below that transaction, so that it does
/// not shift when transactions are added.
#[utoipa::path(get, path = "/api/transactions", tag = "trading", security(("bearer" = [])), params(
    ("limit" = Option<u32>, Query, description = "1 to 200, default 50"),
    ("page" = Option<u32>, Query, description = "from 1"),
    ("before" = Option<i64>, Query, description = "only transactions older than this one")), responses((status = 200, body = TransactionsReply),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn transactions(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Query(query, _): Query<BitTrade, PageQuery>,
) -> Result<Reply<TransactionsReply>, Fail<BitTrade>> {
    let limit = whole("limit", query.limit.as_deref(), PAGE_ROWS_DEFAULT, Trading::LIMIT_MAX)?;
    let page = whole("page", query.page.as_deref(), 1, Trading::PAGE_MAX)?;
    let bad = || Error::invalid("before", "before must be the id of a transaction");
    let before = query.before.as_deref().map(|text| fields::number(text).ok_or_else(bad)).transpose()?;
    let statement = app.trading.transactions(&ctx, page, limit, before).await?;
    Ok(Reply(TransactionsReply {
        transactions: statement.lines.iter().map(render::transaction).collect(),
        page,
        limit,
        has_more: statement.more,
        next_before: if statement.more { statement.lines.last().map(|l| l.id) } else { None },
    }))
}

#[cfg(test)]
mod tests {
    use orrery_protocol::AmountText;

    use super::*;

    fn check(action: &str, kind: &str, amount: &str, currency: &str) -> Result<(Side, Size), String> {
        let some = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        let request = TradeRequest {
            action: some(action),
            kind: some(kind),
            amount: some(amount).map(AmountText),
            currency: some(currency),
        };
        parse(&request).map_err(|e| e.public.into_owned())
    }

    #[test]
    fn checks_come_in_the_documented_order() {
        assert_eq!(check("buy", "market", "1000.50", "inr"), Ok((Side::Buy, Size::Inr(100_050))));
        assert_eq!(check("sell", "market", "0.00000001", "btc"), Ok((Side::Sell, Size::Btc(1))));
        for (action, kind, amount, currency, start) in [
            ("hold", "limit", "x", "eur", "Invalid action"),
            ("buy", "limit", "x", "eur", "Only market orders"),
            ("buy", "market", "x", "eur", "Invalid amount"),
            ("buy", "market", "", "eur", "Invalid amount"),
            ("buy", "market", "1", "eur", "Invalid currency"),
            ("buy", "market", "0", "inr", "Invalid amount"),
            ("buy", "market", "1.001", "inr", "Invalid amount"),
            ("buy", "market", "-1", "inr", "Invalid amount"),
            ("buy", "market", "1e3", "inr", "Invalid amount"),
            ("buy", "market", "Infinity", "inr", "Invalid amount"),
            ("buy", "market", "0.000000001", "btc", "Invalid amount"),
        ] {
            let error = check(action, kind, amount, currency).expect_err(amount);
            assert!(error.starts_with(start), "{amount}: {error}");
        }
    }
}

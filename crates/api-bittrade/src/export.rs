//! `/api/transactions/export`: everything as CSV.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use orrery_app::App;
use orrery_http_kit::{Auth, Fail};
use orrery_kernel::{Asset, format_minor};
use orrery_ledger::Line;
use orrery_protocol::bittrade::ErrorBody;

use crate::{BitTrade, render};

/// The columns of the documented older server, and what identifies a row.
const HEADER: &str = "Date,Type,INR Amount,BTC Amount (Satoshis),Execution Price,Status,Transaction ID\r\n";

/// A field of a CSV file (RFC 4180) that no spreadsheet takes for a formula.
fn field(text: &str) -> String {
    let guarded = match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    };
    if guarded.contains([',', '"', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

fn row(line: &Line) -> String {
    let body = render::transaction(line);
    let inr = format_minor(line.inr, Asset::INR.decimals());
    let price = format_minor(line.rate, Asset::INR.decimals());
    let fields =
        [&body.created_at, &body.kind, &inr, &line.btc.to_string(), &price, &body.status, &line.id.to_string()]
            .map(|text| field(text));
    format!("{}\r\n", fields.join(","))
}

/// Own transactions as CSV
///
/// All of them, newest first, read page by page while they are sent.
#[utoipa::path(get, path = "/api/transactions/export", tag = "trading", security(("bearer" = [])), responses(
    (status = 200, body = String, content_type = "text/csv"), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody)))]
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Response, Fail<BitTrade>> {
    // the first page is read before the answer begins, so that a failure is an error and no half file
    let first = app.trading.export(&ctx, None).await?;
    let head = format!("# Orrery transactions of user {}, {}\r\n{HEADER}", name(&ctx), ctx.now.iso());
    let pages = stream::unfold(Some((first, Some(head))), move |state| {
        let (app, ctx) = (app.clone(), ctx.clone());
        async move {
            let (lines, head) = state?;
            let mut text = head.unwrap_or_default();
            lines.iter().for_each(|line| text.push_str(&row(line)));
            let next = match lines.last() {
                Some(last) => match app.trading.export(&ctx, Some(last.id)).await {
                    Ok(next) if next.is_empty() => None,
                    Ok(next) => Some((next, None)),
                    // the connection is cut, so that nobody takes this for the whole
                    Err(error) => return Some((Err(std::io::Error::other(error.to_string())), None)),
                },
                None => None,
            };
            Some((Ok::<_, std::io::Error>(Bytes::from(text)), next))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"transactions.csv\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn name(ctx: &orrery_app::Ctx) -> i64 {
    ctx.caller.as_ref().map_or(0, |c| c.user.0)
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn no_field_is_a_formula_or_breaks_its_row() {
        for (text, want) in [
            ("MARKET_BUY", "MARKET_BUY"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2", "'-2"),
            ("+2", "'+2"),
            ("\t=1", "'\t=1"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("", ""),
        ] {
            assert_eq!(field(text), want);
        }
    }
}

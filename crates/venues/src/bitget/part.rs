//! Which part of the exchange is asked, by CCXT's parameters: each of these takes its own and leaves the rest.

use crate::Fields;
use crate::unified::{Market, MarketKind};

/// Kinds of contracts ("Product Type").
pub(super) const PRODUCTS: [&str; 6] =
    ["USDT-FUTURES", "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES"];

/// The kind of contracts that a market is of; without a market those settled in USDT, or in coins if that is said.
pub(super) fn product(market: Option<&Market>, params: Fields) -> (String, Fields) {
    let inverse = params.text(&["subType", "defaultSubType"]) == Some("inverse");
    let asked = params.text(&["productType", "category"]).map(str::to_owned);
    let of = |market: &Market| match market.settle.as_deref() {
        None => "SPOT",
        Some("USDT") => "USDT-FUTURES",
        Some("USDC") => "USDC-FUTURES",
        Some("SUSDT") => "SUSDT-FUTURES",
        Some("SUSDC") => "SUSDC-FUTURES",
        Some("SBTC" | "SETH" | "SEOS") => "SCOIN-FUTURES",
        Some(_) => "COIN-FUTURES",
    };
    let other = if inverse { "COIN-FUTURES" } else { "USDT-FUTURES" };
    let product = asked.unwrap_or_else(|| market.map_or(other, of).to_owned());
    let params = params.without(&["productType", "category", "subType", "defaultSubType"]);
    let spot = market.is_some_and(|market| !market.contract());
    (product, if spot { margin_mode(params).1 } else { params })
}

/// Whether spot markets or contracts are asked for: `spot`, `swap` or `future`.
pub(super) fn kind(market: Option<&Market>, params: Fields) -> (String, Fields) {
    let of = |market: &Market| match market.kind {
        MarketKind::Spot => "spot",
        MarketKind::Swap => "swap",
        MarketKind::Future => "future",
    };
    let asked = params.text(&["defaultType", "type"]).map(str::to_owned);
    let kind = asked.unwrap_or_else(|| market.map_or("spot", of).to_owned());
    (kind, params.without(&["defaultType", "type"]))
}

/// Whether a margin is shared or not: `cross`, `isolated`, or nothing said.
pub(super) fn margin_mode(params: Fields) -> (Option<String>, Fields) {
    let mode = params.text(&["marginMode", "defaultMarginMode"]).map(str::to_owned);
    (mode, params.without(&["marginMode", "defaultMarginMode"]))
}

/// Whether orders are asked for that wait for a price.
pub(super) fn trigger(params: Fields) -> (bool, Fields) {
    (params.flag("stop") || params.flag("trigger"), params.without(&["stop", "trigger"]))
}

/// With the time until which is asked.
pub(super) fn until(fields: Fields, params: Fields) -> (Fields, Fields) {
    let until = params.text(&["until", "till"]).and_then(|digits| digits.parse::<i64>().ok());
    (fields.with_some("endTime", until), params.without(&["until", "till"]))
}

/// The account's name of an order.
pub(super) fn client_id(params: Fields) -> (Option<String>, Fields) {
    let id = params.text(&["clientOrderId", "clientOid"]).map(str::to_owned);
    (id, params.without(&["clientOrderId"]))
}

//! CCXT's parameters that say which endpoint is asked, and are not sent themselves.

use crate::exchange::Result;
use crate::query::Query;
use crate::unified::Market;
use crate::{Exchange, Fields};

/// The name under which is kept whether the account is one of the high-frequency system.
pub(super) const HIGH_FREQUENCY: &str = "hf";

fn drop(params: &mut Fields, names: &[&str]) {
    *params = std::mem::take(params).without(names);
}

/// Takes the text of the first of these names that has any, and leaves out all of them.
pub(super) fn take(params: &mut Fields, names: &[&str]) -> Option<String> {
    let text = params.text(names).map(str::to_owned);
    drop(params, names);
    text
}

/// Whether any of these is true; all of them are left out.
pub(super) fn take_flag(params: &mut Fields, names: &[&str]) -> bool {
    let holds = names.iter().any(|name| params.flag(name));
    drop(params, names);
    holds
}

/// `cross` or `isolated`, if orders with borrowed money are meant.
pub(super) fn margin_mode(params: &mut Fields) -> Option<String> {
    take(params, &["defaultMarginMode", "marginMode"])
}

/// Whether the account's spot orders are those of the high-frequency system: as asked, or as the account is.
pub(super) fn high_frequency(exchange: &Exchange, params: &mut Fields) -> bool {
    let asked = params.get(HIGH_FREQUENCY).is_some().then(|| params.flag(HIGH_FREQUENCY));
    drop(params, &[HIGH_FREQUENCY]);
    asked.or_else(|| exchange.learnt(HIGH_FREQUENCY).map(|said| &*said == "true")).unwrap_or(false)
}

/// Until when, under the exchange's name of it.
pub(super) fn until(params: &mut Fields, name: &str) -> Fields {
    Fields::new().with_some(name, take(params, &["until", "till"]).and_then(|text| text.parse::<i64>().ok()))
}

/// The part of the exchange that is asked: as `type` says, else that of the market, else the spot market.
pub(super) fn kind(params: &mut Fields, market: Option<&Market>) -> String {
    let of_market = if market.is_some_and(Market::contract) { "swap" } else { "spot" };
    take(params, &["defaultType", "type"]).unwrap_or_else(|| of_market.to_owned())
}

/// Whether contracts are meant.
pub(super) fn contracts(params: &mut Fields, market: Option<&Market>) -> bool {
    !matches!(kind(params, market).as_str(), "spot" | "margin")
}

/// The exchange's names of CCXT's modes of borrowing.
pub(super) fn trade_type(margin_mode: Option<&str>) -> &'static str {
    match margin_mode {
        Some("cross") => "MARGIN_TRADE",
        Some("isolated") => "MARGIN_ISOLATED_TRADE",
        _ => "TRADE",
    }
}

/// An account's own name for an order.
pub(super) fn client_id(params: &Fields) -> Option<&str> {
    params.text(&["clientOid", "clientOrderId"])
}

/// Refuses what is asked of unified accounts, which have endpoints of their own.
pub(super) fn classic(q: &mut Query<'_>) -> Result<()> {
    if take_flag(&mut q.params, &["uta"]) {
        return Err(crate::exchange::not_supported(q.exchange.venue(), "unified accounts"));
    }
    Ok(())
}

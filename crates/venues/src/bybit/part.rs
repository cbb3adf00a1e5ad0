//! The part of the exchange that is asked: `category` of V5.

use crate::Fields;
use crate::unified::{Market, MarketKind};

/// Of contracts settled in a stable coin.
pub(super) const LINEAR: &str = "linear";
/// Of contracts settled in the coin they are of.
pub(super) const INVERSE: &str = "inverse";

/// The part that a market is in.
pub(super) fn of(market: &Market) -> &'static str {
    match (market.kind, market.linear) {
        (MarketKind::Spot, _) => "spot",
        (_, Some(true)) => LINEAR,
        _ => INVERSE,
    }
}

/// The part that parameters name, or the market; and the other parameters.
pub(super) fn asked(market: Option<&Market>, params: Fields) -> (&'static str, Fields) {
    let part = match (params.text(&["defaultType", "type"]), params.text(&["subType", "defaultSubType"])) {
        (Some("spot"), _) => "spot",
        (Some("option"), _) => "option",
        (None, _) if market.is_some_and(|market| !market.contract()) => "spot",
        (_, Some("inverse")) => INVERSE,
        (_, Some("linear")) => LINEAR,
        _ => market.filter(|market| market.contract()).map_or(LINEAR, of),
    };
    (part, params.without(&["defaultType", "type", "subType", "defaultSubType"]))
}

/// Whether orders that wait for a price are asked for; and the other parameters.
pub(super) fn waiting(params: Fields) -> (Option<&'static str>, Fields) {
    let waits = params.flag("stop") || params.flag("trigger");
    (waits.then_some("StopOrder"), params.without(&["stop", "trigger"]))
}

/// The time that a list ends at; and the other parameters.
pub(super) fn until(params: Fields, names: &[&str]) -> (Option<i64>, Fields) {
    (params.text(names).and_then(|digits| digits.parse().ok()), params.without(names))
}

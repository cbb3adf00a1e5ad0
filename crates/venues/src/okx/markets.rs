//! Markets: "Get instruments".

use crate::json::{Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Range, Raw, Time};
use crate::{Number, Venue};

/// Spot markets, perpetual contracts and those with an end; options are none of ours.
pub(super) fn market(raw: &Json<'_>) -> Option<Market> {
    let description = Venue::Okx.description();
    let (kind, part) = match raw.get("instType").text()? {
        "SPOT" => (MarketKind::Spot, "spot"),
        "SWAP" => (MarketKind::Swap, "swap"),
        "FUTURES" => (MarketKind::Future, "future"),
        _ => return None,
    };
    let spot = kind == MarketKind::Spot;
    let id = raw.text_of(&["instId"])?.to_owned();
    let (base_id, quote_id) = pair(raw, &id, spot);
    let (base, quote) = (description.currency(&base_id), description.currency(&quote_id));
    let settle_id = raw.string_of(&["settleCcy"]);
    let settle = settle_id.as_deref().map(|id| description.currency(id));
    let expiry = Time::parse(raw.get("expTime").text()).0.filter(|_| kind == MarketKind::Future);
    let mut symbol = if base.is_empty() || quote.is_empty() { id.clone() } else { format!("{base}/{quote}") };
    if let Some(settle) = settle.as_ref().filter(|_| !spot) {
        symbol = format!("{symbol}:{settle}");
    }
    if let Some(day) = Time(expiry).day() {
        symbol = format!("{symbol}-{day}");
    }
    let number = |name: &str| raw.number_of(&[name]);
    let one = Number::from(1);
    let leverage = number("lever").unwrap_or(one).max(one);
    let fees = description.fees.of(Some(part));
    Some(Market {
        id,
        lowercase_id: None,
        symbol,
        base,
        linear: (!spot).then(|| settle_id.as_ref() == Some(&quote_id)),
        quote,
        settle,
        base_id,
        quote_id,
        settle_id,
        kind,
        margin: Some(spot && leverage > one),
        active: Some(raw.get("state").text() == Some("live")),
        taker: fees.taker,
        maker: fees.maker,
        contract_size: number("ctVal").filter(|_| !spot),
        expiry,
        precision: Precision { amount: number("lotSz"), price: number("tickSz"), ..Precision::default() },
        limits: Limits {
            leverage: Range { min: Some(one), max: Some(leverage) },
            amount: Range { min: number("minSz"), max: number("maxLmtSz") },
            price: Range::default(),
            cost: Range { min: None, max: number("maxMktSz").filter(|_| spot) },
            ..Limits::default()
        },
        margin_modes: None,
        index: None,
        stock: None,
        // when trading began, or else when the market was listed
        created: Time::parse(raw.text_of(&["contTdSwTime", "listTime"])).0,
        fee_rules: FeeRules::default(),
        info: Raw::of(raw),
    })
}

/// The exchange's names of base and quote currency: contracts have them in their underlying, and markets that are not
/// open yet only in their own name.
fn pair(raw: &Json<'_>, id: &str, spot: bool) -> (String, String) {
    let said = |name: &str| raw.string_of(&[name]).unwrap_or_default();
    let (base, quote) = (said("baseCcy"), said("quoteCcy"));
    let named = if spot { Some(id).filter(|_| base.is_empty() || quote.is_empty()) } else { raw.text_of(&["uly"]) };
    let Some(named) = named else { return (base, quote) };
    let mut parts = named.split('-').map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

//! Markets: "List Trading Pairs".

use crate::json::{Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Raw};
use crate::{Number, Venue};

/// Fee where prices are in won; elsewhere it is that of the description.
const FEE_IN_WON: &str = "0.0005";
/// Digits after the point that amounts and prices may have.
const DIGITS: u32 = 8;

pub(super) fn market(raw: &Json<'_>) -> Option<Market> {
    let description = Venue::Upbit.description();
    let id = raw.text_of(&["market"])?;
    let (quote_id, base_id) = id.split_once('-')?;
    let (base, quote) = (description.currency(base_id), description.currency(quote_id));
    let rules = &description.fees.trading;
    let in_won = if quote == "KRW" { Number::parse(FEE_IN_WON) } else { None };
    let step = Number::step(DIGITS);
    Some(Market {
        id: id.to_owned(),
        lowercase_id: None,
        symbol: format!("{base}/{quote}"),
        base,
        quote,
        settle: None,
        base_id: base_id.to_owned(),
        quote_id: quote_id.to_owned(),
        settle_id: None,
        kind: MarketKind::Spot,
        margin: Some(false),
        active: Some(true),
        linear: None,
        taker: in_won.or(rules.taker),
        maker: in_won.or(rules.maker),
        contract_size: None,
        expiry: None,
        precision: Precision { amount: step, price: step, ..Precision::default() },
        limits: Limits::default(),
        margin_modes: None,
        stock: None,
        index: Some(false),
        created: None,
        fee_rules: FeeRules { tier_based: rules.tier_based, percentage: rules.percentage, ..FeeRules::default() },
        info: Raw::of(raw),
    })
}

//! Markets: "Get All Symbols" of the spot market and of contracts.

use crate::json::{Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Range, Raw, Time};
use crate::{Number, Venue};

pub(super) fn market(raw: &Json<'_>) -> Option<Market> {
    if raw.get("multiplier").is_some() { contract(raw) } else { spot(raw) }
}

fn fee_rules() -> FeeRules {
    let fees = &Venue::Kucoin.description().fees.trading;
    FeeRules {
        tier_based: fees.tier_based,
        percentage: fees.percentage,
        side: fees.fee_side.as_deref(),
        tiers: fees.tiers.as_ref(),
    }
}

fn spot(raw: &Json<'_>) -> Option<Market> {
    let description = Venue::Kucoin.description();
    let id = raw.text_of(&["symbol"])?;
    let (base_id, quote_id) = id.split_once('-')?;
    let (base, quote) = (description.currency(base_id), description.currency(quote_id));
    let number = |name: &str| raw.number_of(&[name]);
    let fees = &description.fees.trading;
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
        margin: Some(raw.get("isMarginEnabled").flag() == Some(true)),
        active: raw.get("enableTrading").flag(),
        linear: None,
        taker: fees.taker,
        maker: fees.maker,
        contract_size: None,
        expiry: None,
        precision: Precision {
            amount: number("baseIncrement"),
            price: number("priceIncrement"),
            ..Precision::default()
        },
        limits: Limits {
            amount: Range { min: number("baseMinSize"), max: number("baseMaxSize") },
            cost: Range { min: number("quoteMinSize"), max: number("quoteMaxSize") },
            ..Limits::default()
        },
        margin_modes: Some((false, false)),
        index: None,
        stock: None,
        created: None,
        fee_rules: fee_rules(),
        info: Raw::of(raw),
    })
}

fn contract(raw: &Json<'_>) -> Option<Market> {
    let description = Venue::Kucoin.description();
    let code = |name: &str| raw.text_of(&[name]).map(|id| (id.to_owned(), description.currency(id)));
    let ((base_id, base), (quote_id, quote)) = (code("baseCurrency")?, code("quoteCurrency")?);
    let (settle_id, settle) = code("settleCurrency")?;
    let number = |names: &[&str]| raw.number_of(names);
    // what ends is not paid for holding it
    let ends = raw.get("nextFundingRateTime").text().is_none();
    let expiry = Time::parse(raw.get("expireDate").text());
    let mut symbol = format!("{base}/{quote}:{settle}");
    if ends {
        symbol = format!("{symbol}-{}", expiry.day()?);
    }
    let (lot, tick) = (number(&["lotSize"]), number(&["tickSize"]));
    let dearest = || number(&["quoteMaxSize"])?.over(number(&["baseMinSize"])?);
    let fees = &description.fees.trading;
    Some(Market {
        id: raw.text_of(&["symbol"])?.to_owned(),
        lowercase_id: None,
        symbol,
        base,
        quote,
        settle: Some(settle),
        base_id,
        quote_id,
        settle_id: Some(settle_id),
        kind: if ends { MarketKind::Future } else { MarketKind::Swap },
        margin: Some(false),
        active: Some(raw.get("status").text() == Some("Open")),
        linear: Some(raw.get("isInverse").flag() != Some(true)),
        taker: number(&["takerFeeRate"]).or(fees.taker),
        maker: number(&["makerFeeRate"]).or(fees.maker),
        contract_size: number(&["multiplier"]).map(Number::abs),
        expiry: expiry.0,
        precision: Precision { amount: lot, price: tick, ..Precision::default() },
        limits: Limits {
            leverage: Range { min: Some(1.into()), max: number(&["maxLeverage"]) },
            amount: Range { min: number(&["lotSize", "baseMinSize"]), max: number(&["maxOrderQty", "baseMaxSize"]) },
            price: Range { min: tick, max: number(&["maxPrice"]).or_else(dearest) },
            cost: Range { min: number(&["quoteMinSize"]), max: number(&["quoteMaxSize"]) },
            ..Limits::default()
        },
        margin_modes: None,
        index: None,
        stock: None,
        created: Time::parse(raw.get("firstOpenDate").text()).0,
        fee_rules: fee_rules(),
        info: Raw::of(raw),
    })
}

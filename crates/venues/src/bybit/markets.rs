//! Markets: "Get Instruments Info".

use super::part;
use crate::json::{Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Range, Raw, Time};
use crate::{Number, Venue};

/// Fees of those who have no discount: taker and maker, in the spot market and of contracts ("Trading Fee Structure").
const FEES: [(&str, &str); 2] = [("0.001", "0.001"), ("0.0006", "0.0001")];

/// The least amount, by its older and its newer name.
const LEAST: [&str; 2] = ["minTradingQty", "minOrderQty"];

pub(super) fn market(raw: &Json<'_>, part: &str) -> Option<Market> {
    let description = Venue::Bybit.description();
    let code = |name: &str| raw.text_of(&[name]).map(|id| (id.to_owned(), description.currency(id)));
    let ((base_id, base), (quote_id, quote)) = (code("baseCoin")?, code("quoteCoin")?);
    let contract = raw.text_of(&["contractType"]);
    let linear = contract.map(|_| part == part::LINEAR);
    let by_default = if linear == Some(true) { "quoteCoin" } else { "baseCoin" };
    let (settle_id, settle) = code("settleCoin").or_else(|| code(by_default)).filter(|_| contract.is_some()).unzip();
    let settle = match (contract, settle_id.as_deref()) {
        // contracts of the older kind that are paid in dollars of the exchange's own
        (Some("LinearPerpetual"), Some("USD")) => Some("USDC".to_owned()),
        _ => settle,
    };
    let kind = match contract {
        None => MarketKind::Spot,
        Some(word) if word.ends_with("Perpetual") => MarketKind::Swap,
        Some(_) => MarketKind::Future,
    };
    let expiry = Time::parse(raw.text_of(&["deliveryTime"])).0.filter(|end| kind == MarketKind::Future && *end != 0);
    let mut symbol = format!("{base}/{quote}");
    if let Some(settle) = &settle {
        symbol = format!("{symbol}:{settle}");
    }
    if let Some(day) = Time(expiry).day() {
        symbol = format!("{symbol}-{day}");
    }
    let lot = raw.get("lotSizeFilter");
    let price = raw.get("priceFilter");
    let leverage = raw.get("leverageFilter");
    let number = |of: Option<&Json<'_>>, names: &[&str]| of.number_of(names);
    let said_fee = |name: &str| raw.number_of(&[name]).filter(|_| contract.is_some());
    let (taker, maker) = FEES[usize::from(contract.is_some())];
    let rules = &description.fees.trading;
    Some(Market {
        id: raw.get("symbol").text()?.to_owned(),
        lowercase_id: None,
        symbol,
        base,
        quote,
        settle,
        base_id,
        quote_id,
        settle_id,
        kind,
        margin: match contract {
            None => Some(raw.text_of(&["marginTrading"]).is_some_and(|word| word != "none")),
            Some(_) => None,
        },
        active: Some(raw.get("status").text() == Some("Trading")),
        linear,
        taker: said_fee("takerFee").or_else(|| Number::parse(taker)),
        maker: said_fee("makerFee").or_else(|| Number::parse(maker)),
        contract_size: match linear {
            Some(false) => number(lot, &LEAST),
            _ => linear.map(|_| 1.into()),
        },
        expiry,
        precision: Precision {
            amount: number(lot, &["basePrecision", "qtyStep"]),
            price: number(price, &["tickSize"]).or_else(|| number(lot, &["quotePrecision"])),
            ..Precision::default()
        },
        limits: Limits {
            leverage: Range {
                min: if contract.is_some() { number(leverage, &["minLeverage"]) } else { Some(1.into()) },
                max: number(leverage, &["maxLeverage"]),
            },
            amount: Range { min: number(lot, &LEAST), max: number(lot, &["maxTradingQty", "maxOrderQty"]) },
            price: Range { min: number(price, &["minPrice"]), max: number(price, &["maxPrice"]) },
            cost: match linear {
                Some(false) => Range::default(),
                Some(true) => Range { min: number(lot, &["minNotionalValue"]), max: None },
                None => Range { min: number(lot, &["minOrderAmt"]), max: number(lot, &["maxOrderAmt"]) },
            },
            ..Limits::default()
        },
        margin_modes: None,
        index: contract.is_none().then_some(false),
        stock: None,
        created: Time::parse(raw.get("launchTime").text()).0,
        fee_rules: FeeRules {
            tier_based: rules.tier_based,
            percentage: rules.percentage,
            side: rules.fee_side.as_deref(),
            ..FeeRules::default()
        },
        info: Raw::of(raw),
    })
}

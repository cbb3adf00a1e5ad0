//! Markets: "Get Instruments Info".

use crate::json::{Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Range, Raw, Time};
use crate::{Number, Venue};

/// Fees of those who have no discount: taker and maker, in the spot market and of contracts ("Trading Fee Structure").
const FEES: [(&str, &str); 2] = [("0.001", "0.001"), ("0.0006", "0.0001")];

pub(super) fn market(raw: &Json<'_>) -> Option<Market> {
    let description = Venue::Bybit.description();
    let code = |name: &str| raw.get(name).text().map(|id| (id.to_owned(), description.currency(id)));
    let ((base_id, base), (quote_id, quote)) = (code("baseCoin")?, code("quoteCoin")?);
    let contract = raw.get("contractType").text();
    let (settle_id, settle) = code("settleCoin").filter(|_| contract.is_some()).unzip();
    let kind = match contract {
        None => MarketKind::Spot,
        Some(word) if word.ends_with("Perpetual") => MarketKind::Swap,
        Some(_) => MarketKind::Future,
    };
    let expiry = Time::parse(raw.get("deliveryTime").text()).0.filter(|_| kind == MarketKind::Future);
    let linear = settle.as_ref().map(|settle| *settle == quote);
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
        margin: raw.get("marginTrading").text().map(|word| word != "none"),
        active: Some(raw.get("status").text() == Some("Trading")),
        linear,
        taker: Number::parse(taker),
        maker: Number::parse(maker),
        contract_size: linear.map(|linear| {
            let whole = Number::from(1);
            if linear { whole } else { number(lot, &["minOrderQty"]).unwrap_or(whole) }
        }),
        expiry,
        precision: Precision {
            amount: number(lot, &["basePrecision", "qtyStep"]),
            price: number(price, &["tickSize"]),
            ..Precision::default()
        },
        limits: Limits {
            leverage: Range {
                min: number(leverage, &["minLeverage"]).or(Some(1.into())),
                max: number(leverage, &["maxLeverage"]),
            },
            amount: Range { min: number(lot, &["minOrderQty"]), max: number(lot, &["maxOrderQty"]) },
            price: Range { min: number(price, &["minPrice"]), max: number(price, &["maxPrice"]) },
            cost: Range { min: number(lot, &["minOrderAmt", "minNotionalValue"]), max: number(lot, &["maxOrderAmt"]) },
            market: None,
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

//! Markets: "List Public Products".

use crate::json::{Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Range, Raw, Time};
use crate::{Number, Venue};

/// Pairs of money that stands for the same; their fees are others'.
const STABLE: [&str; 14] = [
    "BUSD-USD",
    "CBETH-ETH",
    "DAI-USD",
    "GUSD-USD",
    "GYEN-USD",
    "PAX-USD",
    "PAX-USDT",
    "USDC-EUR",
    "USDC-GBP",
    "USDT-EUR",
    "USDT-GBP",
    "USDT-USD",
    "USDT-USDC",
    "WBTC-BTC",
];

/// Fees of contracts, taker and maker, in the absence of the exchange's word.
const CONTRACT_FEES: (&str, &str) = ("0.06", "0.04");

pub(super) fn market(raw: &Json<'_>) -> Option<Market> {
    let description = Venue::Coinbase.description();
    let id = raw.get("product_id").text()?.to_owned();
    let details = raw.get("future_product_details");
    let contract = raw.get("product_type").text() == Some("FUTURE");
    let base_id =
        if contract { details.string_of(&["contract_root_unit"]) } else { raw.string_of(&["base_currency_id"]) };
    let (base_id, quote_id) = (base_id?, raw.string_of(&["quote_currency_id"])?);
    let (base, quote) = (description.currency(&base_id), description.currency(&quote_id));
    let perpetual = details.get("contract_expiry_type").text() == Some("PERPETUAL");
    let kind = match (contract, perpetual) {
        (false, _) => MarketKind::Spot,
        (true, true) => MarketKind::Swap,
        (true, false) => MarketKind::Future,
    };
    let expiry = Time::of_iso(details.get("contract_expiry").text()).0.filter(|_| contract);
    let mut symbol = format!("{base}/{quote}");
    if contract {
        symbol = format!("{symbol}:{quote}");
    }
    if kind == MarketKind::Future {
        symbol = format!("{symbol}-{}", Time(expiry).day()?);
    }
    let rules = &description.fees.trading;
    let (taker, maker) = match contract {
        true => (Number::parse(CONTRACT_FEES.0), Number::parse(CONTRACT_FEES.1)),
        false if stable(&id) => (Number::step(5), Some(Number::default())),
        false => (rules.taker, rules.maker),
    };
    let number = |names: &[&str]| raw.number_of(names);
    let closed = raw.get(if contract { "is_disabled" } else { "trading_disabled" }).flag();
    Some(Market {
        id,
        lowercase_id: None,
        symbol,
        settle: contract.then(|| quote.clone()),
        settle_id: contract.then(|| quote_id.clone()),
        base,
        quote,
        base_id,
        quote_id,
        kind,
        margin: contract.then_some(false),
        active: Some(closed != Some(true)),
        linear: contract.then_some(true),
        taker,
        maker,
        contract_size: details.number_of(&["contract_size"]).filter(|_| contract),
        expiry,
        precision: Precision {
            amount: number(&["base_increment"]),
            price: number(&["price_increment", "quote_increment"]),
            ..Precision::default()
        },
        limits: Limits {
            amount: Range { min: number(&["base_min_size"]), max: number(&["base_max_size"]) },
            cost: Range { min: number(&["quote_min_size"]), max: number(&["quote_max_size"]) },
            ..Limits::default()
        },
        margin_modes: None,
        stock: None,
        index: (!contract).then_some(false),
        created: None,
        fee_rules: FeeRules {
            tier_based: rules.tier_based,
            percentage: rules.percentage,
            tiers: rules.tiers.as_ref(),
            ..FeeRules::default()
        },
        info: Raw::of(raw),
    })
}

/// Whether the pair's fees are the same for every account.
pub(super) fn stable(id: &str) -> bool {
    STABLE.contains(&id)
}

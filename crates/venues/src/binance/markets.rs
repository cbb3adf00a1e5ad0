//! Markets: "Exchange Information" of the spot and of the contract markets.

use crate::json::{Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Range, Raw, Time};
use crate::{Number, Venue};

/// When contracts end that have no end.
const NEVER: i64 = 4_133_404_800_000;
/// Whom markets of this group are open to is nobody who comes by its API.
const CLOSED_GROUP: &str = "TRD_GRP_003";

pub(super) fn market(raw: &Json<'_>) -> Option<Market> {
    let description = Venue::Binance.description();
    let code = |name: &str| raw.get(name).text().map(|id| (id.to_owned(), description.currency(id)));
    let id = raw.get("symbol").text()?.to_owned();
    let ((base_id, base), (quote_id, quote)) = (code("baseAsset")?, code("quoteAsset")?);
    let contract = raw.get("contractType").is_some();
    let (settle_id, settle) = code("marginAsset").filter(|_| contract).unzip();
    let Time(ends) = Time::parse(raw.text_of(&["deliveryDate", "expiryDate"]));
    let perpetual = raw.get("contractType").text() == Some("PERPETUAL") || ends == Some(NEVER);
    let expiry = ends.filter(|_| contract && !perpetual);
    let kind = match (contract, perpetual) {
        (false, _) => MarketKind::Spot,
        (true, true) => MarketKind::Swap,
        (true, false) => MarketKind::Future,
    };
    let linear = settle.as_ref().map(|settle| *settle == quote);
    let mut symbol = format!("{base}/{quote}");
    if let Some(settle) = &settle {
        symbol = format!("{symbol}:{settle}");
        if let Some(day) = Time(expiry).day() {
            symbol = format!("{symbol}-{day}");
        }
    }
    let part = linear.map(|linear| if linear { "linear" } else { "inverse" });
    let fees = description.fees.of(part);
    let rules = &description.fees.trading;
    let status = raw.text_of(&["status", "contractStatus"]);
    let groups = raw.get("permissions").list().unwrap_or_default();
    let closed = groups.iter().any(|group| group.text() == Some(CLOSED_GROUP));
    let filter = |names: &[&str]| {
        let filters = raw.get("filters").list().unwrap_or_default();
        filters.iter().rev().find(|filter| filter.get("filterType").text().is_some_and(|name| names.contains(&name)))
    };
    let number = |of: Option<&Json<'_>>, name: &str| of.get(name).text().and_then(Number::parse);
    let range = |of: Option<&Json<'_>>, min: &str, max: &str| Range { min: number(of, min), max: number(of, max) };
    let digits = |names: &[&str]| raw.text_of(names)?.parse().ok().and_then(Number::step);
    let (price, lot) = (filter(&["PRICE_FILTER"]), filter(&["LOT_SIZE"]));
    let (lot_of_markets, least) = (filter(&["MARKET_LOT_SIZE"]), filter(&["MIN_NOTIONAL", "NOTIONAL"]));
    Some(Market {
        lowercase_id: Some(id.to_lowercase()),
        id,
        symbol,
        base,
        quote,
        settle,
        base_id,
        quote_id,
        settle_id,
        kind,
        margin: Some(!contract && raw.get("isMarginTradingAllowed").flag() == Some(true)),
        active: Some(status == Some("TRADING") && !closed),
        linear,
        taker: fees.taker,
        maker: fees.maker,
        contract_size: contract.then(|| raw.number_of(&["contractSize", "unit"]).unwrap_or(1.into())),
        expiry,
        precision: Precision {
            amount: number(lot, "stepSize").or_else(|| digits(&["quantityPrecision"])),
            price: number(price, "tickSize").or_else(|| digits(&["pricePrecision"])),
            cost: None,
            base: digits(&["baseAssetPrecision"]),
            quote: digits(&["quotePrecision", "quoteAssetPrecision"]),
        },
        limits: Limits {
            leverage: Range::default(),
            amount: range(lot, "minQty", "maxQty"),
            price: range(price, "minPrice", "maxPrice"),
            cost: Range {
                min: number(least, "minNotional").or_else(|| number(least, "notional")),
                max: number(least, "maxNotional"),
            },
            market: Some(range(lot_of_markets, "minQty", "maxQty")),
            ..Limits::default()
        },
        margin_modes: Some((contract, contract)),
        index: (!contract).then_some(false),
        stock: Some(false),
        created: Time::parse(raw.get("onboardDate").text()).0,
        fee_rules: FeeRules {
            tier_based: rules.tier_based,
            percentage: rules.percentage,
            side: rules.fee_side.as_deref(),
            ..FeeRules::default()
        },
        info: Raw::of(raw),
    })
}

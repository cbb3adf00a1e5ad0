//! Markets: "Get all Supported Trading Symbol" of the spot market, "Query Swap Info" of the contract markets.

use crate::json::{Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Range, Raw};
use crate::{Number, Venue};

/// Fees of those who have no discount, of makers and of takers: in the spot market, and of contracts.
const FEES: [(&str, &str); 2] = [("0.002", "0.002"), ("0.0002", "0.0005")];
/// How contracts with an end are named by their ends in tickers.
const ENDS: [(&str, &str); 4] = [("this_week", "CW"), ("next_week", "NW"), ("quarter", "CQ"), ("next_quarter", "NQ")];

pub(super) fn market(raw: &Json<'_>) -> Option<Market> {
    let contract = raw.get("contract_code").is_some();
    let ids = if contract { contract_ids(raw)? } else { spot_ids(raw)? };
    let description = Venue::Htx.description();
    let (base, quote) = (description.currency(&ids.base), description.currency(&ids.quote));
    let settle = ids.settle.as_ref().map(|id| description.currency(id));
    let linear = contract.then(|| raw.get("business_type").is_some());
    let kind = match (contract, raw.text_of(&["delivery_date"])) {
        (false, _) => MarketKind::Spot,
        (true, None) => MarketKind::Swap,
        (true, Some(_)) => MarketKind::Future,
    };
    let ends = raw.text_of(&["delivery_time"]).and_then(|digits| digits.parse().ok());
    let expiry = ends.filter(|_| kind == MarketKind::Future);
    let mut symbol = format!("{base}/{quote}");
    if let Some(settle) = &settle {
        symbol = format!("{symbol}:{settle}");
        if let Some(day) = crate::unified::Time(expiry).day() {
            symbol = format!("{symbol}-{day}");
        }
    }
    let number = |name: &str| raw.number_of(&[name]);
    let digits = |name: &str| raw.text_of(&[name])?.parse().ok().and_then(Number::step);
    let one = Some(Number::from(1));
    let (leverage, shared) = (number("leverage-ratio").or(one), number("super-margin-leverage-ratio").or(one));
    let size = number("contract_size");
    let fees = FEES[usize::from(contract)];
    let rules = &description.fees.trading;
    Some(Market {
        lowercase_id: Some(ids.market.to_lowercase()),
        id: ids.market,
        symbol,
        base,
        quote,
        settle,
        base_id: ids.base,
        quote_id: ids.quote,
        settle_id: ids.settle,
        kind,
        margin: Some(!contract && (leverage > one || shared > one)),
        active: Some(if contract {
            raw.get("contract_status").text() == Some("1")
        } else {
            raw.get("state").text() == Some("online")
        }),
        linear,
        maker: Number::parse(fees.0),
        taker: Number::parse(fees.1),
        contract_size: size,
        expiry,
        precision: Precision {
            amount: if contract { one } else { digits("amount-precision") },
            price: if contract { number("price_tick") } else { digits("price-precision") },
            cost: digits("value-precision"),
            ..Precision::default()
        },
        limits: Limits {
            leverage: Range { min: one, max: leverage },
            shared_leverage: shared,
            amount: Range {
                min: if linear == Some(true) { size } else { number("min-order-amt") },
                max: number("max-order-amt"),
            },
            cost: Range { min: if linear == Some(false) { size } else { number("min-order-value") }, max: None },
            ..Limits::default()
        },
        margin_modes: None,
        index: None,
        stock: None,
        created: raw.text_of(&["create_date"]).and_then(midnight),
        fee_rules: FeeRules {
            tier_based: rules.tier_based,
            percentage: rules.percentage,
            side: rules.fee_side.as_deref(),
            ..FeeRules::default()
        },
        info: Raw::of(raw),
    })
}

/// Names of a market and of its currencies.
struct Ids {
    market: String,
    base: String,
    quote: String,
    settle: Option<String>,
}

fn spot_ids(raw: &Json<'_>) -> Option<Ids> {
    let (base, quote) = (raw.string_of(&["base-currency"])?, raw.string_of(&["quote-currency"])?);
    Some(Ids { market: format!("{base}{quote}"), base, quote, settle: None })
}

fn contract_ids(raw: &Json<'_>) -> Option<Ids> {
    let market = raw.string_of(&["contract_code"])?;
    let base = raw.text_of(&["symbol"])?.to_lowercase();
    let pair = raw.text_of(&["pair"]).unwrap_or(&market);
    let quote = pair.split('-').nth(1).unwrap_or("usd").to_lowercase();
    let settle = if raw.get("business_type").is_some() { quote.clone() } else { base.clone() };
    Some(Ids { market, base, quote, settle: Some(settle) })
}

/// `BTC-USDT-CQ`: what tickers name a contract with an end by.
pub(super) fn named_by_end(market: &Market) -> Option<String> {
    let info = crate::json::parse(market.info.as_str())?;
    let kind = info.get("contract_type").text()?;
    let (_, end) = ENDS.iter().find(|(name, _)| *name == kind)?;
    Some(format!("{}-{}-{end}", market.base, market.quote))
}

/// The time at which a day began that is named `20201021`.
fn midnight(day: &str) -> Option<i64> {
    let part = |from: usize, to: usize| day.get(from..to)?.parse::<i64>().ok();
    let (year, month, of_month) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    // years that begin in March end with the day that not all of them have
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + of_month - 719_469;
    Some(days * 86_400_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight() {
        for (day, ms) in [("19700101", 0), ("20201021", 1_603_238_400_000), ("20240229", 1_709_164_800_000)] {
            assert_eq!(midnight(day), Some(ms), "{day}");
        }
        assert_eq!(midnight("2020"), None);
    }
}

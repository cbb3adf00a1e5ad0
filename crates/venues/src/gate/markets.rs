//! Markets: "List all currency pairs supported" of the spot market, "List all futures contracts" of the others.

use std::collections::HashMap;

use super::part::currency;
use crate::json::{self, Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Range, Raw, Time};
use crate::{Fields, Number, Value, Venue};

/// Fees of contracts for those who have no discount; what contracts say of themselves does not hold for accounts.
const FEES_OF_CONTRACTS: (&str, &str) = ("0.0005", "0.0002");

/// What can be traded with borrowed money, by market: "List all supported currency pairs supported in margin trading".
pub(super) type Lent = HashMap<String, Fields>;

pub(super) fn lent(answer: &Json<'_>) -> Lent {
    let one = |raw: &Json<'_>| match Value::of(raw) {
        Value::Object(fields) => Some((raw.get("id").text()?.to_owned(), fields)),
        _ => None,
    };
    answer.each(one).into_iter().flatten().collect()
}

/// A spot market, with what is said of borrowed money in it.
pub(super) fn spot(raw: &Json<'_>, lent: &Lent) -> Option<Market> {
    let borrowed = raw.get("id").text().and_then(|id| lent.get(id));
    let Some(borrowed) = borrowed else { return market_of_spot(raw, raw) };
    let Value::Object(own) = Value::of(raw) else { return None };
    // as CCXT shows them: one object, in which the spot market's words go before
    let both = borrowed.clone().and(own).json();
    market_of_spot(raw, &json::parse(&both)?)
}

fn market_of_spot(raw: &Json<'_>, both: &Json<'_>) -> Option<Market> {
    let id = raw.get("id").text()?.to_owned();
    let (base_id, quote_id) = id.split_once('_')?;
    let (base, quote) = (currency(base_id), currency(quote_id));
    let digits = |name: &str| both.get(name).text()?.parse().ok().and_then(Number::step);
    let hundred = Number::from(100);
    let percent = |names: &[&str]| both.number_of(names).and_then(|percent| percent.over(hundred));
    let leverage = both.number_of(&["leverage"]);
    let lendable = leverage.is_some() && both.text_of(&["status"]).is_none_or(|status| status == "1");
    let amount = digits("amount_precision");
    let (base_id, quote_id) = (base_id.to_owned(), quote_id.to_owned());
    Some(Market {
        lowercase_id: None,
        symbol: format!("{base}/{quote}"),
        base,
        quote,
        settle: None,
        base_id,
        quote_id,
        settle_id: None,
        kind: MarketKind::Spot,
        margin: Some(leverage.is_some()),
        active: Some(both.get("trade_status").text() == Some("tradable") || lendable),
        linear: None,
        taker: percent(&["fee"]),
        maker: percent(&["maker_fee_rate", "fee"]),
        contract_size: None,
        expiry: None,
        precision: Precision { amount, price: digits("precision"), ..Precision::default() },
        limits: Limits {
            leverage: Range { min: Some(1.into()), max: leverage.or(Some(1.into())) },
            amount: Range { min: raw.number_of(&["min_base_amount"]).or(amount), max: None },
            cost: Range {
                min: both.number_of(&["min_quote_amount"]),
                max: both.number_of(&["max_quote_amount"]).filter(|_| leverage.is_some()),
            },
            ..Limits::default()
        },
        margin_modes: None,
        index: None,
        stock: None,
        created: seconds(raw, "buy_start").filter(|start| *start != 0),
        fee_rules: fee_rules(),
        info: Raw::of(both),
        id,
    })
}

/// A contract that is settled in the currency the exchange names `settle_id`.
pub(super) fn contract(raw: &Json<'_>, settle_id: &str) -> Option<Market> {
    let id = raw.get("name").text()?.to_owned();
    let mut parts = id.split('_');
    let (base_id, quote_id, ends) = (parts.next()?.to_owned(), parts.next()?.to_owned(), parts.next());
    let (base, quote, settle) = (currency(&base_id), currency(&quote_id), currency(settle_id));
    let expiry = seconds(raw, "expire_time");
    let day = ends.and_then(|_| Time(expiry).day()).map_or_else(String::new, |day| format!("-{day}"));
    let kind = if ends.is_some() { MarketKind::Future } else { MarketKind::Swap };
    let number = |name: &str| raw.number_of(&[name]);
    let (mark, span, whole) = (number("mark_price"), number("order_price_deviate"), Number::from(1));
    let (taker, maker) = FEES_OF_CONTRACTS;
    Some(Market {
        lowercase_id: None,
        symbol: format!("{base}/{quote}:{settle}{day}"),
        kind,
        margin: Some(false),
        active: Some(raw.text_of(&["status"]).is_none_or(|status| status == "trading")),
        linear: Some(quote == settle),
        taker: Number::parse(taker),
        maker: Number::parse(maker),
        // the one contract without a size is worth one dollar
        contract_size: number("quanto_multiplier").map(|size| size.nonzero().unwrap_or(whole)),
        expiry,
        precision: Precision { amount: Some(whole), price: number("order_price_round"), ..Precision::default() },
        limits: Limits {
            leverage: Range { min: number("leverage_min"), max: number("leverage_max") },
            amount: Range { min: number("order_size_min"), max: number("order_size_max") },
            price: Range {
                min: span.and_then(|span| whole.minus(span)?.times(mark?)),
                max: span.and_then(|span| whole.plus(span)?.times(mark?)),
            },
            ..Limits::default()
        },
        margin_modes: None,
        index: None,
        stock: None,
        created: seconds(raw, "create_time"),
        fee_rules: fee_rules(),
        info: Raw::of(raw),
        id,
        base,
        quote,
        settle: Some(settle),
        base_id,
        quote_id,
        settle_id: Some(settle_id.to_owned()),
    })
}

/// A time in seconds, as milliseconds.
fn seconds(raw: &Json<'_>, name: &str) -> Option<i64> {
    raw.text_of(&[name])?.parse::<i64>().ok()?.checked_mul(1000)
}

fn fee_rules() -> FeeRules {
    let rules = &Venue::Gate.description().fees.trading;
    FeeRules {
        tier_based: rules.tier_based,
        percentage: rules.percentage,
        side: rules.fee_side.as_deref(),
        tiers: rules.tiers.as_ref(),
    }
}

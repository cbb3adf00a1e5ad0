//! Markets and currencies: "Get Tradable Asset Pairs".

use crate::exchange::Result;
use crate::json::{Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Markets, Precision, Range, Raw};
use crate::{ErrorClass, Number, Venue, VenueError};

/// What stands in the name of a market that only mirrors another's price.
const SYNTHETIC: &str = ":BTNL";

/// The common name of a currency; what stands after a point says where it is kept and stays (`XBT.M`).
pub(super) fn currency(id: &str) -> String {
    let description = Venue::Kraken.description();
    match id.split_once('.') {
        Some((of, kept)) if !of.is_empty() => {
            format!("{}.{}", description.currency(of), kept.split('.').next().unwrap_or_default())
        }
        _ => description.currency(id),
    }
}

/// The exchange's name of a currency, as a market has it.
///
/// Errors: [`ErrorClass::ExchangeError`] for one that no market has.
pub(super) fn asset(markets: &Markets, code: &str) -> Result<String> {
    let own = |market: &Market| {
        let member = match code {
            _ if market.base == code => "base",
            _ if market.quote == code => "quote",
            _ => return None,
        };
        Some(market.info.text_of(member).unwrap_or_else(|| code.to_owned()))
    };
    let unknown = || VenueError::new(ErrorClass::ExchangeError, &format!("kraken does not have currency code {code}"));
    markets.all().iter().find_map(own).ok_or_else(unknown)
}

pub(super) fn market(id: &str, raw: &Json<'_>) -> Option<Market> {
    let rules = &Venue::Kraken.description().fees.trading;
    let (base, quote) = (currency(raw.get("base").text()?), currency(raw.get("quote").text()?));
    let symbol = if id.contains(SYNTHETIC) { id.to_owned() } else { format!("{base}/{quote}") };
    let step = |name: &str| raw.get(name).text()?.parse().ok().and_then(Number::step);
    // of those who have traded nothing yet, in hundredths
    let fee = |name: &str| raw.get(name).at(0).number_at(1)?.over(100.into());
    let leverages = raw.get("leverage_buy").list().unwrap_or_default();
    let one = Number::from(1);
    let least = |name: &str| Range { min: raw.number_of(&[name]), max: None };
    Some(Market {
        id: id.to_owned(),
        lowercase_id: None,
        symbol,
        base_id: base.clone(),
        quote_id: quote.clone(),
        base,
        quote,
        settle: None,
        settle_id: None,
        kind: MarketKind::Spot,
        margin: Some(!leverages.is_empty()),
        active: Some(raw.get("status").text() == Some("online")),
        linear: None,
        taker: fee("fees").or(rules.taker),
        maker: fee("fees_maker").or(rules.maker),
        contract_size: None,
        expiry: None,
        precision: Precision { amount: step("lot_decimals"), price: step("pair_decimals"), ..Precision::default() },
        limits: Limits {
            leverage: Range { min: Some(one), max: leverages.last().text().and_then(Number::parse).or(Some(one)) },
            amount: least("ordermin"),
            cost: least("costmin"),
            ..Limits::default()
        },
        margin_modes: None,
        index: None,
        stock: None,
        created: None,
        fee_rules: FeeRules {
            tier_based: rules.tier_based,
            percentage: rules.percentage,
            side: rules.fee_side.as_deref(),
            tiers: rules.tiers.as_ref(),
        },
        info: Raw::of(raw),
    })
}

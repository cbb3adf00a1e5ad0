//! Markets: "Get Symbol Info" of the spot market, "Get Contract Config", and "Get Supported Currencies" of margin.

use crate::json::{Access as _, Json};
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Range, Raw, Time};
use crate::{Number, Venue};

pub(super) fn market(raw: &Json<'_>) -> Option<Market> {
    let description = Venue::Bitget.description();
    let code = |name: &str| raw.get(name).text().map(|id| (id.to_owned(), description.currency(id)));
    let number = |names: &[&str]| raw.number_of(names);
    let ((base_id, base), (quote_id, quote)) = (code("baseCoin")?, code("quoteCoin")?);
    let kind = match raw.text_of(&["symbolType"]) {
        None => MarketKind::Spot,
        Some("perpetual") => MarketKind::Swap,
        Some("delivery") => MarketKind::Future,
        Some(_) => return None,
    };
    let contract = kind != MarketKind::Spot;
    let coins: Vec<&str> = raw.get("supportMarginCoins").each(|coin| coin.text().unwrap_or_default());
    let settle_id = [&base_id, &quote_id].into_iter().find(|id| coins.contains(&id.as_str())).cloned();
    let settle_id = settle_id.or_else(|| coins.first().map(|id| (*id).to_owned())).filter(|_| contract);
    let settle = settle_id.as_deref().map(|id| description.currency(id));
    let expiry = Time::parse(raw.get("deliveryTime").text()).0.filter(|_| kind == MarketKind::Future);
    let mut symbol = format!("{base}/{quote}");
    if let Some(settle) = &settle {
        symbol = format!("{symbol}:{settle}");
    }
    if let Some(day) = Time(expiry).day() {
        symbol = format!("{symbol}-{day}");
    }
    let digits = |name: &str| raw.text_of(&[name])?.parse().ok().and_then(Number::step);
    let precision = if contract {
        let (amount, price) = (step(raw, "sizeMultiplier", "volumePlace"), step(raw, "priceEndStep", "pricePlace"));
        Precision { amount, price, ..Precision::default() }
    } else {
        let (amount, price) = (digits("quantityPrecision"), digits("pricePrecision"));
        Precision { amount, price, ..Precision::default() }
    };
    Some(Market {
        id: raw.get("symbol").text()?.to_owned(),
        lowercase_id: None,
        symbol,
        linear: contract.then(|| settle.as_ref() != Some(&base)),
        kind,
        margin: Some(false),
        active: raw.text_of(&["status", "symbolStatus"]).map(|word| matches!(word, "online" | "normal")),
        taker: number(&["takerFeeRate"]),
        maker: number(&["makerFeeRate"]),
        contract_size: contract.then(|| 1.into()),
        expiry,
        index: (!contract).then_some(false),
        precision,
        limits: Limits {
            leverage: Range { min: number(&["minLever"]), max: number(&["maxLever"]) },
            amount: Range { min: number(&["minTradeNum", "minTradeAmount"]), max: number(&["maxTradeAmount"]) },
            cost: Range { min: number(&["minTradeUSDT"]).filter(|_| quote == "USDT"), max: None },
            ..Limits::default()
        },
        margin_modes: Some((contract, contract)),
        stock: None,
        created: Time::parse(raw.text_of(&["launchTime"])).0,
        fee_rules: FeeRules::default(),
        info: Raw::of(raw),
        base,
        quote,
        settle,
        base_id,
        quote_id,
        settle_id,
    })
}

/// A step that is told as its digits and as the number of places they stand at.
fn step(raw: &Json<'_>, digits: &str, places: &str) -> Option<Number> {
    let digits = raw.number_of(&[digits])?;
    let places: u32 = raw.text_of(&[places]).and_then(|places| places.parse().ok()).unwrap_or(0);
    match places.checked_sub(digits.digits()) {
        Some(more) => digits.times(Number::step(more)?),
        None => Some(digits),
    }
}

/// The markets whose coins can be borrowed, of those that the list says anything of.
pub(super) struct Borrowing {
    cross: Vec<String>,
    isolated: Vec<String>,
}

impl Borrowing {
    pub(super) fn of(answer: &Json<'_>) -> Self {
        let all = answer.get("data").list().unwrap_or_default();
        let may = |one: &Json<'_>, names: &[&str]| names.iter().find_map(|name| one.get(name).flag()).unwrap_or(true);
        let wanted = |one: &Json<'_>, also: &dyn Fn(&Json<'_>) -> bool| {
            let id = one.get("symbol").text().filter(|_| may(one, &["isBorrowable"]) && also(one));
            id.map(str::to_owned)
        };
        let cross = |one: &Json<'_>| may(one, &["isCrossBorrowable"]);
        let isolated = |one: &Json<'_>| {
            may(one, &["isIsolatedBaseBorrowable"])
                || may(one, &["isIsolatedQuotedBorrowable", "isIsolatedQuoteBorrowable"])
        };
        let list = |also: &dyn Fn(&Json<'_>) -> bool| all.iter().filter_map(|one| wanted(one, also)).collect();
        Self { cross: list(&cross), isolated: list(&isolated) }
    }

    /// Says in a spot market whether it can be traded with borrowed money.
    pub(super) fn mark(&self, market: &mut Market) {
        let (cross, isolated) = (self.cross.contains(&market.id), self.isolated.contains(&market.id));
        market.margin_modes = Some((cross, isolated));
        market.margin = Some(cross || isolated);
    }
}

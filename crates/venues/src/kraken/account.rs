//! What the account has and pays: "Get Extended Balance", "Get Open Positions", "Get Ledgers Info",
//! "Get Trade Volume", "Get Deposit Addresses".

use super::markets;
use super::parse::{members, result, seconds, with_id};
use crate::dialect::Context;
use crate::exchange::Result;
use crate::json::{Access as _, Json};
use crate::unified::{Balance, Balances, DepositAddress, Fee, LedgerEntry, Market, Position, Raw, TradingFee};
use crate::{ErrorClass, Number, VenueError};

pub(super) fn balances(answer: &Json<'_>) -> Balances {
    let mut balances = Balances { info: Raw::of(answer), ..Balances::default() };
    for (id, raw) in members(result(answer)) {
        let balance =
            Balance { used: raw.number_of(&["hold_trade"]), total: raw.number_of(&["balance"]), ..Balance::default() };
        let (currency, balance) = (markets::currency(id), balance.completed());
        // of two names of one currency the later counts
        match balances.of.iter_mut().find(|(known, _)| *known == currency) {
            Some((_, known)) => *known = balance,
            None => balances.of.push((currency, balance)),
        }
    }
    balances
}

/// A position of borrowed money, in the market it was traded in.
pub(super) fn position(raw: &Json<'_>, context: Context<'_>) -> Position {
    let number = |name: &str| raw.number_of(&[name]);
    let (profit, margin) = (number("net"), number("margin"));
    let (_, symbol) = context.symbol(raw.text_of(&["pair"]), false);
    Position {
        info: Raw::of(raw),
        symbol,
        unrealized_pnl: profit,
        contracts: number("vol"),
        side: Some(if raw.get("type").text() == Some("buy") { "long" } else { "short" }),
        initial_margin: margin,
        leverage: number("leverage"),
        percentage: profit.and_then(|profit| profit.over_to(margin?, 4)?.times(100.into())),
        ..Position::default()
    }
}

/// A change of what the account has; `id` is the name that the answer has it under.
pub(super) fn ledger_entry(id: &str, raw: &Json<'_>) -> LedgerEntry {
    let number = |name: &str| raw.number_of(&[name]);
    let currency = raw.text_of(&["asset"]).map(markets::currency);
    let change = number("amount");
    let (amount, after) = (change.map(Number::abs), number("balance"));
    let direction = if change.is_some_and(|change| change < Number::default()) { "out" } else { "in" };
    LedgerEntry {
        info: with_id(raw, Some(id)),
        id: Some(id.to_owned()),
        time: seconds(raw.text_of(&["time"])),
        direction: Some(direction),
        reference_id: raw.string_of(&["refid"]),
        kind: raw.text_of(&["type"]).map(kind),
        amount,
        // CCXT takes it off in both directions
        before: after.and_then(|after| after.minus(amount?)),
        after,
        status: Some("ok".to_owned()),
        fee: Some(Fee { cost: number("fee"), currency: currency.clone(), rate: None }),
        currency,
        ..LedgerEntry::default()
    }
}

fn kind(word: &str) -> String {
    match word {
        "withdrawal" | "deposit" => "transaction",
        other => other,
    }
    .to_owned()
}

pub(super) fn trading_fee(answer: &Json<'_>, market: &Market) -> TradingFee {
    let result = result(answer);
    // in hundredths
    let fee = |list: &str| result.get(list).get(&market.id).number_of(&["fee"])?.over(100.into());
    TradingFee {
        info: Raw::of(result.unwrap_or(&Json::Null)),
        symbol: Some(market.symbol.clone()),
        maker: fee("fees_maker"),
        taker: fee("fees"),
        percentage: Some(true),
        tier_based: Some(true),
    }
}

/// The first address of an answer.
///
/// Errors: [`ErrorClass::InvalidAddress`] if there is none, or none that can be one.
pub(super) fn deposit_address(answer: &Json<'_>, currency: &str) -> Result<DepositAddress> {
    let raw = result(answer).at(0);
    let sound = |address: &String| {
        let mut letters = address.chars();
        let first = letters.next();
        !address.contains(' ') && letters.any(|letter| Some(letter) != first)
    };
    let none = || VenueError::new(ErrorClass::InvalidAddress, &format!("kraken has no address for {currency}"));
    Ok(DepositAddress {
        info: Raw::of(raw.unwrap_or(&Json::Null)),
        currency: Some(currency.to_owned()),
        network: None,
        address: Some(raw.string_of(&["address"]).filter(sound).ok_or_else(none)?),
        tag: raw.string_of(&["tag"]),
    })
}

//! The account's money: "List Accounts", "Transactions", "Addresses", and the currencies it can be in.

use crate::exchange::Result;
use crate::json::{self, Access as _, Json};
use crate::query::Query;
use crate::unified::{Balance, Balances, DepositAddress, Fee, LedgerEntry, Raw, Time};
use crate::{ErrorClass, Number, Venue, VenueError};

/// Accounts that balances are of, on the older paths and the newer.
const KINDS: [&str; 2] = ["wallet", "fiat"];
const NEWER_KINDS: [&str; 2] = ["ACCOUNT_TYPE_CRYPTO", "ACCOUNT_TYPE_FIAT"];

fn common(id: &str) -> String {
    Venue::Coinbase.description().currency(id)
}

/// One balance for each currency, of all accounts in it.
pub(super) fn balances(body: &Json<'_>) -> Balances {
    let mut of: Vec<(String, Balance)> = Vec::new();
    let accounts = body.get("data").or_else(|| body.get("accounts"));
    for (currency, balance) in accounts.each(balance).into_iter().flatten() {
        match of.iter_mut().find(|(known, _)| *known == currency) {
            Some((_, sum)) => {
                let both = |one: Option<Number>, other: Option<Number>| one.and_then(|one| one.plus(other?));
                *sum = Balance {
                    free: both(sum.free, balance.free),
                    used: both(sum.used, balance.used),
                    total: both(sum.total, balance.total),
                };
            }
            None => of.push((currency, balance)),
        }
    }
    Balances { info: Raw::of(body), of, ..Balances::default() }
}

fn balance(account: &Json<'_>) -> Option<(String, Balance)> {
    let kind = account.get("type").text()?;
    let (of, balance) = if KINDS.contains(&kind) {
        let of = account.get("balance")?;
        let total = of.number_of(&["amount"]);
        (of, Balance { free: total, total, used: None })
    } else if NEWER_KINDS.contains(&kind) {
        let (of, hold) = (account.get("available_balance")?, account.get("hold")?);
        (of, Balance { free: of.number_of(&["value"]), used: hold.number_of(&["value"]), total: None })
    } else {
        return None;
    };
    Some((common(of.get("currency").text()?), balance.completed()))
}

/// The name of the first account in a currency.
pub(super) fn named(accounts: &Json<'_>, currency: &str) -> Option<String> {
    let of = |account: &Json<'_>| {
        let id = account.get("currency").text_of(&["code"]).or_else(|| account.text_of(&["currency"]));
        id.is_some_and(|id| common(id) == currency)
    };
    let list = accounts.get("accounts").list().unwrap_or_default();
    list.iter().find(|account| of(account)).string_of(&["id", "uuid"])
}

/// Currencies of the list of money, of the list of coins, and those that only have a rate.
pub(super) fn currencies(lists: [Vec<Raw>; 2], rated: Vec<String>) -> Vec<Raw> {
    let mut all: Vec<Raw> = lists.into_iter().flatten().collect();
    let known: Vec<String> = all.iter().filter_map(|raw| Some(names(raw)?.0)).collect();
    let rated = rated.into_iter().filter(|id| !known.contains(&common(id)));
    all.extend(rated.filter_map(|id| Some(Raw::of(&json::parse("{}")?).with("id", &id))));
    all
}

/// A currency's common name, and the exchange's.
fn names(raw: &Raw) -> Option<(String, String)> {
    let id = json::parse(raw.as_str())?.string_of(&["id", "code"])?;
    Some((common(&id), id))
}

/// A currency that is asked for by either name: the common one, and the exchange's.
///
/// Errors: [`ErrorClass::ExchangeError`] for one that is not known.
pub(super) async fn currency(q: &Query<'_>, code: &str) -> Result<(String, String)> {
    let known = q.exchange.load_currencies().await?;
    let mut all = known.iter().filter_map(names);
    let none = || VenueError::new(ErrorClass::ExchangeError, &format!("coinbase does not have currency code {code}"));
    all.find(|(common, id)| common == code || id == code).ok_or_else(none)
}

pub(super) fn ledger_entry(raw: &Json<'_>) -> LedgerEntry {
    let amount = raw.get("amount").number_of(&["amount"]);
    let out = amount.is_some_and(|amount| amount < Number::default());
    let currency = |of: Option<&Json<'_>>| of.text_of(&["currency"]).map(common);
    let fee = raw.get("network").get("transaction_fee");
    LedgerEntry {
        info: Raw::of(raw),
        id: raw.string_of(&["id"]),
        time: Time::of_iso(raw.text_of(&["created_at"])),
        direction: Some(if out { "out" } else { "in" }),
        account: raw.text_of(&["resource_path"]).and_then(|path| path.split('/').nth(3)).map(str::to_owned),
        kind: raw.text_of(&["type"]).map(|word| kind(word).to_owned()),
        currency: currency(raw.get("amount")),
        amount: amount.map(Number::abs),
        status: raw.text_of(&["status"]).map(|word| if word == "completed" { "ok" } else { word }.to_owned()),
        fee: fee.map(|fee| Fee { cost: fee.number_of(&["amount"]), currency: currency(Some(fee)), rate: None }),
        ..LedgerEntry::default()
    }
}

fn kind(word: &str) -> &str {
    match word {
        "buy" | "sell" => "trade",
        "fiat_deposit"
        | "fiat_withdrawal"
        | "exchange_deposit"
        | "exchange_withdrawal"
        | "send"
        | "pro_deposit"
        | "pro_withdrawal" => "transaction",
        other => other,
    }
}

/// Labels begin with the currency: `BTC Wallet`.
pub(super) fn address(raw: &Json<'_>) -> DepositAddress {
    let label = raw.text_of(&["address_label"]).and_then(|label| label.split(' ').next());
    DepositAddress {
        info: Raw::of(raw),
        currency: label.or_else(|| raw.text_of(&["currency"])).map(common),
        network: raw.string_of(&["network"]),
        address: raw.string_of(&["address"]),
        tag: raw.get("address_info").string_of(&["destination_tag"]),
    }
}

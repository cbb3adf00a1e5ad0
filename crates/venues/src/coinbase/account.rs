//! The account's money: "List Accounts", "Transactions", "Addresses", and the currencies it can be in.

use super::sign::{open, signed, v3};
use crate::exchange::{Result, required};
use crate::json::{self, Access as _, Json};
use crate::query::Query;
use crate::unified::{Balance, Balances, DepositAddress, Fee, LedgerEntry, Raw, Time};
use crate::{ErrorClass, Fields, Number, Venue, VenueError, Verb, encoded};

/// Accounts that balances are of, on the older paths and the newer.
const KINDS: [&str; 2] = ["wallet", "fiat"];
const NEWER_KINDS: [&str; 2] = ["ACCOUNT_TYPE_CRYPTO", "ACCOUNT_TYPE_FIAT"];
/// Accounts of one answer, at most.
pub(super) const ACCOUNTS: i64 = 250;

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
                    debt: None,
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
        (of, Balance { free: total, total, ..Balance::default() })
    } else if NEWER_KINDS.contains(&kind) {
        let (of, hold) = (account.get("available_balance")?, account.get("hold")?);
        (of, Balance { free: of.number_of(&["value"]), used: hold.number_of(&["value"]), ..Balance::default() })
    } else {
        return None;
    };
    Some((common(of.get("currency").text()?), balance.completed()))
}

/// The name of the first account in a currency.
fn named(accounts: &Json<'_>, currency: &str) -> Option<String> {
    let of = |account: &Json<'_>| {
        let id = account.get("currency").text_of(&["code"]).or_else(|| account.text_of(&["currency"]));
        id.is_some_and(|id| common(id) == currency)
    };
    let list = accounts.get("accounts").list().unwrap_or_default();
    list.iter().find(|account| of(account)).string_of(&["id", "uuid"])
}

/// A currency's common name, and the exchange's.
fn names(raw: &Raw) -> Option<(String, String)> {
    let id = json::parse(raw.as_str())?.string_of(&["id", "code"])?;
    Some((common(&id), id))
}

/// A currency that is asked for by either name: the common one, and the exchange's.
///
/// Errors: [`ErrorClass::ExchangeError`] for one that is not known.
pub(super) async fn currency_of(q: &Query<'_>, code: &str) -> Result<(String, String)> {
    let known = q.exchange.load_currencies().await?;
    let mut all = known.iter().filter_map(names);
    let none = || VenueError::new(ErrorClass::ExchangeError, &format!("coinbase does not have currency code {code}"));
    all.find(|(common, id)| common == code || id == code).ok_or_else(none)
}

fn ledger_entry(raw: &Json<'_>) -> LedgerEntry {
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
fn address(raw: &Json<'_>) -> DepositAddress {
    let label = raw.text_of(&["address_label"]).and_then(|label| label.split(' ').next());
    DepositAddress {
        info: Raw::of(raw),
        currency: label.or_else(|| raw.text_of(&["currency"])).map(common),
        network: raw.string_of(&["network"]),
        address: raw.string_of(&["address"]),
        tag: raw.get("address_info").string_of(&["destination_tag"]),
    }
}

/// Currencies of the list of money, of the list of coins, and those that only have a rate.
pub(super) async fn currencies(q: Query<'_>) -> Result<Vec<Raw>> {
    let money = open("v2/currencies", &q.params);
    let money = q.exchange.ask(money, |body| body.get("data").each(Raw::of)).await?;
    let coins = open("v2/currencies/crypto", &q.params);
    let coins = q.exchange.ask(coins, |body| body.get("data").each(Raw::of)).await?;
    let read = |body: &Json<'_>| match body.get("data").get("rates") {
        Some(Json::Object(rates)) => rates.iter().map(|(id, _)| id.clone().into_owned()).collect(),
        _ => Vec::new(),
    };
    let rated = q.exchange.ask(open("v2/exchange-rates", &q.params), read).await?;
    let mut all = money;
    all.extend(coins);
    let known: Vec<String> = all.iter().filter_map(|raw| Some(names(raw)?.0)).collect();
    let rated = rated.into_iter().filter(|id: &String| !known.contains(&common(id)));
    all.extend(rated.filter_map(|id| Some(Raw::of(&json::parse("{}")?).with("id", &id))));
    Ok(all)
}

pub(super) async fn ledger(q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
    let code = match currency {
        Some(code) => Some(currency_of(&q, code).await?.0),
        None => None,
    };
    let params = q.params.clone().without(&["account_id", "accountId"]);
    let wallet = match (q.params.text(&["account_id", "accountId"]), &code) {
        (Some(wallet), _) => wallet.to_owned(),
        (None, None) => return Err(required(q.exchange.venue(), q.method, "account_id or a currency code")),
        (None, Some(code)) => {
            let fields = Fields::new().with("limit", ACCOUNTS).and(params.clone());
            let request = signed(q.exchange, Verb::Get, &v3("accounts"), &fields)?;
            let none = || q.error(ErrorClass::ExchangeError, &format!("could not find an account in {code}"));
            q.exchange.ask(request, |body| named(body, code)).await?.ok_or_else(none)?
        }
    };
    let fields = Fields::new().with_some("limit", q.page.limit).and(params);
    let path = format!("v2/accounts/{}/transactions", encoded(&wallet));
    let request = signed(q.exchange, Verb::Get, &path, &fields)?;
    let read = |body: &Json<'_>| {
        let next = body.get("pagination").string_of(&["next_starting_after"]);
        (body.get("data").each(ledger_entry), next)
    };
    let (mut entries, next) = q.exchange.ask(request, read).await?;
    entries.sort_by_key(|entry| entry.time.0);
    entries.retain(|entry| code.is_none() || entry.currency == code);
    let mut entries = q.page.of(entries, |entry| entry.time.0);
    if let (Some(next), Some(last)) = (next, entries.last_mut()) {
        last.info = std::mem::take(&mut last.info).with("next_starting_after", &next);
    }
    Ok(entries)
}

/// The account's fees on the spot market, taker and maker; none if its key may not see them.
pub(super) async fn fees(q: &Query<'_>) -> Result<Option<(Number, Number)>> {
    let request = signed(q.exchange, Verb::Get, &v3("transaction_summary"), &q.params)?;
    let read = |body: &Json<'_>| {
        let tier = body.get("fee_tier");
        tier.number_of(&["taker_fee_rate"]).zip(tier.number_of(&["maker_fee_rate"]))
    };
    unless_refused(q.exchange.ask(request, read).await)
}

/// Addresses of one of the account's wallets.
pub(super) async fn addresses(q: &Query<'_>) -> Result<Vec<DepositAddress>> {
    let wallet = q.params.text(&["account_id", "accountId"]);
    let wallet = wallet.ok_or_else(|| required(q.exchange.venue(), q.method, "account_id"))?;
    let path = format!("v2/accounts/{}/addresses", encoded(wallet));
    let request = signed(q.exchange, Verb::Get, &path, &q.params.clone().without(&["account_id"]))?;
    q.exchange.ask(request, |body| body.get("data").each(address)).await
}

/// What a key may not see, or an account does not have, is nothing.
pub(super) fn unless_refused<T: Default>(result: Result<T>) -> Result<T> {
    match result {
        Err(error) if error.class().is_a(ErrorClass::ExchangeError) => Ok(T::default()),
        other => other,
    }
}

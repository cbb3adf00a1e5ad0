//! The account's money: "Account" and "Wallet" of the spot market, "Query Account Balance" of the contract markets.

use super::parse::{currency, object};
use super::sign::{Host, get, post, public};
use crate::exchange::{Result, not_supported};
use crate::json::{self, Access as _, Json};
use crate::query::Query;
use crate::unified::{
    Balance, Balances, DepositAddress, LedgerEntry, MarketKind, Markets, Raw, Time, TradingFee, Transfer,
};
use crate::{ErrorClass, Exchange, Fields, Number, Request, Value, Venue};

/// What the list of the account's parts is kept by.
const ACCOUNTS: &str = "accounts";

/// Chains by the common names of their networks, where the two differ.
const CHAINS: [(&str, &str); 6] =
    [("TRC20", "TRX"), ("ERC20", "ETH"), ("SOL", "SOLANA"), ("HRC20", "HECO"), ("BEP20", "BSC"), ("XEC", "ECASH")];

/// The number of the account of this kind, if there is any account: each part of the spot market has its own.
pub(super) async fn account(exchange: &Exchange, kind: &str, market: Option<&str>) -> Result<Option<String>> {
    accounts(exchange, |all| {
        let of = |one: &&Json<'_>| match kind {
            "margin" => one.text_of(&["subtype"]) == market,
            kind => one.get("type").text() == Some(kind),
        };
        all.iter().find(of).or(all.first()).and_then(|one| one.string_of(&["id"]))
    })
    .await
}

/// The number of the account of the spot market, if there is one.
pub(super) async fn spot_account(exchange: &Exchange) -> Result<Option<String>> {
    let spot = |one: &&Json<'_>| one.get("type").text() == Some("spot");
    accounts(exchange, |all| all.iter().find(spot).and_then(|one| one.string_of(&["id"]))).await
}

async fn accounts<T>(exchange: &Exchange, read: impl FnOnce(&[Json<'_>]) -> T + Send) -> Result<T> {
    if let Some(known) = exchange.learnt(ACCOUNTS) {
        return Ok(read(json::parse(&known).as_ref().list().unwrap_or_default()));
    }
    let request = get(exchange, Host::Spot, "v1/account/accounts", Fields::new())?;
    let answer = |body: &Json<'_>| {
        let all = body.get("data").list().unwrap_or_default();
        if let Some(data) = body.get("data").filter(|_| !all.is_empty()) {
            exchange.learn(ACCOUNTS, &data.to_string());
        }
        read(all)
    };
    exchange.ask(request, answer).await
}

/// The parts of the exchange that have a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Spot,
    /// Borrowed money, with the account's margin or one of each market's own.
    Margin,
    Isolated,
    Contracts,
}

pub(super) async fn fetch_balance(q: Query<'_>) -> Result<Balances> {
    let params = &q.params;
    if params.flag("unified") || params.flag("uta") {
        return Err(q.error(ErrorClass::NotSupported, "has no unified account any more"));
    }
    let kind = params.text(&["defaultType", "type"]).unwrap_or("spot");
    let mode = params.text(&["marginMode", "defaultMarginMode"]);
    let contracts = matches!(kind, "swap" | "future");
    let part = match (kind, mode) {
        _ if params.flag("multiAssetMode") => Part::Contracts,
        _ if contracts && params.text(&["defaultSubType", "subType"]) == Some("inverse") => {
            return Err(not_supported(Venue::Htx, "contracts settled in coins"));
        }
        _ if contracts => Part::Contracts,
        ("margin" | "spot", Some("isolated")) => Part::Isolated,
        ("margin", _) | ("spot", Some("cross")) => Part::Margin,
        _ => Part::Spot,
    };
    let fields = q.params.clone().without(&[
        "type",
        "defaultType",
        "subType",
        "defaultSubType",
        "marginMode",
        "defaultMarginMode",
        "multiAssetMode",
        "unified",
        "uta",
    ]);
    let request = match part {
        Part::Contracts => get(q.exchange, Host::Contracts, "v5/account/balance", fields)?,
        Part::Isolated => get(q.exchange, Host::Spot, "v1/margin/accounts/balance", fields)?,
        Part::Margin => get(q.exchange, Host::Spot, "v1/cross-margin/accounts/balance", fields)?,
        Part::Spot => spot_balance(&q, kind, fields).await?,
    };
    q.exchange.ask(request, |body| balances(part, body)).await
}

async fn spot_balance(q: &Query<'_>, kind: &str, fields: Fields) -> Result<Request> {
    let first = account(q.exchange, kind, None).await?;
    let said = fields.text(&["accountId", "account-id"]).map(str::to_owned);
    let account = said.or(first).unwrap_or_else(|| "undefined".to_owned());
    let path = format!("v1/account/accounts/{account}/balance");
    get(q.exchange, Host::Spot, &path, fields.without(&["account-id"]))
}

fn balances(part: Part, body: &Json<'_>) -> Balances {
    let mut of: Vec<(String, Balance)> = Vec::new();
    match part {
        Part::Contracts => of.extend(object(body, "data").get("details").each(contract_balance).into_iter().flatten()),
        Part::Isolated => {
            for account in body.get("data").list().unwrap_or_default() {
                let mut own = Vec::new();
                gather(&mut own, account);
                own.into_iter().for_each(|(code, balance)| add(&mut of, code, balance));
            }
        }
        Part::Spot | Part::Margin => gather(&mut of, object(body, "data")),
    }
    let completed = of.into_iter().map(|(code, balance)| (code, balance.completed())).collect();
    Balances { info: Raw::of(body), of: completed, ..Balances::default() }
}

fn contract_balance(one: &Json<'_>) -> Option<(String, Balance)> {
    let balance =
        Balance { free: one.number_of(&["available_margin"]), total: one.number_of(&["equity"]), ..Balance::default() };
    Some((currency(one, &["currency"])?, balance))
}

/// What one account has: for each currency an entry of what is free, one of what is held, and others.
fn gather(of: &mut Vec<(String, Balance)>, account: &Json<'_>) {
    for entry in account.get("list").list().unwrap_or_default() {
        let Some(code) = currency(entry, &["currency"]) else { continue };
        let place = of.iter().position(|(known, _)| *known == code).unwrap_or_else(|| {
            of.push((code, Balance::default()));
            of.len() - 1
        });
        let Some((_, balance)) = of.get_mut(place) else { continue };
        match entry.get("type").text() {
            Some("trade") => balance.free = entry.number_of(&["balance"]),
            Some("frozen") => balance.used = entry.number_of(&["balance"]),
            _ => {}
        }
    }
}

/// Markets with margin of their own have the same currencies.
fn add(of: &mut Vec<(String, Balance)>, code: String, balance: Balance) {
    let sum = |left: Option<Number>, right: Option<Number>| match (left, right) {
        (Some(left), Some(right)) => left.plus(right),
        (left, right) => left.or(right),
    };
    match of.iter_mut().find(|(known, _)| *known == code) {
        Some((_, known)) => {
            known.free = sum(known.free, balance.free);
            known.used = sum(known.used, balance.used);
        }
        None => of.push((code, balance)),
    }
}

pub(super) async fn fetch_trading_fee(q: Query<'_>) -> Result<TradingFee> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let fields = Fields::new().with("symbols", market.id.as_str()).and(q.params.clone());
    let request = get(q.exchange, Host::Spot, "v2/reference/transact-fee-rate", fields)?;
    let read = |body: &Json<'_>| {
        let one = super::parse::first(body, "data");
        let id = one.text_of(&["symbol"]);
        TradingFee {
            info: Raw::of(one),
            symbol: market.context(&markets).symbol(id, market.contract()).1,
            maker: one.number_of(&["actualMakerRate"]),
            taker: one.number_of(&["actualTakerRate"]),
            ..TradingFee::default()
        }
    };
    q.exchange.ask(request, read).await
}

pub(super) async fn fetch_ledger(q: Query<'_>, code: Option<&str>) -> Result<Vec<LedgerEntry>> {
    let markets = q.markets().await?;
    let first = account(q.exchange, "spot", None).await?;
    let currency = code.map(|code| q.currency(&markets, code)).transpose()?;
    let account = q.params.text(&["accountId", "account-id"]).map(str::to_owned).or(first);
    let until = q.params.text(&["until", "till"]).and_then(|text| text.parse::<i64>().ok());
    let fields = Fields::new()
        .with_some("accountId", account)
        .with_some("currency", currency)
        .with_some("startTime", q.page.since)
        .with_some("limit", q.page.limit)
        .with_some("endTime", until)
        .and(q.params.clone().without(&["until", "till"]));
    let request = get(q.exchange, Host::Spot, "v2/account/ledger", fields)?;
    let mut entries = q.exchange.ask(request, |body| body.get("data").each(ledger_entry)).await?;
    entries.sort_by_key(|entry| entry.time.0);
    entries.retain(|entry| code.is_none_or(|code| entry.currency.as_deref() == Some(code)));
    Ok(q.page.of(entries, |entry| entry.time.0))
}

fn ledger_entry(raw: &Json<'_>) -> LedgerEntry {
    let id = raw.string_of(&["transactId"]);
    let account = raw.string_of(&["accountId"]);
    let kind = raw.text_of(&["transferType"]).map(|word| match word {
        "trade" | "etf" | "liquidation" => "trade",
        "transact-fee" | "fee-deduction" | "withdraw-fee" => "fee",
        "credit" | "interest" => "credit",
        "withdraw" => "withdrawal",
        "other-types" => "transfer",
        other => other,
    });
    LedgerEntry {
        info: Raw::of(raw),
        id: id.clone(),
        time: Time::parse(raw.text_of(&["transactTime"])),
        direction: match raw.text_of(&["direction"]) {
            Some("in") => Some("in"),
            Some("out") => Some("out"),
            _ => None,
        },
        account: account.clone(),
        reference_id: id,
        reference_account: account,
        kind: kind.map(str::to_owned),
        currency: currency(raw, &["currency"]),
        amount: raw.number_of(&["transactAmt"]),
        ..LedgerEntry::default()
    }
}

pub(super) async fn fetch_deposit_address(q: Query<'_>, code: &str) -> Result<DepositAddress> {
    let markets = q.markets().await?;
    let id = q.currency(&markets, code)?;
    let network = match q.params.text(&["networkCode", "network"]) {
        Some(network) => network,
        None if code == "USDT" => "TRC20",
        None if code == "BTC" => "BTC",
        None => "ERC20",
    };
    let fields = q.params.clone().without(&["networkCode", "network"]);
    let fields = Fields::new().with("currency", id).and(fields);
    let request = get(q.exchange, Host::Spot, "v2/account/deposit/address", fields)?;
    let all: Vec<(String, DepositAddress)> = q.exchange.ask(request, |body| body.get("data").each(address)).await?;
    if all.is_empty() {
        return Err(q.error(ErrorClass::InvalidAddress, &format!("was told no address of {code}")));
    }
    // addresses name their chains in words of the currency, `trc20usdt`: what those are is told to everybody
    let fields = Fields::new().with("currency", id);
    let read = |body: &Json<'_>| body.get("data").at(0).get("chains").each(chain);
    let chains = q.exchange.ask(public(Host::Spot, "v2/reference/currencies", &fields), read).await?;
    let network_of = |chain: &str| {
        let title = chains.iter().find(|(name, _)| name == chain).map_or(chain, |(_, title)| title.as_str());
        CHAINS.iter().find(|(_, known)| *known == title).map_or(title, |(network, _)| *network).to_owned()
    };
    let named = all.into_iter().map(|(chain, address)| (network_of(&chain), address));
    let found = named.into_iter().find(|(name, _)| name == network);
    let missing = || q.error(ErrorClass::NotSupported, &format!("was told no address of {code} in network {network}"));
    let (network, address) = found.ok_or_else(missing)?;
    Ok(DepositAddress { network: Some(network), ..address })
}

fn address(raw: &Json<'_>) -> (String, DepositAddress) {
    let address = DepositAddress {
        info: Raw::of(raw),
        currency: currency(raw, &["currency"]),
        address: raw.string_of(&["address"]),
        tag: raw.string_of(&["addressTag"]),
        ..DepositAddress::default()
    };
    (raw.string_of(&["chain"]).unwrap_or_default(), address)
}

fn chain(raw: &Json<'_>) -> (String, String) {
    let text = |names: &[&str]| raw.string_of(names).unwrap_or_default();
    (text(&["chain"]), text(&["baseChain", "displayName"]))
}

/// A part of the exchange, as movements of money name it; a market with margin of its own by its name.
fn part(markets: &Markets, account: &str) -> String {
    match account.to_lowercase().as_str() {
        "spot" | "funding" => "pro".to_owned(),
        "future" => "futures".to_owned(),
        _ => markets.of(account).map_or_else(|_| account.to_owned(), |market| market.id.clone()),
    }
}

pub(super) async fn transfer(q: Query<'_>, code: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
    let markets = q.markets().await?;
    let (source, target) = (part(&markets, from), part(&markets, to));
    let alone = |part: &str| markets.named(part, false).is_some() || markets.named(part, true).is_some();
    let fields =
        Fields::new().with("currency", q.currency(&markets, code)?).with("amount", Value::Digits(amount.to_string()));
    let params = q.params.clone().without(&["subType", "defaultSubType"]);
    let linear = q.params.text(&["subType", "defaultSubType"]) != Some("inverse");
    let (path, fields) = match (source.as_str(), target.as_str()) {
        ("pro", "pro") => {
            let message = format!("cannot move money between {from} and {to}");
            return Err(q.error(ErrorClass::BadRequest, &message));
        }
        ("futures", _) | (_, "futures") => {
            ("v1/futures/transfer", fields.with("type", format!("{source}-to-{target}")).and(params))
        }
        ("pro", "cross") => ("v1/cross-margin/transfer-in", fields.and(params)),
        ("cross", "pro") => ("v1/cross-margin/transfer-out", fields.and(params)),
        ("pro", part) if alone(part) => ("v1/dw/transfer-in/margin", fields.with("symbol", part).and(params)),
        (part, "pro") if alone(part) => ("v1/dw/transfer-out/margin", fields.with("symbol", part).and(params)),
        _ => ("v2/account/transfer", to_contracts(&markets, fields, params, [&source, &target], linear)?),
    };
    let read = |body: &Json<'_>| Transfer {
        info: Raw::of(body),
        id: body.string_of(&["transfer_id", "data"]),
        currency: Some(code.to_owned()),
        ..Transfer::default()
    };
    q.exchange.ask(post(q.exchange, Host::Spot, path, fields)?, read).await
}

/// Contracts settled in the quote currency keep each margin account apart: that of all markets, or one market's own.
fn to_contracts(
    markets: &Markets,
    fields: Fields,
    params: Fields,
    [from, to]: [&str; 2],
    linear: bool,
) -> Result<Fields> {
    const CONTRACTS: &str = "linear-swap";
    let named = |part: &str| if part == "pro" { "spot".to_owned() } else { part.to_owned() };
    let (from, to) = (named(from), named(to));
    if !linear {
        return Ok(fields.with("from", from).with("to", to).and(params));
    }
    let margin = params.text(&["symbol"]).map(|symbol| markets.of(symbol).map(|market| market.id.clone()));
    let fields = fields.with("margin-account", margin.transpose()?.unwrap_or_else(|| "USDT".to_owned()));
    let out = matches!(from.as_str(), "swap" | CONTRACTS);
    let (from, to) = if out { (CONTRACTS.to_owned(), to) } else { (from, CONTRACTS.to_owned()) };
    Ok(fields.with("from", from).with("to", to).and(params.without(&["symbol"])))
}

/// The word of a kind of market.
pub(super) const fn kind_name(kind: MarketKind) -> &'static str {
    match kind {
        MarketKind::Spot => "spot",
        MarketKind::Swap => "swap",
        MarketKind::Future => "future",
    }
}

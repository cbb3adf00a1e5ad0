//! The account's money: "Get balance" of both accounts, "Get bills details", "Get deposit address", "Funds transfer".

use super::parse::{data, fee, negated};
use super::sign::{get, post};
use crate::exchange::Result;
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::unified::{Balance, Balances, DepositAddress, LedgerEntry, Market, Raw, Time, TradingFee, Transfer};
use crate::{ErrorClass, Fields, Number, Venue};

/// Accounts that money moves between, by the exchange's names and CCXT's.
const ACCOUNTS: [(&str, &str); 2] = [("6", "funding"), ("18", "trading")];
/// Parts of the trading account that CCXT has names for.
const OF_TRADING: [&str; 7] = ["trading", "spot", "future", "futures", "margin", "swap", "option"];

/// Chains by the exchange's names, where CCXT has others; the rest is named alike.
const CHAINS: [(&str, &str); 24] = [
    ("Algorand", "ALGO"),
    ("Aptos", "APT"),
    ("Arbitrum One", "ARBITRUM"),
    ("Avalanche C-Chain", "AVAXC"),
    ("Avalanche X-Chain", "AVAXX"),
    ("BSC", "BEP20"),
    ("Base", "BASE"),
    ("Bitcoin", "BTC"),
    ("BitcoinCash", "BCH"),
    ("Cardano", "ADA"),
    ("Cosmos", "ATOM"),
    ("Digibyte", "DGB"),
    ("Dogecoin", "DOGE"),
    ("Ethereum Classic", "ETC"),
    ("Lightning", "BTCLIGHTNING"),
    ("Linea", "LINEA"),
    ("Litecoin", "LTC"),
    ("Optimism", "OP"),
    ("Polkadot", "DOT"),
    ("Polygon", "MATIC"),
    ("Ripple", "XRP"),
    ("Solana", "SOL"),
    ("Stellar Lumens", "XLM"),
    ("zkSync Era", "ZKSYNCERA"),
];

/// The account of the exchange's name.
fn account(id: &str) -> Option<String> {
    ACCOUNTS.iter().find(|(known, _)| *known == id).map(|(_, name)| (*name).to_owned())
}

/// The exchange's name of an account; a sub-account is named by itself.
fn account_id(name: &str) -> &str {
    match name {
        "funding" => "6",
        name if OF_TRADING.contains(&name) => "18",
        other => other,
    }
}

/// The trading account says its details by currency, the funding account is a list of currencies.
pub(super) fn balances(body: &Json<'_>) -> Balances {
    let first = data(body).first();
    let details = first.get("details").list();
    let of = |one: &Json<'_>| {
        let number = |name: &str| one.number_of(&[name]);
        let balance = if details.is_some() {
            let available = number("availEq");
            let (free, used) = match available {
                Some(free) => (Some(free), None),
                None => (number("availBal"), number("frozenBal")),
            };
            Balance { free, used, total: number("eq"), ..Balance::default() }
        } else {
            let (free, used) = (number("availBal"), number("frozenBal"));
            Balance { free, used, total: number("bal"), ..Balance::default() }
        };
        Some((Venue::Okx.description().currency(one.text_of(&["ccy"])?), balance.completed()))
    };
    Balances {
        info: Raw::of(body),
        time: Time::parse(first.get("uTime").text()),
        of: details.unwrap_or_else(|| data(body)).iter().filter_map(of).collect(),
    }
}

pub(super) async fn fetch_balance(q: Query<'_>) -> Result<Balances> {
    let funding = q.params.text(&["defaultType", "type", "instType"]) == Some("funding");
    let path = if funding { "asset/balances" } else { "account/balance" };
    let fields = q.params.without(&["defaultType", "type", "instType"]);
    q.exchange.ask(get(q.exchange, path, &fields)?, balances).await
}

pub(super) async fn fetch_trading_fee(q: Query<'_>) -> Result<TradingFee> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let fields = Fields::new().with("instType", super::http::instrument_type(market));
    let fields = if market.contract() {
        fields.with("uly", format!("{}-{}", market.base_id, market.quote_id))
    } else {
        fields.with("instId", market.id.as_str())
    };
    let request = get(q.exchange, "account/trade-fee", &fields.and(q.params))?;
    q.exchange.ask(request, |body| trading_fee(data(body).first(), market)).await
}

/// Fees are negative, rebates are not.
fn trading_fee(raw: Option<&Json<'_>>, market: &Market) -> TradingFee {
    let share = |names: &[&str]| raw.number_of(names).and_then(negated);
    TradingFee {
        info: raw.map(Raw::of).unwrap_or_default(),
        symbol: Some(market.symbol.clone()),
        maker: share(&["maker", "makerU"]),
        taker: share(&["taker", "takerU"]),
        ..TradingFee::default()
    }
}

pub(super) async fn fetch_ledger(q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
    let path = match q.params.text(&["method"]) {
        Some("privateGetAccountBillsArchive") => "account/bills-archive",
        Some("privateGetAssetBills") => "asset/bills",
        _ => "account/bills",
    };
    let mode = q.params.text(&["marginMode", "mgnMode"]).filter(|_| path != "asset/bills");
    let (part, rest) = super::http::part(q.params.clone().without(&["method", "marginMode"]), None);
    let fields = Fields::new()
        .with_some("mgnMode", mode)
        .with("instType", part)
        .with_some("limit", q.page.limit)
        .with_some("ccy", currency)
        .with_some("end", rest.text(&["until", "till"]))
        .and(rest);
    let read = |body: &Json<'_>| data(body).iter().map(ledger_entry).collect::<Vec<_>>();
    let mut entries = q.exchange.ask(get(q.exchange, path, &fields)?, read).await?;
    let wanted = currency.map(|id| Venue::Okx.description().currency(id));
    entries.retain(|entry| wanted.is_none() || entry.currency == wanted);
    entries.sort_by_key(|entry| entry.time.0);
    Ok(q.page.of(entries, |entry| entry.time.0))
}

fn ledger_entry(raw: &Json<'_>) -> LedgerEntry {
    let (amount, after) = (raw.number_of(&["balChg"]), raw.number_of(&["bal"]));
    let before = after.and_then(|after| after.minus(amount?));
    let direction = match (before, after) {
        (Some(before), Some(after)) if before > after => Some("out"),
        (Some(before), Some(after)) if before < after => Some("in"),
        _ => None,
    };
    LedgerEntry {
        info: Raw::of(raw),
        id: raw.string_of(&["billId"]),
        time: Time::parse(raw.get("ts").text()),
        direction,
        reference_id: raw.string_of(&["ordId"]),
        kind: raw.text_of(&["type"]).map(|word| kind(word).to_owned()),
        currency: raw.text_of(&["ccy"]).map(|id| Venue::Okx.description().currency(id)),
        amount,
        before,
        after,
        status: Some("ok".to_owned()),
        fee: fee(raw, "ccy"),
        ..LedgerEntry::default()
    }
}

/// "Bill type".
fn kind(word: &str) -> &str {
    match word {
        "1" | "6" => "transfer",
        "2" | "3" | "5" | "7" | "9" | "10" | "11" => "trade",
        "4" => "rebate",
        "8" => "fee",
        other => other,
    }
}

pub(super) async fn fetch_deposit_address(q: Query<'_>, currency: &str) -> Result<DepositAddress> {
    let fields = Fields::new().with("ccy", currency).and(q.params.clone().without(&["network"]));
    let read = |body: &Json<'_>| {
        let selected = data(body).iter().filter(|one| one.get("selected").flag() == Some(true));
        selected.map(deposit_address).collect::<Vec<_>>()
    };
    let all = q.exchange.ask(get(q.exchange, "asset/deposit-address", &fields)?, read).await?;
    let asked = q.params.text(&["network"]);
    let is = |address: &DepositAddress, network: &str| address.network.as_deref() == Some(network);
    let found = match asked {
        Some(network) => all.into_iter().find(|address| is(address, network)),
        // the currency's own chain, or else the first
        None => {
            let own = all.iter().position(|address| is(address, currency)).unwrap_or_default();
            all.into_iter().nth(own)
        }
    };
    let none = || q.error(ErrorClass::InvalidAddress, &format!("finds no address of {currency} in this network"));
    found.ok_or_else(none)
}

fn deposit_address(raw: &Json<'_>) -> DepositAddress {
    let currency = raw.text_of(&["ccy"]).map(|id| Venue::Okx.description().currency(id));
    // chains are named with the currency before them: USDT-TRC20
    let chain = raw.text_of(&["chain"]).and_then(|chain| chain.split_once('-')).map(|(_, chain)| chain);
    DepositAddress {
        info: Raw::of(raw),
        currency,
        network: chain.map(|chain| network(chain).to_owned()),
        address: raw.string_of(&["addr"]),
        tag: raw.string_of(&["tag", "pmtId", "memo"]).or_else(|| raw.get("addrEx").string_of(&["comment"])),
    }
}

fn network(chain: &str) -> &str {
    CHAINS.iter().find(|(id, _)| *id == chain).map_or(chain, |(_, code)| code)
}

pub(super) async fn transfer(q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
    let (from, to) = (account_id(from), account_id(to));
    let of_sub_account = match (from, to) {
        ("master", sub) => Some(("1", sub)),
        (sub, "master") => Some(("2", sub)),
        _ => None,
    };
    let fields = Fields::new().with("ccy", currency).with("amt", amount);
    let fields = match of_sub_account {
        None => fields.with("type", "0").with("from", from).with("to", to),
        Some((direction, sub)) => {
            let funding = |name: &str| q.params.text(&[name]).unwrap_or("6").to_owned();
            let fields = fields.with("type", direction).with("from", funding("from")).with("to", funding("to"));
            fields.with("subAcct", sub)
        }
    };
    let request = post(q.exchange, "asset/transfer", fields.and(q.params).json())?;
    let read = |body: &Json<'_>| data(body).first().map(moved).unwrap_or_default();
    let moved = q.exchange.ask(request, read).await?;
    Ok(Transfer { currency: moved.currency.or_else(|| Some(currency.to_owned())), ..moved })
}

fn moved(raw: &Json<'_>) -> Transfer {
    let named = |name: &str| raw.text_of(&[name]).and_then(account);
    Transfer {
        info: Raw::of(raw),
        id: raw.string_of(&["transId", "billId"]),
        time: Time::parse(raw.get("ts").text()),
        currency: raw.text_of(&["ccy"]).map(|id| Venue::Okx.description().currency(id)),
        amount: raw.number_of(&["sz"]).map(Number::abs).or_else(|| raw.number_of(&["amt"])),
        from_account: named("from"),
        to_account: named("to"),
        status: raw.text_of(&["state"]).map(|word| if word == "success" { "ok" } else { word }.to_owned()),
    }
}

//! The account's money and settings: V5 "Account", "Asset" and "Position".

use super::orders::{continued, settled};
use super::parse::list;
use super::sign::{post, private, public};
use super::{balance, network, part, position};
use crate::exchange::{Result, Status};
use crate::json::{self, Access as _, Json};
use crate::query::Query;
use crate::unified::{Balances, DepositAddress, Fee, LedgerEntry, Leverage, Position, Raw, Time, TradingFee, Transfer};
use crate::{Context, ErrorClass, Fields, Number, Venue, VenueError};

/// Positions of one answer, at most.
const POSITIONS: i64 = 200;

/// Accounts that money moves between.
fn account(name: &str) -> &str {
    match name {
        "spot" | "margin" => "SPOT",
        "swap" | "future" | "contract" => "CONTRACT",
        "option" => "OPTION",
        "investment" => "INVESTMENT",
        "unified" => "UNIFIED",
        "funding" | "fund" => "FUND",
        other => other,
    }
}

pub(super) async fn status(q: Query<'_>) -> Result<Status> {
    let read = |body: &Json<'_>| {
        let events = list(body);
        let in_state = |state: &str| events.iter().find(|event| event.text_of(&["state"]) == Some(state));
        let ongoing = in_state("ongoing");
        let at = |event: &Json<'_>, name: &str| Time::parse(event.text_of(&[name])).0;
        // of those that are announced, the last is told
        let announced = events.iter().rfind(|event| event.text_of(&["state"]) == Some("scheduled"));
        Status {
            status: Some(if ongoing.is_some() { "maintenance" } else { "ok" }.to_owned()),
            updated: None,
            eta: ongoing
                .and_then(|event| at(event, "end"))
                .or_else(|| at(announced.filter(|_| ongoing.is_none())?, "begin")),
            url: ongoing.or(announced).string_of(&["href"]),
            info: Raw::of(body),
        }
    };
    q.exchange.ask(public("v5/system/status", &q.params), read).await
}

pub(super) async fn currencies(q: Query<'_>) -> Result<Vec<Raw>> {
    if q.exchange.credentials().is_err() {
        return Ok(Vec::new());
    }
    let request = private(q.exchange, "v5/asset/coin/query-info", &q.params)?;
    q.exchange.ask(request, |body| body.get("result").get("rows").each(Raw::of)).await
}

pub(super) async fn balances(q: Query<'_>) -> Result<Balances> {
    let kind = q.params.text(&["defaultType", "type"]).map(str::to_lowercase);
    let margin = q.params.text(&["marginMode", "defaultMarginMode"]).is_some();
    let params = part::asked(None, q.params.clone()).1.without(&["marginMode", "defaultMarginMode"]);
    let (path, fields) = match kind.as_deref() {
        Some("spot") if margin => ("v5/spot-cross-margin-trade/account", Fields::new()),
        Some("fund" | "funding") => {
            ("v5/asset/transfer/query-account-coins-balance", Fields::new().with("accountType", "FUND"))
        }
        _ => ("v5/account/wallet-balance", Fields::new().with("accountType", "UNIFIED")),
    };
    q.exchange.ask(private(q.exchange, path, &fields.and(params))?, balance::balances).await
}

pub(super) async fn ledger(q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
    let markets = q.markets().await?;
    let id = currency.map(|code| q.currency(&markets, code)).transpose()?;
    let fields = Fields::new()
        .with_some("startTime", q.page.since)
        .with_some("currency", id)
        .with_some("limit", q.page.limit)
        .and(q.params.clone().without(&["subType", "defaultSubType"]));
    let read = |body: &Json<'_>| {
        let mut entries = list(body).iter().map(entry).collect::<Vec<_>>();
        continued(body, entries.first_mut().map(|entry| &mut entry.info));
        entries
    };
    let mut entries = q.exchange.ask(private(q.exchange, "v5/account/transaction-log", &fields)?, read).await?;
    entries.sort_by_key(|entry| entry.time.0);
    entries.retain(|entry| currency.is_none() || entry.currency.as_deref() == currency);
    Ok(q.page.of(entries, |entry| entry.time.0))
}

fn entry(raw: &Json<'_>) -> LedgerEntry {
    let change = raw.number_of(&["amount", "change"]);
    let after = raw.number_of(&["wallet_balance", "cashBalance"]);
    let both = change.zip(after);
    let currency = raw.text_of(&["coin", "currency"]).map(|id| Venue::Bybit.description().currency(id));
    let out = change.is_some_and(|change| change < Number::default());
    LedgerEntry {
        info: Raw::of(raw),
        id: raw.string_of(&["id"]),
        time: Time::parse(raw.text_of(&["transactionTime"])),
        direction: Some(if out { "out" } else { "in" }),
        account: raw.string_of(&["wallet_id"]),
        reference_id: raw.string_of(&["tx_id"]),
        reference_account: None,
        kind: raw.text_of(&["type"]).map(|word| kind(word).to_owned()),
        amount: both.map(|(change, _)| change.abs()),
        // as CCXT has it: what went out is taken off once more
        before: both.and_then(|(change, after)| if out { after.plus(change) } else { after.minus(change) }),
        after: both.map(|(_, after)| after),
        status: Some("ok".to_owned()),
        fee: Some(Fee { cost: raw.number_of(&["fee"]), currency: currency.clone(), rate: None }),
        currency,
    }
}

fn kind(word: &str) -> &str {
    match word {
        "Deposit"
        | "Withdraw"
        | "ExchangeOrderWithdraw"
        | "ExchangeOrderDeposit"
        | "TRANSFER_IN"
        | "TRANSFER_OUT"
        | "INTEREST" => "transaction",
        "RealisedPNL" | "TRADE" | "SETTLEMENT" | "DELIVERY" | "LIQUIDATION" | "CURRENCY_BUY" | "CURRENCY_SELL" => {
            "trade"
        }
        "Commission" => "fee",
        "Refund" | "FEE_REFUND" => "cashback",
        "Prize" => "prize",
        "BONUS" => "Prize",
        other => other,
    }
}

pub(super) async fn deposit_address(q: Query<'_>, currency: &str) -> Result<DepositAddress> {
    let markets = q.markets().await?;
    let asked = q.params.text(&["networkCode", "network"]).map(str::to_owned);
    let fields = Fields::new()
        .with("coin", q.currency(&markets, currency)?)
        .and(q.params.clone().without(&["networkCode", "network"]));
    let read = |body: &Json<'_>| {
        let chains = body.get("result").get("chains");
        let address = |raw: &Json<'_>| DepositAddress {
            info: Raw::of(raw),
            currency: Some(currency.to_owned()),
            network: raw.text_of(&["chain"]).map(|chain| network::code(chain).to_owned()),
            address: raw.string_of(&["addressDeposit"]),
            tag: raw.string_of(&["tagDeposit"]),
        };
        chains.each(address)
    };
    let request = private(q.exchange, "v5/asset/deposit/query-address", &fields)?;
    let addresses = q.exchange.ask(request, read).await?;
    let wanted = asked.as_deref().unwrap_or_else(|| network::default(currency));
    let named = |address: &DepositAddress| address.network.as_deref() == Some(wanted);
    let none = || q.error(ErrorClass::NotSupported, &format!("found no address of {currency} by {wanted}"));
    let found = addresses.into_iter().find(named).ok_or_else(none)?;
    if found.address.is_none() {
        return Err(q.error(ErrorClass::InvalidAddress, &format!("found no address of {currency}")));
    }
    Ok(found)
}

pub(super) async fn transfer(q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
    let markets = q.markets().await?;
    let name = q.params.text(&["transferId"]).map_or_else(|| q.exchange.uuid(), str::to_owned);
    let fields = Fields::new()
        .with("transferId", name)
        .with("fromAccountType", account(from))
        .with("toAccountType", account(to))
        .with("coin", q.currency(&markets, currency)?)
        .with("amount", amount)
        .and(q.params.clone());
    let read = |body: &Json<'_>| {
        let nothing = Json::Object(Vec::new());
        let done = body.get("result").unwrap_or(&nothing);
        let code = |id: &str| Venue::Bybit.description().currency(id);
        Transfer {
            info: Raw::of(done),
            id: done.string_of(&["transferId"]),
            time: Time::parse(body.get("time").text()),
            currency: done.text_of(&["coin"]).map(code).or_else(|| Some(currency.to_owned())),
            amount: Some(amount),
            from_account: Some(from.to_owned()),
            to_account: Some(to.to_owned()),
            status: body.text_of(&["retCode", "retMsg"]).map(|word| match word {
                "0" | "OK" | "SUCCESS" => "ok".to_owned(),
                other => other.to_owned(),
            }),
        }
    };
    q.exchange.ask(post(q.exchange, "v5/asset/transfer/inter-transfer", &fields)?, read).await
}

pub(super) async fn trading_fee(q: Query<'_>) -> Result<TradingFee> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let (part, params) = part::asked(Some(market), q.params.clone());
    let fields = Fields::new().with("symbol", market.id.as_str()).with("category", part).and(params);
    let read = |body: &Json<'_>| {
        let nothing = Json::Object(Vec::new());
        let first = list(body).first().unwrap_or(&nothing);
        TradingFee {
            info: Raw::of(first),
            symbol: market.context(&markets).symbol(first.text_of(&["symbol"]), market.contract()).1,
            maker: first.number_of(&["makerFeeRate"]),
            taker: first.number_of(&["takerFeeRate"]),
            ..TradingFee::default()
        }
    };
    q.exchange.ask(private(q.exchange, "v5/account/fee-rate", &fields)?, read).await
}

pub(super) async fn position(q: Query<'_>) -> Result<Position> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let (part, params) = part::asked(Some(market), q.params.clone());
    let fields = Fields::new().with("symbol", market.id.as_str()).with("category", part).and(params);
    let read = |body: &Json<'_>| {
        let result = body.get("result");
        let first = result.get("list").at(0).or_else(|| result.get("dataList").at(0));
        let nothing = Json::Object(Vec::new());
        let position = position::position(first.unwrap_or(&nothing), market.context(&markets));
        Position { time: Time::parse(body.get("time").text()), ..position }
    };
    q.exchange.ask(private(q.exchange, "v5/position/list", &fields)?, read).await
}

pub(super) async fn positions(q: Query<'_>) -> Result<Vec<Position>> {
    let markets = q.markets().await?;
    let wanted = q.listed(&markets)?;
    if wanted.len() > 1 {
        return Err(q.error(ErrorClass::ArgumentsRequired, "takes one market at most"));
    }
    let market = wanted.first().copied();
    let (part, params) = part::asked(market, q.params.clone());
    let limit = params.text(&["limit"]).is_none().then_some(POSITIONS);
    let all = market.is_none() && params.text(&["baseCoin"]).is_none();
    let mut fields = Fields::new().with_some("symbol", market.map(|market| market.id.as_str()));
    if part == part::LINEAR {
        fields = fields.with_some("settleCoin", settled(market, part, &params));
    } else if part == part::INVERSE && all {
        fields.set("category", part);
    }
    let fields = fields.with_some("limit", limit).with("category", part).and(params);
    let none = Context { markets: &markets, asked: None };
    let read = |body: &Json<'_>| {
        let of = |raw: &Json<'_>| {
            let wrapped = raw.get("data").filter(|_| raw.get("is_valid").is_some());
            position::position(wrapped.unwrap_or(raw), none)
        };
        let mut positions: Vec<Position> = list(body).iter().map(of).collect();
        continued(body, positions.first_mut().map(|position| &mut position.info));
        positions
    };
    let mut positions = q.exchange.ask(private(q.exchange, "v5/position/list", &fields)?, read).await?;
    positions.retain(|position| market.is_none_or(|market| position.symbol.as_ref() == Some(&market.symbol)));
    Ok(positions)
}

/// The position says it.
pub(super) async fn leverage(q: Query<'_>) -> Result<Leverage> {
    let held = position(q).await?;
    let whole = held.leverage.and_then(|leverage| leverage.cut(0));
    let said = serde_json::to_string(&held).unwrap_or_default();
    Ok(Leverage {
        info: json::parse(&said).map(|said| Raw::of(&said)).unwrap_or_default(),
        symbol: held.symbol,
        margin_mode: held.margin_mode,
        long_leverage: whole,
        short_leverage: whole,
    })
}

pub(super) async fn set_leverage(q: Query<'_>, leverage: Number) -> Result<Raw> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    if !market.contract() {
        return Err(q.error(ErrorClass::NotSupported, "is for contracts only"));
    }
    let fields = Fields::new()
        .with("symbol", market.id.as_str())
        .with("buyLeverage", leverage)
        .with("sellLeverage", leverage)
        .with("category", part::of(market))
        .and(q.params.clone());
    q.exchange.ask(post(q.exchange, "v5/position/set-leverage", &fields)?, Raw::of).await
}

pub(super) async fn set_margin_mode(q: Query<'_>, mode: &str) -> Result<Raw> {
    let mode = match mode {
        "isolated" => "ISOLATED_MARGIN",
        "cross" => "REGULAR_MARGIN",
        "portfolio" => "PORTFOLIO_MARGIN",
        _ => return Err(q.error(ErrorClass::NotSupported, "takes isolated, cross or portfolio")),
    };
    let fields = Fields::new().with("setMarginMode", mode).and(q.params.clone());
    q.exchange.ask(post(q.exchange, "v5/account/set-margin-mode", &fields)?, Raw::of).await
}

pub(super) async fn set_position_mode(q: Query<'_>, hedged: bool) -> Result<Raw> {
    let markets = q.markets().await?;
    let market = q.market_if_any(&markets)?;
    // 0: one position, 3: one of each side
    let fields = Fields::new().with("mode", if hedged { 3_i64 } else { 0 });
    let (fields, params) = match market {
        Some(market) => {
            let part = if market.linear == Some(true) { part::LINEAR } else { part::INVERSE };
            let fields = fields.with("symbol", market.id.as_str()).with("category", part);
            (fields, q.params.clone().without(&["type"]))
        }
        None => {
            let (part, params) = part::asked(None, q.params.clone());
            (fields.with("coin", "USDT").with("category", part), params.without(&["type"]))
        }
    };
    q.exchange.ask(post(q.exchange, "v5/position/switch-mode", &fields.and(params))?, Raw::of).await
}

/// The exchange's time.
pub(super) async fn time(q: Query<'_>) -> Result<i64> {
    let time =
        q.exchange.ask(public("v5/market/time", &q.params), |body| Time::parse(body.get("time").text()).0).await?;
    time.ok_or_else(|| VenueError::new(ErrorClass::BadResponse, "bybit fetchTime() has no time"))
}

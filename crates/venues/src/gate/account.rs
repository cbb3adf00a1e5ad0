//! What the account has beside orders: its money, fees, leverage and positions.

use super::balance::balances;
use super::orders::until;
use super::parse::{Dialect, named as market_named, seconds};
use super::part::{Part, Scope, account, currency, wallet};
use super::sign::{asked, public, told};
use crate::exchange::{Result, required};
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::unified::{
    Balances, DepositAddress, LedgerEntry, Leverage, Market, MarketKind, Markets, Position, Raw, Time, TradingFee,
    Transfer,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, Value, Verb};

/// Names of chains that are not the common ones.
const CHAINS: [(&str, &str); 26] = [
    ("BTCBRC", "BRC20"),
    ("ETH", "ERC20"),
    ("TRX", "TRC20"),
    ("HT", "HRC20"),
    ("HECO", "HRC20"),
    ("BSC", "BEP20"),
    ("OPETH", "OP"),
    ("AVAX_C", "AVAXC"),
    ("ARBEVM", "ARBITRUM"),
    ("ARBNOVA", "ARBITRUM_NOVA"),
    ("BASEEVM", "BASE"),
    ("SCROLLETH", "SCROLL"),
    ("TAIKOETH", "TAIKO"),
    ("LINEAETH", "LINEA"),
    ("BLASTETH", "BLAST"),
    ("RBTC", "RSK"),
    ("ZKSERA", "ZKSYNC"),
    ("AURORAEVM", "AURORA"),
    ("KONET", "KON"),
    ("GTEVM", "GATECHAIN"),
    ("KSMSM", "KUSAMA"),
    ("OKT", "OKC"),
    ("DOTSM", "POLKADOT"),
    ("LUNC", "LUNA"),
    ("POLYGON", "MATIC"),
    ("POL", "MATIC"),
];

pub(super) async fn balance(q: Query<'_>) -> Result<Balances> {
    let markets = q.markets().await?;
    let market = q.params.text(&["symbol"]).map(|symbol| markets.of(symbol)).transpose()?;
    let pair = market.map(|market| market.id.as_str());
    let params = q.params.clone().without(&["symbol", "unifiedAccount"]);
    let part = params.text(&["defaultType", "type"]).unwrap_or("spot").to_owned();
    if q.params.flag("unifiedAccount") {
        let usual = match part.as_str() {
            "swap" => Some("usdt"),
            "future" => Some("btc"),
            _ => None,
        };
        let fields = Fields::new().with_some("settle", usual).with_some("currency_pair", pair).and(params);
        let request = asked(q.exchange, Verb::Get, "unified/accounts", &fields)?;
        return q.exchange.ask(request, |body| balances(body, false)).await;
    }
    let unknown = || q.error(ErrorClass::NotSupported, &format!("knows no balance of type {part:?}"));
    let params = params.without(&["defaultType", "type"]);
    let scope = Scope::within(if part == "future" { Part::Future } else { Part::Swap }, None, params.clone());
    let contracts = matches!(part.as_str(), "swap" | "future");
    let (mode, rest) = account(false, if contracts { scope.params.clone() } else { params })?;
    let path = match (part.as_str(), mode.as_str()) {
        ("spot", "spot") => "spot/accounts".to_owned(),
        ("spot", "margin") => "margin/accounts".to_owned(),
        ("spot", "cross_margin") => "margin/cross/accounts".to_owned(),
        ("funding", _) => "margin/funding_accounts".to_owned(),
        ("option", _) => "options/accounts".to_owned(),
        _ if contracts => scope.path("accounts"),
        _ => return Err(unknown()),
    };
    let isolated = part == "spot" && mode == "margin";
    let fields = Fields::new().with_some("currency_pair", pair).and(rest);
    let request = asked(q.exchange, Verb::Get, &path, &fields)?;
    q.exchange.ask(request, |body| balances(body, isolated)).await
}

pub(super) async fn ledger(q: Query<'_>, code: Option<&str>) -> Result<Vec<LedgerEntry>> {
    let markets = q.markets().await?;
    let scope = Scope::new(&q, None)?;
    let code = code.filter(|_| scope.part == Part::Spot);
    let id = code.map(|code| q.currency(&markets, code)).transpose()?;
    // the spot market's has its own path for what is lent
    let lent = q.params.text(&["defaultType", "type"]) == Some("margin");
    let path = if lent { "margin/account_book".to_owned() } else { scope.path("account_book") };
    let fields = Fields::new()
        .with_some("currency", id)
        .with_some("from", q.page.since)
        .with_some("limit", q.page.limit)
        .with_some("to", until(&scope.params))
        .and(scope.params.clone().without(&["until"]));
    let request = asked(q.exchange, Verb::Get, &path, &fields)?;
    let mut entries = q.exchange.ask(request, |body| body.each(|raw| entry(raw, code))).await?;
    entries.sort_by_key(|entry| entry.time.0);
    entries.retain(|entry| code.is_none_or(|code| entry.currency.as_deref() == Some(code)));
    Ok(q.page.of(entries, |entry| entry.time.0))
}

fn entry(raw: &Json<'_>, code: Option<&str>) -> LedgerEntry {
    let (change, after) = (raw.number_of(&["change"]), raw.number_of(&["balance"]));
    let lost = change.is_some_and(|change| change < Number::default());
    let digits = raw.text_of(&["time"]);
    // seconds, with or without a fraction, or milliseconds
    let whole = digits.and_then(|digits| digits.split('.').next()).map_or(0, str::len);
    let time = if whole > 10 { Time::parse(digits).0 } else { seconds(digits) };
    LedgerEntry {
        info: Raw::of(raw),
        id: raw.string_of(&["id"]),
        time: Time(time),
        direction: Some(if lost { "out" } else { "in" }),
        kind: raw.text_of(&["type"]).map(|word| kind(word).to_owned()),
        currency: raw.text_of(&["currency"]).map(currency).or_else(|| code.map(str::to_owned)),
        amount: change.map(Number::abs),
        before: after.and_then(|after| after.minus(change?)),
        after,
        ..LedgerEntry::default()
    }
}

/// Why a balance changed.
fn kind(word: &str) -> &str {
    match word {
        "deposit" => "deposit",
        "withdraw" => "withdrawal",
        "sub_account_transfer"
        | "margin_in"
        | "margin_out"
        | "margin_funding_in"
        | "margin_funding_out"
        | "cross_margin_in"
        | "cross_margin_out"
        | "copy_trading_in"
        | "copy_trading_out"
        | "quant_in"
        | "quant_out"
        | "futures_in"
        | "futures_out"
        | "delivery_in"
        | "delivery_out" => "transfer",
        "new_order" | "order_fill" | "flash_swap_buy" | "flash_swap_sell" | "prem" | "pnl" => "trade",
        "referral_fee" | "point_refr" | "refr" => "rebate",
        "order_fee" | "point_fee" | "fund" | "fee" => "fee",
        "interest" | "profit" => "interest",
        "lend" | "redeem" => "loan",
        "set" => "settlement",
        "point_dnw" | "dnw" => "deposit/withdraw",
        other => other,
    }
}

/// Rounds an amount of a currency to the finest step that any market has of it.
fn rounded(markets: &Markets, code: &str, amount: Number) -> Option<Number> {
    let steps = markets.all().iter().flat_map(|market| {
        let base = market.precision.amount.filter(|_| market.base == code);
        let quote = market.precision.price.filter(|_| market.quote == code);
        base.into_iter().chain(quote)
    });
    steps.min().map_or(Some(amount), |step| amount.round_to(step))
}

/// "Transfer between trading accounts".
pub(super) async fn transfer(q: Query<'_>, code: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
    let markets = q.markets().await?;
    let id = q.currency(&markets, code)?.to_owned();
    let amount = rounded(&markets, code, amount).unwrap_or(amount);
    let mut fields = Fields::new().with("currency", id.as_str()).with("amount", amount);
    let (from_wallet, to_wallet) = (wallet(from), wallet(to));
    for (name, word, place) in [("from", from, from_wallet), ("to", to, to_wallet)] {
        fields.set(name, place.unwrap_or("margin"));
        if place.is_none() {
            // a market's own margin
            fields.set("currency_pair", markets.of(word).map_or(word, |market| &market.id));
        }
    }
    let mut params = q.params.clone();
    let either = |place: &str| from_wallet == Some(place) || to_wallet == Some(place);
    if either("margin") {
        let missing = || required(q.exchange.venue(), q.method, "params[\"symbol\"]");
        let symbol = params.text(&["symbol", "currency_pair"]).ok_or_else(missing)?;
        let known = markets.of(symbol).ok().or_else(|| markets.named(symbol, false));
        fields.set("currency_pair", known.map_or(symbol, |market| &market.id));
        params = params.without(&["symbol"]);
    }
    if either("futures") || either("delivery") {
        fields.set("settle", id);
    }
    let request = told(q.exchange, Verb::Post, "wallet/transfers", &Value::Object(fields.and(params)))?;
    let read = |body: &Json<'_>| Transfer {
        info: Raw::of(body),
        id: body.string_of(&["tx_id"]),
        currency: Some(code.to_owned()),
        ..Transfer::default()
    };
    q.exchange.ask(request, read).await
}

/// "Generate currency deposit address", of the chain that `network` names.
pub(super) async fn deposit_address(q: Query<'_>, code: &str) -> Result<DepositAddress> {
    let markets = q.markets().await?;
    let network = q.params.text(&["networkCode", "network"]).map(str::to_owned);
    let fields = Fields::new()
        .with("currency", q.currency(&markets, code)?)
        .and(q.params.clone().without(&["networkCode", "network"]));
    let request = asked(q.exchange, Verb::Get, "wallet/deposit_address", &fields)?;
    let mut all = q.exchange.ask(request, |body| body.get("multichain_addresses").each(address)).await?;
    // chains of which the exchange could not get one are named all the same
    all.retain(|one| one.address.as_ref().is_some_and(|text| !text.contains(' ')));
    if all.is_empty() {
        return Err(q.error(ErrorClass::InvalidAddress, &format!("has no address for {code}")));
    }
    let networks: Vec<_> = all.iter().filter_map(|one| one.network.clone()).collect();
    let (class, wanted) = match (network, networks.as_slice()) {
        (Some(network), _) => (ErrorClass::NotSupported, Some(network)),
        (None, [one]) => (ErrorClass::ExchangeError, Some(one.clone())),
        (None, _) => (ErrorClass::ExchangeError, None),
    };
    let found = all.into_iter().find(|one| wanted.is_some() && one.network == wanted);
    found.ok_or_else(|| q.error(class, &format!("takes a network of {}", networks.join(", "))))
}

fn address(raw: &Json<'_>) -> DepositAddress {
    let chain = raw.text_of(&["chain"]).map(|chain| {
        let known = CHAINS.iter().find(|(id, _)| *id == chain);
        known.map_or(chain, |(_, name)| name).to_owned()
    });
    DepositAddress {
        info: Raw::of(raw),
        currency: None,
        network: chain,
        address: raw.string_of(&["address"]),
        tag: raw.string_of(&["payment_id"]),
    }
}

/// "Retrieve personal trading fee".
pub(super) async fn trading_fee(q: Query<'_>) -> Result<TradingFee> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let fields = Fields::new().with("currency_pair", market.id.as_str()).and(q.params.clone());
    let request = asked(q.exchange, Verb::Get, "wallet/fee", &fields)?;
    let read = |body: &Json<'_>| {
        let paid_in_points = body.get("gt_discount").flag() == Some(true);
        let (maker, taker) = match (market.contract(), paid_in_points) {
            (true, _) => ("futures_maker_fee", "futures_taker_fee"),
            (false, true) => ("gt_maker_fee", "gt_taker_fee"),
            (false, false) => ("maker_fee", "taker_fee"),
        };
        TradingFee {
            info: Raw::of(body),
            symbol: Some(market.symbol.clone()),
            maker: body.number_of(&[maker]),
            taker: body.number_of(&[taker]),
            ..TradingFee::default()
        }
    };
    q.exchange.ask(request, read).await
}

pub(super) async fn position(dialect: &Dialect, q: Query<'_>) -> Result<Position> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    if !market.contract() {
        return Err(q.error(ErrorClass::BadRequest, "is for contracts only"));
    }
    let scope = Scope::within(Part::of(market), Some(market), q.params.clone());
    let request = asked(q.exchange, Verb::Get, &scope.path(&format!("positions/{}", market.id)), &scope.params)?;
    let none = || q.error(ErrorClass::BadResponse, "has no position");
    let read = |body: &Json<'_>| dialect.position(body, market.context(&markets));
    q.exchange.ask(request, read).await?.ok_or_else(none)
}

pub(super) async fn positions(dialect: &Dialect, q: Query<'_>) -> Result<Vec<Position>> {
    let markets = q.markets().await?;
    let wanted = q.listed(&markets)?;
    let first = wanted.first().copied();
    if wanted.iter().any(|market| first.is_some_and(|first| (first.kind, first.linear) != (market.kind, market.linear)))
    {
        return Err(q.error(ErrorClass::BadRequest, "takes symbols of one kind of markets"));
    }
    let scope = Scope::new(&q, first)?;
    let part = if scope.part == Part::Spot { Part::Swap } else { scope.part };
    // positions of all markets that are settled in one currency
    let scope = Scope::within(part, None, q.params.clone().without(&["defaultType", "type"]));
    let request = asked(q.exchange, Verb::Get, &scope.path("positions"), &scope.params)?;
    let none = Context { markets: &markets, asked: None };
    let all = q.exchange.ask(request, |body| body.each(|one| dialect.position(one, none))).await?;
    let named = |position: &Position| {
        q.symbols.is_none_or(|symbols| position.symbol.as_ref().is_some_and(|symbol| symbols.contains(symbol)))
    };
    Ok(all.into_iter().flatten().filter(named).collect())
}

/// How often its margin a spot market lends, or the whole of an account that has one margin.
pub(super) async fn leverage(q: Query<'_>) -> Result<Leverage> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    let unified = q.params.flag("unified");
    let params = q.params.clone().without(&["unified"]);
    let request = match (market.contract(), unified) {
        (false, true) => public(&format!("margin/uni/currency_pairs/{}", market.id), &params),
        (false, false) => public(&format!("margin/currency_pairs/{}", market.id), &params),
        (true, true) => asked(q.exchange, Verb::Get, "unified/accounts", &params)?,
        (true, false) => return Err(q.error(ErrorClass::NotSupported, "is for spot markets only")),
    };
    let read = |body: &Json<'_>| {
        let (_, symbol) = market_named(market.context(&markets), body.text_of(&["currency_pair", "id"]), false);
        let whole = body.number_of(&["leverage"]).and_then(|leverage| leverage.cut(0));
        Leverage { info: Raw::of(body), symbol, margin_mode: None, long_leverage: whole, short_leverage: whole }
    };
    q.exchange.ask(request, read).await
}

/// "Update position leverage".
pub(super) async fn set_leverage(q: Query<'_>, leverage: Number) -> Result<Raw> {
    let markets = q.markets().await?;
    let market = q.market(&markets)?;
    if leverage < Number::default() || leverage > Number::from(100) {
        return Err(q.error(ErrorClass::BadRequest, "takes a leverage of 1 to 100"));
    }
    if market.kind == MarketKind::Spot {
        return Err(q.error(ErrorClass::NotSupported, "is for contracts only"));
    }
    let limit = q.params.text(&["cross_leverage_limit"]).map(str::to_owned);
    let shared = limit.is_some() || matches!(q.params.text(&["marginMode"]), Some("cross" | "cross_margin"));
    let own = leverage.to_string();
    let fields = if shared {
        Fields::new().with("cross_leverage_limit", limit.unwrap_or(own)).with("leverage", "0")
    } else {
        Fields::new().with("leverage", own)
    };
    let scope = Scope::within(Part::of(market), Some(market), q.params.clone());
    let path = scope.path(&format!("positions/{}/leverage", market.id));
    let request = asked(q.exchange, Verb::Post, &path, &fields.and(scope.params))?;
    q.exchange.ask(request, Raw::of).await
}

/// "Set position mode", of all contracts that are settled in one currency.
pub(super) async fn set_position_mode(q: Query<'_>, hedged: bool) -> Result<Raw> {
    let markets = q.markets().await?;
    let market: Option<&Market> = q.market_if_any(&markets)?;
    if market.is_some_and(|market| !market.contract()) {
        return Err(q.error(ErrorClass::BadRequest, "is for contracts only"));
    }
    let scope = Scope::within(Part::Swap, market, q.params.clone());
    let fields = scope.fields().with("dual_mode", hedged).and(scope.params.clone());
    let request = asked(q.exchange, Verb::Post, &scope.path("dual_mode"), &fields)?;
    q.exchange.ask(request, Raw::of).await
}

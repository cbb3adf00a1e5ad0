//! The methods over HTTP.

use async_trait::async_trait;

use super::new_order::Ask;
use super::parse::{levels, pair};
use super::sign::{open, signed};
use super::{Dialect, account, markets, new_order};
use crate::exchange::{NewOrder, Result, required};
use crate::json::{Access as _, Json};
use crate::methods::Connector;
use crate::query::Query;
use crate::unified::{
    Balances, Candle, DepositAddress, LedgerEntry, Market, MarketKind, Order, OrderBook, Position, Raw, Ticker, Time,
    Trade, TradingFee, Transfer,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, Request, VenueError, Verb, encoded};

/// Candles of one answer, at most.
const CANDLES: i64 = 300;
/// Trades of one answer, at most.
const TRADES: i64 = 1000;
/// Orders of one answer if no number is asked for.
const ORDERS: i64 = 100;
/// Accounts of one answer, at most.
const ACCOUNTS: i64 = 250;

/// What stands for a part of an answer that is not there.
static NOTHING: Json<'static> = Json::Object(Vec::new());

/// A path of Advanced Trade.
fn v3(path: &str) -> String {
    format!("api/v3/brokerage/{path}")
}

/// What everybody may see is at one path for everybody, and at another for accounts.
fn public(q: &Query<'_>, path: &str, fields: Fields) -> Result<Request> {
    let fields = fields.and(q.params.clone()).without(&["usePrivate"]);
    match q.params.flag("usePrivate") {
        true => signed(q.exchange, Verb::Get, &v3(path), &fields),
        false => Ok(open(&v3(&format!("market/{path}")), &fields)),
    }
}

/// The end of a list, in milliseconds, and the parameters without it.
fn until(params: &Fields) -> (Option<i64>, Fields) {
    let until = params.text(&["until"]).and_then(|digits| digits.parse().ok());
    (until, params.clone().without(&["until"]))
}

fn seconds(ms: i64) -> String {
    (ms / 1_000).to_string()
}

/// A list that goes on says so in its first element.
fn continued(body: &Json<'_>, first: Option<&mut Raw>) {
    if let (Some(cursor), Some(info)) = (body.text_of(&["cursor"]), first) {
        *info = std::mem::take(info).with("cursor", cursor);
    }
}

/// Seconds of `15m`.
fn length(timeframe: &str) -> Option<i64> {
    let (count, unit) = timeframe.split_at_checked(timeframe.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        "M" => 2_592_000,
        "y" => 31_536_000,
        _ => return None,
    };
    count.parse::<i64>().ok().filter(|count| *count > 0)?.checked_mul(seconds)
}

fn granularity(timeframe: &str) -> &str {
    match timeframe {
        "1m" => "ONE_MINUTE",
        "5m" => "FIVE_MINUTE",
        "15m" => "FIFTEEN_MINUTE",
        "30m" => "THIRTY_MINUTE",
        "1h" => "ONE_HOUR",
        "2h" => "TWO_HOUR",
        "6h" => "SIX_HOUR",
        "1d" => "ONE_DAY",
        other => other,
    }
}

/// The portfolio that perpetuals are held in.
fn portfolio(q: &Query<'_>) -> Result<String> {
    let none = || required(q.exchange.venue(), q.method, "portfolio");
    q.params.text(&["portfolio"]).map(encoded).ok_or_else(none)
}

impl Dialect {
    /// Orders of the account, in one state or in any.
    async fn history(&self, q: Query<'_>, status: Option<&str>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let asked = q.market_if_any(&markets)?;
        let mut page = q.page;
        let limit = *page.limit.get_or_insert(ORDERS);
        let (until, params) = until(&q.params);
        let fields = Fields::new()
            .with_some("order_status", status)
            .with_some("product_id", asked.map(|market| market.id.as_str()))
            .with("limit", limit)
            .with_some("start_date", Time(page.since).iso())
            .with_some("end_date", Time(until).iso())
            .and(params);
        let request = signed(q.exchange, Verb::Get, &v3("orders/historical/batch"), &fields)?;
        let context = Context { markets: &markets, asked };
        let read = |body: &Json<'_>| {
            let mut orders = body.get("orders").each(|one| self.order(one, context));
            continued(body, orders.first_mut().map(|order| &mut order.info));
            orders
        };
        let mut orders = q.exchange.ask(request, read).await?;
        orders.sort_by_key(|order| order.time.0);
        orders.retain(|order| asked.is_none_or(|market| order.symbol.as_ref() == Some(&market.symbol)));
        Ok(page.of(orders, |order| order.time.0))
    }

    async fn cancel(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let context = Context { markets: &markets, asked: q.market_if_any(&markets)? };
        let fields = Fields::new().with("order_ids", ids).and(q.params.clone());
        let request = signed(q.exchange, Verb::Post, &v3("orders/batch_cancel"), &fields)?;
        let read = |body: &Json<'_>| {
            let all = body.get("results").list().unwrap_or_default();
            let failed = all.iter().find(|one| one.get("success").flag() != Some(true));
            match failed {
                Some(one) => Err(q.error(ErrorClass::BadRequest, &format!("has failed: {one}"))),
                None => Ok(all.iter().map(|one| self.order(one, context)).collect()),
            }
        };
        q.exchange.ask(request, read).await?
    }

    /// Sends what ends in an order.
    async fn made(&self, q: &Query<'_>, ask: Ask, context: Context<'_>) -> Result<Order> {
        let request = signed(q.exchange, Verb::Post, &v3(ask.path), &ask.fields)?;
        q.exchange.ask(request, |body| self.order(body.get("success_response").unwrap_or(&NOTHING), context)).await
    }

    /// The account's fees on the spot market, taker and maker; none if its key may not see them.
    async fn fees(&self, q: &Query<'_>) -> Result<Option<(Number, Number)>> {
        let request = signed(q.exchange, Verb::Get, &v3("transaction_summary"), &q.params)?;
        let read = |body: &Json<'_>| {
            let tier = body.get("fee_tier");
            tier.number_of(&["taker_fee_rate"]).zip(tier.number_of(&["maker_fee_rate"]))
        };
        unless_refused(q.exchange.ask(request, read).await)
    }

    /// Addresses of one of the account's wallets.
    async fn addresses(&self, q: &Query<'_>) -> Result<Vec<DepositAddress>> {
        let wallet = q.params.text(&["account_id", "accountId"]);
        let wallet = wallet.ok_or_else(|| required(q.exchange.venue(), q.method, "account_id"))?;
        let path = format!("v2/accounts/{}/addresses", encoded(wallet));
        let request = signed(q.exchange, Verb::Get, &path, &q.params.clone().without(&["account_id"]))?;
        q.exchange.ask(request, |body| body.get("data").each(account::address)).await
    }
}

/// What a key may not see, or an account does not have, is nothing.
fn unless_refused<T: Default>(result: Result<T>) -> Result<T> {
    match result {
        Err(error) if error.class().is_a(ErrorClass::ExchangeError) => Ok(T::default()),
        other => other,
    }
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, q: Query<'_>) -> Result<i64> {
        let older = q.params.text(&["method"]).is_none_or(|method| method == "v2PublicGetTime");
        let params = q.params.without(&["method"]);
        let request = if older { open("v2/time", &params) } else { open(&v3("time"), &params) };
        let read = |body: &Json<'_>| {
            let of = if older { body.get("data") } else { Some(body) };
            of.number_of(&["epoch", "epochSeconds"])?.times(1_000.into())?.cut(0)?.to_string().parse().ok()
        };
        let none = || VenueError::new(ErrorClass::BadResponse, "coinbase fetchTime() has no time");
        q.exchange.ask(request, read).await?.ok_or_else(none)
    }

    async fn fetch_currencies(&self, q: Query<'_>) -> Result<Vec<Raw>> {
        let money = open("v2/currencies", &q.params);
        let money = q.exchange.ask(money, |body| body.get("data").each(Raw::of)).await?;
        let coins = open("v2/currencies/crypto", &q.params);
        let coins = q.exchange.ask(coins, |body| body.get("data").each(Raw::of)).await?;
        let read = |body: &Json<'_>| match body.get("data").get("rates") {
            Some(Json::Object(rates)) => rates.iter().map(|(id, _)| id.clone().into_owned()).collect(),
            _ => Vec::new(),
        };
        let rated = q.exchange.ask(open("v2/exchange-rates", &q.params), read).await?;
        Ok(account::currencies([money, coins], rated))
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        let read = |body: &Json<'_>| self.markets("", body);
        let mut all = q.exchange.ask(public(&q, "products", Fields::new())?, read).await?;
        all.retain(|market| !market.contract());
        if q.exchange.credentials().is_ok()
            && let Some((taker, maker)) = self.fees(&q).await?
        {
            for market in all.iter_mut().filter(|market| !markets::stable(&market.id)) {
                (market.taker, market.maker) = (Some(taker), Some(maker));
            }
        }
        let contracts = Fields::new().with("product_type", "FUTURE");
        for fields in [contracts.clone(), contracts.with("contract_expiry_type", "PERPETUAL")] {
            let request = open(&v3("market/products"), &q.params.clone().without(&["usePrivate"]).and(fields));
            let found = unless_refused(q.exchange.ask(request, read).await)?;
            let known: Vec<String> = all.iter().map(|market| market.id.clone()).collect();
            all.extend(found.into_iter().filter(|market| !known.contains(&market.id)));
        }
        Ok(all)
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let path = format!("products/{}/ticker", encoded(&market.id));
        let request = public(&q, &path, Fields::new().with("limit", 1))?;
        let read = |body: &Json<'_>| {
            let ticker = self.ticker(body.get("trades").at(0).unwrap_or(&NOTHING), market.context(&markets));
            Ticker { bid: body.number_of(&["best_bid"]), ask: body.number_of(&["best_ask"]), ..ticker }
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let asked = q.listed(&markets)?;
        let ids: Vec<String> = asked.iter().map(|market| market.id.clone()).collect();
        let contract = match q.params.text(&["defaultType", "type"]) {
            Some(kind) => Some(kind != "spot"),
            None => asked.first().map(|market| market.contract()),
        };
        let fields = Fields::new()
            .with_some("product_ids", (!ids.is_empty()).then_some(ids.as_slice()))
            .with_some("product_type", contract.map(|contract| if contract { "FUTURE" } else { "SPOT" }));
        let q = Query { params: q.params.clone().without(&["defaultType", "type"]), ..q };
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| {
            body.get("products").each(|one| {
                let ticker = self.ticker(one, none);
                let known = ticker.symbol.as_deref().is_some_and(|symbol| markets.of(symbol).is_ok());
                let pair = one.text_of(&["product_id"]).and_then(pair).filter(|_| !known);
                Ticker { symbol: pair.map(|(symbol, _)| symbol).or(ticker.symbol), ..ticker }
            })
        };
        let mut tickers = q.exchange.ask(public(&q, "products", fields)?, read).await?;
        let wanted = |ticker: &Ticker| asked.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
        tickers.retain(|ticker| asked.is_empty() || wanted(ticker));
        Ok(tickers)
    }

    async fn fetch_bids_asks(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let asked = q.listed(&markets)?;
        let ids: Vec<String> = asked.iter().map(|market| market.id.clone()).collect();
        let fields = Fields::new().with_some("product_ids", (!ids.is_empty()).then_some(ids.as_slice()));
        let request = signed(q.exchange, Verb::Get, &v3("best_bid_ask"), &fields.and(q.params))?;
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| body.get("pricebooks").each(|one| self.ticker(one, none));
        let mut tickers = q.exchange.ask(request, read).await?;
        let wanted = |ticker: &Ticker| asked.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
        tickers.retain(|ticker| asked.is_empty() || wanted(ticker));
        Ok(tickers)
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new().with("product_id", market.id.as_str()).with_some("limit", q.depth);
        let read = |body: &Json<'_>| {
            let book = body.get("pricebook");
            OrderBook {
                symbol: Some(market.symbol.clone()),
                bids: levels(book.get("bids")),
                asks: levels(book.get("asks")),
                time: Time::of_iso(book.get("time").text()),
                nonce: None,
            }
            .sorted()
        };
        q.exchange.ask(public(&q, "product_book", fields)?, read).await
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let (until, params) = until(&q.params);
        if q.page.since.is_some() && until.is_none() {
            return Err(required(q.exchange.venue(), q.method, "until (of params, beside since)"));
        }
        let fields = Fields::new()
            .with_some("start", q.page.since.map(seconds))
            .with_some("limit", q.page.limit.map(|limit| limit.min(TRADES)))
            .with_some("end", until.map(seconds));
        let q = Query { params, ..q };
        let context = market.context(&markets);
        let request = public(&q, &format!("products/{}/ticker", encoded(&market.id)), fields)?;
        let mut trades =
            q.exchange.ask(request, |body| body.get("trades").each(|one| self.trade(one, context))).await?;
        trades.sort_by(|one, other| (one.time.0, &one.id).cmp(&(other.time.0, &other.id)));
        trades.retain(|trade| trade.symbol.as_ref() == Some(&market.symbol));
        Ok(q.page.of(trades, |trade| trade.time.0))
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let limit = q.page.limit.map_or(CANDLES, |limit| limit.min(CANDLES));
        let unknown = || q.error(ErrorClass::NotSupported, &format!("knows no timeframe {:?}", q.timeframe));
        let span = length(q.timeframe).and_then(|length| length.checked_mul(limit)).ok_or_else(unknown)?;
        let start = match q.page.since {
            Some(since) => since / 1_000,
            None => q.exchange.now() / 1_000 - span,
        };
        let end = q.params.text(&["until", "end"]).and_then(|digits| digits.parse().ok()).map(seconds);
        let fields = Fields::new()
            .with("granularity", granularity(q.timeframe))
            .with("start", start.to_string())
            .with("end", end.unwrap_or_else(|| start.saturating_add(span).to_string()));
        let mut page = q.page;
        page.limit = Some(limit);
        let q = Query { params: q.params.clone().without(&["until", "end"]), ..q };
        let context = market.context(&markets);
        let request = public(&q, &format!("products/{}/candles", encoded(&market.id)), fields)?;
        let read = |body: &Json<'_>| body.get("candles").each(|one| self.candle(one, context));
        let mut candles = q.exchange.ask(request, read).await?;
        candles.sort_by_key(|candle| candle.0);
        Ok(page.of(candles, |candle| candle.0))
    }

    async fn create_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let ask = new_order::ask(q.exchange, market, order)?;
        self.made(&q, ask, market.context(&markets)).await
    }

    async fn edit_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let preview = order.params.flag("preview") || order.params.flag("test");
        let rest = order.params.clone();
        let rest = if preview { rest.without(&["preview", "test"]) } else { rest };
        let fields = Fields::new()
            .with("order_id", q.id)
            .with_some("size", order.amount.map(|amount| market.amount(amount)).transpose()?)
            .with_some("price", order.price.map(|price| market.price(price)).transpose()?)
            .and(rest);
        let path = if preview { "orders/edit_preview" } else { "orders/edit" };
        let request = signed(q.exchange, Verb::Post, &v3(path), &fields)?;
        q.exchange.ask(request, |body| self.order(body, market.context(&markets))).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        let (id, none) = ([q.id.to_owned()], q.error(ErrorClass::OrderNotFound, "has no answer"));
        self.cancel(q, &id).await?.into_iter().next().ok_or(none)
    }

    async fn cancel_orders(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        self.cancel(q, ids).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let context = Context { markets: &markets, asked: q.market_if_any(&markets)? };
        let path = v3(&format!("orders/historical/{}", encoded(q.id)));
        let request = signed(q.exchange, Verb::Get, &path, &q.params)?;
        q.exchange.ask(request, |body| self.order(body.get("order").unwrap_or(&NOTHING), context)).await
    }

    async fn fetch_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.history(q, None).await
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.history(q, Some("OPEN")).await
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.history(q, Some("FILLED")).await
    }

    async fn fetch_canceled_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.history(q, Some("CANCELLED")).await
    }

    async fn fetch_my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let asked = q.market_if_any(&markets)?;
        let (until, params) = until(&q.params);
        let fields = Fields::new()
            .with_some("product_id", asked.map(|market| market.id.as_str()))
            .with_some("limit", q.page.limit)
            .with_some("start_sequence_timestamp", Time(q.page.since).iso())
            .with_some("end_sequence_timestamp", Time(until).iso())
            .and(params);
        let request = signed(q.exchange, Verb::Get, &v3("orders/historical/fills"), &fields)?;
        let context = Context { markets: &markets, asked };
        let read = |body: &Json<'_>| {
            let mut trades = body.get("fills").each(|one| self.trade(one, context));
            continued(body, trades.first_mut().map(|trade| &mut trade.info));
            trades
        };
        let mut trades = q.exchange.ask(request, read).await?;
        trades.sort_by(|one, other| (one.time.0, &one.id).cmp(&(other.time.0, &other.id)));
        trades.retain(|trade| asked.is_none_or(|market| trade.symbol.as_ref() == Some(&market.symbol)));
        Ok(q.page.of(trades, |trade| trade.time.0))
    }

    async fn fetch_balance(&self, q: Query<'_>) -> Result<Balances> {
        let newer = q.params.flag("v3");
        let futures = q.params.text(&["defaultType", "type"]) == Some("future");
        let params = q.params.without(&["v3", "defaultType", "type"]);
        let list = Fields::new().with("limit", ACCOUNTS).and(params.clone());
        let request = match (futures, newer) {
            (true, _) => signed(q.exchange, Verb::Get, &v3("cfm/balance_summary"), &params)?,
            (false, true) => signed(q.exchange, Verb::Get, &v3("accounts"), &list)?,
            (false, false) => signed(q.exchange, Verb::Get, "v2/accounts", &list)?,
        };
        q.exchange.ask(request, account::balances).await
    }

    async fn fetch_ledger(&self, q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
        let code = match currency {
            Some(code) => Some(account::currency(&q, code).await?.0),
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
                q.exchange.ask(request, |body| account::named(body, code)).await?.ok_or_else(none)?
            }
        };
        let fields = Fields::new().with_some("limit", q.page.limit).and(params);
        let path = format!("v2/accounts/{}/transactions", encoded(&wallet));
        let request = signed(q.exchange, Verb::Get, &path, &fields)?;
        let read = |body: &Json<'_>| {
            let next = body.get("pagination").string_of(&["next_starting_after"]);
            (body.get("data").each(account::ledger_entry), next)
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

    async fn fetch_deposit_address(&self, q: Query<'_>, currency: &str) -> Result<DepositAddress> {
        let network = q.params.text(&["network"]).map(str::to_owned);
        let none = q.error(ErrorClass::InvalidAddress, &format!("could not find a deposit address for {currency}"));
        let all = self.addresses(&q).await?;
        let wanted = |one: &DepositAddress| {
            let there = network.is_none() || one.network.is_none() || one.network == network;
            there && one.currency.as_deref() == Some(currency) && one.address.is_some()
        };
        all.into_iter().find(wanted).ok_or(none)
    }

    async fn transfer(&self, q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
        let (code, id) = account::currency(&q, currency).await?;
        let fields = Fields::new()
            .with("funds", Fields::new().with("value", amount).with("currency", id))
            .with("source_portfolio_uuid", from)
            .with("target_portfolio_uuid", to)
            .and(q.params);
        let read = |body: &Json<'_>| Transfer {
            info: Raw::of(body),
            currency: Some(code),
            amount: Some(amount),
            from_account: body.string_of(&["source_portfolio_uuid"]),
            to_account: body.string_of(&["target_portfolio_uuid"]),
            status: Some("ok".to_owned()),
            ..Transfer::default()
        };
        q.exchange.ask(signed(q.exchange, Verb::Post, &v3("portfolios/move_funds"), &fields)?, read).await
    }

    async fn fetch_trading_fee(&self, q: Query<'_>) -> Result<TradingFee> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let spot = match q.params.text(&["defaultType", "type"]) {
            Some(kind) => kind == "spot",
            None => !market.contract(),
        };
        let fields = Fields::new().with("product_type", if spot { "SPOT" } else { "FUTURE" });
        let fields = fields.and(q.params.without(&["defaultType", "type"]));
        let request = signed(q.exchange, Verb::Get, &v3("transaction_summary"), &fields)?;
        let read = |body: &Json<'_>| TradingFee {
            info: Raw::of(body),
            symbol: Some(market.symbol.clone()),
            maker: body.get("fee_tier").number_of(&["maker_fee_rate"]),
            taker: body.get("fee_tier").number_of(&["taker_fee_rate"]),
            percentage: Some(true),
            tier_based: None,
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_position(&self, q: Query<'_>) -> Result<Position> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let id = encoded(&market.id);
        let path = match market.kind {
            MarketKind::Future => format!("cfm/positions/{id}"),
            _ => format!("intx/positions/{}/{id}", portfolio(&q)?),
        };
        let request = signed(q.exchange, Verb::Get, &v3(&path), &q.params.without(&["portfolio"]))?;
        let read = |body: &Json<'_>| {
            let said = body.get("position").unwrap_or(&NOTHING);
            super::position::position(said, market.context(&markets))
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_positions(&self, q: Query<'_>) -> Result<Vec<Position>> {
        let markets = q.markets().await?;
        let asked = q.listed(&markets)?;
        let futures = match q.params.text(&["defaultType", "type"]) {
            Some(kind) => kind == "future",
            None => asked.first().is_some_and(|market| market.kind == MarketKind::Future),
        };
        let path = match futures {
            true => "cfm/positions".to_owned(),
            false => format!("intx/positions/{}", portfolio(&q)?),
        };
        let fields = q.params.without(&["defaultType", "type", "portfolio"]);
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| body.get("positions").each(|one| super::position::position(one, none));
        let mut positions = q.exchange.ask(signed(q.exchange, Verb::Get, &v3(&path), &fields)?, read).await?;
        let wanted = |symbol: &str| asked.iter().any(|market| market.symbol == symbol);
        positions.retain(|position| asked.is_empty() || position.symbol.as_deref().is_some_and(wanted));
        Ok(positions)
    }

    async fn close_position(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let ask = new_order::close(market, q.params.clone())?;
        self.made(&q, ask, Context { markets: &markets, asked: None }).await
    }
}

//! The methods over HTTP.

use async_trait::async_trait;

use super::Dialect;
use super::sign::{Api, request};
use super::{new_order, position};
use crate::exchange::{NewOrder, Result, Status, not_supported};
use crate::json::{Access as _, Json};
use crate::methods::Connector;
use crate::query::Query;
use crate::unified::{
    Balance, Balances, Candle, FundingRate, Market, MarketKind, Markets, Order, OrderBook, OrderStatus, Position, Raw,
    Ticker, Time, Trade, TradingFee, Transfer, levels,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, Venue, VenueError, Verb};

/// Candles of one answer if no number is asked for, and at most.
const CANDLES: (i64, i64) = (500, 1500);
/// Longest part of a list of trades that is taken by time, in milliseconds.
const TRADES_SPAN: i64 = 3_600_000;

/// Open and closed markets, and the account's side of them.
fn apis(market: &Market) -> Result<(Api, Api)> {
    match (market.kind, market.linear) {
        (MarketKind::Spot, _) => Ok((Api::Spot, Api::SpotAccount)),
        (_, Some(true)) => Ok((Api::Linear, Api::LinearAccount)),
        _ => Err(not_supported(Venue::Binance, "contracts settled in coins")),
    }
}

fn contract<'m>(q: &Query<'_>, markets: &'m Markets) -> Result<&'m Market> {
    let market = q.market(markets)?;
    match apis(market)?.0 {
        Api::Linear => Ok(market),
        _ => Err(q.error(ErrorClass::NotSupported, "is for contracts only")),
    }
}

fn bad(message: &str) -> VenueError {
    VenueError::new(ErrorClass::BadRequest, &format!("binance {message}"))
}

/// Parts of the exchange that money moves between ("User Universal Transfer").
fn part(account: &str) -> Result<&'static str> {
    match account.to_lowercase().as_str() {
        "spot" | "main" => Ok("MAIN"),
        "swap" | "future" | "linear" => Ok("UMFUTURE"),
        "delivery" | "inverse" => Ok("CMFUTURE"),
        "margin" | "cross" => Ok("MARGIN"),
        "funding" => Ok("FUNDING"),
        "option" => Ok("OPTION"),
        other => Err(bad(&format!("transfer() knows no account {other:?}"))),
    }
}

/// "Account Information" of the spot market and of the contract markets.
fn balances(body: &Json<'_>) -> Balances {
    let spot = body.get("balances").list();
    let all = spot.or_else(|| body.get("assets").list()).unwrap_or_default();
    let of = |one: &Json<'_>| {
        let number = |names: &[&str]| one.number_of(names);
        let balance = if spot.is_some() {
            Balance { free: number(&["free"]), used: number(&["locked"]), ..Balance::default() }
        } else {
            let free = number(&["availableBalance"]);
            Balance { free, used: number(&["initialMargin"]), total: number(&["marginBalance"]), debt: None }
        };
        Some((Venue::Binance.description().currency(one.get("asset").text()?), balance.completed()))
    };
    Balances {
        info: Raw::of(body),
        time: Time::parse(body.get("updateTime").text()),
        of: all.iter().filter_map(of).collect(),
    }
}

impl Dialect {
    async fn tickers(&self, q: Query<'_>, path: &str) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let asked = q.listed(&markets)?;
        let contract = asked.first().is_some_and(|market| market.contract());
        let mut fields = Fields::new();
        if !contract && !asked.is_empty() {
            let ids: Vec<&str> = asked.iter().map(|market| market.id.as_str()).collect();
            fields.set("symbols", serde_json::json!(ids).to_string());
        }
        let api = if contract { Api::Linear } else { Api::Spot };
        let request = request(q.exchange, api, Verb::Get, path, fields.and(q.params))?;
        let none = Context { markets: &markets, asked: None };
        let tickers = q.exchange.ask(request, |body| body.each(|one| self.ticker(one, none))).await?;
        let wanted = |ticker: &Ticker| {
            asked.is_empty() || asked.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol))
        };
        Ok(tickers.into_iter().filter(wanted).collect())
    }

    async fn orders(&self, q: Query<'_>, path: &str) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).and(q.params);
        let request = request(q.exchange, apis(market)?.1, Verb::Get, path, fields)?;
        q.exchange.ask(request, |body| body.each(|one| self.order(one, market.context(&markets)))).await
    }

    /// Asks after one order, or takes it back.
    async fn one_order(&self, q: Query<'_>, verb: Verb) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new().with("symbol", market.id.as_str());
        let fields = match q.params.text(&["origClientOrderId", "clientOrderId"]) {
            Some(client) => fields.with("origClientOrderId", client),
            None => fields.with("orderId", q.id),
        };
        let fields = fields.and(q.params.without(&["type", "clientOrderId", "origClientOrderId"]));
        let request = request(q.exchange, apis(market)?.1, verb, "order", fields)?;
        q.exchange.ask(request, |body| self.order(body, market.context(&markets))).await
    }
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, q: Query<'_>) -> Result<i64> {
        let request = request(q.exchange, Api::Spot, Verb::Get, "time", q.params)?;
        let time = q.exchange.ask(request, |body| Time::parse(body.get("serverTime").text()).0).await?;
        time.ok_or_else(|| VenueError::new(ErrorClass::BadResponse, "binance fetchTime() has no serverTime"))
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        let mut all = Vec::new();
        let list = request(q.exchange, Api::Spot, Verb::Get, "exchangeInfo", q.params.clone())?;
        all.extend(q.exchange.ask(list, |body| self.markets("", body)).await?);
        for (isolated, path) in [(false, "margin/allPairs"), (true, "margin/isolated/allPairs")] {
            if q.exchange.credentials().is_err() {
                break;
            }
            let list = request(q.exchange, Api::Wallet, Verb::Get, path, Fields::new())?;
            let pairs: Vec<String> = match q.exchange.ask(list, |body| body.each(pair)).await {
                Ok(pairs) => pairs.into_iter().flatten().collect(),
                // a key that may not see them can trade all the same
                Err(error) if error.class().is_a(ErrorClass::ExchangeError) => continue,
                Err(error) => return Err(error),
            };
            for market in all.iter_mut().filter(|market| pairs.contains(&market.id)) {
                if let Some((cross, alone)) = &mut market.margin_modes {
                    *(if isolated { alone } else { cross }) = true;
                }
            }
        }
        let list = request(q.exchange, Api::Linear, Verb::Get, "exchangeInfo", q.params)?;
        all.extend(q.exchange.ask(list, |body| self.markets("", body)).await?);
        Ok(all)
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).and(q.params);
        let request = request(q.exchange, apis(market)?.0, Verb::Get, "ticker/24hr", fields)?;
        q.exchange.ask(request, |body| self.ticker(body, market.context(&markets))).await
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        self.tickers(q, "ticker/24hr").await
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).with_some("limit", q.depth).and(q.params);
        let request = request(q.exchange, apis(market)?.0, Verb::Get, "depth", fields)?;
        q.exchange
            .ask(request, |body| {
                let book = OrderBook {
                    symbol: Some(market.symbol.clone()),
                    bids: levels(body.get("bids")),
                    asks: levels(body.get("asks")),
                    time: Time::parse(body.get("T").text()),
                    nonce: body.text_of(&["lastUpdateId", "u"]).and_then(|digits| digits.parse().ok()),
                    ..OrderBook::default()
                };
                book.sorted()
            })
            .await
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new()
            .with("symbol", market.id.as_str())
            .with_some("startTime", q.page.since)
            .with_some("endTime", q.page.since.map(|since| since.saturating_add(TRADES_SPAN)))
            .with_some("limit", q.page.limit);
        let request = request(q.exchange, apis(market)?.0, Verb::Get, "aggTrades", fields.and(q.params))?;
        let trades = q.exchange.ask(request, |body| body.each(|one| self.trade(one, market.context(&markets)))).await?;
        Ok(q.page.of(trades, |trade| trade.time.0))
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new()
            .with("interval", q.timeframe)
            .with("limit", q.page.limit.unwrap_or(CANDLES.0).min(CANDLES.1))
            .with("symbol", market.id.as_str())
            .with_some("startTime", q.page.since);
        let request = request(q.exchange, apis(market)?.0, Verb::Get, "klines", fields.and(q.params))?;
        let candles =
            q.exchange.ask(request, |body| body.each(|one| self.candle(one, market.context(&markets)))).await?;
        Ok(q.page.of(candles, |candle| candle.0))
    }

    async fn create_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = new_order::fields(q.exchange, market, order)?;
        let request = request(q.exchange, apis(market)?.1, Verb::Post, "order", fields)?;
        q.exchange.ask(request, |body| self.order(body, market.context(&markets))).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        self.one_order(q, Verb::Delete).await
    }

    async fn cancel_all_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).and(q.params);
        let path = if market.contract() { "allOpenOrders" } else { "openOrders" };
        let request = request(q.exchange, apis(market)?.1, Verb::Delete, path, fields)?;
        let read = |body: &Json<'_>| match body.list() {
            Some(orders) => orders.iter().map(|one| self.order(one, market.context(&markets))).collect(),
            // contracts' markets only say that it is done
            None => vec![Order { info: Raw::of(body), ..Order::default() }.completed(None)],
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        self.one_order(q, Verb::Get).await
    }

    async fn fetch_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let page = q.page;
        let fields = Fields::new().with_some("startTime", page.since).with_some("limit", page.limit);
        let orders = self.orders(Query { params: fields.and(q.params), ..q }, "allOrders").await?;
        Ok(page.of(orders, |order| order.time.0))
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let page = q.page;
        let orders = self.orders(q, "openOrders").await?;
        Ok(page.of(orders, |order| order.time.0))
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let page = q.page;
        let fields = Fields::new().with_some("startTime", page.since);
        let mut orders = self.orders(Query { params: fields.and(q.params), ..q }, "allOrders").await?;
        orders.retain(|order| order.status == Some(OrderStatus::Closed));
        Ok(page.of(orders, |order| order.time.0))
    }

    async fn fetch_my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let path = if market.contract() { "userTrades" } else { "myTrades" };
        let fields = Fields::new()
            .with("symbol", market.id.as_str())
            .with_some("startTime", q.page.since)
            .with_some("limit", q.page.limit)
            .and(q.params);
        let request = request(q.exchange, apis(market)?.1, Verb::Get, path, fields)?;
        let trades = q.exchange.ask(request, |body| body.each(|one| self.trade(one, market.context(&markets)))).await?;
        Ok(q.page.of(trades, |trade| trade.time.0))
    }

    async fn fetch_order_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        self.fetch_my_trades(Query { params: Fields::new().with("orderId", q.id).and(q.params), ..q }).await
    }

    async fn fetch_bids_asks(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        self.tickers(q, "ticker/bookTicker").await
    }

    async fn fetch_status(&self, q: Query<'_>) -> Result<Status> {
        let request = request(q.exchange, Api::WalletStatus, Verb::Get, "system/status", q.params)?;
        let read = |body: &Json<'_>| {
            let status = match body.get("status").text() {
                Some("0") => Some("ok".to_owned()),
                Some("1") => Some("maintenance".to_owned()),
                _ => None,
            };
            Status { status, info: Raw::of(body), ..Status::default() }
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_balance(&self, q: Query<'_>) -> Result<Balances> {
        let contracts = q.params.text(&["type"]).is_some_and(|part| part != "spot");
        let params = q.params.without(&["type"]);
        let api = if contracts { Api::LinearAccountV3 } else { Api::SpotAccount };
        let request = request(q.exchange, api, Verb::Get, "account", params)?;
        q.exchange.ask(request, balances).await
    }

    async fn fetch_positions(&self, q: Query<'_>) -> Result<Vec<Position>> {
        let markets = q.markets().await?;
        let none = Context { markets: &markets, asked: None };
        let steps = request(q.exchange, Api::LinearAccount, Verb::Get, "leverageBracket", Fields::new())?;
        let brackets = q.exchange.ask(steps, |body| position::brackets(body, none)).await?;
        let held = request(q.exchange, Api::LinearAccountV3, Verb::Get, "positionRisk", q.params)?;
        let read = |body: &Json<'_>| body.each(|one| position::position(one, none, &brackets));
        let positions = q.exchange.ask(held, read).await?;
        let wanted = |position: &Position| {
            let of = |symbols: &[String]| position.symbol.as_ref().is_some_and(|symbol| symbols.contains(symbol));
            position.contracts.is_some_and(|contracts| contracts.nonzero().is_some()) && q.symbols.is_none_or(of)
        };
        Ok(positions.into_iter().filter(wanted).collect())
    }

    async fn fetch_trading_fee(&self, q: Query<'_>) -> Result<TradingFee> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let (api, path) = match apis(market)?.1 {
            Api::SpotAccount => (Api::Wallet, "asset/tradeFee"),
            contracts => (contracts, "commissionRate"),
        };
        let fields = Fields::new().with("symbol", market.id.as_str()).and(q.params);
        let request = request(q.exchange, api, Verb::Get, path, fields)?;
        let read = |body: &Json<'_>| {
            let one = body.at(0).unwrap_or(body);
            let number = |names: &[&str]| one.number_of(names);
            TradingFee {
                info: Raw::of(one),
                symbol: Some(market.symbol.clone()),
                maker: number(&["makerCommission", "makerCommissionRate"]),
                taker: number(&["takerCommission", "takerCommissionRate"]),
                percentage: None,
                tier_based: None,
            }
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_funding_rate(&self, q: Query<'_>) -> Result<FundingRate> {
        let markets = q.markets().await?;
        let market = contract(&q, &markets)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).and(q.params);
        let request = request(q.exchange, Api::Linear, Verb::Get, "premiumIndex", fields)?;
        let read = |body: &Json<'_>| {
            let number = |name: &str| body.get(name).text().and_then(Number::parse);
            FundingRate {
                info: Raw::of(body),
                symbol: Some(market.symbol.clone()),
                mark_price: number("markPrice"),
                index_price: number("indexPrice"),
                interest_rate: number("interestRate"),
                estimated_settle_price: number("estimatedSettlePrice"),
                time: Time::parse(body.get("time").text()),
                funding_rate: number("lastFundingRate"),
                funding: Time::parse(body.get("nextFundingTime").text()),
                ..FundingRate::default()
            }
        };
        q.exchange.ask(request, read).await
    }

    async fn set_leverage(&self, q: Query<'_>, leverage: Number) -> Result<Raw> {
        let markets = q.markets().await?;
        let market = contract(&q, &markets)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).with("leverage", leverage).and(q.params);
        q.exchange.ask(request(q.exchange, Api::LinearAccount, Verb::Post, "leverage", fields)?, Raw::of).await
    }

    async fn set_margin_mode(&self, q: Query<'_>, mode: &str) -> Result<Raw> {
        let markets = q.markets().await?;
        let market = contract(&q, &markets)?;
        let kind = match mode.to_lowercase().as_str() {
            "cross" | "crossed" => "CROSSED",
            "isolated" => "ISOLATED",
            _ => return Err(bad("setMarginMode() marginMode must be cross or isolated")),
        };
        let fields = Fields::new().with("symbol", market.id.as_str()).with("marginType", kind).and(q.params);
        q.exchange.ask(request(q.exchange, Api::LinearAccount, Verb::Post, "marginType", fields)?, Raw::of).await
    }

    async fn set_position_mode(&self, q: Query<'_>, hedged: bool) -> Result<Raw> {
        if q.symbol.is_some() {
            let markets = q.markets().await?;
            contract(&q, &markets)?;
        }
        let fields = Fields::new().with("dualSidePosition", if hedged { "true" } else { "false" }).and(q.params);
        q.exchange.ask(request(q.exchange, Api::LinearAccount, Verb::Post, "positionSide/dual", fields)?, Raw::of).await
    }

    async fn fetch_currencies(&self, _: Query<'_>) -> Result<Vec<Raw>> {
        // "All Coins' Information" wants a key that may see wallets; markets name every currency without it
        Ok(Vec::new())
    }

    async fn transfer(&self, q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
        let fields = Fields::new()
            .with("asset", currency)
            .with("amount", amount)
            .with("type", format!("{}_{}", part(from)?, part(to)?))
            .and(q.params);
        let read = |body: &Json<'_>| Transfer {
            info: Raw::of(body),
            id: body.get("tranId").text().map(str::to_owned),
            currency: Some(currency.to_owned()),
            amount: Some(amount),
            from_account: Some(from.to_owned()),
            to_account: Some(to.to_owned()),
            ..Transfer::default()
        };
        q.exchange.ask(request(q.exchange, Api::Wallet, Verb::Post, "asset/transfer", fields)?, read).await
    }
}

fn pair(raw: &Json<'_>) -> Option<String> {
    raw.get("symbol").text().map(str::to_owned)
}

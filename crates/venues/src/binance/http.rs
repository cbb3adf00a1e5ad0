//! The methods over HTTP.

use async_trait::async_trait;

use super::Dialect;
use super::sign::{Api, request};
use super::{new_order, position};
use crate::exchange::{Connector, NewOrder, Page, Result, Status, not_supported, required};
use crate::json::{Access as _, Json};
use crate::unified::{
    Balance, Balances, Candle, FundingRate, Market, MarketKind, Markets, Order, OrderBook, OrderStatus, Position, Raw,
    Ticker, Time, Trade, TradingFee, Transfer, levels,
};
use crate::{Context, Dialect as _, Exchange, Fields, Number, Venue, VenueError, Verb};

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

fn market<'m>(markets: &'m Markets, symbol: Option<&str>, method: &str) -> Result<&'m Market> {
    markets.of(symbol.ok_or_else(|| required(Venue::Binance, method, "symbol"))?)
}

fn each<T>(body: &Json<'_>, one: impl Fn(&Json<'_>) -> T) -> Vec<T> {
    body.list().unwrap_or_default().iter().map(one).collect()
}

fn contract<'m>(markets: &'m Markets, symbol: Option<&str>, method: &str) -> Result<&'m Market> {
    let market = market(markets, symbol, method)?;
    match apis(market)?.0 {
        Api::Linear => Ok(market),
        _ => Err(not_supported(Venue::Binance, &format!("{method}() in markets that are no contracts"))),
    }
}

fn bad(message: &str) -> VenueError {
    VenueError::new(crate::ErrorClass::BadRequest, &format!("binance {message}"))
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
        let number = |names: &[&str]| one.text_of(names).and_then(Number::parse);
        let balance = if spot.is_some() {
            Balance { free: number(&["free"]), used: number(&["locked"]), total: None }
        } else {
            let free = number(&["availableBalance"]);
            Balance { free, used: number(&["initialMargin"]), total: number(&["marginBalance"]) }
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
    async fn tickers(
        &self,
        exchange: &Exchange,
        path: &str,
        symbols: Option<&[String]>,
        params: Fields,
    ) -> Result<Vec<Ticker>> {
        let markets = exchange.load_markets().await?;
        let asked: Vec<&Market> =
            symbols.unwrap_or_default().iter().map(|symbol| markets.of(symbol)).collect::<Result<_>>()?;
        let contract = asked.first().is_some_and(|market| market.contract());
        let mut fields = Fields::new();
        if !contract && !asked.is_empty() {
            let ids: Vec<&str> = asked.iter().map(|market| market.id.as_str()).collect();
            fields.set("symbols", serde_json::json!(ids).to_string());
        }
        let api = if contract { Api::Linear } else { Api::Spot };
        let request = request(exchange, api, Verb::Get, path, fields.and(params))?;
        let none = Context { markets: &markets, asked: None };
        let tickers = exchange.ask(request, |body| each(body, |one| self.ticker(one, none))).await?;
        let wanted = |ticker: &Ticker| {
            asked.is_empty() || asked.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol))
        };
        Ok(tickers.into_iter().filter(wanted).collect())
    }

    async fn orders(
        &self,
        exchange: &Exchange,
        (path, symbol, method): (&str, Option<&str>, &str),
        fields: Fields,
    ) -> Result<Vec<Order>> {
        let markets = exchange.load_markets().await?;
        let market = market(&markets, symbol, method)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).and(fields);
        let request = request(exchange, apis(market)?.1, Verb::Get, path, fields)?;
        exchange.ask(request, |body| each(body, |one| self.order(one, market.context(&markets)))).await
    }

    /// Asks after one order, or takes it back.
    async fn one_order(
        &self,
        exchange: &Exchange,
        (verb, id, symbol, method): (Verb, &str, Option<&str>, &str),
        params: Fields,
    ) -> Result<Order> {
        let markets = exchange.load_markets().await?;
        let market = market(&markets, symbol, method)?;
        let fields = Fields::new().with("symbol", market.id.as_str());
        let fields = match params.text(&["origClientOrderId", "clientOrderId"]) {
            Some(client) => fields.with("origClientOrderId", client),
            None => fields.with("orderId", id),
        };
        let fields = fields.and(params.without(&["type", "clientOrderId", "origClientOrderId"]));
        let request = request(exchange, apis(market)?.1, verb, "order", fields)?;
        exchange.ask(request, |body| self.order(body, market.context(&markets))).await
    }
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, exchange: &Exchange, params: Fields) -> Result<i64> {
        let request = request(exchange, Api::Spot, Verb::Get, "time", params)?;
        let time = exchange.ask(request, |body| Time::parse(body.get("serverTime").text()).0).await?;
        time.ok_or_else(|| VenueError::new(crate::ErrorClass::BadResponse, "binance fetchTime() has no serverTime"))
    }

    async fn fetch_markets(&self, exchange: &Exchange, params: Fields) -> Result<Vec<Market>> {
        let mut all = Vec::new();
        let list = request(exchange, Api::Spot, Verb::Get, "exchangeInfo", params.clone())?;
        all.extend(exchange.ask(list, |body| self.markets("", body)).await?);
        for (isolated, path) in [(false, "margin/allPairs"), (true, "margin/isolated/allPairs")] {
            if exchange.credentials().is_err() {
                break;
            }
            let list = request(exchange, Api::Wallet, Verb::Get, path, Fields::new())?;
            let pairs: Vec<String> = match exchange.ask(list, |body| each(body, pair)).await {
                Ok(pairs) => pairs.into_iter().flatten().collect(),
                // a key that may not see them can trade all the same
                Err(error) if error.class().is_a(crate::ErrorClass::ExchangeError) => continue,
                Err(error) => return Err(error),
            };
            for market in all.iter_mut().filter(|market| pairs.contains(&market.id)) {
                if let Some((cross, alone)) = &mut market.margin_modes {
                    *(if isolated { alone } else { cross }) = true;
                }
            }
        }
        let list = request(exchange, Api::Linear, Verb::Get, "exchangeInfo", params)?;
        all.extend(exchange.ask(list, |body| self.markets("", body)).await?);
        Ok(all)
    }

    async fn fetch_ticker(&self, exchange: &Exchange, symbol: &str, params: Fields) -> Result<Ticker> {
        let markets = exchange.load_markets().await?;
        let market = markets.of(symbol)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).and(params);
        let request = request(exchange, apis(market)?.0, Verb::Get, "ticker/24hr", fields)?;
        exchange.ask(request, |body| self.ticker(body, market.context(&markets))).await
    }

    async fn fetch_tickers(
        &self,
        exchange: &Exchange,
        symbols: Option<&[String]>,
        params: Fields,
    ) -> Result<Vec<Ticker>> {
        self.tickers(exchange, "ticker/24hr", symbols, params).await
    }

    async fn fetch_order_book(
        &self,
        exchange: &Exchange,
        symbol: &str,
        limit: Option<i64>,
        params: Fields,
    ) -> Result<OrderBook> {
        let markets = exchange.load_markets().await?;
        let market = markets.of(symbol)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).with_some("limit", limit).and(params);
        let request = request(exchange, apis(market)?.0, Verb::Get, "depth", fields)?;
        exchange
            .ask(request, |body| {
                let book = OrderBook {
                    symbol: Some(market.symbol.clone()),
                    bids: levels(body.get("bids")),
                    asks: levels(body.get("asks")),
                    time: Time::parse(body.get("T").text()),
                    nonce: body.text_of(&["lastUpdateId", "u"]).and_then(|digits| digits.parse().ok()),
                };
                book.sorted()
            })
            .await
    }

    async fn fetch_trades(&self, exchange: &Exchange, symbol: &str, page: Page, params: Fields) -> Result<Vec<Trade>> {
        let markets = exchange.load_markets().await?;
        let market = markets.of(symbol)?;
        let fields = Fields::new()
            .with("symbol", market.id.as_str())
            .with_some("startTime", page.since)
            .with_some("endTime", page.since.map(|since| since.saturating_add(TRADES_SPAN)))
            .with_some("limit", page.limit);
        let request = request(exchange, apis(market)?.0, Verb::Get, "aggTrades", fields.and(params))?;
        let trades = exchange.ask(request, |body| each(body, |one| self.trade(one, market.context(&markets)))).await?;
        Ok(page.of(trades, |trade| trade.time.0))
    }

    async fn fetch_ohlcv(
        &self,
        exchange: &Exchange,
        symbol: &str,
        timeframe: &str,
        page: Page,
        params: Fields,
    ) -> Result<Vec<Candle>> {
        let markets = exchange.load_markets().await?;
        let market = markets.of(symbol)?;
        let fields = Fields::new()
            .with("interval", timeframe)
            .with("limit", page.limit.unwrap_or(CANDLES.0).min(CANDLES.1))
            .with("symbol", market.id.as_str())
            .with_some("startTime", page.since);
        let request = request(exchange, apis(market)?.0, Verb::Get, "klines", fields.and(params))?;
        let candles =
            exchange.ask(request, |body| each(body, |one| self.candle(one, market.context(&markets)))).await?;
        Ok(page.of(candles, |candle| candle.0))
    }

    async fn create_order(&self, exchange: &Exchange, order: NewOrder) -> Result<Order> {
        let markets = exchange.load_markets().await?;
        let market = markets.of(&order.symbol)?;
        let fields = new_order::fields(exchange, market, &order)?;
        let request = request(exchange, apis(market)?.1, Verb::Post, "order", fields)?;
        exchange.ask(request, |body| self.order(body, market.context(&markets))).await
    }

    async fn cancel_order(&self, exchange: &Exchange, id: &str, symbol: Option<&str>, params: Fields) -> Result<Order> {
        self.one_order(exchange, (Verb::Delete, id, symbol, "cancelOrder"), params).await
    }

    async fn cancel_all_orders(&self, exchange: &Exchange, symbol: Option<&str>, params: Fields) -> Result<Vec<Order>> {
        let markets = exchange.load_markets().await?;
        let market = market(&markets, symbol, "cancelAllOrders")?;
        let fields = Fields::new().with("symbol", market.id.as_str()).and(params);
        let path = if market.contract() { "allOpenOrders" } else { "openOrders" };
        let request = request(exchange, apis(market)?.1, Verb::Delete, path, fields)?;
        let read = |body: &Json<'_>| match body.list() {
            Some(orders) => orders.iter().map(|one| self.order(one, market.context(&markets))).collect(),
            // contracts' markets only say that it is done
            None => vec![Order { info: Raw::of(body), ..Order::default() }.completed(None)],
        };
        exchange.ask(request, read).await
    }

    async fn fetch_order(&self, exchange: &Exchange, id: &str, symbol: Option<&str>, params: Fields) -> Result<Order> {
        self.one_order(exchange, (Verb::Get, id, symbol, "fetchOrder"), params).await
    }

    async fn fetch_orders(
        &self,
        exchange: &Exchange,
        symbol: Option<&str>,
        page: Page,
        params: Fields,
    ) -> Result<Vec<Order>> {
        let fields = Fields::new().with_some("startTime", page.since).with_some("limit", page.limit).and(params);
        let orders = self.orders(exchange, ("allOrders", symbol, "fetchOrders"), fields).await?;
        Ok(page.of(orders, |order| order.time.0))
    }

    async fn fetch_open_orders(
        &self,
        exchange: &Exchange,
        symbol: Option<&str>,
        page: Page,
        params: Fields,
    ) -> Result<Vec<Order>> {
        let orders = self.orders(exchange, ("openOrders", symbol, "fetchOpenOrders"), params).await?;
        Ok(page.of(orders, |order| order.time.0))
    }

    async fn fetch_closed_orders(
        &self,
        exchange: &Exchange,
        symbol: Option<&str>,
        page: Page,
        params: Fields,
    ) -> Result<Vec<Order>> {
        let fields = Fields::new().with_some("startTime", page.since).and(params);
        let mut orders = self.orders(exchange, ("allOrders", symbol, "fetchClosedOrders"), fields).await?;
        orders.retain(|order| order.status == Some(OrderStatus::Closed));
        Ok(page.of(orders, |order| order.time.0))
    }

    async fn fetch_my_trades(
        &self,
        exchange: &Exchange,
        symbol: Option<&str>,
        page: Page,
        params: Fields,
    ) -> Result<Vec<Trade>> {
        let markets = exchange.load_markets().await?;
        let market = market(&markets, symbol, "fetchMyTrades")?;
        let path = if market.contract() { "userTrades" } else { "myTrades" };
        let fields = Fields::new()
            .with("symbol", market.id.as_str())
            .with_some("startTime", page.since)
            .with_some("limit", page.limit)
            .and(params);
        let request = request(exchange, apis(market)?.1, Verb::Get, path, fields)?;
        let trades = exchange.ask(request, |body| each(body, |one| self.trade(one, market.context(&markets)))).await?;
        Ok(page.of(trades, |trade| trade.time.0))
    }

    async fn fetch_order_trades(
        &self,
        exchange: &Exchange,
        id: &str,
        symbol: Option<&str>,
        page: Page,
        params: Fields,
    ) -> Result<Vec<Trade>> {
        self.fetch_my_trades(exchange, symbol, page, Fields::new().with("orderId", id).and(params)).await
    }

    async fn fetch_bids_asks(
        &self,
        exchange: &Exchange,
        symbols: Option<&[String]>,
        params: Fields,
    ) -> Result<Vec<Ticker>> {
        self.tickers(exchange, "ticker/bookTicker", symbols, params).await
    }

    async fn fetch_status(&self, exchange: &Exchange, params: Fields) -> Result<Status> {
        let request = request(exchange, Api::WalletStatus, Verb::Get, "system/status", params)?;
        let read = |body: &Json<'_>| {
            let status = match body.get("status").text() {
                Some("0") => Some("ok".to_owned()),
                Some("1") => Some("maintenance".to_owned()),
                _ => None,
            };
            Status { status, info: Raw::of(body), ..Status::default() }
        };
        exchange.ask(request, read).await
    }

    async fn fetch_balance(&self, exchange: &Exchange, params: Fields) -> Result<Balances> {
        let contracts = params.text(&["type"]).is_some_and(|part| part != "spot");
        let params = params.without(&["type"]);
        let api = if contracts { Api::LinearAccountV3 } else { Api::SpotAccount };
        let request = request(exchange, api, Verb::Get, "account", params)?;
        exchange.ask(request, balances).await
    }

    async fn fetch_positions(
        &self,
        exchange: &Exchange,
        symbols: Option<&[String]>,
        params: Fields,
    ) -> Result<Vec<Position>> {
        let markets = exchange.load_markets().await?;
        let none = Context { markets: &markets, asked: None };
        let steps = request(exchange, Api::LinearAccount, Verb::Get, "leverageBracket", Fields::new())?;
        let brackets = exchange.ask(steps, |body| position::brackets(body, none)).await?;
        let held = request(exchange, Api::LinearAccountV3, Verb::Get, "positionRisk", params)?;
        let read = |body: &Json<'_>| each(body, |one| position::position(one, none, &brackets));
        let positions = exchange.ask(held, read).await?;
        let wanted = |position: &Position| {
            let of = |symbols: &[String]| position.symbol.as_ref().is_some_and(|symbol| symbols.contains(symbol));
            position.contracts.is_some_and(|contracts| contracts.nonzero().is_some()) && symbols.is_none_or(of)
        };
        Ok(positions.into_iter().filter(wanted).collect())
    }

    async fn fetch_trading_fee(&self, exchange: &Exchange, symbol: &str, params: Fields) -> Result<TradingFee> {
        let markets = exchange.load_markets().await?;
        let market = markets.of(symbol)?;
        let (api, path) = match apis(market)?.1 {
            Api::SpotAccount => (Api::Wallet, "asset/tradeFee"),
            contracts => (contracts, "commissionRate"),
        };
        let fields = Fields::new().with("symbol", market.id.as_str()).and(params);
        let request = request(exchange, api, Verb::Get, path, fields)?;
        let read = |body: &Json<'_>| {
            let one = body.at(0).unwrap_or(body);
            let number = |names: &[&str]| one.text_of(names).and_then(Number::parse);
            TradingFee {
                info: Raw::of(one),
                symbol: Some(market.symbol.clone()),
                maker: number(&["makerCommission", "makerCommissionRate"]),
                taker: number(&["takerCommission", "takerCommissionRate"]),
                percentage: None,
                tier_based: None,
            }
        };
        exchange.ask(request, read).await
    }

    async fn fetch_funding_rate(&self, exchange: &Exchange, symbol: &str, params: Fields) -> Result<FundingRate> {
        let markets = exchange.load_markets().await?;
        let market = contract(&markets, Some(symbol), "fetchFundingRate")?;
        let fields = Fields::new().with("symbol", market.id.as_str()).and(params);
        let request = request(exchange, Api::Linear, Verb::Get, "premiumIndex", fields)?;
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
        exchange.ask(request, read).await
    }

    async fn set_leverage(
        &self,
        exchange: &Exchange,
        leverage: Number,
        symbol: Option<&str>,
        params: Fields,
    ) -> Result<Raw> {
        let markets = exchange.load_markets().await?;
        let market = contract(&markets, symbol, "setLeverage")?;
        let fields = Fields::new().with("symbol", market.id.as_str()).with("leverage", leverage).and(params);
        exchange.ask(request(exchange, Api::LinearAccount, Verb::Post, "leverage", fields)?, Raw::of).await
    }

    async fn set_margin_mode(
        &self,
        exchange: &Exchange,
        mode: &str,
        symbol: Option<&str>,
        params: Fields,
    ) -> Result<Raw> {
        let markets = exchange.load_markets().await?;
        let market = contract(&markets, symbol, "setMarginMode")?;
        let kind = match mode.to_lowercase().as_str() {
            "cross" | "crossed" => "CROSSED",
            "isolated" => "ISOLATED",
            _ => return Err(bad("setMarginMode() marginMode must be cross or isolated")),
        };
        let fields = Fields::new().with("symbol", market.id.as_str()).with("marginType", kind).and(params);
        exchange.ask(request(exchange, Api::LinearAccount, Verb::Post, "marginType", fields)?, Raw::of).await
    }

    async fn set_position_mode(
        &self,
        exchange: &Exchange,
        hedged: bool,
        symbol: Option<&str>,
        params: Fields,
    ) -> Result<Raw> {
        if let Some(symbol) = symbol {
            let markets = exchange.load_markets().await?;
            contract(&markets, Some(symbol), "setPositionMode")?;
        }
        let fields = Fields::new().with("dualSidePosition", if hedged { "true" } else { "false" }).and(params);
        exchange.ask(request(exchange, Api::LinearAccount, Verb::Post, "positionSide/dual", fields)?, Raw::of).await
    }

    async fn fetch_currencies(&self, _exchange: &Exchange, _params: Fields) -> Result<Vec<Raw>> {
        // "All Coins' Information" wants a key that may see wallets; markets name every currency without it
        Ok(Vec::new())
    }

    async fn transfer(
        &self,
        exchange: &Exchange,
        currency: &str,
        amount: Number,
        from: &str,
        to: &str,
        params: Fields,
    ) -> Result<Transfer> {
        let fields = Fields::new()
            .with("asset", currency)
            .with("amount", amount)
            .with("type", format!("{}_{}", part(from)?, part(to)?))
            .and(params);
        let read = |body: &Json<'_>| Transfer {
            info: Raw::of(body),
            id: body.get("tranId").text().map(str::to_owned),
            currency: Some(currency.to_owned()),
            amount: Some(amount),
            from_account: Some(from.to_owned()),
            to_account: Some(to.to_owned()),
            ..Transfer::default()
        };
        exchange.ask(request(exchange, Api::Wallet, Verb::Post, "asset/transfer", fields)?, read).await
    }
}

fn pair(raw: &Json<'_>) -> Option<String> {
    raw.get("symbol").text().map(str::to_owned)
}

//! The methods over HTTP.

use async_trait::async_trait;

use super::cancel_order::{self, Cancel};
use super::history::{self, List};
use super::parse::{self, object};
use super::sign::{private, public};
use super::{
    Dialect, account, candles, edit_order, ledger, lists, markets, networks, new_order, part, position, rates,
};
use crate::exchange::{NewOrder, Result, required};
use crate::json::{Access as _, Json};
use crate::methods::Connector;
use crate::query::Query;
use crate::unified::{
    Balances, Candle, DepositAddress, FundingRate, LedgerEntry, Leverage, Market, Markets, Order, OrderBook,
    OrderStatus, PastFunding, Position, Raw, Ticker, Time, Trade, TradingFee, Transfer, levels,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, Venue, VenueError, Verb};

/// The market that is asked for, and the field that names it.
fn asked<'m>(q: &Query<'_>, markets: &'m Markets) -> Result<(&'m Market, Fields)> {
    let market = q.market(markets)?;
    Ok((market, Fields::new().with("symbol", market.id.as_str())))
}

/// The contract that is asked for, or whatever is of the same name, and the fields that name it.
fn product<'m>(q: &Query<'_>, markets: &'m Markets) -> Result<(&'m Market, Fields, Fields)> {
    let (market, fields) = asked(q, markets)?;
    let (product, params) = part::product(Some(market), q.params.clone());
    Ok((market, fields.with("productType", product), params))
}

fn nothing(q: &Query<'_>) -> VenueError {
    q.error(ErrorClass::BadResponse, "got an answer that says nothing")
}

impl Dialect {
    /// The first of an answer's list.
    async fn first<T>(
        &self,
        q: &Query<'_>,
        request: crate::Request,
        read: impl FnOnce(&Json<'_>) -> T + Send,
    ) -> Result<T> {
        q.exchange.ask(request, |body| body.get("data").at(0).map(read)).await?.ok_or_else(|| nothing(q))
    }

    /// Sends what is asked of an order, and reads the order's names.
    async fn about_order(&self, q: &Query<'_>, market: &Market, path: &str, fields: Fields) -> Result<Order> {
        let markets = q.markets().await?;
        let request = private(q.exchange, Verb::Post, path, fields)?;
        q.exchange.ask(request, |body| self.order(object(body.get("data")), market.context(&markets))).await
    }

    async fn list_of_orders(&self, q: &Query<'_>, markets: &Markets, list: List) -> Result<Vec<Order>> {
        let context = Context { markets, asked: q.market_if_any(markets)? };
        let request = private(q.exchange, Verb::Get, list.path, list.fields)?;
        let read = |body: &Json<'_>| {
            let data = body.get("data");
            let data = list.member.map_or(data, |name| data.get(name));
            let data = if list.strict { data.filter(|data| data.list().is_some()) } else { data };
            lists::orders(data, context, list.page)
        };
        q.exchange.ask(request, read).await
    }

    async fn past_orders(&self, q: Query<'_>, only: Option<OrderStatus>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let list = history::past(&q, q.market_if_any(&markets)?)?;
        let mut orders = self.list_of_orders(&q, &markets, list).await?;
        orders.retain(|order| only.is_none() || order.status == only);
        Ok(orders)
    }
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, q: Query<'_>) -> Result<i64> {
        let request = public("v2/public/time", q.params.clone())?;
        let read = |body: &Json<'_>| Time::parse(body.get("data").get("serverTime").text()).0;
        q.exchange.ask(request, read).await?.ok_or_else(|| nothing(&q))
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        let spot = public("v2/spot/public/symbols", q.params.clone())?;
        let mut all = q.exchange.ask(spot, |body| self.markets("", body)).await?;
        let margin = public("v2/margin/currencies", q.params.clone())?;
        let borrowing = q.exchange.ask(margin, markets::Borrowing::of).await?;
        all.iter_mut().for_each(|market| borrowing.mark(market));
        for product in part::PRODUCTS {
            let fields = q.params.clone().with("productType", product);
            let contracts = public("v2/mix/market/contracts", fields)?;
            all.extend(q.exchange.ask(contracts, |body| self.markets("", body)).await?);
        }
        Ok(all)
    }

    async fn fetch_currencies(&self, q: Query<'_>) -> Result<Vec<Raw>> {
        let request = public("v2/spot/public/coins", q.params)?;
        q.exchange.ask(request, |body| body.get("data").each(Raw::of)).await
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        let markets = q.markets().await?;
        let (market, fields, params) = product(&q, &markets)?;
        let request = if market.contract() {
            public("v2/mix/market/ticker", fields.and(params))?
        } else {
            public("v2/spot/market/tickers", fields.without(&["productType"]).and(params))?
        };
        self.first(&q, request, |raw| self.ticker(raw, market.context(&markets))).await
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let listed = q.listed(&markets)?;
        let first = listed.first().copied();
        let (kind, params) = part::kind(first, q.params.clone());
        // who says of which kind contracts are asks for contracts
        let contracts = kind != "spot" || params.text(&["subType"]).is_some();
        let (product, params) = part::product(first, params);
        let request = if contracts {
            public("v2/mix/market/tickers", Fields::new().with("productType", product).and(params))?
        } else {
            public("v2/spot/market/tickers", params)?
        };
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| body.get("data").each(|raw| self.ticker(raw, none));
        let mut tickers = q.exchange.ask(request, read).await?;
        let named = |ticker: &Ticker| listed.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
        tickers.retain(|ticker| listed.is_empty() || named(ticker));
        Ok(tickers)
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let fields = fields.with_some("limit", q.depth);
        let (product, params) = part::product(Some(market), q.params.clone());
        let request = if market.contract() {
            public("v2/mix/market/merge-depth", fields.with("productType", product).and(params))?
        } else {
            public("v2/spot/market/orderbook", fields.and(params))?
        };
        let read = |body: &Json<'_>| {
            let data = body.get("data");
            let book = OrderBook {
                symbol: Some(market.symbol.clone()),
                bids: levels(data.get("bids")),
                asks: levels(data.get("asks")),
                time: Time::parse(data.get("ts").text()),
                ..OrderBook::default()
            };
            book.sorted()
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let contract = market.contract();
        let most = |limit: i64| if contract { limit.min(1000) } else { limit };
        let (product, params) = part::product(Some(market), q.params.clone());
        let fields = fields.with_some("limit", q.page.limit.map(most));
        let fields = fields.with_some("productType", contract.then_some(product));
        // the last trades, which are not asked for by time
        let recent = params.text(&["method"]).is_some_and(|method| method.ends_with("Fills"));
        let params = params.without(&["method"]);
        let part = if contract { "mix" } else { "spot" };
        let request = if recent {
            public(&format!("v2/{part}/market/fills"), fields.and(params))?
        } else {
            let (fields, params) = part::until(fields, params);
            let fields = fields.with_some("startTime", q.page.since).and(params);
            public(&format!("v2/{part}/market/fills-history"), fields)?
        };
        let read = |body: &Json<'_>| lists::trades(body.get("data"), market.context(&markets), q.page);
        q.exchange.ask(request, read).await
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let wanted = candles::ask(&q, market)?;
        let request = public(wanted.path, wanted.fields)?;
        let read = |body: &Json<'_>| {
            let list = body.get("data").unwrap_or(body);
            list.each(|raw| self.candle(raw, market.context(&markets)))
        };
        let mut candles = q.exchange.ask(request, read).await?;
        candles.sort_by_key(|candle| candle.0);
        Ok(wanted.page.of(candles, |candle| candle.0))
    }

    async fn create_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let (path, fields) = new_order::order(market, order)?;
        self.about_order(&q, market, path, fields).await
    }

    async fn edit_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let (path, fields) = edit_order::order(&q, market, order)?;
        self.about_order(&q, market, path, fields).await
    }

    async fn create_orders(&self, q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let first = orders.first().ok_or_else(|| required(Venue::Bitget, q.method, "orders"))?;
        let market = markets.of(&first.symbol)?;
        let (path, fields) = new_order::orders(&q, market, &orders)?;
        let request = private(q.exchange, Verb::Post, path, fields)?;
        let read = |body: &Json<'_>| {
            let (data, context) = (body.get("data"), market.context(&markets));
            let mut orders = lists::orders(data.get("successList"), context, q.page);
            orders.extend(lists::orders(data.get("failureList"), context, q.page));
            orders
        };
        q.exchange.ask(request, read).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let Cancel { path, fields, listed } = cancel_order::one(&q, market);
        if !listed {
            return self.about_order(&q, market, path, fields).await;
        }
        let request = private(q.exchange, Verb::Post, path, fields)?;
        let read = |body: &Json<'_>| {
            let data = body.get("data");
            match data.get("failureList").at(0) {
                Some(refused) => Err(q.error(ErrorClass::ExchangeError, &refused.to_string())),
                None => Ok(self.order(object(data.get("successList").at(0)), market.context(&markets))),
            }
        };
        q.exchange.ask(request, read).await?
    }

    async fn cancel_orders(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let Cancel { path, fields, .. } = cancel_order::several(&q, market, ids);
        let request = private(q.exchange, Verb::Post, path, fields)?;
        let read =
            |body: &Json<'_>| lists::orders(body.get("data").get("successList"), market.context(&markets), q.page);
        q.exchange.ask(request, read).await
    }

    async fn cancel_all_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let Cancel { path, fields, listed } = cancel_order::all(&q, market)?;
        let request = private(q.exchange, Verb::Post, path, fields)?;
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| {
            let data = body.get("data");
            if listed {
                let mut orders = lists::orders(lists::done(body), none, q.page);
                orders.extend(lists::orders(data.get("failureList"), none, q.page));
                return orders;
            }
            let symbol = none.symbol(data.text_of(&["symbol"]), false).1;
            let time = Time::parse(body.get("requestTime").text());
            vec![Order { info: Raw::of(body), symbol, time, ..Order::default() }.completed(None)]
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let (market, symbol) = asked(&q, &markets)?;
        let (client, params) = part::client_id(q.params.clone());
        let fields = match client {
            Some(client) => Fields::new().with("clientOid", client),
            None => Fields::new().with("orderId", q.id),
        };
        let request = if market.contract() {
            let (product, params) = part::product(Some(market), params);
            let fields = fields.and(symbol).with("productType", product).and(params);
            private(q.exchange, Verb::Get, "v2/mix/order/detail", fields)?
        } else {
            private(q.exchange, Verb::Get, "v2/spot/trade/orderInfo", fields.and(params))?
        };
        let read = |body: &Json<'_>| {
            let data = body.get("data");
            let one = data.filter(|data| matches!(data, Json::Object(_))).or_else(|| data.at(0));
            one.map(|raw| self.order(raw, market.context(&markets)))
        };
        let none = || q.error(ErrorClass::OrderNotFound, &format!("found no order {}", q.id));
        q.exchange.ask(request, read).await?.ok_or_else(none)
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let list = history::open(&q, q.market_if_any(&markets)?);
        self.list_of_orders(&q, &markets, list).await
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, Some(OrderStatus::Closed)).await
    }

    async fn fetch_canceled_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, Some(OrderStatus::Canceled)).await
    }

    async fn fetch_canceled_and_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, None).await
    }

    async fn fetch_my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let list = history::trades(&q, market);
        let request = private(q.exchange, Verb::Get, list.path, list.fields)?;
        let read = |body: &Json<'_>| {
            let data = body.get("data");
            let data = list.member.map_or(data, |name| data.get(name));
            lists::trades(data, market.context(&markets), list.page)
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_balance(&self, q: Query<'_>) -> Result<Balances> {
        let markets = q.markets().await?;
        let (path, fields) = account::balance(&q)?;
        let request = private(q.exchange, Verb::Get, path, fields)?;
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| self.balance(parse::list(body.get("data")), none);
        q.exchange.ask(request, read).await?.ok_or_else(|| nothing(&q))
    }

    async fn fetch_ledger(&self, q: Query<'_>, code: Option<&str>) -> Result<Vec<LedgerEntry>> {
        let markets = q.markets().await?;
        let bills = ledger::ask(&q, &markets, code)?;
        let request = private(q.exchange, Verb::Get, bills.path, bills.fields)?;
        let read = |body: &Json<'_>| {
            let data = body.get("data");
            let data = bills.member.map_or(data, |name| data.get(name));
            lists::each_value(data, |raw| ledger::entry(raw, code))
        };
        let mut entries = q.exchange.ask(request, read).await?;
        entries.sort_by_key(|entry| entry.time.0);
        entries.retain(|entry| code.is_none() || entry.currency.as_deref() == code);
        Ok(q.page.of(entries, |entry| entry.time.0))
    }

    async fn fetch_deposit_address(&self, q: Query<'_>, currency: &str) -> Result<DepositAddress> {
        let markets = q.markets().await?;
        let fields = Fields::new()
            .with("coin", q.currency(&markets, currency)?)
            .with_some("chain", q.params.text(&["networkCode", "network"]).map(networks::id));
        let fields = fields.and(q.params.clone().without(&["networkCode", "network"]));
        let request = private(q.exchange, Verb::Get, "v2/spot/wallet/deposit-address", fields)?;
        q.exchange.ask(request, |body| account::address(body, currency)).await
    }

    async fn transfer(&self, q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
        let markets = q.markets().await?;
        let market = q.params.text(&["symbol"]).map(|symbol| markets.of(symbol)).transpose()?;
        let fields = Fields::new()
            .with("fromType", account::named(from)?)
            .with("toType", account::named(to)?)
            .with("amount", crate::Value::Digits(amount.to_string()))
            .with("coin", q.currency(&markets, currency)?)
            .with_some("symbol", market.map(|market| market.id.as_str()))
            .and(q.params.clone().without(&["symbol"]));
        let request = private(q.exchange, Verb::Post, "v2/spot/wallet/transfer", fields)?;
        q.exchange.ask(request, |body| account::transfer(body, currency)).await
    }

    async fn fetch_trading_fee(&self, q: Query<'_>) -> Result<TradingFee> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let (mode, params) = part::margin_mode(q.params.clone());
        let business = match (market.contract(), mode) {
            (true, _) => "mix",
            (false, Some(_)) => "margin",
            (false, None) => "spot",
        };
        let fields = fields.with("businessType", business).and(params);
        let request = private(q.exchange, Verb::Get, "v2/common/trade-rate", fields)?;
        q.exchange.ask(request, |body| rates::trading_fee(body, market)).await
    }

    async fn fetch_position(&self, q: Query<'_>) -> Result<Position> {
        let markets = q.markets().await?;
        let (market, fields, params) = product(&q, &markets)?;
        let fields = fields.with_some("marginCoin", market.settle_id.as_deref()).and(params);
        let request = private(q.exchange, Verb::Get, "v2/mix/position/single-position", fields)?;
        let read = |body: &Json<'_>| position::position(object(body.get("data").at(0)), market.context(&markets));
        q.exchange.ask(request, read).await
    }

    async fn fetch_positions(&self, q: Query<'_>) -> Result<Vec<Position>> {
        let markets = q.markets().await?;
        let listed = q.listed(&markets)?;
        let first = listed.first().copied();
        let asked = position::ask(&q, first);
        let request = private(q.exchange, Verb::Get, asked.path, asked.fields)?;
        let context = Context { markets: &markets, asked: first };
        let read = |body: &Json<'_>| {
            let data = body.get("data");
            let list = asked.member.map_or(data, |name| data.get(name));
            list.each(|raw| position::position(raw, context))
        };
        let positions = q.exchange.ask(request, read).await?;
        let wanted = |position: &Position| {
            listed.is_empty() || listed.iter().any(|market| position.symbol.as_ref() == Some(&market.symbol))
        };
        Ok(positions.into_iter().filter(wanted).collect())
    }

    async fn close_position(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let (product, params) = part::product(Some(market), q.params.clone());
        let fields = fields.with_some("holdSide", q.side).with("productType", product).and(params);
        let request = private(q.exchange, Verb::Post, "v2/mix/order/close-positions", fields)?;
        let read = |body: &Json<'_>| {
            let first = lists::done(body).at(0);
            self.order(first.unwrap_or(&Json::Null), market.context(&markets))
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_leverage(&self, q: Query<'_>) -> Result<Leverage> {
        let markets = q.markets().await?;
        let (market, fields, params) = product(&q, &markets)?;
        let fields = fields.with_some("marginCoin", market.settle_id.as_deref()).and(params);
        let request = private(q.exchange, Verb::Get, "v2/mix/account/account", fields)?;
        q.exchange.ask(request, |body| account::leverage(body, market)).await
    }

    async fn set_leverage(&self, q: Query<'_>, leverage: Number) -> Result<Raw> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let (product, params) = part::product(Some(market), q.params.clone());
        let fields = fields
            .with("leverage", leverage)
            .with_some("marginCoin", market.settle_id.as_deref())
            .with("productType", product)
            .and(params);
        q.exchange.ask(private(q.exchange, Verb::Post, "v2/mix/account/set-leverage", fields)?, Raw::of).await
    }

    async fn set_margin_mode(&self, q: Query<'_>, mode: &str) -> Result<Raw> {
        let mode = match mode.to_lowercase().as_str() {
            "cross" | "crossed" => "crossed",
            "isolated" => "isolated",
            _ => return Err(q.error(ErrorClass::ArgumentsRequired, "marginMode must be isolated or cross")),
        };
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let (product, params) = part::product(Some(market), q.params.clone());
        let fields = fields
            .with_some("marginCoin", market.settle_id.as_deref())
            .with("marginMode", mode)
            .with("productType", product)
            .and(params);
        q.exchange.ask(private(q.exchange, Verb::Post, "v2/mix/account/set-margin-mode", fields)?, Raw::of).await
    }

    async fn set_position_mode(&self, q: Query<'_>, hedged: bool) -> Result<Raw> {
        let markets = q.markets().await?;
        let (product, params) = part::product(q.market_if_any(&markets)?, q.params.clone());
        let mode = if hedged { "hedge_mode" } else { "one_way_mode" };
        let fields = Fields::new().with("posMode", mode).with("productType", product).and(params);
        q.exchange.ask(private(q.exchange, Verb::Post, "v2/mix/account/set-position-mode", fields)?, Raw::of).await
    }

    async fn fetch_funding_rate(&self, q: Query<'_>) -> Result<FundingRate> {
        let markets = q.markets().await?;
        let (market, fields, params) = product(&q, &markets)?;
        if market.kind != crate::unified::MarketKind::Swap {
            return Err(q.error(ErrorClass::BadSymbol, "is for contracts without an end"));
        }
        let next = params.text(&["method"]).is_some_and(|method| method.ends_with("FundingTime"));
        let path = if next { "v2/mix/market/funding-time" } else { "v2/mix/market/current-fund-rate" };
        let request = public(path, fields.and(params.without(&["method"])))?;
        self.first(&q, request, |raw| rates::funding_rate(raw, market.context(&markets))).await
    }

    async fn fetch_funding_rate_history(&self, q: Query<'_>) -> Result<Vec<PastFunding>> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let (product, params) = part::product(Some(market), q.params.clone());
        let fields = fields.with_some("pageSize", q.page.limit).with("productType", product).and(params);
        let request = public("v2/mix/market/history-fund-rate", fields)?;
        let context = market.context(&markets);
        let read = |body: &Json<'_>| body.get("data").each(|raw| rates::past_funding(raw, context));
        let mut rates = q.exchange.ask(request, read).await?;
        rates.sort_by_key(|rate| rate.time.0);
        rates.retain(|rate| rate.symbol.as_ref() == Some(&market.symbol));
        Ok(q.page.of(rates, |rate| rate.time.0))
    }
}

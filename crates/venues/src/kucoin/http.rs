//! The methods over HTTP.

use async_trait::async_trait;

use super::Dialect;
use super::market_data::empty;
use super::new_order;
use super::params::{classic, client_id, contracts, margin_mode, take, take_flag};
use super::parse::{data, said};
use super::position::position;
use super::sign::{Api, private, public};
use crate::exchange::{NewOrder, Result, Status};
use crate::json::{self, Access as _, Json};
use crate::methods::Connector;
use crate::query::Query;
use crate::unified::{
    Balances, Candle, DepositAddress, FundingRate, LedgerEntry, Leverage, Market, Markets, Order, OrderBook,
    PastFunding, Position, Raw, Ticker, Time, Trade, TradingFee, Transfer,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, VenueError, Verb};

fn contract<'m>(q: &Query<'_>, markets: &'m Markets) -> Result<&'m Market> {
    let market = q.market(markets)?;
    if market.contract() { Ok(market) } else { Err(q.error(ErrorClass::NotSupported, "is for contracts only")) }
}

/// A structure as the exchange's words, for methods whose answer has no form of its own.
fn raw_of(of: &serde_json::Value) -> Raw {
    let text = of.to_string();
    json::parse(&text).map(|value| Raw::of(&value)).unwrap_or_default()
}

fn leverages(info: Raw, raw: Option<&Json<'_>>, market: &Market, mode: Option<&str>) -> Leverage {
    let leverage = raw.number_of(&["leverage"]);
    Leverage {
        info,
        symbol: Some(market.symbol.clone()),
        margin_mode: mode.map(str::to_owned),
        long_leverage: leverage,
        short_leverage: leverage,
    }
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, mut q: Query<'_>) -> Result<i64> {
        let api = Api::of(contracts(&mut q.params, None));
        let request = public(api, "v1/timestamp", &q.params);
        let time = q.exchange.ask(request, |body| Time::parse(data(body).text()).0).await?;
        time.ok_or_else(|| empty(&q, "time"))
    }

    async fn fetch_status(&self, mut q: Query<'_>) -> Result<Status> {
        classic(&mut q)?;
        let api = Api::of(contracts(&mut q.params, None));
        let read = |body: &Json<'_>| {
            let open = data(body).text_of(&["status", "serverStatus"]) == Some("open");
            let status = if open { "ok" } else { "maintenance" };
            Status { status: Some(status.to_owned()), info: Raw::of(body), ..Status::default() }
        };
        q.exchange.ask(public(api, "v1/status", &q.params), read).await
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        self.every_market(q).await
    }

    async fn fetch_currencies(&self, mut q: Query<'_>) -> Result<Vec<Raw>> {
        classic(&mut q)?;
        q.exchange.ask(public(Api::Spot, "v3/currencies", &q.params), |body| data(body).each(Raw::of)).await
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        self.ticker_of(q).await
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        self.tickers_of(q).await
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        self.book(q).await
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        self.trades_of(q).await
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        self.candles(q).await
    }

    async fn fetch_funding_rate(&self, q: Query<'_>) -> Result<FundingRate> {
        self.funding_rate(q).await
    }

    async fn fetch_funding_rate_history(&self, q: Query<'_>) -> Result<Vec<PastFunding>> {
        self.past_funding(q).await
    }

    async fn create_order(&self, mut q: Query<'_>, order: &NewOrder) -> Result<Order> {
        q.params = order.params.clone();
        classic(&mut q)?;
        let order = NewOrder { params: std::mem::take(&mut q.params), ..order.clone() };
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let (path, fields) = if market.contract() {
            new_order::of_contracts(q.exchange, market, &order)?
        } else {
            new_order::of_spot(q.exchange, market, &order)?
        };
        let request = private(q.exchange, Api::of(market.contract()), Verb::Post, path, &fields)?;
        let read = |body: &Json<'_>| said(body, |raw| self.order(raw, market.context(&markets)));
        q.exchange.ask(request, read).await
    }

    async fn create_orders(&self, q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
        self.new_orders(q, orders).await
    }

    async fn edit_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new().with("symbol", market.id.as_str());
        let fields = match client_id(&order.params) {
            Some(client) => fields.with("clientOid", client),
            None => fields.with("orderId", q.id),
        };
        let fields = fields
            .with_some("newSize", order.amount.map(|amount| market.amount(amount)).transpose()?)
            .with_some("newPrice", order.price.map(|price| market.price(price)).transpose()?)
            .and(order.params.clone());
        let request = private(q.exchange, Api::Spot, Verb::Post, "v1/hf/orders/alter", &fields)?;
        let read = |body: &Json<'_>| said(body, |raw| self.order(raw, market.context(&markets)));
        q.exchange.ask(request, read).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        self.cancel(q).await
    }

    async fn cancel_orders(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        self.cancel_several(q, ids).await
    }

    async fn cancel_all_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.cancel_all(q).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        self.one_order(q).await
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.orders_that_are(q, "active").await
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.orders_that_are(q, "done").await
    }

    async fn fetch_my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        self.own_trades(q).await
    }

    async fn fetch_order_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        self.own_trades(Query { params: Fields::new().with("orderId", q.id).and(q.params), ..q }).await
    }

    async fn fetch_balance(&self, q: Query<'_>) -> Result<Balances> {
        self.balance_of(q).await
    }

    async fn fetch_ledger(&self, q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
        self.entries(q, currency).await
    }

    async fn fetch_deposit_address(&self, q: Query<'_>, currency: &str) -> Result<DepositAddress> {
        self.address_of(q, currency).await
    }

    async fn transfer(&self, q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
        self.move_money(q, currency, amount, from, to).await
    }

    async fn fetch_trading_fee(&self, mut q: Query<'_>) -> Result<TradingFee> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let name = if market.contract() { "symbol" } else { "symbols" };
        let fields = Fields::new().with(name, market.id.as_str()).and(q.params);
        let request = private(q.exchange, Api::of(market.contract()), Verb::Get, "v1/trade-fees", &fields)?;
        let read = |body: &Json<'_>| {
            let entry = if market.contract() { data(body) } else { data(body).at(0) };
            let of = market.context(&markets).market(entry.text_of(&["symbol"]), true);
            TradingFee {
                info: Raw::of(body),
                symbol: of.map(|market| market.symbol.clone()),
                maker: entry.number_of(&["makerFeeRate"]),
                taker: entry.number_of(&["takerFeeRate"]),
                percentage: Some(true),
                tier_based: Some(true),
            }
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_position(&self, mut q: Query<'_>) -> Result<Position> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).and(q.params);
        let request = private(q.exchange, Api::Contracts, Verb::Get, "v1/position", &fields)?;
        let read = |body: &Json<'_>| said(body, |raw| position(raw, market.context(&markets)));
        q.exchange.ask(request, read).await
    }

    async fn fetch_positions(&self, mut q: Query<'_>) -> Result<Vec<Position>> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        q.listed(&markets)?;
        let request = private(q.exchange, Api::Contracts, Verb::Get, "v1/positions", &q.params)?;
        let none = Context { markets: &markets, asked: None };
        let mut positions = q.exchange.ask(request, |body| data(body).each(|raw| position(raw, none))).await?;
        let wanted = |position: &Position| {
            q.symbols.is_none_or(|symbols| position.symbol.as_ref().is_some_and(|symbol| symbols.contains(symbol)))
        };
        positions.retain(wanted);
        Ok(positions)
    }

    async fn close_position(&self, mut q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let path = if take_flag(&mut q.params, &["test"]) { "v1/orders/test" } else { "v1/orders" };
        let client = take(&mut q.params, &["clientOrderId"]).unwrap_or_else(|| q.exchange.now().to_string());
        let fields = Fields::new()
            .with("symbol", market.id.as_str())
            .with("closeOrder", true)
            .with("clientOid", client)
            .with("type", "market")
            .and(q.params);
        let request = private(q.exchange, Api::Contracts, Verb::Post, path, &fields)?;
        // the order is told as the whole answer, as CCXT has it
        q.exchange.ask(request, |body| self.order(body, market.context(&markets))).await
    }

    async fn fetch_leverage(&self, mut q: Query<'_>) -> Result<Leverage> {
        let mode = margin_mode(&mut q.params);
        if mode.as_deref() != Some("cross") {
            return Err(q.error(ErrorClass::NotSupported, "takes the marginMode cross only"));
        }
        let markets = q.markets().await?;
        let market = contract(&q, &markets)?;
        let fields = Fields::new().with("symbol", market.id.as_str()).and(q.params);
        let request = private(q.exchange, Api::Contracts, Verb::Get, "v2/getCrossUserLeverage", &fields)?;
        let read = |body: &Json<'_>| {
            let info = data(body).map(Raw::of).unwrap_or_default();
            leverages(info, data(body), market, mode.as_deref())
        };
        q.exchange.ask(request, read).await
    }

    async fn set_leverage(&self, mut q: Query<'_>, leverage: Number) -> Result<Raw> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let of_contracts = contracts(&mut q.params, None);
        if market.is_none() && of_contracts {
            return Err(q.error(ErrorClass::ArgumentsRequired, "requires a symbol argument for contracts"));
        }
        let mode = margin_mode(&mut q.params);
        if let Some(market) = market.filter(|market| market.contract()) {
            if mode.is_some_and(|mode| mode != "cross") {
                return Err(q.error(ErrorClass::NotSupported, "takes the marginMode cross only for contracts"));
            }
            let fields = Fields::new().with("symbol", market.id.as_str()).with("leverage", leverage).and(q.params);
            let request = private(q.exchange, Api::Contracts, Verb::Post, "v2/changeCrossUserLeverage", &fields)?;
            let read = |body: &Json<'_>| leverages(Raw::of(body), data(body), market, None);
            let leverage = q.exchange.ask(request, read).await?;
            let value = serde_json::to_value(&leverage);
            return value
                .map(|value| raw_of(&value))
                .map_err(|error| VenueError::new(ErrorClass::BadResponse, &error.to_string()));
        }
        let mode = mode.ok_or_else(|| q.error(ErrorClass::ArgumentsRequired, "requires a marginMode parameter"))?;
        if mode == "isolated" && market.is_none() {
            return Err(q.error(ErrorClass::ArgumentsRequired, "requires a symbol argument for isolated margin"));
        }
        let fields = Fields::new()
            .with("leverage", leverage)
            .with_some("symbol", market.map(|market| market.id.as_str()))
            .with("isIsolated", mode == "isolated")
            .and(q.params);
        let request = private(q.exchange, Api::Spot, Verb::Post, "v3/position/update-user-leverage", &fields)?;
        q.exchange.ask(request, Raw::of).await
    }

    async fn set_margin_mode(&self, q: Query<'_>, mode: &str) -> Result<Raw> {
        if q.symbol.is_none() || !matches!(mode, "cross" | "isolated") {
            return Err(
                q.error(ErrorClass::ArgumentsRequired, "requires a marginMode, cross or isolated, and a symbol")
            );
        }
        let markets = q.markets().await?;
        let market = contract(&q, &markets)?;
        let fields =
            Fields::new().with("symbol", market.id.as_str()).with("marginMode", mode.to_uppercase()).and(q.params);
        let request = private(q.exchange, Api::Contracts, Verb::Post, "v2/position/changeMarginMode", &fields)?;
        let read = |body: &Json<'_>| {
            let isolated = data(body).text_of(&["marginMode"]) == Some("ISOLATED");
            raw_of(&serde_json::json!({
                "info": data(body).map(Raw::of).unwrap_or_default(),
                "symbol": market.symbol,
                "marginMode": if isolated { "isolated" } else { "cross" },
            }))
        };
        q.exchange.ask(request, read).await
    }

    async fn set_position_mode(&self, q: Query<'_>, hedged: bool) -> Result<Raw> {
        let fields = Fields::new().with("positionMode", if hedged { "1" } else { "0" }).and(q.params);
        let request = private(q.exchange, Api::Contracts, Verb::Post, "v2/position/switchPositionMode", &fields)?;
        q.exchange.ask(request, Raw::of).await
    }
}

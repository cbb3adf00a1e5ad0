//! The methods over HTTP.

use async_trait::async_trait;

use super::orders::{Past, linear, margin_mode, part, until};
use super::parse::{first, object};
use super::sign::{Host, get, post, public};
use super::{Dialect, account, candles, orders};
use crate::exchange::{NewOrder, Result, Status, not_supported, required};
use crate::json::{Access as _, Json};
use crate::methods::Connector;
use crate::query::Query;
use crate::unified::{
    Balances, Candle, DepositAddress, FundingRate, LedgerEntry, Market, MarketKind, Order, OrderBook, PastFunding,
    Position, Raw, Ticker, Time, Trade, TradingFee, Transfer, levels,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, Request, Value, Venue, VenueError};

/// Trades of one answer if no number is asked for, and at most.
const TRADES: (i64, i64) = (1000, 2000);
/// Most of the past payments of a contract in one answer.
const PAYMENTS: i64 = 100;

/// What everybody may ask of a market: at the contract markets under another name.
fn of_market(market: &Market, [spot, contract]: [&str; 2], fields: Fields, params: Fields) -> Result<Request> {
    Ok(match market.kind {
        MarketKind::Spot => public(Host::Spot, spot, &fields.with("symbol", market.id.as_str()).and(params)),
        _ => {
            let fields = fields.with("contract_code", linear(market)?.id.as_str());
            public(Host::Contracts, contract, &fields.and(params))
        }
    })
}

fn contract<'m>(q: &Query<'_>, market: &'m Market) -> Result<&'m Market> {
    if market.contract() { linear(market) } else { Err(q.error(ErrorClass::NotSupported, "is for contracts only")) }
}

fn book(body: &Json<'_>, market: &Market) -> Option<OrderBook> {
    let tick = body.get("tick").filter(|tick| matches!(tick, Json::Object(_)))?;
    let book = OrderBook {
        symbol: Some(market.symbol.clone()),
        bids: levels(tick.get("bids")),
        asks: levels(tick.get("asks")),
        time: Time::parse(tick.text_of(&["ts"]).or_else(|| body.text_of(&["ts"]))),
        nonce: tick.text_of(&["version"]).and_then(|digits| digits.parse().ok()),
        ..OrderBook::default()
    };
    Some(book.sorted())
}

fn status(body: &Json<'_>, up: &str, until: &str) -> Status {
    let data = object(body, "data");
    let word = if data.get(up).text() == Some("1") { "ok" } else { "maintenance" };
    let eta = Time::parse(data.text_of(&[until])).0;
    Status { status: Some(word.to_owned()), eta, info: Raw::of(body), ..Status::default() }
}

fn funding_rate(raw: &Json<'_>, context: Context<'_>) -> FundingRate {
    let time = |name: &str| Time::parse(raw.text_of(&[name]));
    let (funding, next_funding) = (time("funding_time"), time("next_funding_time"));
    let apart = next_funding.0.zip(funding.0).and_then(|(next, now)| next.checked_sub(now));
    FundingRate {
        info: Raw::of(raw),
        symbol: context.symbol(raw.text_of(&["contract_code"]), true).1,
        funding_rate: raw.number_of(&["funding_rate"]),
        funding,
        next_funding_rate: raw.number_of(&["estimated_rate"]),
        next_funding,
        interval: apart.map(|ms| match ms {
            3_600_000 | 14_400_000 | 28_800_000 | 57_600_000 | 86_400_000 => format!("{}h", ms / 3_600_000),
            _ => ms.to_string(),
        }),
        ..FundingRate::default()
    }
}

fn past_funding(raw: &Json<'_>, context: Context<'_>) -> PastFunding {
    PastFunding {
        info: Raw::of(raw),
        symbol: context.symbol(raw.text_of(&["contract_code"]), true).1,
        funding_rate: raw.number_of(&["funding_rate"]),
        time: Time::parse(raw.text_of(&["funding_time"])),
    }
}

impl Dialect {
    /// The account's trades in an answer: of the market that was asked for, sorted by time and name.
    async fn own_trades(&self, q: &Query<'_>, request: Request, context: Context<'_>) -> Result<Vec<Trade>> {
        let read = |body: &Json<'_>| {
            let data = body.get("data");
            let list = data.list().or_else(|| data.get("trades").list()).unwrap_or_default();
            list.iter().map(|one| self.trade(one, context)).collect::<Vec<_>>()
        };
        let mut trades = q.exchange.ask(request, read).await?;
        trades.sort_by(|left, right| (left.time.0, &left.id).cmp(&(right.time.0, &right.id)));
        trades.retain(|trade| context.asked.is_none_or(|market| trade.symbol.as_ref() == Some(&market.symbol)));
        Ok(q.page.of(trades, |trade| trade.time.0))
    }

    /// Positions that are open, and when the answer was made.
    async fn positions(&self, q: &Query<'_>, fields: Fields, context: Context<'_>) -> Result<(Vec<Position>, Time)> {
        let request = get(q.exchange, Host::Contracts, "v5/trade/position/opens", fields)?;
        let read = |body: &Json<'_>| {
            let positions = body.get("data").each(|one| super::position::position(one, context));
            (positions, Time::parse(body.text_of(&["ts"])))
        };
        q.exchange.ask(request, read).await
    }
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, q: Query<'_>) -> Result<i64> {
        let request = match q.params.text(&["type"]) {
            Some("future" | "swap") => public(Host::Contracts, "api/v1/timestamp", &q.params),
            _ => public(Host::Spot, "v1/common/timestamp", &q.params),
        };
        let time = q.exchange.ask(request, |body| Time::parse(body.text_of(&["data", "ts"])).0).await?;
        time.ok_or_else(|| q.error(ErrorClass::BadResponse, "has no time"))
    }

    async fn fetch_status(&self, q: Query<'_>) -> Result<Status> {
        let (part, params) = part(&q.params, None);
        if part == "spot" {
            let request = public(Host::Spot, "v2/market-status", &params);
            return q.exchange.ask(request, |body| status(body, "marketStatus", "haltEndTime")).await;
        }
        let inverse = params.text(&["subType", "defaultSubType"]) == Some("inverse");
        let params = params.without(&["subType", "defaultSubType"]);
        let (up, until) = match (inverse, part.as_str()) {
            (false, _) => ("linear_swap_heartbeat", "linear_swap_estimated_recovery_time"),
            (true, "swap") => ("swap_heartbeat", "swap_estimated_recovery_time"),
            (true, _) => ("heartbeat", "estimated_recovery_time"),
        };
        let request = public(Host::Contracts, "heartbeat/", &params);
        q.exchange.ask(request, |body| status(body, up, until)).await
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        let spot = public(Host::Spot, "v1/common/symbols", &q.params);
        let fields = Fields::new().with("business_type", "all").and(q.params.clone());
        let contracts = public(Host::Contracts, "linear-swap-api/v1/swap_contract_info", &fields);
        let mut all = Vec::new();
        for request in [spot, contracts] {
            all.extend(q.exchange.ask(request, |body| self.markets("", body)).await?);
        }
        Ok(all)
    }

    async fn fetch_currencies(&self, q: Query<'_>) -> Result<Vec<Raw>> {
        let request = public(Host::Spot, "v2/reference/currencies", &q.params);
        q.exchange.ask(request, |body| body.get("data").each(Raw::of)).await
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let paths = ["market/detail/merged", "linear-swap-ex/market/detail/merged"];
        let request = of_market(market, paths, Fields::new(), q.params.clone())?;
        let read = |body: &Json<'_>| {
            let ticker = self.ticker(object(body, "tick"), market.context(&markets));
            Ticker { time: Time::parse(body.text_of(&["ts"])), ..ticker }
        };
        q.exchange.ask(request, read).await
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let wanted = q.listed(&markets)?;
        let first = wanted.first().copied();
        let (part, params) = part(&q.params, first);
        let said = params.text(&["subType", "defaultSubType"]).or(params.text(&["business_type"]));
        let request = if part == "spot" && said.is_none() {
            public(Host::Spot, "market/tickers", &params)
        } else {
            if said == Some("inverse") || first.is_some_and(|market| market.linear == Some(false)) {
                return Err(not_supported(Venue::Htx, "contracts settled in coins"));
            }
            let kind = match part.as_str() {
                "future" => "futures",
                "swap" => "swap",
                _ => "all",
            };
            let params = params.without(&["subType", "defaultSubType"]);
            let fields = Fields::new().with("business_type", kind).and(params);
            public(Host::Contracts, "linear-swap-ex/market/detail/batch_merged", &fields)
        };
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| {
            let list = body.get("data").list().or_else(|| body.get("ticks").list()).unwrap_or_default();
            list.iter().map(|one| self.ticker(one, none)).collect::<Vec<_>>()
        };
        let mut tickers = q.exchange.ask(request, read).await?;
        let named = |ticker: &Ticker| wanted.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
        tickers.retain(|ticker| q.symbols.is_none() || named(ticker));
        Ok(tickers)
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let mut fields = Fields::new().with("type", "step0");
        if let Some(depth) = q.depth.filter(|_| !market.contract()) {
            if !matches!(depth, 5 | 10 | 20 | 150) {
                return Err(q.error(ErrorClass::BadRequest, "has books of 5, 10, 20 and 150 levels only"));
            }
            // 150 levels are what is answered without a depth; asked for, they are refused
            fields = fields.with_some("depth", (depth != 150).then_some(depth));
        }
        let paths = ["market/depth", "linear-swap-ex/market/depth"];
        let request = of_market(market, paths, fields, q.params.clone())?;
        let (book, empty) = q.exchange.ask(request, |body| (book(body, market), body.get("tick").is_some())).await?;
        let class = if empty { ErrorClass::BadSymbol } else { ErrorClass::ExchangeError };
        book.ok_or_else(|| q.error(class, "was answered without a book"))
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let limit = q.page.limit.unwrap_or(TRADES.0);
        let paths = ["market/history/trade", "linear-swap-ex/market/history/trade"];
        let fields = Fields::new().with("size", limit.min(TRADES.1));
        let request = of_market(market, paths, fields, q.params.clone())?;
        let read = |body: &Json<'_>| {
            let groups = body.get("data").list().unwrap_or_default().iter();
            let all = groups.flat_map(|group| group.get("data").list().unwrap_or_default());
            all.map(|one| self.trade(one, market.context(&markets))).collect::<Vec<_>>()
        };
        let mut trades = q.exchange.ask(request, read).await?;
        trades.sort_by_key(|trade| trade.time.0);
        let page = crate::Page { limit: Some(limit), ..q.page };
        Ok(page.of(trades, |trade| trade.time.0))
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        if market.contract() {
            linear(market)?;
        }
        let (request, limit) = candles::request(&q, market)?;
        let read = |body: &Json<'_>| body.get("data").each(|one| self.candle(one, market.context(&markets)));
        let mut all = q.exchange.ask(request, read).await?;
        all.sort_by_key(|candle| candle.0);
        let page = crate::Page { limit, ..q.page };
        Ok(page.of(all, |candle| candle.0))
    }

    async fn fetch_funding_rate(&self, q: Query<'_>) -> Result<FundingRate> {
        let markets = q.markets().await?;
        let market = contract(&q, q.market(&markets)?)?;
        let fields = Fields::new().with("contract_code", market.id.as_str()).and(q.params.clone());
        let request = public(Host::Contracts, "v5/market/funding_rate", &fields);
        q.exchange.ask(request, |body| funding_rate(first(body, "data"), market.context(&markets))).await
    }

    async fn fetch_funding_rate_history(&self, q: Query<'_>) -> Result<Vec<PastFunding>> {
        let markets = q.markets().await?;
        let market = contract(&q, q.market(&markets)?)?;
        let fields = Fields::new()
            .with("contract_code", market.id.as_str())
            .with_some("limit", q.page.limit.map(|limit| limit.min(PAYMENTS)))
            .with_some("start_time", q.page.since)
            .and(q.params.clone());
        let request = public(Host::Contracts, "v5/market/funding_rate_history", &fields);
        let read = |body: &Json<'_>| body.get("data").each(|one| past_funding(one, market.context(&markets)));
        let mut all = q.exchange.ask(request, read).await?;
        all.sort_by_key(|payment| payment.time.0);
        all.retain(|payment| payment.symbol.as_ref() == Some(&market.symbol));
        Ok(q.page.of(all, |payment| payment.time.0))
    }

    async fn create_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        self.make_order(q, order).await
    }

    async fn create_orders(&self, q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
        self.make_orders(q, &orders).await
    }

    async fn edit_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let old = Query { id: q.id, symbol: q.symbol, ..Query::new(q.exchange, q.method) };
        self.take_back(old).await?;
        self.make_order(q, order).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        self.take_back(q).await
    }

    async fn cancel_orders(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        orders::cancel_orders(q, ids).await
    }

    async fn cancel_all_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.take_all_back(q).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        self.one_order(q).await
    }

    async fn fetch_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, Past::All).await
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.open_orders(q).await
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, Past::Filled).await
    }

    async fn fetch_canceled_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, Past::Canceled).await
    }

    async fn fetch_my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let (part, params) = part(&q.params, market);
        let id = market.map(|market| market.id.as_str());
        let request = if part == "spot" {
            let fields = Fields::new()
                .with_some("symbol", id)
                .with_some("size", q.page.limit)
                .with_some("start-time", q.page.since)
                .and(until(params, "end-time"));
            get(q.exchange, Host::Spot, "v1/order/matchresults", fields)?
        } else {
            linear(market.ok_or_else(|| required(q.exchange.venue(), q.method, "symbol"))?)?;
            let fields = Fields::new()
                .with_some("contract_code", id)
                .with_some("limit", q.page.limit)
                .with_some("start_time", q.page.since)
                .and(until(params, "end_time"));
            get(q.exchange, Host::Contracts, "v5/trade/order/details", fields)?
        };
        self.own_trades(&q, request, Context { markets: &markets, asked: market }).await
    }

    async fn fetch_order_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let (part, params) = part(&q.params, q.market_if_any(&markets)?);
        if part != "spot" {
            return Err(q.error(ErrorClass::NotSupported, "is for the spot market only"));
        }
        let path = format!("v1/order/orders/{}/matchresults", q.id);
        let request = get(q.exchange, Host::Spot, &path, params)?;
        self.own_trades(&q, request, Context { markets: &markets, asked: None }).await
    }

    async fn fetch_balance(&self, q: Query<'_>) -> Result<Balances> {
        account::fetch_balance(q).await
    }

    async fn fetch_ledger(&self, q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
        account::fetch_ledger(q, currency).await
    }

    async fn fetch_deposit_address(&self, q: Query<'_>, currency: &str) -> Result<DepositAddress> {
        account::fetch_deposit_address(q, currency).await
    }

    async fn transfer(&self, q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
        account::transfer(q, currency, amount, from, to).await
    }

    async fn fetch_trading_fee(&self, q: Query<'_>) -> Result<TradingFee> {
        account::fetch_trading_fee(q).await
    }

    async fn fetch_position(&self, q: Query<'_>) -> Result<Position> {
        let markets = q.markets().await?;
        let market = contract(&q, q.market(&markets)?)?;
        let (_, params) = part(&q.params, Some(market));
        let (_, params) = margin_mode(params);
        let fields = Fields::new().with("contract_code", market.id.as_str()).and(params);
        let (positions, _) = self.positions(&q, fields, market.context(&markets)).await?;
        let none = || q.error(ErrorClass::ExchangeError, "was told of no position");
        positions.into_iter().next().ok_or_else(none)
    }

    async fn fetch_positions(&self, q: Query<'_>) -> Result<Vec<Position>> {
        let markets = q.markets().await?;
        let wanted = q.listed(&markets)?;
        let inverse = q.params.text(&["subType", "defaultSubType"]) == Some("inverse");
        if inverse || wanted.first().is_some_and(|market| market.linear == Some(false)) {
            return Err(not_supported(Venue::Htx, "contracts settled in coins"));
        }
        let (_, params) = part(&q.params, None);
        let fields = params.without(&["subType", "defaultSubType"]);
        let (positions, time) = self.positions(&q, fields, Context { markets: &markets, asked: None }).await?;
        let named = |position: &Position| wanted.iter().any(|market| position.symbol.as_ref() == Some(&market.symbol));
        let open = positions.into_iter().filter(|position| q.symbols.is_none() || named(position));
        Ok(open.map(|position| Position { time, ..position }).collect())
    }

    async fn close_position(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        if !market.contract() {
            return Err(q.error(ErrorClass::BadRequest, "is for contracts only"));
        }
        let client = q.params.text(&["clientOrderId"]).map(str::to_owned);
        let (mode, params) = margin_mode(q.params.clone().without(&["clientOrderId"]));
        let fields = Fields::new()
            .with("contract_code", linear(market)?.id.as_str())
            .with_some("client_order_id", client)
            .with("margin_mode", mode)
            .and(params);
        let request = post(q.exchange, Host::Contracts, "v5/trade/position", fields)?;
        q.exchange.ask(request, |body| self.order(object(body, "data"), market.context(&markets))).await
    }

    async fn set_leverage(&self, q: Query<'_>, leverage: Number) -> Result<Raw> {
        let markets = q.markets().await?;
        let market = contract(&q, q.market(&markets)?)?;
        let (_, params) = part(&q.params, Some(market));
        // the mode of margin stays among the parameters too, as CCXT has it
        let (mode, _) = margin_mode(params.clone());
        let fields = Fields::new()
            .with("lever_rate", Value::Digits(leverage.to_string()))
            .with("contract_code", market.id.as_str())
            .with("margin_mode", mode)
            .and(params);
        q.exchange.ask(post(q.exchange, Host::Contracts, "v5/position/lever", fields)?, Raw::of).await
    }

    async fn set_position_mode(&self, q: Query<'_>, hedged: bool) -> Result<Raw> {
        let markets = q.markets().await?;
        if q.market_if_any(&markets)?.is_some_and(|market| market.linear == Some(false)) {
            let message = "htx setPositionMode() is not for contracts settled in coins";
            return Err(VenueError::new(ErrorClass::BadRequest, message));
        }
        let mode = if hedged { "dual_side" } else { "single_side" };
        let fields = Fields::new().with("position_mode", mode).and(q.params.clone());
        q.exchange.ask(post(q.exchange, Host::Contracts, "v5/position/mode", fields)?, Raw::of).await
    }
}

//! The methods over HTTP.

use async_trait::async_trait;

use super::parse::{Dialect, members, result, seconds};
use super::sign::{batch, private, public};
use super::{account, deposit, markets, new_order, order, trade};
use crate::exchange::{NewOrder, Result, Status, required};
use crate::json::{Access as _, Json};
use crate::methods::Connector;
use crate::query::{Page, Query};
use crate::unified::{
    Balances, Candle, DepositAddress, LedgerEntry, Market, Order, OrderBook, Position, Raw, Ticker, Trade, TradingFee,
    Transfer, levels, marks,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, Value, Venue, VenueError};

/// Names of trades that one question asks after ("Query Trades Info").
const TRADES_AT_ONCE: usize = 20;
/// Where the account's money of this market lies ("Request Wallet Transfer").
const SPOT_WALLET: &str = "Spot Wallet";

/// Lengths of candles in minutes.
const TIMEFRAMES: [(&str, i64); 9] = [
    ("1m", 1),
    ("5m", 5),
    ("15m", 15),
    ("30m", 30),
    ("1h", 60),
    ("4h", 240),
    ("1d", 1440),
    ("1w", 10_080),
    ("2w", 21_600),
];

pub(super) fn minutes(timeframe: &str) -> Option<i64> {
    TIMEFRAMES.iter().find(|(name, _)| *name == timeframe).map(|(_, minutes)| *minutes)
}

/// The common name of a length of candles.
pub(super) fn timeframe(minutes: i64) -> Option<&'static str> {
    TIMEFRAMES.iter().find(|(_, known)| *known == minutes).map(|(name, _)| *name)
}

/// Kraken's name of where money lies.
fn wallet(account: &str) -> &str {
    match account {
        "spot" => SPOT_WALLET,
        "swap" | "future" => "Futures Wallet",
        other => other,
    }
}

fn asked<'m>(q: &Query<'_>, markets: &'m crate::unified::Markets) -> Result<(&'m Market, Fields)> {
    let market = q.market(markets)?;
    Ok((market, Fields::new().with("pair", market.id.as_str())))
}

/// From when to when, in seconds.
fn period(page: Page, params: Fields) -> Fields {
    let until = params.text(&["until", "till"]).and_then(|text| text.parse::<i64>().ok());
    Fields::new()
        .with_some("start", page.since.map(|since| since / 1000))
        .with_some("end", until.map(|until| until / 1000 + 1))
        .and(params.without(&["until", "till"]))
}

fn trades(raw: impl Iterator<Item = Trade>, market: Option<&Market>, page: Page) -> Vec<Trade> {
    let mut trades: Vec<Trade> = raw.collect();
    trades.sort_by(|a, b| (a.time.0, &a.id).cmp(&(b.time.0, &b.id)));
    trades.retain(|trade| market.is_none_or(|market| trade.symbol.as_ref() == Some(&market.symbol)));
    page.of(trades, |trade| trade.time.0)
}

/// An order of which no more is said than that something was done.
fn done(body: &Json<'_>) -> Order {
    Order { info: Raw::of(body), ..Order::default() }.completed(None)
}

impl Dialect {
    /// The orders of one list of an answer.
    async fn orders(&self, q: Query<'_>, path: &str, list: &str) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let userref = q.params.text(&["userref"]).and_then(|digits| digits.parse::<i64>().ok());
        let mut fields = Fields::new()
            .with_some("start", q.page.since.map(|since| since / 1000))
            .with_some("userref", userref)
            .with_some("cl_ord_id", q.params.text(&["clientOrderId"]));
        let mut params = q.params.clone().without(&["clientOrderId"]);
        let until = params.text(&["until", "till"]).and_then(|text| text.parse::<i64>().ok());
        if let Some(until) = until.filter(|_| list == "closed") {
            fields.set("end", until);
            params = params.without(&["until", "till"]);
        }
        let context = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| {
            let named = members(result(body).get(list));
            named.map(|(id, raw)| order::order(raw, Some(id), context)).collect::<Vec<_>>()
        };
        let mut orders = q.exchange.ask(private(q.exchange, path, fields.and(params))?, read).await?;
        let market = q.market_if_any(&markets)?;
        orders.sort_by_key(|order| order.time.0);
        orders.retain(|order| market.is_none_or(|market| order.symbol.as_ref() == Some(&market.symbol)));
        Ok(q.page.of(orders, |order| order.time.0))
    }
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, q: Query<'_>) -> Result<i64> {
        let read = |body: &Json<'_>| seconds(result(body).text_of(&["unixtime"])).0;
        let time = q.exchange.ask(public("Time", &q.params), read).await?;
        time.ok_or_else(|| q.error(ErrorClass::BadResponse, "has no unixtime"))
    }

    async fn fetch_status(&self, q: Query<'_>) -> Result<Status> {
        let read = |body: &Json<'_>| {
            let online = result(body).get("status").text() == Some("online");
            let status = if online { "ok" } else { "maintenance" };
            Status { status: Some(status.to_owned()), info: Raw::of(body), ..Status::default() }
        };
        q.exchange.ask(public("SystemStatus", &q.params), read).await
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        q.exchange.ask(public("AssetPairs", &q.params), |body| self.markets("", body)).await
    }

    async fn fetch_currencies(&self, q: Query<'_>) -> Result<Vec<Raw>> {
        let read = |body: &Json<'_>| members(result(body)).map(|(_, raw)| Raw::of(raw)).collect();
        q.exchange.ask(public("Assets", &q.params), read).await
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let read = |body: &Json<'_>| {
            let raw = result(body).get(&market.id).unwrap_or(&Json::Null);
            self.ticker(raw, market.context(&markets))
        };
        q.exchange.ask(public("Ticker", &fields.and(q.params)), read).await
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let wanted = q.listed(&markets)?;
        let open = wanted.iter().filter(|market| market.active == Some(true));
        let ids: Vec<&str> = open.map(|market| market.id.as_str()).collect();
        let fields = Fields::new().with_some("pair", q.symbols.map(|_| ids.join(",")));
        let one = |(id, raw): (&str, &Json<'_>)| {
            let asked = markets.named(id, false);
            let ticker = self.ticker(raw, Context { markets: &markets, asked });
            Ticker { symbol: ticker.symbol.or_else(|| Some(id.to_owned())), ..ticker }
        };
        let read = |body: &Json<'_>| members(result(body)).map(one).collect::<Vec<_>>();
        let mut tickers = q.exchange.ask(public("Ticker", &fields.and(q.params)), read).await?;
        let named = |ticker: &Ticker| wanted.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
        tickers.retain(|ticker| q.symbols.is_none() || named(ticker));
        Ok(tickers)
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let fields = fields.with_some("count", q.depth).and(q.params);
        let read = |body: &Json<'_>| {
            let books = result(body);
            let by_stream_name = market.info.text_of("wsname").and_then(|name| books.get(&name));
            let book = by_stream_name.or_else(|| books.get(&market.id));
            let (bids, asks) = (book.get("bids"), book.get("asks"));
            OrderBook {
                symbol: Some(market.symbol.clone()),
                bids: levels(bids),
                asks: levels(asks),
                marks: [marks(bids), marks(asks)],
                ..OrderBook::default()
            }
            .sorted()
        };
        q.exchange.ask(public("Depth", &fields), read).await
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let since = q.page.since.map(|since| since / 1000);
        let fields = fields.with_some("since", since).with_some("count", q.page.limit).and(q.params);
        let read = |body: &Json<'_>| {
            let mut trades = result(body).get(&market.id).each(|raw| self.trade(raw, market.context(&markets)));
            // CCXT puts the name that the next page begins with behind the last trade, where a name of its own may be
            if let (Some(last), Some(next)) = (trades.last_mut(), result(body).text_of(&["last"])) {
                last.info = std::mem::take(&mut last.info).with_element(next);
                let unnamed =
                    result(body).get(&market.id).list().and_then(<[_]>::last).list().map(<[_]>::len) == Some(6);
                last.id = last.id.take().or_else(|| unnamed.then(|| next.to_owned()));
            }
            trades
        };
        let list = q.exchange.ask(public("Trades", &fields), read).await?;
        Ok(trades(list.into_iter(), Some(market), q.page))
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let length = minutes(q.timeframe);
        let fields = match length {
            Some(length) => fields.with("interval", length),
            None => fields.with("interval", q.timeframe),
        };
        let fields = match (q.page.since, length) {
            // the answer begins after the time it is asked for
            (Some(since), Some(length)) => fields.with("since", since / 1000 - length * 60),
            (Some(_), None) => return Err(q.error(ErrorClass::ExchangeError, "knows no such timeframe")),
            (None, _) => fields,
        };
        let read =
            |body: &Json<'_>| result(body).get(&market.id).each(|raw| self.candle(raw, market.context(&markets)));
        let mut candles = q.exchange.ask(public("OHLC", &fields.and(q.params)), read).await?;
        candles.sort_by_key(|candle| candle.0);
        Ok(q.page.of(candles, |candle| candle.0))
    }

    async fn create_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let asked = new_order::fields(market, order)?;
        let by_cost = asked.by_cost();
        let request = private(q.exchange, "AddOrder", fields.and(asked.fields).and(asked.rest))?;
        let context = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| order::made(result(body).unwrap_or(&Json::Null), by_cost, context);
        q.exchange.ask(request, read).await
    }

    async fn create_orders(&self, q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
        let markets = q.markets().await?;
        let first = orders.first().ok_or_else(|| required(Venue::Kraken, q.method, "orders"))?;
        let market = markets.of(&first.symbol)?;
        let mut list = Vec::new();
        for order in &orders {
            if order.symbol != first.symbol {
                return Err(q.error(ErrorClass::BadRequest, "requires all orders to have the same symbol"));
            }
            list.push(Value::Object(new_order::fields(market, order)?.fields));
        }
        let fields = Fields::new().with("orders", Value::List(list)).with("pair", market.id.as_str()).and(q.params);
        let context = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| result(body).get("orders").each(|raw| order::made(raw, false, context));
        q.exchange.ask(batch(q.exchange, "AddOrderBatch", fields)?, read).await
    }

    async fn edit_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let request = private(q.exchange, "AmendOrder", new_order::amended(market, q.id, order)?)?;
        let context = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| order::made(result(body).unwrap_or(&Json::Null), false, context);
        q.exchange.ask(request, read).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        let fields = match q.params.text(&["clientOrderId", "cl_ord_id"]) {
            Some(client) => Fields::new().with("cl_ord_id", client),
            None => match q.params.get("userref") {
                Some(userref) => Fields::new().with("txid", userref.clone()),
                None => Fields::new().with("txid", q.id),
            },
        };
        let fields = fields.and(q.params.clone().without(&["userref", "clientOrderId", "cl_ord_id"]));
        let answer = q.exchange.ask(private(q.exchange, "CancelOrder", fields)?, done).await;
        answer.map_err(|error| match error.to_string() {
            // elsewhere the same words are about an order's arguments
            said if said.contains("EOrder:Unknown order") => VenueError::new(ErrorClass::OrderNotFound, &said),
            _ => error,
        })
    }

    async fn cancel_orders(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        let fields = Fields::new().with("orders", ids).and(q.params);
        let request = batch(q.exchange, "CancelOrderBatch", fields)?;
        q.exchange.ask(request, |body| vec![done(body)]).await
    }

    async fn cancel_all_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        q.exchange.ask(private(q.exchange, "CancelAll", q.params)?, |body| vec![done(body)]).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let client = q.params.get("userref").or_else(|| q.params.get("clientOrderId")).cloned();
        let fields = Fields::new().with("trades", true).with("txid", q.id).with_some("userref", client);
        let fields = fields.and(q.params.clone().without(&["userref", "clientOrderId"]));
        let context = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| result(body).get(q.id).map(|raw| order::order(raw, Some(q.id), context));
        let order = q.exchange.ask(private(q.exchange, "QueryOrders", fields)?, read).await?;
        order.ok_or_else(|| q.error(ErrorClass::OrderNotFound, &format!("has no order {}", q.id)))
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.orders(q, "OpenOrders", "open").await
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.orders(q, "ClosedOrders", "closed").await
    }

    async fn fetch_my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let context = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| {
            let named = members(result(body).get("trades"));
            named.map(|(id, raw)| trade::trade(raw, Some(id), context)).collect::<Vec<_>>()
        };
        let request = private(q.exchange, "TradesHistory", period(q.page, q.params.clone()))?;
        let list = q.exchange.ask(request, read).await?;
        Ok(trades(list.into_iter(), q.market_if_any(&markets)?, q.page))
    }

    async fn fetch_order_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let ids: Vec<&str> = match q.params.get("trades") {
            Some(Value::List(trades)) => trades.iter().filter_map(trade_id).collect(),
            _ => return Err(required(Venue::Kraken, q.method, "trades (names of trades, or an order's trades)")),
        };
        let markets = q.markets().await?;
        let market = q.market_if_any(&markets)?;
        let context = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| {
            members(result(body)).map(|(id, raw)| trade::trade(raw, Some(id), context)).collect::<Vec<_>>()
        };
        let mut all = Vec::new();
        for ids in ids.chunks(TRADES_AT_ONCE) {
            let request = private(q.exchange, "QueryTrades", Fields::new().with("txid", ids.join(",")))?;
            let list = q.exchange.ask(request, read).await?;
            all.extend(trades(list.into_iter(), market, q.page));
        }
        Ok(all)
    }

    async fn fetch_balance(&self, q: Query<'_>) -> Result<Balances> {
        q.exchange.ask(private(q.exchange, "BalanceEx", q.params)?, account::balances).await
    }

    async fn fetch_positions(&self, q: Query<'_>) -> Result<Vec<Position>> {
        let markets = q.markets().await?;
        let wanted = q.listed(&markets)?;
        let fields = Fields::new().with("docalcs", "true").with("consolidation", "market").and(q.params);
        let context = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| result(body).each(|raw| account::position(raw, context));
        let mut positions = q.exchange.ask(private(q.exchange, "OpenPositions", fields)?, read).await?;
        let named = |position: &Position| wanted.iter().any(|market| position.symbol.as_ref() == Some(&market.symbol));
        positions.retain(|position| q.symbols.is_none() || named(position));
        Ok(positions)
    }

    async fn fetch_trading_fee(&self, q: Query<'_>) -> Result<TradingFee> {
        let markets = q.markets().await?;
        let (market, fields) = asked(&q, &markets)?;
        let request = private(q.exchange, "TradeVolume", fields.with("fee-info", true).and(q.params))?;
        q.exchange.ask(request, |body| account::trading_fee(body, market)).await
    }

    async fn fetch_ledger(&self, q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
        let markets = q.markets().await?;
        let asset = currency.map(|code| markets::asset(&markets, code)).transpose()?;
        let fields = Fields::new().with_some("asset", asset).and(period(q.page, q.params));
        let read = |body: &Json<'_>| {
            let named = members(result(body).get("ledger"));
            named.map(|(id, raw)| account::ledger_entry(id, raw)).collect::<Vec<_>>()
        };
        let mut entries = q.exchange.ask(private(q.exchange, "Ledgers", fields)?, read).await?;
        entries.sort_by_key(|entry| entry.time.0);
        entries.retain(|entry| currency.is_none_or(|code| entry.currency.as_deref() == Some(code)));
        Ok(q.page.of(entries, |entry| entry.time.0))
    }

    async fn fetch_deposit_address(&self, q: Query<'_>, currency: &str) -> Result<DepositAddress> {
        let markets = q.markets().await?;
        let asset = markets::asset(&markets, currency)?;
        let network = deposit::network(&q.params);
        let usual = deposit::usual(currency, network.as_deref()).map(str::to_owned);
        let method = match q.params.text(&["method"]).map(str::to_owned).or(usual) {
            Some(method) => Some(method),
            None => {
                let request = private(q.exchange, "DepositMethods", Fields::new().with("asset", asset.as_str()))?;
                q.exchange.ask(request, |body| deposit::of_answer(body, network.as_deref())).await?
            }
        };
        let fields = Fields::new().with("asset", asset).with_some("method", method);
        let fields = fields.and(q.params.without(&["network"]));
        let request = private(q.exchange, "DepositAddresses", fields)?;
        q.exchange.ask(request, |body| account::deposit_address(body, currency)).await?
    }

    async fn transfer(&self, q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
        let markets = q.markets().await?;
        let (from, to) = (wallet(from), wallet(to));
        let fields = Fields::new().with("amount", amount).with("from", from).with("to", to);
        let fields = fields.with("asset", markets::asset(&markets, currency)?);
        if from != SPOT_WALLET {
            return Err(q.error(ErrorClass::BadRequest, &format!("cannot move from {from}; Kraken Futures can")));
        }
        let read = |body: &Json<'_>| Transfer {
            info: Raw::of(body),
            id: result(body).string_of(&["refid"]),
            currency: Some(currency.to_owned()),
            amount: Some(amount),
            from_account: Some(from.to_owned()),
            to_account: Some(to.to_owned()),
            // as CCXT spells it
            status: Some("sucess".to_owned()),
            ..Transfer::default()
        };
        q.exchange.ask(private(q.exchange, "WalletTransfer", fields.and(q.params.clone()))?, read).await
    }
}

/// The name of a trade: of a name, or of a unified trade.
fn trade_id(trade: &Value) -> Option<&str> {
    match trade {
        Value::Text(id) => Some(id),
        Value::Object(trade) => trade.text(&["id"]),
        _ => None,
    }
}

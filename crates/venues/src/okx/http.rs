//! The methods over HTTP.

use async_trait::async_trait;

use super::orders::sorted_trades;
use super::parse::{Dialect, data};
use super::sign::{get, public};
use super::{account, candles, position};
use crate::exchange::{NewOrder, Result, Status};
use crate::json::{Access as _, Json};
use crate::methods::Connector;
use crate::query::Query;
use crate::unified::{
    Balances, Candle, DepositAddress, FundingRate, LedgerEntry, Leverage, Market, MarketKind, Order, OrderBook,
    PastFunding, Position, Raw, Ticker, Time, Trade, TradingFee, Transfer, levels, marks,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, VenueError};

/// Depth of a book if none is asked for, and the greatest of the short book and of the whole one.
const DEPTH: i64 = 100;
const SHORT_DEPTH: i64 = 400;
const WHOLE_DEPTH: i64 = 5_000;

/// The part of the exchange that a market is in, by the exchange's name.
pub(super) const fn instrument_type(market: &Market) -> &'static str {
    match market.kind {
        MarketKind::Spot => "SPOT",
        MarketKind::Swap => "SWAP",
        MarketKind::Future => "FUTURES",
    }
}

/// The part of the exchange that is asked: the one of the parameters, or the market's; and what is left of them.
pub(super) fn part(params: Fields, market: Option<&Market>) -> (String, Fields) {
    let said = params.text(&["defaultType", "type", "instType"]).map(|word| match word {
        "future" | "futures" => "FUTURES".to_owned(),
        "spot" | "margin" | "swap" | "option" => word.to_uppercase(),
        other => other.to_owned(),
    });
    let part = said.unwrap_or_else(|| market.map_or("SPOT", instrument_type).to_owned());
    (part, params.without(&["defaultType", "type", "instType"]))
}

/// An error for an answer that has nothing in it.
pub(super) fn missing(q: &Query<'_>) -> VenueError {
    q.error(ErrorClass::NullResponse, "got an answer without any data")
}

/// "Status": the last of the events that are announced counts.
fn status(body: &Json<'_>) -> Status {
    let last = data(body).last();
    let maintained = last.get("state").text() == Some("ongoing");
    Status {
        status: Some(if maintained { "maintenance" } else { "ok" }.to_owned()),
        updated: None,
        eta: Time::parse(last.get("end").text()).0,
        url: last.string_of(&["href"]),
        info: Raw::of(body),
    }
}

fn funding_rate(raw: &Json<'_>, context: Context<'_>) -> FundingRate {
    let time = |name: &str| Time::parse(raw.get(name).text());
    let (funding, next) = (time("fundingTime"), time("nextFundingTime"));
    let apart = next.0.and_then(|next| next.checked_sub(funding.0?));
    let hours = |ms: i64| match ms {
        3_600_000 | 7_200_000 | 14_400_000 | 28_800_000 | 57_600_000 | 86_400_000 => format!("{}h", ms / 3_600_000),
        other => other.to_string(),
    };
    FundingRate {
        info: Raw::of(raw),
        symbol: context.symbol(raw.text_of(&["instId"]), true).1,
        interest_rate: Some(Number::default()),
        funding_rate: raw.number_of(&["fundingRate"]),
        funding,
        next_funding_rate: raw.number_of(&["nextFundingRate"]),
        next_funding: next,
        interval: apart.map(hours),
        ..FundingRate::default()
    }
}

fn past_funding(raw: &Json<'_>, context: Context<'_>) -> PastFunding {
    PastFunding {
        info: Raw::of(raw),
        symbol: context.symbol(raw.text_of(&["instId"]), true).1,
        funding_rate: raw.number_of(&["realizedRate"]),
        time: Time::parse(raw.get("fundingTime").text()),
    }
}

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, q: Query<'_>) -> Result<i64> {
        let read = |body: &Json<'_>| Time::parse(data(body).first().get("ts").text()).0;
        let time = q.exchange.ask(public("public/time", &q.params), read).await?;
        time.ok_or_else(|| q.error(ErrorClass::BadResponse, "got no ts"))
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        let mut parts = Vec::new();
        for part in ["SPOT", "SWAP"] {
            let request = public("public/instruments", &Fields::new().with("instType", part).and(q.params.clone()));
            parts.push(q.exchange.ask(request, |body| self.markets(part, body)).await);
        }
        let parts: Vec<Vec<Market>> = parts.into_iter().collect::<Result<_>>()?;
        Ok(parts.into_iter().flatten().collect())
    }

    async fn fetch_currencies(&self, q: Query<'_>) -> Result<Vec<Raw>> {
        if q.exchange.credentials().is_err() {
            return Ok(Vec::new());
        }
        let request = get(q.exchange, "asset/currencies", &q.params)?;
        q.exchange.ask(request, |body| data(body).iter().map(Raw::of).collect()).await
    }

    async fn fetch_status(&self, q: Query<'_>) -> Result<Status> {
        q.exchange.ask(public("system/status", &q.params), status).await
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let request = public("market/ticker", &Fields::new().with("instId", market.id.as_str()).and(q.params.clone()));
        let read = |body: &Json<'_>| data(body).first().map(|raw| self.ticker(raw, market.context(&markets)));
        q.exchange.ask(request, read).await?.ok_or_else(|| missing(&q))
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let wanted = q.listed(&markets)?;
        let (part, rest) = part(q.params, wanted.first().copied());
        let request = public("market/tickers", &Fields::new().with("instType", part).and(rest));
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| data(body).iter().map(|raw| self.ticker(raw, none)).collect::<Vec<_>>();
        let mut tickers = q.exchange.ask(request, read).await?;
        let named = |ticker: &Ticker| wanted.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
        tickers.retain(|ticker| wanted.is_empty() || named(ticker));
        Ok(tickers)
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let whole = q.params.text(&["method"]) == Some("publicGetMarketBooksFull");
        let retail = q.params.flag("rpi");
        let depth = q.depth.unwrap_or(if whole { WHOLE_DEPTH } else { DEPTH });
        let (path, depth) = match depth {
            depth if retail => ("market/books-rpi", depth.min(SHORT_DEPTH)),
            depth if whole || depth > SHORT_DEPTH => ("market/books-full", depth),
            depth => ("market/books", depth),
        };
        let fields = Fields::new().with("instId", market.id.as_str()).with("sz", depth);
        let fields = fields.and(q.params.without(&["method", "rpi"]));
        let read = |body: &Json<'_>| {
            let book = data(body).first();
            OrderBook {
                symbol: Some(market.symbol.clone()),
                bids: levels(book.get("bids")),
                asks: levels(book.get("asks")),
                // what is sold off by force, of which there is none any more
                marks: [marks(book.get("bids")), marks(book.get("asks"))],
                time: Time::parse(book.get("ts").text()),
                nonce: None,
            }
            .sorted()
        };
        q.exchange.ask(public(path, &fields), read).await
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let past = q.params.text(&["method"]) == Some("publicGetMarketHistoryTrades");
        let fields = Fields::new().with("instId", market.id.as_str()).with_some("limit", q.page.limit);
        let path = if past { "market/history-trades" } else { "market/trades" };
        let request = public(path, &fields.and(q.params.without(&["method"])));
        let read = |body: &Json<'_>| {
            data(body).iter().map(|raw| self.trade(raw, market.context(&markets))).collect::<Vec<_>>()
        };
        let trades = q.exchange.ask(request, read).await?;
        Ok(q.page.of(sorted_trades(trades, Some(market)), |trade| trade.time.0))
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        self.candles(candles::Wanted::of(&q)?, q).await
    }

    async fn fetch_funding_rate(&self, q: Query<'_>) -> Result<FundingRate> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        if market.kind != MarketKind::Swap {
            return Err(q.error(ErrorClass::ExchangeError, "is for contracts without an end only"));
        }
        let fields = Fields::new().with("instId", market.id.as_str()).and(q.params.clone());
        let read = |body: &Json<'_>| data(body).first().map(|raw| funding_rate(raw, market.context(&markets)));
        q.exchange.ask(public("public/funding-rate", &fields), read).await?.ok_or_else(|| missing(&q))
    }

    async fn fetch_funding_rate_history(&self, q: Query<'_>) -> Result<Vec<PastFunding>> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let fields = Fields::new()
            .with("instId", market.id.as_str())
            // what is before a time is what is later than it
            .with_some("before", q.page.since.map(|since| since.saturating_sub(1).max(0)))
            .with_some("limit", q.page.limit)
            .and(q.params);
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| data(body).iter().map(|raw| past_funding(raw, none)).collect::<Vec<_>>();
        let mut rates = q.exchange.ask(public("public/funding-rate-history", &fields), read).await?;
        rates.retain(|rate| rate.symbol.as_ref() == Some(&market.symbol));
        rates.sort_by_key(|rate| rate.time.0);
        Ok(q.page.of(rates, |rate| rate.time.0))
    }

    async fn create_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        self.make(q, order).await
    }

    async fn create_orders(&self, q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
        self.make_all(q, orders).await
    }

    async fn edit_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        self.change(q, order).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        self.cancel(q).await
    }

    async fn cancel_orders(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        self.cancel_all(q, ids).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        self.find(q).await
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.open(q).await
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.closed(q).await
    }

    async fn fetch_canceled_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.canceled(q).await
    }

    async fn fetch_my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        self.trades_of_account(q).await
    }

    async fn fetch_order_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        self.trades_of_account(Query { params: Fields::new().with("ordId", q.id).and(q.params), ..q }).await
    }

    async fn close_position(&self, q: Query<'_>) -> Result<Order> {
        self.close(q).await
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
        position::fetch_position(q).await
    }

    async fn fetch_positions(&self, q: Query<'_>) -> Result<Vec<Position>> {
        position::fetch_positions(q).await
    }

    async fn fetch_leverage(&self, q: Query<'_>) -> Result<Leverage> {
        position::fetch_leverage(q).await
    }

    async fn set_leverage(&self, q: Query<'_>, leverage: Number) -> Result<Raw> {
        position::set_leverage(q, leverage).await
    }

    async fn set_margin_mode(&self, q: Query<'_>, mode: &str) -> Result<Raw> {
        position::set_margin_mode(q, mode).await
    }

    async fn set_position_mode(&self, q: Query<'_>, hedged: bool) -> Result<Raw> {
        position::set_position_mode(q, hedged).await
    }
}

//! The methods over HTTP.

use async_trait::async_trait;

use super::account::unless_refused;
use super::parse::{NOTHING, levels, pair};
use super::sign::{open, public, signed, v3};
use super::{Dialect, account, markets, new_order, position};
use crate::exchange::{NewOrder, Result};
use crate::json::{Access as _, Json};
use crate::methods::Connector;
use crate::query::Query;
use crate::unified::{
    Balances, Candle, DepositAddress, LedgerEntry, Market, Order, OrderBook, Position, Raw, Ticker, Time, Trade,
    TradingFee, Transfer,
};
use crate::{Context, Dialect as _, ErrorClass, Fields, Number, VenueError, Verb, encoded};

/// Names of these markets; nothing for all.
fn listed(asked: &[&Market]) -> Fields {
    let ids: Vec<String> = asked.iter().map(|market| market.id.clone()).collect();
    Fields::new().with_some("product_ids", (!ids.is_empty()).then_some(ids.as_slice()))
}

fn wanted(mut tickers: Vec<Ticker>, asked: &[&Market]) -> Vec<Ticker> {
    let named = |ticker: &Ticker| asked.iter().any(|market| ticker.symbol.as_ref() == Some(&market.symbol));
    tickers.retain(|ticker| asked.is_empty() || named(ticker));
    tickers
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
        account::currencies(q).await
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        let read = |body: &Json<'_>| self.markets("", body);
        let mut all = q.exchange.ask(public(&q, "products", Fields::new())?, read).await?;
        all.retain(|market| !market.contract());
        if q.exchange.credentials().is_ok()
            && let Some((taker, maker)) = account::fees(&q).await?
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
        let contract = match q.params.text(&["defaultType", "type"]) {
            Some(kind) => Some(kind != "spot"),
            None => asked.first().map(|market| market.contract()),
        };
        let fields =
            listed(&asked).with_some("product_type", contract.map(|contract| if contract { "FUTURE" } else { "SPOT" }));
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
        Ok(wanted(q.exchange.ask(public(&q, "products", fields)?, read).await?, &asked))
    }

    async fn fetch_bids_asks(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        let markets = q.markets().await?;
        let asked = q.listed(&markets)?;
        let request = signed(q.exchange, Verb::Get, &v3("best_bid_ask"), &listed(&asked).and(q.params))?;
        let none = Context { markets: &markets, asked: None };
        let read = |body: &Json<'_>| body.get("pricebooks").each(|one| self.ticker(one, none));
        Ok(wanted(q.exchange.ask(request, read).await?, &asked))
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
                ..OrderBook::default()
            }
            .sorted()
        };
        q.exchange.ask(public(&q, "product_book", fields)?, read).await
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        self.trades(q).await
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        self.candles(q).await
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
        self.fills(q).await
    }

    async fn fetch_balance(&self, q: Query<'_>) -> Result<Balances> {
        let newer = q.params.flag("v3");
        let futures = q.params.text(&["defaultType", "type"]) == Some("future");
        let params = q.params.without(&["v3", "defaultType", "type"]);
        let list = Fields::new().with("limit", account::ACCOUNTS).and(params.clone());
        let request = match (futures, newer) {
            (true, _) => signed(q.exchange, Verb::Get, &v3("cfm/balance_summary"), &params)?,
            (false, true) => signed(q.exchange, Verb::Get, &v3("accounts"), &list)?,
            (false, false) => signed(q.exchange, Verb::Get, "v2/accounts", &list)?,
        };
        q.exchange.ask(request, account::balances).await
    }

    async fn fetch_ledger(&self, q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
        account::ledger(q, currency).await
    }

    async fn fetch_deposit_address(&self, q: Query<'_>, currency: &str) -> Result<DepositAddress> {
        let network = q.params.text(&["network"]).map(str::to_owned);
        let none = q.error(ErrorClass::InvalidAddress, &format!("could not find a deposit address for {currency}"));
        let all = account::addresses(&q).await?;
        let wanted = |one: &DepositAddress| {
            let there = network.is_none() || one.network.is_none() || one.network == network;
            there && one.currency.as_deref() == Some(currency) && one.address.is_some()
        };
        all.into_iter().find(wanted).ok_or(none)
    }

    async fn transfer(&self, q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
        let (code, id) = account::currency_of(&q, currency).await?;
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
        position::of_market(q).await
    }

    async fn fetch_positions(&self, q: Query<'_>) -> Result<Vec<Position>> {
        position::positions(q).await
    }

    async fn close_position(&self, q: Query<'_>) -> Result<Order> {
        let markets = q.markets().await?;
        let market = q.market(&markets)?;
        let ask = new_order::close(market, q.params.clone())?;
        self.made(&q, ask, Context { markets: &markets, asked: None }).await
    }
}

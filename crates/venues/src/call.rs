//! Methods by their names, with CCXT's order of arguments: how scripts call an exchange.

use serde::Serialize;
use serde_json::Value;

use crate::exchange::{NewOrder, Result, not_supported, required};
use crate::json::{Access as _, Json};
use crate::query::Page;
use crate::unified::{Side, Ticker};
use crate::{ErrorClass, Exchange, Fields, Number, VenueError};

/// Positional arguments; those that are missing are `null`.
struct Arguments<'v, 't> {
    exchange: &'v Exchange,
    method: &'v str,
    given: &'v [Json<'t>],
}

impl<'v> Arguments<'v, '_> {
    fn text(&self, place: usize) -> Option<&'v str> {
        self.given.get(place).text().filter(|text| !text.is_empty())
    }

    fn needed(&self, place: usize, name: &str) -> Result<&'v str> {
        self.text(place).ok_or_else(|| required(self.exchange.venue(), self.method, name))
    }

    fn number(&self, place: usize, name: &str) -> Result<Option<Number>> {
        let Some(digits) = self.text(place) else { return Ok(None) };
        let bad = || {
            let message = format!("{} {}() {name} is no number", self.exchange.venue(), self.method);
            VenueError::new(ErrorClass::BadRequest, &message)
        };
        Number::parse(digits).map(Some).ok_or_else(bad)
    }

    fn whole(&self, place: usize) -> Option<i64> {
        self.text(place)?.parse().ok()
    }

    fn page(&self, since: usize) -> Page {
        Page { since: self.whole(since), limit: self.whole(since + 1) }
    }

    fn texts(&self, place: usize) -> Option<Vec<String>> {
        let texts = self.given.get(place).list()?.iter();
        Some(texts.filter_map(|text| text.text().map(str::to_owned)).collect())
    }

    fn params(&self, place: usize) -> Fields {
        match self.given.get(place).map(crate::Value::of) {
            Some(crate::Value::Object(fields)) => fields,
            _ => Fields::new(),
        }
    }

    fn side(&self, place: usize) -> Result<Side> {
        let word = self.needed(place, "side")?;
        let bad = || {
            let message = format!("{} {}() side is buy or sell", self.exchange.venue(), self.method);
            VenueError::new(ErrorClass::InvalidOrder, &message)
        };
        Side::parse(word).ok_or_else(bad)
    }

    /// The order of `createOrder` and its short forms.
    fn order(&self) -> Result<Option<NewOrder>> {
        let Some(form) = self.method.strip_prefix("create").and_then(|form| form.strip_suffix("Order")) else {
            return self.order_by_cost();
        };
        let mut place = 1;
        let mut next = || {
            place += 1;
            place - 1
        };
        let order_type = match form {
            "" => self.needed(next(), "type")?,
            "Limit" | "LimitBuy" | "LimitSell" => "limit",
            "Market" | "MarketBuy" | "MarketSell" => "market",
            _ => return Ok(None),
        };
        let side = match form {
            "LimitBuy" | "MarketBuy" => Side::Buy,
            "LimitSell" | "MarketSell" => Side::Sell,
            _ => self.side(next())?,
        };
        let amount = self.number(next(), "amount")?;
        let price = if matches!(form, "MarketBuy" | "MarketSell") { None } else { self.number(next(), "price")? };
        let (symbol, params) = (self.needed(0, "symbol")?.to_owned(), self.params(next()));
        Ok(Some(NewOrder { symbol, order_type: order_type.to_owned(), side, amount, price, params }))
    }

    /// A market order that says what it may cost.
    fn order_by_cost(&self) -> Result<Option<NewOrder>> {
        let (side, place) = match self.method {
            "createMarketBuyOrderWithCost" => (Side::Buy, 1),
            "createMarketSellOrderWithCost" => (Side::Sell, 1),
            "createMarketOrderWithCost" => (self.side(1)?, 2),
            _ => return Ok(None),
        };
        // elsewhere the cost would be taken for an amount
        let has = |method: &str| self.exchange.venue().description().has(method);
        let either = has("createMarketBuyOrderWithCost") && has("createMarketSellOrderWithCost");
        if !(has(self.method) || self.method == "createMarketOrderWithCost" && either) {
            return Err(not_supported(self.exchange.venue(), &format!("{}()", self.method)));
        }
        let cost = self.number(place, "cost")?;
        let cost = cost.ok_or_else(|| required(self.exchange.venue(), self.method, "cost"))?;
        let params = self.params(place + 1).with("cost", cost);
        let symbol = self.needed(0, "symbol")?.to_owned();
        Ok(Some(NewOrder { symbol, order_type: "market".to_owned(), side, amount: Some(cost), price: None, params }))
    }
}

impl Exchange {
    /// Calls a method by CCXT's name with CCXT's order of arguments; missing ones are `null`.
    ///
    /// Errors: those of the method; [`ErrorClass::NotSupported`] for a name that is none;
    /// [`ErrorClass::ArgumentsRequired`] for an argument that is missing.
    pub async fn call(&self, method: &str, arguments: &[Json<'_>]) -> Result<Value> {
        let a = Arguments { exchange: self, method, given: arguments };
        if let Some(order) = a.order()? {
            return value(&self.create_order(&order).await?);
        }
        match method {
            "fetchTime" => value(&self.fetch_time(a.params(0)).await?),
            "fetchMarkets" => value(&self.fetch_markets(a.params(0)).await?),
            "fetchTicker" => value(&self.fetch_ticker(a.needed(0, "symbol")?, a.params(1)).await?),
            "fetchTickers" => named(&self.fetch_tickers(a.texts(0).as_deref(), a.params(1)).await?),
            "fetchBidsAsks" => named(&self.fetch_bids_asks(a.texts(0).as_deref(), a.params(1)).await?),
            "fetchStatus" => value(&self.fetch_status(a.params(0)).await?),
            "fetchCurrencies" => value(&self.fetch_currencies(a.params(0)).await?),
            "transfer" => {
                let amount = a.number(1, "amount")?.ok_or_else(|| required(self.venue(), method, "amount"))?;
                let (from, to) = (a.needed(2, "fromAccount")?, a.needed(3, "toAccount")?);
                value(&self.transfer(a.needed(0, "code")?, amount, from, to, a.params(4)).await?)
            }
            "fetchBalance" => value(&self.fetch_balance(a.params(0)).await?),
            "fetchPositions" => value(&self.fetch_positions(a.texts(0).as_deref(), a.params(1)).await?),
            "fetchTradingFee" => value(&self.fetch_trading_fee(a.needed(0, "symbol")?, a.params(1)).await?),
            "fetchFundingRate" => value(&self.fetch_funding_rate(a.needed(0, "symbol")?, a.params(1)).await?),
            "setLeverage" => {
                let leverage = a.number(0, "leverage")?;
                let leverage = leverage.ok_or_else(|| required(self.venue(), method, "leverage"))?;
                value(&self.set_leverage(leverage, a.text(1), a.params(2)).await?)
            }
            "setMarginMode" => value(&self.set_margin_mode(a.needed(0, "marginMode")?, a.text(1), a.params(2)).await?),
            "setPositionMode" => {
                let hedged = arguments.first().flag().ok_or_else(|| required(self.venue(), method, "hedged"))?;
                value(&self.set_position_mode(hedged, a.text(1), a.params(2)).await?)
            }
            "fetchOrderBook" => value(&self.fetch_order_book(a.needed(0, "symbol")?, a.whole(1), a.params(2)).await?),
            "fetchTrades" => value(&self.fetch_trades(a.needed(0, "symbol")?, a.page(1), a.params(3)).await?),
            "fetchOHLCV" => {
                let timeframe = a.text(1).unwrap_or("1m");
                value(&self.fetch_ohlcv(a.needed(0, "symbol")?, timeframe, a.page(2), a.params(4)).await?)
            }
            "cancelOrder" => value(&self.cancel_order(a.needed(0, "id")?, a.text(1), a.params(2)).await?),
            "cancelAllOrders" => value(&self.cancel_all_orders(a.text(0), a.params(1)).await?),
            "fetchOrder" => value(&self.fetch_order(a.needed(0, "id")?, a.text(1), a.params(2)).await?),
            "fetchOrders" => value(&self.fetch_orders(a.text(0), a.page(1), a.params(3)).await?),
            "fetchOpenOrders" => value(&self.fetch_open_orders(a.text(0), a.page(1), a.params(3)).await?),
            "fetchClosedOrders" => value(&self.fetch_closed_orders(a.text(0), a.page(1), a.params(3)).await?),
            "fetchMyTrades" => value(&self.fetch_my_trades(a.text(0), a.page(1), a.params(3)).await?),
            "fetchOrderTrades" => {
                value(&self.fetch_order_trades(a.needed(0, "id")?, a.text(1), a.page(2), a.params(4)).await?)
            }
            "createOrders" => {
                let orders = arguments.first().list().unwrap_or_default().iter().map(|one| listed_order(self, one));
                value(&self.create_orders(orders.collect::<Result<_>>()?, a.params(1)).await?)
            }
            "editOrder" => {
                let order = NewOrder {
                    symbol: a.needed(1, "symbol")?.to_owned(),
                    order_type: a.needed(2, "type")?.to_owned(),
                    side: a.side(3)?,
                    amount: a.number(4, "amount")?,
                    price: a.number(5, "price")?,
                    params: a.params(6),
                };
                value(&self.edit_order(a.needed(0, "id")?, &order).await?)
            }
            "cancelOrders" => {
                let ids = a.texts(0).ok_or_else(|| required(self.venue(), method, "ids"))?;
                value(&self.cancel_orders(&ids, a.text(1), a.params(2)).await?)
            }
            "fetchCanceledOrders" => value(&self.fetch_canceled_orders(a.text(0), a.page(1), a.params(3)).await?),
            "fetchCanceledAndClosedOrders" => {
                value(&self.fetch_canceled_and_closed_orders(a.text(0), a.page(1), a.params(3)).await?)
            }
            "fetchLedger" => value(&self.fetch_ledger(a.text(0), a.page(1), a.params(3)).await?),
            "fetchDepositAddress" => value(&self.fetch_deposit_address(a.needed(0, "code")?, a.params(1)).await?),
            "fetchPosition" => value(&self.fetch_position(a.needed(0, "symbol")?, a.params(1)).await?),
            "closePosition" => value(&self.close_position(a.needed(0, "symbol")?, a.text(1), a.params(2)).await?),
            "fetchLeverage" => value(&self.fetch_leverage(a.needed(0, "symbol")?, a.params(1)).await?),
            "fetchFundingRateHistory" => {
                value(&self.fetch_funding_rate_history(a.text(0), a.page(1), a.params(3)).await?)
            }
            _ => Err(not_supported(self.venue(), &format!("{method}()"))),
        }
    }
}

/// One order of a list of them.
fn listed_order(exchange: &Exchange, one: &Json<'_>) -> Result<NewOrder> {
    let missing = |name: &str| required(exchange.venue(), "createOrders", name);
    let text = |name: &str| one.text_of(&[name]).ok_or_else(|| missing(name));
    Ok(NewOrder {
        symbol: text("symbol")?.to_owned(),
        order_type: text("type")?.to_owned(),
        side: Side::parse(text("side")?).ok_or_else(|| missing("side of buy or sell"))?,
        amount: one.number_of(&["amount"]),
        price: one.number_of(&["price"]),
        params: match one.get("params").map(crate::Value::of) {
            Some(crate::Value::Object(fields)) => fields,
            _ => Fields::new(),
        },
    })
}

/// Tickers by their symbols.
fn named(tickers: &[Ticker]) -> Result<Value> {
    let one = |ticker: &Ticker| value(ticker).map(|value| (ticker.symbol.clone().unwrap_or_default(), value));
    tickers.iter().map(one).collect::<Result<_>>().map(Value::Object)
}

/// As a script sees it.
fn value<T: Serialize + ?Sized>(of: &T) -> Result<Value> {
    let text = serde_json::to_string(of);
    let read = text.and_then(|text| serde_json::from_str(&text));
    read.map_err(|error| VenueError::new(ErrorClass::BadResponse, &error.to_string()))
}

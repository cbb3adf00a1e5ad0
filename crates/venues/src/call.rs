//! Methods by their names, with CCXT's order of arguments: how scripts call an exchange.

use serde::Serialize;
use serde_json::Value;

use crate::exchange::{NewOrder, Result, not_supported, required};
use crate::json::{Access as _, Json};
use crate::unified::Ticker;
use crate::{Arguments, ErrorClass, Exchange, VenueError};

impl Exchange {
    /// Calls a method by CCXT's name with CCXT's order of arguments; missing ones are `null`.
    ///
    /// Errors: those of the method; [`ErrorClass::NotSupported`] for a name that is none;
    /// [`ErrorClass::ArgumentsRequired`] for an argument that is missing.
    pub async fn call(&self, method: &str, arguments: &[Json<'_>]) -> Result<Value> {
        let a = Arguments::new(self.venue().id(), method, arguments);
        self.takes_costs(method)?;
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
            "createOrders" => value(&self.create_orders(a.orders(0)?, a.params(1)).await?),
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

impl Exchange {
    /// Whether orders by their cost may be asked for: elsewhere the cost would be taken for an amount.
    fn takes_costs(&self, method: &str) -> Result<()> {
        let has = |method: &str| self.venue().description().has(method);
        let good = match method {
            "createMarketBuyOrderWithCost" | "createMarketSellOrderWithCost" => has(method),
            "createMarketOrderWithCost" => {
                has(method) || has("createMarketBuyOrderWithCost") && has("createMarketSellOrderWithCost")
            }
            _ => true,
        };
        if good { Ok(()) } else { Err(not_supported(self.venue(), &format!("{method}()"))) }
    }
}

/// Tickers by their symbols, as a script sees them.
///
/// Errors: as those of [`value`].
pub fn named(tickers: &[Ticker]) -> Result<Value> {
    let one = |ticker: &Ticker| value(ticker).map(|value| (ticker.symbol.clone().unwrap_or_default(), value));
    tickers.iter().map(one).collect::<Result<_>>().map(Value::Object)
}

/// As a script sees it.
///
/// Errors: [`ErrorClass::BadResponse`] for what is no JSON, which nothing that is made here is.
pub fn value<T: Serialize + ?Sized>(of: &T) -> Result<Value> {
    let text = serde_json::to_string(of);
    let read = text.and_then(|text| serde_json::from_str(&text));
    read.map_err(|error| VenueError::new(ErrorClass::BadResponse, &error.to_string()))
}

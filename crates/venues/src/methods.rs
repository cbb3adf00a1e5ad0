//! The unified methods: what an exchange offers, and what a connector does for each.

use async_trait::async_trait;

use crate::exchange::{NewOrder, Result, Status};
use crate::query::{Page, Query};
use crate::unified::{
    Balances, Candle, DepositAddress, FundingRate, LedgerEntry, Leverage, Market, Order, OrderBook, PastFunding,
    Position, Raw, Ticker, Trade, TradingFee, Transfer,
};
use crate::{Dialect, Exchange, Fields, Number};

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $js:literal ($($argument:ident: $kind:ty),*; $($field:ident: $of:ty),*) -> $result:ty;)*) => {
        /// What a connector does: one method for each of CCXT's. What it does not is [`ErrorClass::NotSupported`].
        #[async_trait]
        pub(crate) trait Connector: Dialect {
            $(
                async fn $name(&self, query: Query<'_>, $($argument: $kind),*) -> Result<$result> {
                    let _ = ($($argument,)*);
                    Err(query.not_supported())
                }
            )*

            /// Makes an order; its parameters are the order's, the query has none.
            async fn create_order(&self, query: Query<'_>, order: &NewOrder) -> Result<Order> {
                let _ = order;
                Err(query.not_supported())
            }

            /// Makes several orders at once.
            async fn create_orders(&self, query: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
                let _ = orders;
                Err(query.not_supported())
            }

            /// Makes another order of one; its parameters are the order's, the query has none.
            async fn edit_order(&self, query: Query<'_>, order: &NewOrder) -> Result<Order> {
                let _ = order;
                Err(query.not_supported())
            }
        }

        impl Exchange {
            /// Makes an order (`createOrder`).
            ///
            /// Errors: those of the way there, and what the exchange refused; [`crate::ErrorClass::InvalidOrder`] before
            /// anything is sent for what is beyond the market's bounds.
            pub async fn create_order(&self, order: &NewOrder) -> Result<Order> {
                self.check(std::slice::from_ref(order)).await?;
                let query = Query { symbol: Some(&order.symbol), ..Query::new(self, "createOrder") };
                self.venue().connector().create_order(query, order).await
            }

            /// Makes several orders at once (`createOrders`); the exchange may take some and refuse others.
            ///
            /// Errors: those of [`Exchange::create_order`]; then no order is sent.
            pub async fn create_orders(&self, orders: Vec<NewOrder>, params: Fields) -> Result<Vec<Order>> {
                self.check(&orders).await?;
                let query = Query { params, ..Query::new(self, "createOrders") };
                self.venue().connector().create_orders(query, orders).await
            }

            /// Makes another order of the one named `id` (`editOrder`); what is none stays as it was.
            ///
            /// Errors: those of [`Exchange::create_order`].
            pub async fn edit_order(&self, id: &str, order: &NewOrder) -> Result<Order> {
                self.check(std::slice::from_ref(order)).await?;
                let query = Query { id, symbol: Some(&order.symbol), ..Query::new(self, "editOrder") };
                self.venue().connector().edit_order(query, order).await
            }
        }

        impl Exchange {
            $(
                $(#[$doc])*
                ///
                /// Errors: those of the way there, and what the exchange refused.
                pub async fn $name(&self, $($argument: $kind,)* $($field: $of,)* params: Fields) -> Result<$result> {
                    let query = Query { $($field: $field.into(),)* params, ..Query::new(self, $js) };
                    self.venue().connector().$name(query, $($argument),*).await
                }
            )*
        }
    };
}

methods! {
    /// The exchange's time, in milliseconds (`fetchTime`).
    fetch_time = "fetchTime" (;) -> i64;
    /// Every market (`fetchMarkets`).
    fetch_markets = "fetchMarkets" (;) -> Vec<Market>;
    /// Every currency (`fetchCurrencies`); none where the exchange tells them to nobody without a key of its own kind.
    fetch_currencies = "fetchCurrencies" (;) -> Vec<Raw>;
    /// Whether the exchange works (`fetchStatus`).
    fetch_status = "fetchStatus" (;) -> Status;
    /// A market's last day (`fetchTicker`).
    fetch_ticker = "fetchTicker" (; symbol: &str) -> Ticker;
    /// The last day of these markets, or of all (`fetchTickers`).
    fetch_tickers = "fetchTickers" (; symbols: Option<&[String]>) -> Vec<Ticker>;
    /// The best prices of these markets, or of all (`fetchBidsAsks`).
    fetch_bids_asks = "fetchBidsAsks" (; symbols: Option<&[String]>) -> Vec<Ticker>;
    /// A market's book, so many levels deep (`fetchOrderBook`).
    fetch_order_book = "fetchOrderBook" (; symbol: &str, depth: Option<i64>) -> OrderBook;
    /// What was traded in a market (`fetchTrades`).
    fetch_trades = "fetchTrades" (; symbol: &str, page: Page) -> Vec<Trade>;
    /// A market's candles, oldest first (`fetchOHLCV`).
    fetch_ohlcv = "fetchOHLCV" (; symbol: &str, timeframe: &str, page: Page) -> Vec<Candle>;
    /// What one side of a contract pays the other (`fetchFundingRate`).
    fetch_funding_rate = "fetchFundingRate" (; symbol: &str) -> FundingRate;
    /// What it paid before, oldest first (`fetchFundingRateHistory`).
    fetch_funding_rate_history = "fetchFundingRateHistory" (; symbol: Option<&str>, page: Page) -> Vec<PastFunding>;
    /// Takes an order back (`cancelOrder`).
    cancel_order = "cancelOrder" (; id: &str, symbol: Option<&str>) -> Order;
    /// Takes several orders of a market back (`cancelOrders`).
    cancel_orders = "cancelOrders" (ids: &[String]; symbol: Option<&str>) -> Vec<Order>;
    /// Takes all orders of a market back (`cancelAllOrders`).
    cancel_all_orders = "cancelAllOrders" (; symbol: Option<&str>) -> Vec<Order>;
    /// An order (`fetchOrder`).
    fetch_order = "fetchOrder" (; id: &str, symbol: Option<&str>) -> Order;
    /// Orders in any state (`fetchOrders`).
    fetch_orders = "fetchOrders" (; symbol: Option<&str>, page: Page) -> Vec<Order>;
    /// Orders that can be filled still (`fetchOpenOrders`).
    fetch_open_orders = "fetchOpenOrders" (; symbol: Option<&str>, page: Page) -> Vec<Order>;
    /// Orders that are filled (`fetchClosedOrders`).
    fetch_closed_orders = "fetchClosedOrders" (; symbol: Option<&str>, page: Page) -> Vec<Order>;
    /// Orders that were taken back (`fetchCanceledOrders`).
    fetch_canceled_orders = "fetchCanceledOrders" (; symbol: Option<&str>, page: Page) -> Vec<Order>;
    /// Orders that can not be filled any more (`fetchCanceledAndClosedOrders`).
    fetch_canceled_and_closed_orders = "fetchCanceledAndClosedOrders" (; symbol: Option<&str>, page: Page) -> Vec<Order>;
    /// The account's trades (`fetchMyTrades`).
    fetch_my_trades = "fetchMyTrades" (; symbol: Option<&str>, page: Page) -> Vec<Trade>;
    /// What filled an order (`fetchOrderTrades`).
    fetch_order_trades = "fetchOrderTrades" (; id: &str, symbol: Option<&str>, page: Page) -> Vec<Trade>;
    /// What the account has (`fetchBalance`); `type` says in which part of the exchange.
    fetch_balance = "fetchBalance" (;) -> Balances;
    /// Every change of what the account has, in one currency or in all (`fetchLedger`).
    fetch_ledger = "fetchLedger" (currency: Option<&str>; page: Page) -> Vec<LedgerEntry>;
    /// Where a currency can be sent to (`fetchDepositAddress`).
    fetch_deposit_address = "fetchDepositAddress" (currency: &str;) -> DepositAddress;
    /// Moves money between parts of the exchange (`transfer`).
    transfer = "transfer" (currency: &str, amount: Number, from: &str, to: &str;) -> Transfer;
    /// The account's fees in a market (`fetchTradingFee`).
    fetch_trading_fee = "fetchTradingFee" (; symbol: &str) -> TradingFee;
    /// The account's position in a contract (`fetchPosition`).
    fetch_position = "fetchPosition" (; symbol: &str) -> Position;
    /// The account's positions in these contracts, or in all (`fetchPositions`).
    fetch_positions = "fetchPositions" (; symbols: Option<&[String]>) -> Vec<Position>;
    /// Ends a position at the market's price (`closePosition`).
    close_position = "closePosition" (; symbol: &str, side: Option<&str>) -> Order;
    /// How often its margin a position is (`fetchLeverage`).
    fetch_leverage = "fetchLeverage" (; symbol: &str) -> Leverage;
    /// How often its margin a new position may be (`setLeverage`).
    set_leverage = "setLeverage" (leverage: Number; symbol: Option<&str>) -> Raw;
    /// Whether positions share the account's margin: `cross` or `isolated` (`setMarginMode`).
    set_margin_mode = "setMarginMode" (mode: &str; symbol: Option<&str>) -> Raw;
    /// Whether there may be a position of each side (`setPositionMode`).
    set_position_mode = "setPositionMode" (hedged: bool; symbol: Option<&str>) -> Raw;
}

//! An exchange to talk to: an account or nobody, a way to it, and what is known of its markets.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use orrery_kernel::{Clock, Entropy};
use serde::Serialize;

use crate::json::Json;
use crate::unified::{
    Balances, Candle, FundingRate, Market, Markets, Order, OrderBook, Position, Raw, Side, Ticker, Trade, TradingFee,
    Transfer,
};
use crate::{Context, Credentials, Dialect, ErrorClass, Fields, Number, Reply, Request, Transport, Venue, VenueError};

/// What any method answers.
pub type Result<T, E = VenueError> = std::result::Result<T, E>;

/// An exchange, as one account or as nobody.
pub struct Exchange {
    venue: Venue,
    credentials: Option<Credentials>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    markets: RwLock<Option<Arc<Markets>>>,
}

/// An order that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOrder {
    /// The market: `BTC/USDT`.
    pub symbol: String,
    /// `limit` or `market`, or a word of the exchange.
    pub order_type: String,
    /// Which way.
    pub side: Side,
    /// In the base currency, or in contracts.
    pub amount: Option<Number>,
    /// In the quote currency; a market order has none.
    pub price: Option<Number>,
    /// CCXT's further parameters, and the exchange's own.
    pub params: Fields,
}

/// Whether an exchange works.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Status {
    /// `ok`, `maintenance` or `error`.
    pub status: Option<String>,
    /// When it was said, in milliseconds.
    pub updated: Option<i64>,
    /// When it is expected to be over.
    pub eta: Option<i64>,
    /// Where to read more.
    pub url: Option<String>,
    /// As the exchange said it.
    pub info: Raw,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Page {
    /// Nothing before this time, in milliseconds.
    pub since: Option<i64>,
    /// At most so many.
    pub limit: Option<i64>,
}

impl Exchange {
    /// An exchange. Entropy gives the names of orders; the clock is what requests are signed by.
    pub fn new(
        venue: Venue,
        credentials: Option<Credentials>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { venue, credentials, transport, clock, entropy, markets: RwLock::default() }
    }

    /// Which it is.
    pub const fn venue(&self) -> Venue {
        self.venue
    }

    /// Takes markets that are known already.
    pub fn set_markets(&self, markets: Markets) {
        *self.markets.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(markets));
    }

    /// The markets; the first time they are asked for, they are fetched.
    pub async fn load_markets(&self) -> Result<Arc<Markets>> {
        let known = self.markets.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(markets) = known {
            return Ok(markets);
        }
        self.set_markets(Markets::new(self.fetch_markets(Fields::new()).await?));
        Ok(self.markets.read().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default())
    }

    /// The account's key.
    ///
    /// Errors: [`ErrorClass::AuthenticationError`] for nobody.
    pub(crate) fn credentials(&self) -> Result<&Credentials> {
        let none = || VenueError::new(ErrorClass::AuthenticationError, &format!("{} requires \"apiKey\"", self.venue));
        self.credentials.as_ref().ok_or_else(none)
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().millis()
    }

    /// A name that no other order has, of so many hexadecimal digits; at most 32.
    pub(crate) fn unique(&self, digits: usize) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let all = hex::encode(bytes);
        all.get(all.len().saturating_sub(digits)..).unwrap_or_default().to_owned()
    }

    /// Sends a request, and reads the answer.
    ///
    /// Errors: those of the way there, and what the exchange refused.
    pub(crate) async fn ask<T>(&self, request: Request, read: impl FnOnce(&Json<'_>) -> T + Send) -> Result<T> {
        let url = request.url.clone();
        let answer = self.transport.send(request).await?;
        let reply = Reply { status: answer.status, url: &url, body: &answer.body };
        self.venue.read(&reply).map(|body| read(&body))
    }

    fn connector(&self) -> Result<&'static dyn Connector> {
        self.venue.connector().ok_or_else(|| not_supported(self.venue, "anything yet"))
    }
}

pub(crate) fn not_supported(venue: Venue, what: &str) -> VenueError {
    VenueError::new(ErrorClass::NotSupported, &format!("{venue} does not support {what}"))
}

/// An error for an argument that is missing.
pub(crate) fn required(venue: Venue, method: &str, argument: &str) -> VenueError {
    let message = format!("{venue} {method}() requires a {argument} argument");
    VenueError::new(ErrorClass::ArgumentsRequired, &message)
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $js:literal ($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        /// What a connector does: one method for each of CCXT's. What it does not is [`ErrorClass::NotSupported`].
        #[async_trait]
        pub(crate) trait Connector: Dialect {
            $(
                async fn $name(&self, exchange: &Exchange, $($argument: $kind),*) -> Result<$result> {
                    let _ = ($($argument,)*);
                    Err(not_supported(exchange.venue, concat!($js, "()")))
                }
            )*
        }

        impl Exchange {
            $(
                $(#[$doc])*
                ///
                /// Errors: those of the way there, and what the exchange refused.
                pub async fn $name(&self, $($argument: $kind),*) -> Result<$result> {
                    self.connector()?.$name(self, $($argument),*).await
                }
            )*
        }
    };
}

methods! {
    /// The exchange's time, in milliseconds (`fetchTime`).
    fetch_time = "fetchTime" (params: Fields) -> i64;
    /// Every market (`fetchMarkets`).
    fetch_markets = "fetchMarkets" (params: Fields) -> Vec<Market>;
    /// A market's last day (`fetchTicker`).
    fetch_ticker = "fetchTicker" (symbol: &str, params: Fields) -> Ticker;
    /// The last day of these markets, or of all (`fetchTickers`).
    fetch_tickers = "fetchTickers" (symbols: Option<&[String]>, params: Fields) -> Vec<Ticker>;
    /// The best prices of these markets, or of all (`fetchBidsAsks`).
    fetch_bids_asks = "fetchBidsAsks" (symbols: Option<&[String]>, params: Fields) -> Vec<Ticker>;
    /// Whether the exchange works (`fetchStatus`).
    fetch_status = "fetchStatus" (params: Fields) -> Status;
    /// A market's book (`fetchOrderBook`).
    fetch_order_book = "fetchOrderBook" (symbol: &str, limit: Option<i64>, params: Fields) -> OrderBook;
    /// What was traded in a market (`fetchTrades`).
    fetch_trades = "fetchTrades" (symbol: &str, page: Page, params: Fields) -> Vec<Trade>;
    /// A market's candles, oldest first (`fetchOHLCV`).
    fetch_ohlcv = "fetchOHLCV" (symbol: &str, timeframe: &str, page: Page, params: Fields) -> Vec<Candle>;
    /// Makes an order (`createOrder`).
    create_order = "createOrder" (order: NewOrder) -> Order;
    /// Takes an order back (`cancelOrder`).
    cancel_order = "cancelOrder" (id: &str, symbol: Option<&str>, params: Fields) -> Order;
    /// Takes all orders of a market back (`cancelAllOrders`).
    cancel_all_orders = "cancelAllOrders" (symbol: Option<&str>, params: Fields) -> Vec<Order>;
    /// An order (`fetchOrder`).
    fetch_order = "fetchOrder" (id: &str, symbol: Option<&str>, params: Fields) -> Order;
    /// Orders in any state (`fetchOrders`).
    fetch_orders = "fetchOrders" (symbol: Option<&str>, page: Page, params: Fields) -> Vec<Order>;
    /// Orders that can be filled still (`fetchOpenOrders`).
    fetch_open_orders = "fetchOpenOrders" (symbol: Option<&str>, page: Page, params: Fields) -> Vec<Order>;
    /// Orders that are filled (`fetchClosedOrders`).
    fetch_closed_orders = "fetchClosedOrders" (symbol: Option<&str>, page: Page, params: Fields) -> Vec<Order>;
    /// The account's trades (`fetchMyTrades`).
    fetch_my_trades = "fetchMyTrades" (symbol: Option<&str>, page: Page, params: Fields) -> Vec<Trade>;
    /// What filled an order (`fetchOrderTrades`).
    fetch_order_trades = "fetchOrderTrades" (id: &str, symbol: Option<&str>, page: Page, params: Fields) -> Vec<Trade>;
    /// Moves money between parts of the exchange (`transfer`).
    transfer = "transfer" (currency: &str, amount: Number, from: &str, to: &str, params: Fields) -> Transfer;
    /// Every currency (`fetchCurrencies`); none where the exchange tells them to nobody without a key of its own kind.
    fetch_currencies = "fetchCurrencies" (params: Fields) -> Vec<Raw>;
    /// What the account has (`fetchBalance`); `type` says in which part of the exchange.
    fetch_balance = "fetchBalance" (params: Fields) -> Balances;
    /// The account's positions in these contracts, or in all (`fetchPositions`).
    fetch_positions = "fetchPositions" (symbols: Option<&[String]>, params: Fields) -> Vec<Position>;
    /// The account's fees in a market (`fetchTradingFee`).
    fetch_trading_fee = "fetchTradingFee" (symbol: &str, params: Fields) -> TradingFee;
    /// What one side of a contract pays the other (`fetchFundingRate`).
    fetch_funding_rate = "fetchFundingRate" (symbol: &str, params: Fields) -> FundingRate;
    /// How often its margin a new position may be (`setLeverage`).
    set_leverage = "setLeverage" (leverage: Number, symbol: Option<&str>, params: Fields) -> Raw;
    /// Whether positions share the account's margin: `cross` or `isolated` (`setMarginMode`).
    set_margin_mode = "setMarginMode" (mode: &str, symbol: Option<&str>, params: Fields) -> Raw;
    /// Whether there may be a position of each side (`setPositionMode`).
    set_position_mode = "setPositionMode" (hedged: bool, symbol: Option<&str>, params: Fields) -> Raw;
}

impl Page {
    /// Of a list that is sorted by time: nothing before `since`, and of the rest the first if `since` is given, else
    /// the last.
    pub(crate) fn of<T>(self, mut list: Vec<T>, time: impl Fn(&T) -> Option<i64>) -> Vec<T> {
        if let Some(since) = self.since {
            list.retain(|one| time(one).is_some_and(|time| time >= since));
        }
        if let Some(limit) = self.limit.and_then(|limit| usize::try_from(limit).ok())
            && list.len() > limit
        {
            if self.since.is_some() {
                list.truncate(limit);
            } else {
                list.drain(..list.len() - limit);
            }
        }
        list
    }
}

impl Market {
    /// What stands around an answer about this market.
    pub(crate) fn context<'m>(&'m self, markets: &'m Markets) -> Context<'m> {
        Context { markets, asked: Some(self) }
    }

    /// An amount as the market takes it: cut to its step.
    ///
    /// Errors: [`ErrorClass::InvalidOrder`] for what is less than one step.
    pub fn amount(&self, amount: Number) -> Result<Number> {
        let cut = self.precision.amount.map_or(Some(amount), |step| amount.cut_to(step));
        let least = || {
            let step = self.precision.amount.map_or_else(String::new, |step| step.to_string());
            let message = format!("amount of {} must be greater than minimum amount precision of {step}", self.symbol);
            VenueError::new(ErrorClass::InvalidOrder, &message)
        };
        cut.and_then(Number::nonzero).ok_or_else(least)
    }

    /// A price as the market takes it: rounded to its step.
    ///
    /// Errors: [`ErrorClass::InvalidOrder`] for what is less than half a step.
    pub fn price(&self, price: Number) -> Result<Number> {
        let rounded = self.precision.price.map_or(Some(price), |step| price.round_to(step));
        let least = || {
            let step = self.precision.price.map_or_else(String::new, |step| step.to_string());
            let message = format!("price of {} must be greater than minimum price precision of {step}", self.symbol);
            VenueError::new(ErrorClass::InvalidOrder, &message)
        };
        rounded.and_then(Number::nonzero).ok_or_else(least)
    }
}

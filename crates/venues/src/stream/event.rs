//! What a message of a stream says.

use std::time::Duration;

use super::Delta;
use crate::VenueError;
use crate::unified::{Balances, Candle, Liquidation, Order, Position, Raw, Ticker, Trade};

/// One thing that a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A market's last day.
    Ticker(Ticker),
    /// A market's best prices.
    BidAsk(Ticker),
    /// What was traded in a market, oldest first.
    Trades(Vec<Trade>),
    /// A market's candles of one length, oldest first; the last may still change.
    Candles {
        /// The market.
        symbol: String,
        /// `5m`
        timeframe: String,
        /// The candles.
        candles: Vec<Candle>,
    },
    /// A market's book, or what changed in it.
    Book(Delta),
    /// What the account has; currencies that are not named did not change.
    Balance(Balances),
    /// Orders of the account that changed.
    Orders(Vec<Order>),
    /// Trades of the account.
    MyTrades(Vec<Trade>),
    /// Positions of the account that changed.
    Positions(Vec<Position>),
    /// Positions of others that were ended by force.
    Liquidations(Vec<Liquidation>),
    /// What became of an order that was made or changed over the stream.
    OrderReply(Order),
    /// Any other answer to a request.
    Reply(Raw),
    /// The exchange knows now whose connection it is.
    LoggedIn,
    /// The exchange wants this frame in return.
    Ping(String),
    /// The exchange closes the connection soon, or wants that it is made anew after so long.
    Leave(Duration),
    /// The exchange refused something.
    Refused(VenueError),
}

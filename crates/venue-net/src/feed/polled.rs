//! What an exchange has no stream of, and what was missed while a connection was away: asked for over HTTP.

use orrery_venues::stream::{Want, What};
use orrery_venues::unified::{Candle, OrderBook, Ticker, Trade};
use orrery_venues::{Fields, Page, VenueError};

use super::Feed;

/// What was asked for.
pub(super) enum Polled {
    Ticker(Box<Ticker>),
    Book(OrderBook),
    Trades(Vec<Trade>),
    Candles(Vec<Candle>),
}

impl Feed {
    /// Asks for what is wanted; of trades, those since `since`.
    pub(super) async fn poll(&self, want: &Want, since: Option<i64>) -> Result<Polled, VenueError> {
        let (symbol, none) = (want.symbol.as_str(), Fields::new());
        Ok(match &want.what {
            What::Ticker => Polled::Ticker(Box::new(self.exchange.fetch_ticker(symbol, none).await?)),
            What::Book => {
                let markets = self.exchange.load_markets().await?;
                let depth = markets.of(symbol).ok().and_then(|market| self.venue().snapshot_depth(market));
                Polled::Book(self.exchange.fetch_order_book(symbol, depth, none).await?)
            }
            What::Trades => {
                Polled::Trades(self.exchange.fetch_trades(symbol, Page { since, limit: None }, none).await?)
            }
            What::Candles(timeframe) => {
                let limit = i64::try_from(self.options.candles).ok();
                let page = Page { since: None, limit };
                Polled::Candles(self.exchange.fetch_ohlcv(symbol, timeframe, page, none).await?)
            }
        })
    }
}

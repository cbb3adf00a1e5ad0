//! What there is to read: markets, books, prices, orders, trades, balances.

use std::collections::BTreeMap;
use std::time::Duration;

use orrery_kernel::{Asset, Timestamp};
use orrery_ledger::{Bucket, Owner};
use orrery_venues::paper::{self, OrderQuery, PaperTrade, TradeQuery, Which};
use orrery_venues::unified::{Balances, Candle, Order, OrderBook, Ticker, Trade};
use orrery_venues::{ErrorClass, Page};

use super::room::Fail;
use super::{ATTEMPTS, PaperExchange, Result, Stand, again, error, unavailable};

/// Levels of a book.
const DEPTH_MAX: i64 = 100;
/// Entries of a list.
const PAGE_MAX: i64 = 1_000;
/// Entries of a list where nobody says how many.
const PAGE: i64 = 100;
/// Trades of one order.
const TRADES_OF_ORDER: u32 = 500;
const HOUR: Duration = Duration::from_secs(3_600);
/// Lengths of candles by their names.
const TIMEFRAMES: [(&str, u64); 10] = [
    ("1m", 60),
    ("3m", 180),
    ("5m", 300),
    ("15m", 900),
    ("30m", 1_800),
    ("1h", 3_600),
    ("2h", 7_200),
    ("4h", 14_400),
    ("1d", 86_400),
    ("1w", 604_800),
];

fn limit(page: Page) -> u32 {
    u32::try_from(page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX)).unwrap_or(1)
}

impl PaperExchange {
    /// Lets the price of now meet a market's orders, if there is a price.
    ///
    /// Errors: [`ErrorClass::ExchangeNotAvailable`] if a store does not answer.
    pub(super) async fn bring_up(&self, stand: &Stand) -> Result<()> {
        let attempt = async || -> Result<(), Fail> {
            let mut room = stand.room.lock().await;
            if self.price(&stand.market, self.ports.clock.now()).is_ok() {
                self.current(stand, &mut room).await?;
            } else {
                self.enter(stand, &mut room).await?;
            }
            Ok(())
        };
        again!(attempt().await).map_err(Fail::error)
    }

    async fn depth(&self, stand: &Stand, most: usize) -> Result<[Vec<(i64, i64)>; 2]> {
        let attempt = async || -> Result<_, Fail> {
            let mut room = stand.room.lock().await;
            Ok(self.current(stand, &mut room).await?.engine.depth(most))
        };
        again!(attempt().await).map_err(Fail::error)
    }

    pub(super) async fn book(&self, symbol: &str, levels: Option<i64>) -> Result<OrderBook> {
        let stand = self.stand(symbol)?;
        let most = usize::try_from(levels.unwrap_or(DEPTH_MAX).clamp(1, DEPTH_MAX)).unwrap_or(1);
        Ok(paper::book(&stand.market, self.depth(stand, most).await?, self.ports.clock.now()))
    }

    pub(super) async fn ticker(&self, symbol: &str) -> Result<Ticker> {
        let stand = self.stand(symbol)?;
        self.await_prices(&[stand]).await;
        self.ticker_of(stand).await
    }

    async fn ticker_of(&self, stand: &Stand) -> Result<Ticker> {
        let (symbol, now) = (&stand.market.symbol, self.ports.clock.now());
        let reference = self.price(&stand.market, now)?;
        let day = Page { since: None, limit: Some(24) };
        let hours = self.ports.prices.candles(symbol, HOUR, day, now).unwrap_or_default();
        Ok(paper::ticker(&stand.market, &reference, &self.depth(stand, 1).await?, &hours))
    }

    /// The tickers of these markets, or of all that have a price.
    pub(super) async fn tickers(&self, symbols: Option<&[String]>) -> Result<Vec<Ticker>> {
        let stands: Vec<&Stand> = match symbols {
            Some(symbols) => {
                symbols.iter().take(self.stands.len()).map(|symbol| self.stand(symbol)).collect::<Result<_>>()?
            }
            None => self.stands.iter().collect(),
        };
        self.await_prices(&stands).await;
        let mut all = Vec::new();
        for stand in stands {
            if symbols.is_some() || self.price(&stand.market, self.ports.clock.now()).is_ok() {
                all.push(self.ticker_of(stand).await?);
            }
        }
        Ok(all)
    }

    pub(super) fn candles(&self, symbol: &str, timeframe: &str, page: Page) -> Result<Vec<Candle>> {
        let market = &self.stand(symbol)?.market;
        let seconds = TIMEFRAMES.iter().find(|(name, _)| *name == timeframe).map(|(_, seconds)| *seconds);
        let length = seconds.ok_or_else(|| error(ErrorClass::BadRequest, &format!("has no timeframe {timeframe}")))?;
        let page = Page { limit: Some(limit(page).into()), ..page };
        let now = self.ports.clock.now();
        let found = self.ports.prices.candles(&market.symbol, Duration::from_secs(length), page, now);
        found.ok_or_else(|| error(ErrorClass::NotSupported, &format!("does not know what the price of {symbol} did")))
    }

    async fn found_trades(&self, query: TradeQuery) -> Result<Vec<PaperTrade>> {
        self.ports.store.paper_trades(&query).await.map_err(|why| unavailable(&why))
    }

    pub(super) async fn trades(&self, symbol: &str, page: Page) -> Result<Vec<Trade>> {
        let market = &self.stand(symbol)?.market;
        let (symbol, since) = (Some(symbol.to_owned()), page.since.map(Timestamp::from_millis));
        let query = TradeQuery { account: None, symbol, order: None, since, limit: limit(page) };
        Ok(self.found_trades(query).await?.iter().map(|trade| paper::public_trade(market, trade)).collect())
    }

    pub(super) async fn my_trades(&self, account: &str, symbol: Option<&str>, page: Page) -> Result<Vec<Trade>> {
        let only = symbol.map(|symbol| self.stand(symbol)).transpose()?;
        if let Some(stand) = only {
            self.bring_up(stand).await?;
        }
        let (symbol, since) = (symbol.map(str::to_owned), page.since.map(Timestamp::from_millis));
        let query = TradeQuery { account: Some(account.to_owned()), symbol, order: None, since, limit: limit(page) };
        let found = self.found_trades(query).await?;
        let own = |trade: &PaperTrade| paper::my_trade(&self.stand(&trade.symbol).ok()?.market, trade, account, None);
        Ok(found.iter().filter_map(own).collect())
    }

    /// What filled an order.
    async fn filled_by(&self, stand: &Stand, order: &paper::PaperOrder) -> Result<Vec<PaperTrade>> {
        if order.filled == 0 {
            return Ok(Vec::new());
        }
        let (account, symbol) = (Some(order.account.clone()), Some(stand.market.symbol.clone()));
        let query = TradeQuery { account, symbol, order: Some(order.n), since: None, limit: TRADES_OF_ORDER };
        self.found_trades(query).await
    }

    /// An order as CCXT has it, with what filled it.
    pub(super) async fn whole(&self, stand: &Stand, order: &paper::PaperOrder) -> Result<Order> {
        Ok(paper::order(&stand.market, order, &self.filled_by(stand, order).await?))
    }

    pub(super) async fn orders(
        &self,
        account: &str,
        symbol: Option<&str>,
        which: Which,
        page: Page,
    ) -> Result<Vec<Order>> {
        let only = symbol.map(|symbol| self.stand(symbol)).transpose()?;
        if let Some(stand) = only {
            self.bring_up(stand).await?;
        }
        let (account, symbol) = (account.to_owned(), symbol.map(str::to_owned));
        let since = page.since.map(Timestamp::from_millis);
        let query = OrderQuery { account, symbol, which, since, limit: limit(page) };
        let found = self.ports.store.paper_orders(&query).await.map_err(|why| unavailable(&why))?;
        let shown = |order: &paper::PaperOrder| Some(paper::order(&self.stand(&order.symbol).ok()?.market, order, &[]));
        Ok(found.iter().filter_map(shown).collect())
    }

    pub(super) async fn balance(&self, account: &str) -> Result<Balances> {
        self.open(account).await?;
        let owned = self.ports.ledger.balances(&Owner::Paper(account.into())).await;
        let (owned, _) = owned.map_err(|why| unavailable(&why))?;
        let mut by_asset: BTreeMap<Asset, (i64, i64)> = BTreeMap::new();
        for (account, minor) in owned {
            let (free, held) = by_asset.entry(account.asset).or_default();
            *(if account.bucket == Bucket::Reserved { held } else { free }) += minor;
        }
        let all: Vec<_> = by_asset.into_iter().map(|(asset, (free, held))| (asset, free, held)).collect();
        Ok(paper::balances(&all, self.ports.clock.now()))
    }
}

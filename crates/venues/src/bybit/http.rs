//! The methods over HTTP.

use async_trait::async_trait;

use super::{Dialect, account, data};
use crate::Number;
use crate::exchange::{NewOrder, Result, Status};
use crate::methods::Connector;
use crate::query::Query;
use crate::unified::{
    Balances, Candle, DepositAddress, FundingRate, LedgerEntry, Leverage, Market, Order, OrderBook, PastFunding,
    Position, Raw, Ticker, Trade, TradingFee, Transfer,
};

#[async_trait]
impl Connector for Dialect {
    async fn fetch_time(&self, q: Query<'_>) -> Result<i64> {
        account::time(q).await
    }

    async fn fetch_status(&self, q: Query<'_>) -> Result<Status> {
        account::status(q).await
    }

    async fn fetch_markets(&self, q: Query<'_>) -> Result<Vec<Market>> {
        data::markets(self, q).await
    }

    async fn fetch_currencies(&self, q: Query<'_>) -> Result<Vec<Raw>> {
        account::currencies(q).await
    }

    async fn fetch_ticker(&self, q: Query<'_>) -> Result<Ticker> {
        data::ticker(self, q).await
    }

    async fn fetch_tickers(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        data::tickers(self, q).await
    }

    async fn fetch_bids_asks(&self, q: Query<'_>) -> Result<Vec<Ticker>> {
        data::tickers(self, q).await
    }

    async fn fetch_order_book(&self, q: Query<'_>) -> Result<OrderBook> {
        data::order_book(q).await
    }

    async fn fetch_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        data::trades(self, q).await
    }

    async fn fetch_ohlcv(&self, q: Query<'_>) -> Result<Vec<Candle>> {
        data::candles(self, q).await
    }

    async fn fetch_funding_rate(&self, q: Query<'_>) -> Result<FundingRate> {
        data::funding_rate(q).await
    }

    async fn fetch_funding_rate_history(&self, q: Query<'_>) -> Result<Vec<PastFunding>> {
        data::past_rates(q).await
    }

    async fn create_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        self.new_order(q, order).await
    }

    async fn create_orders(&self, q: Query<'_>, orders: Vec<NewOrder>) -> Result<Vec<Order>> {
        self.new_orders(q, orders).await
    }

    async fn edit_order(&self, q: Query<'_>, order: &NewOrder) -> Result<Order> {
        self.amend(q, order).await
    }

    async fn cancel_order(&self, q: Query<'_>) -> Result<Order> {
        self.cancel(q).await
    }

    async fn cancel_orders(&self, q: Query<'_>, ids: &[String]) -> Result<Vec<Order>> {
        self.cancel_listed(q, ids).await
    }

    async fn cancel_all_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.cancel_all(q).await
    }

    async fn fetch_order(&self, q: Query<'_>) -> Result<Order> {
        self.one_order(q).await
    }

    async fn fetch_open_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.open_orders(q).await
    }

    async fn fetch_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, Some("Filled")).await
    }

    async fn fetch_canceled_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, Some("Cancelled")).await
    }

    async fn fetch_canceled_and_closed_orders(&self, q: Query<'_>) -> Result<Vec<Order>> {
        self.past_orders(q, None).await
    }

    async fn fetch_my_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        self.my_trades(q).await
    }

    async fn fetch_order_trades(&self, q: Query<'_>) -> Result<Vec<Trade>> {
        self.trades_of(q).await
    }

    async fn fetch_balance(&self, q: Query<'_>) -> Result<Balances> {
        account::balances(q).await
    }

    async fn fetch_ledger(&self, q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
        account::ledger(q, currency).await
    }

    async fn fetch_deposit_address(&self, q: Query<'_>, currency: &str) -> Result<DepositAddress> {
        account::deposit_address(q, currency).await
    }

    async fn transfer(&self, q: Query<'_>, currency: &str, amount: Number, from: &str, to: &str) -> Result<Transfer> {
        account::transfer(q, currency, amount, from, to).await
    }

    async fn fetch_trading_fee(&self, q: Query<'_>) -> Result<TradingFee> {
        account::trading_fee(q).await
    }

    async fn fetch_position(&self, q: Query<'_>) -> Result<Position> {
        account::position(q).await
    }

    async fn fetch_positions(&self, q: Query<'_>) -> Result<Vec<Position>> {
        account::positions(q).await
    }

    async fn fetch_leverage(&self, q: Query<'_>) -> Result<Leverage> {
        account::leverage(q).await
    }

    async fn set_leverage(&self, q: Query<'_>, leverage: Number) -> Result<Raw> {
        account::set_leverage(q, leverage).await
    }

    async fn set_margin_mode(&self, q: Query<'_>, mode: &str) -> Result<Raw> {
        account::set_margin_mode(q, mode).await
    }

    async fn set_position_mode(&self, q: Query<'_>, hedged: bool) -> Result<Raw> {
        account::set_position_mode(q, hedged).await
    }
}

//! Messages of streams.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Dialect, order, refusal};
use crate::json::{self, Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{Balances, Fee, Market, Markets, Order, OrderStatus, Raw, Side, Time, Trade};
use crate::{Context, Dialect as _, ErrorClass, Venue, VenueError};

/// The most frequent message by far, read without a tree of values.
#[derive(Deserialize)]
struct Book<'t> {
    code: &'t str,
    timestamp: i64,
    #[serde(rename = "orderbook_units", borrow)]
    units: Vec<Unit<'t>>,
}

/// A level of each side.
#[derive(Deserialize)]
struct Unit<'t> {
    #[serde(borrow)]
    ask_price: &'t RawValue,
    #[serde(borrow)]
    bid_price: &'t RawValue,
    #[serde(borrow)]
    ask_size: &'t RawValue,
    #[serde(borrow)]
    bid_size: &'t RawValue,
}

impl Book<'_> {
    fn event(&self, context: Context<'_>) -> Event {
        let level = |unit: &Unit<'_>| {
            let bid = Change::parse(unit.bid_price.get(), unit.bid_size.get())?;
            Some((bid, Change::parse(unit.ask_price.get(), unit.ask_size.get())?))
        };
        let levels: Option<Vec<(Change, Change)>> = self.units.iter().map(level).collect();
        let Some((bids, asks)) = levels.map(|levels| levels.into_iter().unzip()) else {
            let message = "upbit: a level of the book is no number";
            return Event::Refused(VenueError::new(ErrorClass::BadResponse, message));
        };
        let symbol = context.symbol(Some(self.code), false).1.unwrap_or_default();
        Event::Book(Delta { symbol, snapshot: true, time: Some(self.timestamp), bids, asks, ..Delta::default() })
    }
}

pub(super) fn events(message: &str, markets: &Markets) -> Vec<Event> {
    let context = Context { markets, asked: None };
    if message.starts_with(r#"{"type":"orderbook""#)
        && let Ok(book) = serde_json::from_str::<Book<'_>>(message)
    {
        return vec![book.event(context)];
    }
    let Some(raw) = json::parse(message) else { return Vec::new() };
    match raw.text_of(&["type"]) {
        Some("orderbook") => {
            serde_json::from_str::<Book<'_>>(message).map(|book| book.event(context)).into_iter().collect()
        }
        Some("ticker") => vec![Event::Ticker(Dialect.ticker(&raw, context))],
        Some("trade") => vec![Event::Trades(vec![Dialect.trade(&raw, context)])],
        Some("candle.1s") => {
            let symbol = context.symbol(raw.text_of(&["code"]), false).1.unwrap_or_default();
            vec![Event::Candles { symbol, timeframe: "1s".to_owned(), candles: vec![Dialect.candle(&raw, context)] }]
        }
        Some("myOrder") => {
            let traded = raw.text_of(&["trade_uuid"]).map(|_| Event::MyTrades(vec![fill(&raw, context)]));
            traded.into_iter().chain([Event::Orders(vec![changed(&raw, context)])]).collect()
        }
        Some("myAsset") => vec![Event::Balance(assets(&raw))],
        _ => refused(&raw).into_iter().collect(),
    }
}

/// `{"error":{"name":"INVALID_AUTH","message":"…"}}`
fn refused(raw: &Json<'_>) -> Option<Event> {
    raw.get("error")?;
    let class = refusal(&Venue::Upbit.description().exceptions, Some(raw)).unwrap_or(ErrorClass::ExchangeError);
    Some(Event::Refused(VenueError::new(class, &format!("upbit {raw}"))))
}

fn fee(raw: &Json<'_>, market: Option<&Market>) -> Option<Fee> {
    let cost = raw.number_of(&["paid_fee"])?;
    Some(Fee { cost: Some(cost), currency: market.map(|market| market.quote.clone()), rate: None })
}

/// Who bids buys; every other word means to sell, as CCXT has it.
fn side(raw: &Json<'_>) -> Option<Side> {
    raw.text_of(&["ask_bid"]).and_then(order::side).or(Some(Side::Sell))
}

/// "My Order": an order that changed.
fn changed(raw: &Json<'_>, context: Context<'_>) -> Order {
    let number = |name: &str| raw.number_of(&[name]);
    let (market, symbol) = context.symbol(raw.text_of(&["code"]), false);
    Order {
        info: Raw::of(raw),
        id: raw.string_of(&["uuid"]),
        time: Time::of_iso(raw.text_of(&["order_timestamp"])),
        last_trade: Time::parse(raw.text_of(&["trade_timestamp"])).0,
        symbol,
        order_type: raw.string_of(&["order_type"]),
        time_in_force: raw.string_of(&["time_in_force"]),
        side: side(raw),
        price: number("price"),
        cost: number("executed_funds"),
        average: number("avg_price"),
        amount: number("volume"),
        filled: number("executed_volume"),
        remaining: number("remaining_volume"),
        status: raw.text_of(&["state"]).and_then(|word| match word {
            "wait" | "watch" | "trade" => Some(OrderStatus::Open),
            "done" => Some(OrderStatus::Closed),
            "cancel" => Some(OrderStatus::Canceled),
            _ => None,
        }),
        fee: fee(raw, market),
        ..Order::default()
    }
    .completed(None)
}

/// What filled it last.
fn fill(raw: &Json<'_>, context: Context<'_>) -> Trade {
    let number = |name: &str| raw.number_of(&[name]);
    let (market, symbol) = context.symbol(raw.text_of(&["code"]), false);
    Trade {
        info: Raw::of(raw),
        time: Time::of_iso(raw.text_of(&["trade_timestamp"])),
        symbol,
        id: raw.string_of(&["trade_uuid"]),
        order: raw.string_of(&["uuid"]),
        order_type: raw.string_of(&["order_type"]),
        side: side(raw),
        price: number("price"),
        amount: number("volume"),
        cost: number("executed_funds"),
        fee: fee(raw, market),
        ..Trade::default()
    }
    .completed(market)
}

/// "My Asset": currencies that changed.
fn assets(raw: &Json<'_>) -> Balances {
    Balances {
        info: Raw::default(),
        time: Time::parse(raw.text_of(&["timestamp"])),
        of: super::parse::assets(raw.get("assets")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_book_is_a_whole_one() {
        let units = r#"[{"ask_price":0.02295077,"bid_price":2.161249e-2,"ask_size":3.5,"bid_size":22}]"#;
        let message =
            format!(r#"{{"type":"orderbook","code":"BTC-ETH","timestamp":1584486737444,"orderbook_units":{units}}}"#);
        let events = events(&message, &Markets::default());
        let [Event::Book(book)] = events.as_slice() else { panic!("{events:?}") };
        assert!(book.snapshot);
        assert_eq!(book.bids.first().map(|bid| bid.price.number().to_string()).as_deref(), Some("0.02161249"));
    }

    #[test]
    fn what_is_refused_is_told() {
        let events = events(r#"{"error":{"name":"invalid_access_key","message":"x"}}"#, &Markets::default());
        assert!(
            matches!(events.as_slice(), [Event::Refused(error)] if error.class() == ErrorClass::AuthenticationError)
        );
    }
}

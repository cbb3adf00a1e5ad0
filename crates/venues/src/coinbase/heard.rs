//! Messages of streams.

use serde::Deserialize;

use super::Dialect;
use super::order::{status, time_in_force};
use super::parse::named;
use crate::json::{self, Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{Fee, Market, Markets, Order, Raw, Side, Ticker, Time, Trade};
use crate::{Context, Dialect as _, ErrorClass, Number, Venue, VenueError};

/// The most frequent message by far, read without a tree of values.
#[derive(Deserialize)]
struct Level2<'t> {
    channel: &'t str,
    timestamp: &'t str,
    #[serde(borrow)]
    events: Vec<Book<'t>>,
}

/// A book, or what changed in it.
#[derive(Deserialize)]
struct Book<'t> {
    #[serde(rename = "type")]
    kind: &'t str,
    product_id: &'t str,
    #[serde(borrow)]
    updates: Vec<Update<'t>>,
}

#[derive(Deserialize)]
struct Update<'t> {
    side: &'t str,
    price_level: &'t str,
    new_quantity: &'t str,
}

impl Book<'_> {
    fn delta(&self, time: Option<i64>, markets: &Markets) -> Option<Delta> {
        let (mut bids, mut asks) = (Vec::new(), Vec::new());
        for update in &self.updates {
            let change = Change::parse(update.price_level, update.new_quantity)?;
            match update.side {
                "bid" => bids.push(change),
                "offer" => asks.push(change),
                _ => return None,
            }
        }
        let market = markets.named(self.product_id, true);
        let symbol = market.map_or_else(|| self.product_id.to_owned(), |market| market.symbol.clone());
        Some(Delta { symbol, snapshot: self.kind == "snapshot", time, bids, asks, ..Delta::default() })
    }
}

pub(super) fn events(message: &str, markets: &Markets) -> Vec<Event> {
    if message.starts_with(r#"{"channel":"l2_data""#)
        && let Ok(said) = serde_json::from_str::<Level2<'_>>(message)
        && said.channel == "l2_data"
    {
        return books(&said, markets);
    }
    let Some(body) = json::parse(message) else { return Vec::new() };
    if body.get("type").text() == Some("error") {
        let table = &Venue::Coinbase.description().exceptions.everywhere;
        let class = table.broad(body.get("message").text()).unwrap_or(ErrorClass::ExchangeError);
        return vec![Event::Refused(VenueError::new(class, &format!("coinbase {body}")))];
    }
    let context = Context { markets, asked: None };
    let all = |name: &'static str| body.get("events").each(|of| list(of, name)).into_iter().flatten();
    match body.get("channel").text() {
        Some("l2_data") => serde_json::from_str(message).map(|said| books(&said, markets)).unwrap_or_default(),
        Some("ticker" | "ticker_batch") => {
            let written = body.get("timestamp").text();
            let tickers = all("tickers").filter_map(|raw| ticker(raw, written, context));
            tickers.flat_map(|ticker| twice(ticker, markets)).map(Event::Ticker).collect()
        }
        Some("market_trades") => {
            // newest first
            let trades: Vec<Trade> = all("trades").map(|raw| Dialect.trade(raw, context)).collect();
            by_market(trades.into_iter().rev().flat_map(|trade| twice(trade, markets)))
        }
        Some("user") => {
            let orders = all("orders").map(|raw| order(raw, context));
            let orders: Vec<Order> = orders.flat_map(|order| twice(order, markets)).collect();
            if orders.is_empty() { Vec::new() } else { vec![Event::Orders(orders)] }
        }
        _ => Vec::new(),
    }
}

fn list<'v, 't>(of: &'v Json<'t>, name: &str) -> &'v [Json<'t>] {
    of.get(name).list().unwrap_or_default()
}

fn books(said: &Level2<'_>, markets: &Markets) -> Vec<Event> {
    let time = Time::of_iso(Some(said.timestamp)).0;
    let long = || VenueError::new(ErrorClass::BadResponse, "coinbase: a level of the book is no number");
    let mut events = Vec::with_capacity(said.events.len());
    for book in &said.events {
        match book.delta(time, markets) {
            Some(delta) => events.extend(twice(delta, markets).into_iter().map(Event::Book)),
            None => events.push(Event::Refused(long())),
        }
    }
    events
}

/// Something that is said of one market.
trait Named: Clone {
    fn symbol(&mut self) -> Option<&mut String>;
}

impl Named for Delta {
    fn symbol(&mut self) -> Option<&mut String> {
        Some(&mut self.symbol)
    }
}

impl Named for Ticker {
    fn symbol(&mut self) -> Option<&mut String> {
        self.symbol.as_mut()
    }
}

impl Named for Trade {
    fn symbol(&mut self) -> Option<&mut String> {
        self.symbol.as_mut()
    }
}

impl Named for Order {
    fn symbol(&mut self) -> Option<&mut String> {
        self.symbol.as_mut()
    }
}

/// What is said of a market of US dollars, and the same of the market of USD Coin that has its book: who asks for
/// the one is told of the other.
fn twice<T: Named>(mut said: T, markets: &Markets) -> Vec<T> {
    let alias = said.symbol().and_then(|symbol| alias(symbol, markets)).map(|market| market.symbol.clone());
    let other = alias.map(|alias| {
        let mut other = said.clone();
        if let Some(symbol) = other.symbol() {
            *symbol = alias;
        }
        other
    });
    std::iter::once(said).chain(other).collect()
}

fn alias<'m>(symbol: &str, markets: &'m Markets) -> Option<&'m Market> {
    let other = symbol.ends_with("/USD").then(|| markets.of(&format!("{symbol}C")).ok()).flatten()?;
    let of = markets.of(symbol).ok()?;
    other.info.as_str().contains(&format!(r#""alias":"{}""#, of.id)).then_some(other)
}

/// Trades of each market, in their order.
fn by_market(trades: impl Iterator<Item = Trade>) -> Vec<Event> {
    let mut markets: Vec<Vec<Trade>> = Vec::new();
    for trade in trades {
        let same = |of: &&mut Vec<Trade>| of.first().is_some_and(|first| first.symbol == trade.symbol);
        match markets.iter_mut().find(same) {
            Some(of) => of.push(trade),
            None => markets.push(vec![trade]),
        }
    }
    markets.into_iter().map(Event::Trades).collect()
}

/// "Ticker Channel"; some are empty.
fn ticker(raw: &Json<'_>, written: Option<&str>, context: Context<'_>) -> Option<Ticker> {
    let number = |name: &str| raw.number_of(&[name]);
    let (_, symbol, _) = named(context, Some(raw.text_of(&["product_id"])?));
    let ticker = Ticker {
        symbol,
        time: Time::of_iso(written),
        datetime: written.map(str::to_owned),
        high: number("high_24_h"),
        low: number("low_24_h"),
        bid: number("best_bid"),
        bid_volume: number("best_bid_quantity"),
        ask: number("best_ask"),
        ask_volume: number("best_ask_quantity"),
        close: number("price"),
        percentage: number("price_percent_chg_24_h"),
        base_volume: number("volume_24_h"),
        info: Raw::of(raw),
        ..Ticker::default()
    };
    // all digits of the average, not the market's alone
    Some(ticker.completed(None))
}

/// "User Channel".
fn order(raw: &Json<'_>, context: Context<'_>) -> Order {
    let (market, symbol) = context.symbol(raw.text_of(&["product_id"]), true);
    let created = raw.string_of(&["time", "creation_time"]);
    Order {
        info: Raw::of(raw),
        id: raw.string_of(&["order_id"]),
        client_order_id: raw.string_of(&["client_order_id"]),
        time: Time::of_iso(created.as_deref()),
        datetime: created,
        symbol,
        order_type: raw.string_of(&["order_type"]),
        time_in_force: raw.text_of(&["time_in_force"]).and_then(time_in_force).map(str::to_owned),
        side: raw.text_of(&["side", "order_side"]).and_then(Side::parse),
        price: raw.number_of(&["limit_price"]),
        trigger_price: raw.number_of(&["stop_price"]).and_then(Number::nonzero),
        cost: raw.number_of(&["filled_value"]).and_then(Number::nonzero),
        average: raw.number_of(&["avg_price"]),
        filled: raw.number_of(&["cumulative_quantity"]),
        remaining: raw.number_of(&["leaves_quantity"]),
        status: raw.text_of(&["status"]).and_then(status),
        fee: Some(Fee {
            cost: raw.number_of(&["total_fees"]),
            currency: market.map(|market| market.quote.clone()),
            rate: None,
        }),
        ..Order::default()
    }
    .completed(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markets() -> Markets {
        let product = |id: &str, quote: &str, alias: &str| {
            format!(
                r#"{{"product_id":"{id}","product_type":"SPOT","base_currency_id":"BTC","quote_currency_id":"{quote}",
                    "alias":"{alias}","base_increment":"0.00000001","price_increment":"0.01"}}"#
            )
        };
        let products = [product("BTC-USD", "USD", ""), product("BTC-USDC", "USDC", "BTC-USD")];
        let answer = format!(r#"{{"products":[{}]}}"#, products.join(","));
        Markets::new(Dialect.markets("", &json::parse(&answer).unwrap()))
    }

    #[test]
    fn a_book_of_dollars_is_told_to_those_of_usd_coin_too() {
        let update = |kind: &str, updates: &str| {
            format!(
                r#"{{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z","sequence_num":0,
                    "events":[{{"type":"{kind}","product_id":"BTC-USD","updates":[{updates}]}}]}}"#
            )
        };
        let bid = r#"{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"21921.74","new_quantity":"0.5"}"#;
        let heard = events(&update("snapshot", bid), &markets());
        let symbols: Vec<_> = heard
            .iter()
            .map(|event| match event {
                Event::Book(delta) => (delta.symbol.as_str(), delta.snapshot, delta.time, delta.bids.len()),
                other => panic!("{other:?}"),
            })
            .collect();
        let time = Some(1_675_974_770_714);
        assert_eq!(symbols, [("BTC/USD", true, time, 1), ("BTC/USDC", true, time, 1)]);
        for wrong in [bid.replace("bid", "buy"), bid.replace("0.5", "-0.5")] {
            assert!(matches!(events(&update("update", &wrong), &markets()).as_slice(), [Event::Refused(_)]), "{wrong}");
        }
    }

    #[test]
    fn trades_are_told_by_market_and_oldest_first() {
        let trade = |id: u8, product: &str| {
            format!(r#"{{"trade_id":"{id}","product_id":"{product}","price":"1","size":"2","side":"BUY","time":""}}"#)
        };
        let trades = [trade(3, "BTC-USDC"), trade(2, "X-EUR"), trade(1, "BTC-USDC")].join(",");
        let message = format!(r#"{{"channel":"market_trades","events":[{{"type":"update","trades":[{trades}]}}]}}"#);
        let heard = events(&message, &markets());
        let ids: Vec<Vec<_>> = heard
            .iter()
            .map(|event| match event {
                Event::Trades(trades) => trades.iter().filter_map(|trade| trade.id.as_deref()).collect(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ids, [vec!["1", "3"], vec!["2"]]);
    }

    #[test]
    fn what_is_refused_is_told_and_what_confirms_is_not() {
        let refused = events(r#"{"type":"error","message":"authentication failure"}"#, &markets());
        assert!(matches!(refused.as_slice(), [Event::Refused(error)] if error.class() == ErrorClass::ExchangeError));
        for message in
            [r#"{"channel":"subscriptions","events":[{"subscriptions":{}}]}"#, r#"{"channel":"heartbeats"}"#, "x"]
        {
            assert_eq!(events(message, &markets()), [], "{message}");
        }
    }
}

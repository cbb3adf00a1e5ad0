//! Messages of streams.

use std::time::Duration;

use serde::Deserialize;

use super::Dialect;
use crate::json::{self, Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{
    Balance, Balances, Fee, Liquidation, Markets, Order, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade,
};
use crate::{Context, Dialect as _, ErrorClass, Number, Venue, VenueError};

/// The most frequent message by far, read without a tree of values.
#[derive(Deserialize)]
struct Depth<'t> {
    #[serde(rename = "e")]
    kind: &'t str,
    #[serde(rename = "E")]
    time: i64,
    #[serde(rename = "s")]
    market: &'t str,
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "pu")]
    previous: Option<u64>,
    #[serde(rename = "b", borrow)]
    bids: Vec<(&'t str, &'t str)>,
    #[serde(rename = "a", borrow)]
    asks: Vec<(&'t str, &'t str)>,
}

impl Depth<'_> {
    fn event(&self, contract: bool, markets: &Markets) -> Option<Event> {
        let changes = |side: &[(&str, &str)]| {
            side.iter().map(|(price, amount)| Change::parse(price, amount)).collect::<Option<Vec<_>>>()
        };
        let (bids, asks) = changes(&self.bids).zip(changes(&self.asks))?;
        let market = markets.named(self.market, contract);
        let symbol = market.map_or_else(|| self.market.to_owned(), |market| market.symbol.clone());
        Some(Event::Book(Delta {
            symbol,
            snapshot: false,
            first: Some(self.first),
            last: Some(self.last),
            previous: self.previous,
            time: Some(self.time),
            bids,
            asks,
            checksum: None,
        }))
    }
}

pub(super) fn events(url: &str, message: &str, markets: &Markets) -> Vec<Event> {
    let contract = url.contains("fstream");
    if message.starts_with(r#"{"e":"depthUpdate""#)
        && let Ok(depth) = serde_json::from_str::<Depth<'_>>(message)
        && depth.kind == "depthUpdate"
    {
        let long = || VenueError::new(ErrorClass::BadResponse, "binance: a level of the book is no number");
        return vec![depth.event(contract, markets).unwrap_or_else(|| Event::Refused(long()))];
    }
    let Some(body) = json::parse(message) else { return Vec::new() };
    // combined streams and the account's stream of the spot market wrap what they say
    let said = body.get("data").or_else(|| body.get("event")).unwrap_or(&body);
    match said {
        Json::Array(all) => all.iter().flat_map(|one| event(one, contract, markets)).collect(),
        one => event(one, contract, markets),
    }
}

fn event(raw: &Json<'_>, contract: bool, markets: &Markets) -> Vec<Event> {
    let said = Said { raw, contract, context: Context { markets, asked: None } };
    match raw.get("e").text() {
        Some("24hrTicker" | "24hrMiniTicker") => vec![Event::Ticker(said.ticker())],
        Some("markPriceUpdate") => vec![Event::Ticker(said.mark_price())],
        Some("bookTicker") => vec![Event::BidAsk(said.bid_ask())],
        Some("trade" | "aggTrade") => vec![Event::Trades(vec![said.trade()])],
        Some("kline") => said.candle().into_iter().collect(),
        Some("executionReport") => said.report(),
        Some("ORDER_TRADE_UPDATE") => {
            raw.get("o").map(|order| Said { raw: order, ..said }.report()).unwrap_or_default()
        }
        Some("orderReport") => vec![Event::Orders(vec![said.stock_order()])],
        Some("outboundAccountPosition") => vec![Event::Balance(said.spot_balance())],
        Some("ACCOUNT_UPDATE") => said.account(),
        Some("BALANCE_POSITION_UPDATE") => said.options(),
        Some("forceOrder") => said.liquidation().into_iter().collect(),
        Some("listenKeyExpired" | "eventStreamTerminated") => vec![Event::Leave(Duration::ZERO)],
        Some("price") => raw.get("rates").each(|rate| Event::Ticker(Said { raw: rate, ..said }.stock_price())),
        Some(_) => Vec::new(),
        None if raw.get("A").is_some() && raw.get("b").is_some() => vec![Event::BidAsk(said.bid_ask())],
        None => refused(raw).into_iter().collect(),
    }
}

/// `{"error":{"code":2,"msg":"Invalid request"},"id":1}`
fn refused(raw: &Json<'_>) -> Option<Event> {
    let error = raw.get("error")?;
    let table = &Venue::Binance.description().exceptions.everywhere;
    let class = table.exact(error.get("code").text()).unwrap_or(ErrorClass::ExchangeError);
    Some(Event::Refused(VenueError::new(class, &format!("binance {error}"))))
}

/// Something that a message says, and of which part of the exchange.
#[derive(Clone, Copy)]
struct Said<'m> {
    raw: &'m Json<'m>,
    contract: bool,
    context: Context<'m>,
}

impl Said<'_> {
    fn number(&self, name: &str) -> Option<Number> {
        self.raw.number_of(&[name])
    }

    fn time(&self, name: &str) -> Time {
        Time::parse(self.raw.get(name).text())
    }

    fn symbol(&self) -> Option<String> {
        self.context.symbol(self.raw.get("s").text(), self.contract).1
    }

    fn currency(&self, name: &str) -> Option<String> {
        self.raw.text_of(&[name]).map(|id| Venue::Binance.description().currency(id))
    }

    fn ticker(&self) -> Ticker {
        let (market, symbol) = self.context.symbol(self.raw.get("s").text(), self.contract);
        let whole = self.raw.get("e").text() == Some("24hrTicker");
        let of_whole = |name: &str| self.number(name).filter(|_| whole);
        Ticker {
            symbol,
            time: if whole { Time::parse(self.raw.text_of(&["C", "E"])) } else { self.time("E") },
            high: self.number("h"),
            low: self.number("l"),
            bid: of_whole("b"),
            bid_volume: of_whole("B"),
            ask: of_whole("a"),
            ask_volume: of_whole("A"),
            vwap: of_whole("w"),
            open: self.number("o"),
            close: self.number("c"),
            previous_close: of_whole("x"),
            change: of_whole("p"),
            percentage: of_whole("P"),
            base_volume: self.number("v"),
            quote_volume: self.number("q"),
            info: Raw::of(self.raw),
            ..Ticker::default()
        }
        .completed(market)
    }

    fn mark_price(&self) -> Ticker {
        Ticker {
            symbol: self.symbol(),
            time: self.time("E"),
            mark_price: self.number("p"),
            index_price: self.number("i"),
            info: Raw::of(self.raw),
            ..Ticker::default()
        }
    }

    fn bid_ask(&self) -> Ticker {
        Ticker {
            symbol: self.symbol(),
            time: Time::parse(self.raw.text_of(&["T", "E"])),
            bid: self.number("b"),
            bid_volume: self.number("B"),
            ask: self.number("a"),
            ask_volume: self.number("A"),
            info: Raw::of(self.raw),
            ..Ticker::default()
        }
    }

    fn stock_price(&self) -> Ticker {
        let last = self.number("p");
        let name = |id: &str| id.strip_prefix("EQ_").unwrap_or(id).to_owned();
        Ticker {
            symbol: self.raw.text_of(&["ac", "s"]).map(|id| format!("{}/USDC", name(id))),
            time: self.time("t"),
            close: last,
            last,
            previous_close: self.number("pc"),
            info: Raw::of(self.raw),
            ..Ticker::default()
        }
    }

    fn trade(&self) -> Trade {
        let (market, symbol) = self.context.symbol(self.raw.get("s").text(), self.contract);
        let trade = Dialect.trade(self.raw, Context { asked: market, ..self.context });
        Trade { symbol, ..trade }
    }

    fn candle(&self) -> Option<Event> {
        let of = Said { raw: self.raw.get("k")?, ..*self };
        let candle = crate::unified::Candle(
            of.time("t").0,
            of.number("o"),
            of.number("h"),
            of.number("l"),
            of.number("c"),
            of.number("v"),
        );
        let timeframe = of.raw.string_of(&["i"])?;
        Some(Event::Candles { symbol: self.symbol()?, timeframe, candles: vec![candle] })
    }

    /// What became of an order; if it was filled, first what filled it.
    fn report(&self) -> Vec<Event> {
        let mut events = Vec::new();
        if self.raw.get("x").text() == Some("TRADE") {
            events.push(Event::MyTrades(vec![self.fill()]));
        }
        events.push(Event::Orders(vec![self.order()]));
        events
    }

    fn fee(&self) -> Option<Fee> {
        let cost = self.number("n").and_then(Number::nonzero)?;
        Some(Fee { cost: Some(cost), currency: self.currency("N"), rate: None })
    }

    fn fill(&self) -> Trade {
        let (market, symbol) = self.context.symbol(self.raw.get("s").text(), self.contract);
        Trade {
            info: Raw::of(self.raw),
            time: Time::parse(self.raw.text_of(&["T", "E"])),
            symbol,
            id: self.raw.string_of(&["t"]),
            order: self.raw.string_of(&["i"]),
            order_type: self.raw.text_of(&["o"]).map(str::to_lowercase),
            side: self.raw.text_of(&["S"]).and_then(Side::parse),
            taker_or_maker: self.raw.get("m").flag().map(|first| match first {
                true => TakerOrMaker::Maker,
                false => TakerOrMaker::Taker,
            }),
            price: self.number("L"),
            amount: self.number("l"),
            cost: self.number("Y"),
            fee: self.number("n").map(|cost| Fee { cost: Some(cost), currency: self.currency("N"), rate: None }),
            ..Trade::default()
        }
        .completed(market)
    }

    fn order(&self) -> Order {
        let text = |name: &str| self.raw.string_of(&[name]);
        let executed = self.raw.get("x").text() == Some("TRADE");
        let time = Time::parse(self.raw.text_of(&["O", "T"]));
        let last = self.time("T").0;
        let time_in_force = text("f").map(|word| if word == "GTX" { "PO".to_owned() } else { word });
        let post_only = time_in_force.as_deref() == Some("PO") || self.raw.get("o").text() == Some("LIMIT_MAKER");
        // an order that is taken back was named by the account under another field
        let original = self.raw.text_of(&["C"]).map(str::to_owned).filter(|name| !name.is_empty());
        Order {
            info: Raw::of(self.raw),
            id: text("i"),
            client_order_id: original.or_else(|| text("c")),
            time,
            last_trade: last.filter(|_| executed),
            last_update: last,
            symbol: self.symbol(),
            order_type: text("o").map(|word| match word.as_str() {
                "LIMIT_MAKER" => "limit".to_owned(),
                other => other.to_lowercase(),
            }),
            time_in_force,
            post_only: Some(post_only),
            reduce_only: self.raw.get("R").flag(),
            side: self.raw.text_of(&["S"]).and_then(Side::parse),
            price: self.number("p"),
            trigger_price: self.raw.number_of(&["P", "sp"]),
            amount: self.number("q"),
            cost: self.number("Z"),
            average: self.number("ap"),
            filled: self.number("z"),
            status: self.raw.get("X").text().and_then(super::order::status),
            fee: self.fee(),
            ..Order::default()
        }
        .completed(self.context.asked)
    }

    /// An order for a company's share.
    fn stock_order(&self) -> Order {
        let text = |name: &str| self.raw.string_of(&[name]);
        let base = self.raw.text_of(&["b"]).map(|id| id.strip_prefix("EQ_").unwrap_or(id));
        let symbol = base.zip(self.raw.text_of(&["q"])).map(|(base, quote)| format!("{base}/{quote}"));
        Order {
            info: Raw::of(self.raw),
            id: text("i"),
            client_order_id: text("c"),
            time: self.time("T"),
            last_update: self.time("U").0,
            symbol,
            order_type: text("o"),
            side: self.raw.text_of(&["S"]).and_then(Side::parse),
            price: self.number("p"),
            amount: self.number("Q"),
            cost: self.number("Z"),
            filled: self.number("fq"),
            status: self.raw.get("s").text().and_then(|word| super::order::status(&word.to_uppercase())),
            ..Order::default()
        }
        .completed(None)
    }

    fn spot_balance(&self) -> Balances {
        let one = |of: &Json<'_>| {
            let balance = Balance { free: of.number_of(&["f"]), used: of.number_of(&["l"]), ..Balance::default() };
            Some((Venue::Binance.description().currency(of.text_of(&["a"])?), balance.completed()))
        };
        let of = self.raw.get("B").list().unwrap_or_default().iter().filter_map(one).collect();
        Balances { info: Raw::of(self.raw), time: self.time("E"), of }
    }

    /// "Event: Balance and Position Update" of the contract markets.
    fn account(&self) -> Vec<Event> {
        let Some(account) = self.raw.get("a") else { return Vec::new() };
        let mut events = Vec::new();
        let balance = |of: &Json<'_>| {
            let balance = Balance { free: of.number_of(&["cw"]), total: of.number_of(&["wb"]), ..Balance::default() };
            Some((Venue::Binance.description().currency(of.text_of(&["a"])?), balance.completed()))
        };
        let of: Vec<_> = account.get("B").list().unwrap_or_default().iter().filter_map(balance).collect();
        if !of.is_empty() {
            events.push(Event::Balance(Balances { info: Raw::of(self.raw), time: self.time("E"), of }));
        }
        let positions =
            account.get("P").each(|one| Said { raw: one, contract: true, ..*self }.position(self.time("E")));
        if !positions.is_empty() {
            events.push(Event::Positions(positions));
        }
        events
    }

    fn position(&self, time: Time) -> Position {
        let contracts = self.number("pa");
        let side = match self.raw.get("ps").text() {
            Some("LONG") => Some("long"),
            Some("SHORT") => Some("short"),
            _ => contracts.map(|contracts| if contracts < Number::default() { "short" } else { "long" }),
        };
        Position {
            info: Raw::of(self.raw),
            symbol: self.symbol(),
            contracts: contracts.map(Number::abs),
            unrealized_pnl: self.number("up"),
            entry_price: self.number("ep"),
            margin_mode: self.raw.string_of(&["mt"]),
            side,
            hedged: Some(self.raw.get("ps").text() != Some("BOTH")),
            time,
            ..Position::default()
        }
    }

    /// "Balance and Position Update" of options, which no other method trades.
    fn options(&self) -> Vec<Event> {
        let balance = |of: &Json<'_>| {
            let balance = Balance { total: of.number_of(&["b"]), ..Balance::default() };
            Some((Venue::Binance.description().currency(of.text_of(&["a"])?), balance))
        };
        let of = self.raw.get("B").list().unwrap_or_default().iter().filter_map(balance).collect();
        let positions = self.raw.get("P").each(|one| Said { raw: one, ..*self }.option(self.time("E")));
        vec![
            Event::Balance(Balances { info: Raw::of(self.raw), time: self.time("E"), of }),
            Event::Positions(positions),
        ]
    }

    fn option(&self, time: Time) -> Position {
        let contracts = self.number("c");
        // `BTC-251123-126000-C` is an option on BTC that is paid in USDT
        let id = self.raw.text_of(&["s"]).unwrap_or_default();
        let symbol = id.split_once('-').map(|(base, rest)| format!("{base}/USDT:USDT-{rest}"));
        Position {
            info: Raw::of(self.raw),
            symbol,
            notional: self.number("p"),
            contracts: contracts.map(Number::abs),
            entry_price: self.number("a"),
            side: contracts.map(|contracts| if contracts < Number::default() { "short" } else { "long" }),
            hedged: Some(false),
            time,
            ..Position::default()
        }
    }

    fn liquidation(&self) -> Option<Event> {
        let order = self.raw.get("o")?;
        let of = Said { raw: order, contract: true, ..*self };
        let market = self.context.markets.named(order.text_of(&["s"])?, true);
        Some(Event::Liquidations(vec![Liquidation {
            info: Raw::of(order),
            symbol: of.symbol(),
            contracts: of.number("l"),
            contract_size: market.and_then(|market| market.contract_size).filter(|size| *size != Number::from(1)),
            price: of.number("ap"),
            side: order.text_of(&["S"]).and_then(Side::parse),
            time: of.time("T"),
            ..Liquidation::default()
        }]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_no_number_is_told() {
        let message = r#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["x","1"]],"a":[]}"#;
        let events = events("wss://stream.binance.com:9443/ws/0", message, &Markets::default());
        assert!(matches!(events.as_slice(), [Event::Refused(_)]), "{events:?}");
    }
}

//! Messages of streams, of the spot market and of contracts.

use serde::Deserialize;

use super::parse::{candle_of, contract_ticker, currency, doubles, named, place, spot_ticker};
use super::position::position;
use super::{Dialect, heard_unified, refusal};
use crate::json::{self, Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{
    Balance, Balances, Fee, Market, Markets, Order, OrderStatus, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade,
};
use crate::{Context, Dialect as _, ErrorClass, Number, Reply, Venue, VenueError};

/// Digits of a time in milliseconds; longer ones are in nanoseconds.
const MILLISECOND_DIGITS: usize = 13;

/// A message that is read without a tree of values: what changed in a book is most of what is sent.
#[derive(Deserialize)]
struct Changed<'t, T> {
    #[serde(borrow)]
    topic: &'t str,
    data: T,
}

/// "Level2" of the spot market.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changes<'t> {
    sequence_start: u64,
    sequence_end: u64,
    #[serde(borrow)]
    changes: Sides<'t>,
    time: Option<i64>,
}

#[derive(Deserialize)]
struct Sides<'t> {
    #[serde(borrow, default)]
    asks: Vec<(&'t str, &'t str, &'t str)>,
    #[serde(borrow, default)]
    bids: Vec<(&'t str, &'t str, &'t str)>,
}

/// "Level2" of contracts: one level at a time, `5000.0,sell,83`.
#[derive(Deserialize)]
struct OneChange<'t> {
    sequence: u64,
    #[serde(borrow)]
    change: &'t str,
    timestamp: Option<i64>,
}

fn of_spot(message: &str, markets: &Markets) -> Option<Delta> {
    let Changed { topic, data } = serde_json::from_str::<Changed<'_, Changes<'_>>>(message).ok()?;
    let side = |levels: &[(&str, &str, &str)]| {
        // a price of zero stands for a number that was used up
        let all = levels.iter().map(|(price, amount, _)| Change::parse(price, amount));
        let all = all.collect::<Option<Vec<_>>>()?;
        Some(all.into_iter().filter(|change| change.price.mantissa != 0).collect())
    };
    Some(Delta {
        symbol: symbol_of(topic, markets)?,
        first: Some(data.sequence_start),
        last: Some(data.sequence_end),
        time: data.time,
        bids: side(&data.changes.bids)?,
        asks: side(&data.changes.asks)?,
        ..Delta::default()
    })
}

fn of_contracts(message: &str, markets: &Markets) -> Option<Delta> {
    let Changed { topic, data } = serde_json::from_str::<Changed<'_, OneChange<'_>>>(message).ok()?;
    let mut parts = data.change.split(',');
    let (price, side, amount) = (parts.next()?, parts.next()?, parts.next()?);
    let change = vec![Change::parse(price, amount)?];
    let (bids, asks) = if side == "buy" { (change, Vec::new()) } else { (Vec::new(), change) };
    let (first, last) = (Some(data.sequence), Some(data.sequence));
    let symbol = symbol_of(topic, markets)?;
    Some(Delta { symbol, first, last, time: data.timestamp, bids, asks, ..Delta::default() })
}

/// The market behind a topic's colon.
fn symbol_of(topic: &str, markets: &Markets) -> Option<String> {
    named(topic.split_once(':')?.1, markets).1
}

pub(super) fn events(message: &str, markets: &Markets) -> Vec<Event> {
    let of_book = if message.contains("\"trade.l2update\"") {
        Some(of_spot(message, markets))
    } else {
        message.contains("\"/contractMarket/level2:").then(|| of_contracts(message, markets))
    };
    if let Some(delta) = of_book {
        let long = || VenueError::new(ErrorClass::BadResponse, "kucoin: a level of the book is no number");
        return vec![delta.map_or_else(|| Event::Refused(long()), Event::Book)];
    }
    let Some(body) = json::parse(message) else { return Vec::new() };
    let said = Said { body: &body, context: Context { markets, asked: None } };
    match body.get("type").text() {
        Some("message") => said.events(),
        Some("error") => vec![refused(message, &body)],
        Some(_) => Vec::new(),
        None if body.get("T").is_some() => heard_unified::events(&body, markets),
        None if body.get("result").flag() == Some(false) => vec![refused(message, &body)],
        None => Vec::new(),
    }
}

/// `{"id":"1","type":"error","code":415,"data":"type is not supported"}`
fn refused(message: &str, body: &Json<'_>) -> Event {
    let reply = Reply { status: 200, url: "", body: message };
    let class = refusal(&Venue::Kucoin.description().exceptions, &reply, Some(body));
    Event::Refused(VenueError::new(class.unwrap_or(ErrorClass::ExchangeError), &format!("kucoin {message}")))
}

/// A message, and what is known beside it.
#[derive(Clone, Copy)]
struct Said<'m> {
    body: &'m Json<'m>,
    context: Context<'m>,
}

impl<'m> Said<'m> {
    fn topic(&self) -> &'m str {
        self.body.get("topic").text().unwrap_or_default()
    }

    fn data(&self) -> Option<&'m Json<'m>> {
        self.body.get("data")
    }

    /// What stands behind the topic's colon, without a candle's length.
    fn id(&self) -> Option<&'m str> {
        self.topic().split_once(':').map(|(_, id)| id.split('_').next().unwrap_or(id))
    }

    fn of_contracts(&self) -> bool {
        self.topic().contains("contractMarket")
    }

    fn events(&self) -> Vec<Event> {
        let Some(data) = self.data() else { return Vec::new() };
        if self.topic() == "/market/ticker:all" {
            return vec![Event::Ticker(self.ticker(data, self.body.get("subject").text()))];
        }
        match self.body.get("subject").text() {
            Some("trade.ticker" | "trade.snapshot") => vec![Event::Ticker(self.ticker(data, self.id()))],
            Some("ticker") => vec![Event::Ticker(contract_ticker(data, self.context))],
            Some("level1") => vec![Event::BidAsk(self.best(data))],
            Some("tickerV2") => vec![Event::BidAsk(self.best_of_contract(data))],
            Some("level2") => self.whole_book(data).into_iter().collect(),
            Some("trade.l3match" | "match") => vec![Event::Trades(vec![Dialect.trade(data, self.context)])],
            Some("trade.candles.update" | "candle.stick") => self.candle(data).into_iter().collect(),
            Some("account.balance" | "availableBalance.change" | "walletBalance.change") => {
                self.balance(data).into_iter().collect()
            }
            Some("orderChange" | "stopOrder" | "orderUpdated" | "symbolOrderChange") => self.report(data),
            Some("/spot/tradeFills") => vec![Event::MyTrades(vec![self.fill(data)])],
            Some("position.change") => vec![Event::Positions(vec![self.position(data)])],
            _ => Vec::new(),
        }
    }

    /// A ticker of the spot market, which may name its market in the topic only.
    fn ticker(&self, data: &Json<'_>, id: Option<&str>) -> Ticker {
        let raw = data.get("data").unwrap_or(data);
        let (asked, symbol) = id.map_or((None, None), |id| named(id, self.context.markets));
        let ticker = spot_ticker(raw, Context { asked, ..self.context });
        Ticker { symbol: ticker.symbol.clone().or(symbol), ..ticker }
    }

    /// "Level1 Market Data" of the spot market.
    fn best(&self, data: &Json<'_>) -> Ticker {
        let (market, symbol) = self.context.symbol(self.id(), false);
        let level = |side: &str, place: usize| data.get(side).number_at(place);
        Ticker {
            symbol,
            time: Time::parse(data.text_of(&["timestamp"])),
            bid: level("bids", 0),
            bid_volume: level("bids", 1),
            ask: level("asks", 0),
            ask_volume: level("asks", 1),
            info: Raw::of(self.body),
            ..Ticker::default()
        }
        .completed(market)
    }

    fn best_of_contract(&self, data: &Json<'_>) -> Ticker {
        let (market, symbol) = self.context.symbol(data.text_of(&["symbol"]), true);
        let number = |name: &str| data.number_of(&[name]);
        Ticker {
            symbol,
            time: doubles(data.text_of(&["ts"])),
            bid: number("bestBidPrice"),
            bid_volume: number("bestBidSize"),
            ask: number("bestAskPrice"),
            ask_volume: number("bestAskSize"),
            info: Raw::of(self.body),
            ..Ticker::default()
        }
        .completed(market)
    }

    /// "Level2 - 5 best ask/bid orders" and its like, which tell all levels each time.
    fn whole_book(&self, data: &Json<'_>) -> Option<Event> {
        let side = |name: &str| {
            let one = |level: &Json<'_>| Change::parse(level.at(0).text()?, level.at(1).text()?);
            data.get(name).each(one).into_iter().collect::<Option<Vec<_>>>()
        };
        let time = Time::parse(data.text_of(&["timestamp"])).0;
        let sequence = data.text_of(&["sequence"]).and_then(|digits| digits.parse().ok());
        Some(Event::Book(Delta {
            symbol: named(self.id()?, self.context.markets).1?,
            snapshot: true,
            last: sequence.or_else(|| time.and_then(|time| u64::try_from(time).ok())),
            time,
            bids: side("bids")?,
            asks: side("asks")?,
            ..Delta::default()
        }))
    }

    fn candle(&self, data: &Json<'_>) -> Option<Event> {
        let (_, symbol) = self.context.symbol(data.text_of(&["symbol"]), true);
        let timeframe = timeframe(self.topic().split('_').nth(1)?);
        // contracts tell the volume in lots before that in the base currency
        let volume = if self.of_contracts() { 6 } else { 5 };
        let candle = candle_of(data.get("candles")?, volume);
        Some(Event::Candles { symbol: symbol?, timeframe, candles: vec![candle] })
    }

    /// "Account Balance".
    fn balance(&self, data: &Json<'_>) -> Option<Event> {
        let number = |names: &[&str]| data.number_of(names);
        let held = number(&["hold", "holdBalance"]);
        let used = match number(&["isolatedPosMargin"]).and_then(Number::nonzero) {
            Some(margin) => held.map_or(Some(margin), |held| held.plus(margin)),
            None => held,
        };
        let free = number(&["available", "availableBalance"]);
        let balance = Balance { free, used, total: number(&["total"]), ..Balance::default() };
        Some(Event::Balance(Balances {
            info: Raw::of(data),
            time: Time::parse(data.text_of(&["time", "timestamp"])),
            of: vec![(currency(data.text_of(&["currency"]))?, balance.completed())],
        }))
    }

    /// What became of an order; if it was filled, first what filled it.
    fn report(&self, data: &Json<'_>) -> Vec<Event> {
        let fill = data.text_of(&["tradeId"]).map(|_| Event::MyTrades(vec![self.fill(data)]));
        fill.into_iter().chain([Event::Orders(vec![self.order(data)])]).collect()
    }

    fn fill(&self, data: &Json<'_>) -> Trade {
        let number = |name: &str| data.number_of(&[name]);
        let (market, symbol) = place(data, self.context);
        let matched = number("matchPrice").is_some();
        let (price, amount) = if matched { ("matchPrice", "matchSize") } else { ("price", "size") };
        Trade {
            info: Raw::of(data),
            time: doubles(data.text_of(&["ts", "time"])),
            symbol,
            id: data.string_of(&["tradeId"]),
            order: data.string_of(&["orderId"]),
            order_type: data.string_of(&["orderType"]),
            side: data.text_of(&["side"]).and_then(Side::parse),
            taker_or_maker: data.text_of(&["liquidity"]).map(|word| match word {
                "maker" => TakerOrMaker::Maker,
                _ => TakerOrMaker::Taker,
            }),
            price: number(price),
            amount: number(amount),
            fee: number("fee").map(|cost| Fee {
                cost: Some(cost),
                currency: market.map(|market| market.quote.clone()),
                rate: number("feeRate"),
            }),
            ..Trade::default()
        }
        .completed(market)
    }

    fn order(&self, data: &Json<'_>) -> Order {
        let number = |names: &[&str]| data.number_of(names);
        let (market, symbol) = self.context.symbol(data.text_of(&["symbol"]), true);
        let made = data.text_of(&["orderTime", "createdAt"]);
        let time = if market.is_some_and(Market::contract) {
            doubles(data.text_of(&["orderTime"]))
        } else {
            // the spot market told orders' times in nanoseconds once
            Time::parse(made.and_then(|made| made.get(..made.len().min(MILLISECOND_DIGITS))))
        };
        let filled = number(&["filledSize"]);
        let matched = number(&["matchSize"]).filter(|_| data.get("type").text() == Some("match"));
        // what an order cost follows from its first fill only; of later ones the earlier prices are not said
        let first = matched.filter(|matched| Some(*matched) == filled);
        let cost = first.and_then(|size| size.times(number(&["matchPrice"])?));
        let order = Order {
            info: Raw::of(data),
            id: data.string_of(&["orderId"]),
            client_order_id: data.string_of(&["clientOid"]),
            time,
            symbol,
            order_type: data.text_of(&["orderType"]).map(str::to_lowercase),
            side: data.text_of(&["side"]).and_then(Side::parse),
            price: number(&["price", "orderPrice"]),
            trigger_price: number(&["stopPrice"]),
            amount: number(&["size"]),
            filled,
            status: status(data),
            ..Order::default()
        }
        .completed(market);
        match cost {
            Some(_) => Order { cost, average: cost.and_then(|cost| cost.over(filled?)), ..order },
            None => order,
        }
    }

    fn position(&self, data: &Json<'_>) -> Position {
        let (asked, _) = self.context.symbol(self.id(), true);
        position(data, Context { asked, ..self.context })
    }
}

fn status(data: &Json<'_>) -> Option<OrderStatus> {
    match data.get("type").text()? {
        "open" | "match" | "update" | "received" => Some(OrderStatus::Open),
        "filled" => Some(OrderStatus::Closed),
        "canceled" | "cancel" => Some(OrderStatus::Canceled),
        // it was set off, and there is an order of it now, unless that failed
        "triggered" | "TRIGGERED" if data.get("triggerSuccess").flag() == Some(false) => Some(OrderStatus::Canceled),
        _ => None,
    }
}

/// CCXT's name of a length of candles.
pub(super) fn timeframe(word: &str) -> String {
    let units = [("month", "M"), ("min", "m"), ("hour", "h"), ("day", "d"), ("week", "w")];
    let named = units.iter().find_map(|(long, unit)| Some(format!("{}{unit}", word.strip_suffix(long)?)));
    named.unwrap_or_else(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_a_book_are_heard() {
        let markets = Markets::default();
        let spot = r#"{"type":"message","topic":"/market/level2:BTC-USDT","subject":"trade.l2update","data":
            {"sequenceStart":5,"sequenceEnd":7,"symbol":"BTC-USDT","time":9,
             "changes":{"asks":[["6.5","1","5"],["0","0","6"]],"bids":[["4","0","7"]]}}}"#;
        let [Event::Book(delta)] = &events(spot, &markets)[..] else { panic!() };
        let level = |price, amount| Change::parse(price, amount).unwrap();
        assert_eq!(
            (delta.symbol.as_str(), delta.first, delta.last, delta.time),
            ("BTC/USDT", Some(5), Some(7), Some(9))
        );
        assert_eq!((&delta.asks[..], &delta.bids[..]), (&[level("6.5", "1")][..], &[level("4", "0")][..]));
        let contract = r#"{"topic":"/contractMarket/level2:XBTUSDTM","type":"message","subject":"level2","sn":18,
            "data":{"sequence":18,"change":"5000.0,sell,83","timestamp":1551770400000}}"#;
        let [Event::Book(delta)] = &events(contract, &markets)[..] else { panic!() };
        assert_eq!((delta.first, delta.last, &delta.asks[..]), (Some(18), Some(18), &[level("5000.0", "83")][..]));
        let wrong = spot.replace("6.5", "x");
        assert!(matches!(events(&wrong, &markets)[..], [Event::Refused(_)]));
    }

    #[test]
    fn only_the_first_fill_says_what_an_order_cost() {
        let report = |matched: &str| {
            format!(
                r#"{{"type":"message","topic":"/spotMarket/tradeOrders","subject":"orderChange","data":{{"type":"match",
                "symbol":"A-B","filledSize":"3","matchSize":"{matched}","matchPrice":"2","size":"4","tradeId":"1"}}}}"#
            )
        };
        let cost = |matched: &str| match &events(&report(matched), &Markets::default())[..] {
            [Event::MyTrades(_), Event::Orders(orders)] => orders[0].cost,
            other => panic!("{other:?}"),
        };
        assert_eq!((cost("3"), cost("1")), (Number::parse("6"), None));
    }
}

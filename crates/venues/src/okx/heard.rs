//! Messages of streams.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::parse::{data, named, negated};
use super::{Dialect, account, order, position};
use crate::dialect::Context;
use crate::json::{self, Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{
    Fee, Liquidation, Market, Markets, Order, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade,
};
use crate::{Dialect as _, ErrorClass, Number, Venue, VenueError};

/// How the most frequent messages by far begin.
const BOOK: &str = r#"{"arg":{"channel":"books"#;
/// "Notice": the exchange closes the connection to renew its service.
const LEAVE: &str = "64008";
/// A refusal that repeats what was sent, which may have been a login.
const REPEATED: &str = "Illegal request";

/// "Order book channel", read without a tree of values.
#[derive(Deserialize)]
struct Books<'t> {
    #[serde(borrow)]
    arg: Channel<'t>,
    /// Some channels send all of the book each time, and do not say so.
    action: Option<&'t str>,
    #[serde(borrow)]
    data: Vec<State<'t>>,
}

#[derive(Deserialize)]
struct Channel<'t> {
    #[serde(rename = "instId")]
    market: &'t str,
}

#[derive(Deserialize)]
struct State<'t> {
    #[serde(borrow)]
    asks: Vec<Level<'t>>,
    #[serde(borrow)]
    bids: Vec<Level<'t>>,
    ts: &'t str,
    /// -1 where there is none.
    #[serde(rename = "prevSeqId")]
    previous: Option<i64>,
    #[serde(rename = "seqId")]
    last: Option<i64>,
}

/// Price, amount, what was ended by force, number of orders.
#[derive(Deserialize)]
struct Level<'t>(&'t str, &'t str, IgnoredAny, IgnoredAny);

impl State<'_> {
    fn event(&self, symbol: &str, snapshot: bool) -> Option<Event> {
        let changes = |side: &[Level<'_>]| {
            side.iter().map(|Level(price, amount, ..)| Change::parse(price, amount)).collect::<Option<Vec<_>>>()
        };
        let (bids, asks) = changes(&self.bids).zip(changes(&self.asks))?;
        let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        Some(Event::Book(Delta {
            symbol: symbol.to_owned(),
            snapshot,
            first: None,
            last: number(self.last),
            previous: number(self.previous),
            time: self.ts.parse().ok(),
            bids,
            asks,
            checksum: None,
        }))
    }
}

fn books(message: &str, markets: &Markets) -> Option<Vec<Event>> {
    let books: Books<'_> = serde_json::from_str(message).ok()?;
    let market = markets.named(books.arg.market, false);
    let symbol = market.map_or(books.arg.market, |market| &market.symbol);
    let snapshot = books.action != Some("update");
    books.data.iter().map(|state| state.event(symbol, snapshot)).collect()
}

pub(super) fn events(message: &str, markets: &Markets) -> Vec<Event> {
    let book = || {
        let bad = || VenueError::new(ErrorClass::BadResponse, "okx: a message of the book is not as documented");
        books(message, markets).unwrap_or_else(|| vec![Event::Refused(bad())])
    };
    if message.starts_with(BOOK) {
        return book();
    }
    // what answers a ping is a bare word
    let Some(body) = json::parse(message) else { return Vec::new() };
    if let Some(word) = body.text_of(&["event", "op"]) {
        return answer(word, &body, markets);
    }
    let argument = body.get("arg");
    let none = Context { markets, asked: None };
    let id = argument.text_of(&["instId"]);
    let said = Said { body: &body, context: Context { asked: named(none, id).0, ..none }, id };
    match argument.text_of(&["channel"]).unwrap_or_default() {
        name if name.starts_with("books") => book(),
        "bbo-tbt" => said.each(|raw| Event::BidAsk(said.bid_ask(raw))),
        "tickers" => {
            let both = |raw| [Event::BidAsk(said.bid_ask(raw)), Event::Ticker(Dialect.ticker(raw, none))];
            data(&body).iter().flat_map(both).collect()
        }
        "mark-price" | "index-tickers" | "sprd-tickers" | "block-tickers" => {
            said.each(|raw| Event::Ticker(Dialect.ticker(raw, none)))
        }
        "trades" | "trades-all" => {
            vec![Event::Trades(data(&body).iter().map(|raw| Dialect.trade(raw, none)).collect())]
        }
        "account" => vec![Event::Balance(account::balances(&body))],
        "orders" | "orders-algo" => said.orders(),
        "positions" => vec![Event::Positions(data(&body).iter().flat_map(|raw| positions(raw, none)).collect())],
        "liquidation-orders" => said.each(|raw| Event::Liquidations(liquidations(raw, none))),
        name => name.strip_prefix("candle").and_then(|bar| said.candles(bar)).into_iter().collect(),
    }
}

/// What is said of a login, a subscription, or an order that was made over the stream.
fn answer(word: &str, body: &Json<'_>, markets: &Markets) -> Vec<Event> {
    let code = body.get("code").text();
    match word {
        "notice" if code == Some(LEAVE) => vec![Event::Leave(Duration::ZERO)],
        "channel-conn-count-error" => {
            let message = format!("okx allows no more connections to the channel {}", text(body, "channel"));
            vec![Event::Refused(VenueError::new(ErrorClass::RateLimitExceeded, &message))]
        }
        _ if code.is_some_and(|code| !matches!(code, "0" | "2")) => vec![Event::Refused(refused(body))],
        "login" => vec![Event::LoggedIn],
        "order" | "batch-orders" | "amend-order" | "batch-amend-orders" | "cancel-order" | "batch-cancel-orders" => {
            let none = Context { markets, asked: None };
            data(body).iter().map(|raw| Event::OrderReply(order::order(raw, none))).collect()
        }
        "mass-cancel" => body.get("data").map(|data| Event::Reply(Raw::of(data))).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn text<'v>(of: &'v Json<'_>, name: &str) -> &'v str {
    of.get(name).text().unwrap_or_default()
}

/// `{"event":"error","code":"60018","msg":"channel:ticker,instId:BTC-USDT doesn't exist"}`
fn refused(body: &Json<'_>) -> VenueError {
    let known = &Venue::Okx.description().exceptions;
    let class = super::refusal(known, Some(body)).unwrap_or(ErrorClass::ExchangeError);
    let class = if class == ErrorClass::ExchangeError {
        known.everywhere.broad(body.get("msg").text()).unwrap_or(class)
    } else {
        class
    };
    let said = text(body, "msg");
    let said = if said.starts_with(REPEATED) { REPEATED } else { said };
    let of_order = data(body).first();
    let details = [of_order.text_of(&["sCode"]), of_order.text_of(&["sMsg"])].map(Option::unwrap_or_default);
    VenueError::new(class, format!("okx {} {said} {}", text(body, "code"), details.join(" ")).trim_end())
}

/// What a message says, and of which market.
struct Said<'m> {
    body: &'m Json<'m>,
    context: Context<'m>,
    id: Option<&'m str>,
}

impl Said<'_> {
    fn each(&self, one: impl FnMut(&Json<'_>) -> Event) -> Vec<Event> {
        data(self.body).iter().map(one).collect()
    }

    fn bid_ask(&self, raw: &Json<'_>) -> Ticker {
        let (market, symbol) = named(self.context, raw.text_of(&["instId"]).or(self.id));
        let best = |side: &str, place: usize| raw.get(side).at(0).number_at(place);
        Ticker {
            symbol,
            time: Time::parse(raw.get("ts").text()),
            bid: raw.number_of(&["bidPx"]).or_else(|| best("bids", 0)),
            bid_volume: raw.number_of(&["bidSz"]).or_else(|| best("bids", 1)),
            ask: raw.number_of(&["askPx"]).or_else(|| best("asks", 0)),
            ask_volume: raw.number_of(&["askSz"]).or_else(|| best("asks", 1)),
            info: Raw::of(raw),
            ..Ticker::default()
        }
        .completed(market)
    }

    fn candles(&self, bar: &str) -> Option<Event> {
        let bar = bar.strip_suffix("utc").unwrap_or(bar);
        let timeframe = if bar.ends_with(['H', 'D', 'W']) { bar.to_lowercase() } else { bar.to_owned() };
        let candles = data(self.body).iter().map(|raw| Dialect.candle(raw, self.context)).collect();
        Some(Event::Candles { symbol: named(self.context, self.id).1?, timeframe, candles })
    }

    /// What became of orders; of those that were filled, first what filled them.
    fn orders(&self) -> Vec<Event> {
        let read = |raw| (raw, order::order(raw, Context { asked: None, ..self.context }));
        let all: Vec<(&Json<'_>, Order)> = data(self.body).iter().map(read).collect();
        let filled = all.iter().filter(|(raw, _)| raw.text_of(&["tradeId"]).is_some());
        let trades: Vec<Trade> = filled.map(|(raw, order)| self.fill(raw, order)).collect();
        let mut events = Vec::new();
        if !trades.is_empty() {
            events.push(Event::MyTrades(trades));
        }
        if !all.is_empty() {
            let orders = all.into_iter().map(|(_, order)| order).collect();
            events.push(Event::Orders(order::sorted(orders, None)));
        }
        events
    }

    fn fill(&self, raw: &Json<'_>, order: &Order) -> Trade {
        let market = named(self.context, raw.text_of(&["instId"])).0;
        let cost = raw.number_of(&["fillFee"]).and_then(negated);
        let currency = raw.text_of(&["fillFeeCcy"]).map(|id| Venue::Okx.description().currency(id));
        let taker = raw.get("execType").text() == Some("T");
        Trade {
            info: Raw::of(raw),
            time: Time::parse(raw.get("fillTime").text()),
            symbol: order.symbol.clone(),
            id: raw.string_of(&["tradeId"]),
            order: order.id.clone(),
            order_type: order.order_type.clone(),
            side: order.side,
            taker_or_maker: Some(if taker { TakerOrMaker::Taker } else { TakerOrMaker::Maker }),
            price: raw.number_of(&["fillPx"]),
            amount: raw.number_of(&["fillSz"]),
            fee: Some(Fee { cost, currency, rate: None }),
            ..Trade::default()
        }
        .completed(market)
    }
}

/// A position; one that is closed, where there is one for both sides, counts for each of them.
fn positions(raw: &Json<'_>, context: Context<'_>) -> Vec<Position> {
    let one = position::position(raw, context);
    let closed = one.contracts == Some(Number::default()) && one.hedged == Some(false);
    if !closed {
        return vec![one];
    }
    let of = |side| Position { side: Some(side), ..one.clone() };
    vec![of("short"), of("long")]
}

fn liquidations(raw: &Json<'_>, context: Context<'_>) -> Vec<Liquidation> {
    let (market, symbol) = named(context, raw.text_of(&["instId"]));
    let one = |of: &Json<'_>| Liquidation {
        info: Raw::of(raw),
        symbol: symbol.clone(),
        contracts: of.number_of(&["sz"]),
        contract_size: market.and_then(|market: &Market| market.contract_size),
        price: of.number_of(&["bkPx"]),
        side: of.get("side").text().and_then(Side::parse),
        time: Time::parse(of.get("ts").text()),
        ..Liquidation::default()
    };
    raw.get("details").each(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Outcome, Streams as _, Synced};

    fn hear(message: &str) -> Vec<Event> {
        events(message, &Markets::default())
    }

    fn refusal(message: &str) -> VenueError {
        match hear(message).into_iter().next() {
            Some(Event::Refused(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_book_is_kept_by_its_numbers() {
        let book = |action: &str, previous: i64, last: i64, bid: &str| {
            let state = format!(
                r#"{{"asks":[["8477","7","0","2"]],"bids":[["8476","{bid}","0","12"]],"ts":"1597026383085",
                    "checksum":0,"prevSeqId":{previous},"seqId":{last}}}"#
            );
            let message = format!(r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},{action}"data":[{state}]}}"#);
            match hear(&message).into_iter().next() {
                Some(Event::Book(delta)) => delta,
                other => panic!("{other:?}"),
            }
        };
        let json = r#"{"instType":"SPOT","instId":"BTC-USDT"}"#;
        let market = crate::okx::markets::market(&json::parse(json).unwrap()).unwrap();
        let mut synced = Synced::new(Dialect.rule(&market));
        let update = r#""action":"update","#;
        assert_eq!(synced.apply(&book(update, 5, 10, "1")), Outcome::Waits);
        assert_eq!(synced.apply(&book(r#""action":"snapshot","#, -1, 10, "256")), Outcome::Changed);
        assert_eq!(synced.apply(&book(update, 10, 15, "0")), Outcome::Changed);
        assert_eq!(synced.book().unwrap().depth(), (0, 1));
        assert_eq!(synced.apply(&book(update, 16, 17, "3")), Outcome::Gap);
        // five levels with each message
        assert!(book("", -1, 20, "1").snapshot);
    }

    #[test]
    fn a_book_that_cannot_be_read_is_told() {
        let error = refusal(r#"{"arg":{"channel":"books","instId":"BTC-USDT"},"data":[{"asks":[["x","1","0","1"]]}]}"#);
        assert_eq!(error.class(), ErrorClass::BadResponse);
    }

    #[test]
    fn refusals_repeat_no_login() {
        let message =
            r#"{"event":"error","code":"60012","msg":"Illegal request: {\"args\":[{\"passphrase\":\"p\"}]}"}"#;
        assert_eq!(refusal(message).to_string(), "okx 60012 Illegal request");
        let message = r#"{"id":"1","op":"order","code":"1","msg":"","data":[{"sCode":"51008","sMsg":"too little"}]}"#;
        assert_eq!(refusal(message).class(), ErrorClass::InsufficientFunds);
        let message = r#"{"event":"error","code":"60005","msg":"Invalid OK_ACCESS_KEY"}"#;
        assert_eq!(refusal(message).class(), ErrorClass::AuthenticationError);
    }

    #[test]
    fn words_of_the_connection_are_understood() {
        assert_eq!(hear("pong"), []);
        assert_eq!(hear(r#"{"event":"login","msg":"","code":"0","connId":"a"}"#), [Event::LoggedIn]);
        assert_eq!(hear(r#"{"event":"subscribe","arg":{"channel":"tickers","instId":"BTC-USDT"}}"#), []);
        let notice = r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed.","connId":"a"}"#;
        assert_eq!(hear(notice), [Event::Leave(Duration::ZERO)]);
    }

    #[test]
    fn an_order_that_was_filled_says_by_what() {
        let message = r#"{"arg":{"channel":"orders","instType":"SPOT"},"data":[{"instId":"BTC-USDT","ordId":"7",
            "ordType":"limit","side":"buy","sz":"2","accFillSz":"1.5","avgPx":"11","state":"partially_filled",
            "tradeId":"9","fillPx":"12","fillSz":"0.5","fillTime":"3",
            "fillFee":"-0.01","fillFeeCcy":"BTC","execType":"T"}]}"#;
        let heard = hear(message);
        let [Event::MyTrades(trades), Event::Orders(orders)] = heard.as_slice() else { panic!("{heard:?}") };
        let number = |digits| Number::parse(digits);
        assert_eq!((trades[0].cost, orders[0].cost), (number("6"), number("16.5")));
        let fee = trades[0].fee.clone().unwrap();
        assert_eq!((fee.cost, fee.currency.as_deref()), (number("0.01"), Some("BTC")));
    }
}

//! Messages of streams.

use serde::Deserialize;

use super::Dialect;
use super::parse::ticker;
use super::position::position;
use crate::json::{self, Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{
    Balance, Balances, Candle, Liquidation, Markets, Order, Raw, Side, TakerOrMaker, Ticker, Time, Trade,
};
use crate::{Context, Dialect as _, ErrorClass, Venue, VenueError};

/// Kinds of execution that are trades.
const TRADES: [&str; 4] = ["Trade", "AdlTrade", "BustTrade", "Settle"];

/// The most frequent message by far, read without a tree of values.
#[derive(Deserialize)]
struct Book<'t> {
    topic: &'t str,
    #[serde(rename = "type")]
    kind: &'t str,
    ts: i64,
    #[serde(borrow)]
    data: Levels<'t>,
}

#[derive(Deserialize)]
struct Levels<'t> {
    #[serde(rename = "s")]
    market: &'t str,
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "b", borrow)]
    bids: Vec<(&'t str, &'t str)>,
    #[serde(rename = "a", borrow)]
    asks: Vec<(&'t str, &'t str)>,
}

impl Book<'_> {
    fn events(&self, contract: bool, markets: &Markets) -> Vec<Event> {
        let changes = |side: &[(&str, &str)]| {
            side.iter().map(|(price, amount)| Change::parse(price, amount)).collect::<Option<Vec<_>>>()
        };
        let Some((bids, asks)) = changes(&self.data.bids).zip(changes(&self.data.asks)) else {
            let message = "bybit: a level of the book is no number";
            return vec![Event::Refused(VenueError::new(ErrorClass::BadResponse, message))];
        };
        let market = markets.named(self.data.market, contract);
        let symbol = market.map_or_else(|| self.data.market.to_owned(), |market| market.symbol.clone());
        let best = self.topic.starts_with("orderbook.1.").then(|| self.best(&symbol, &bids, &asks));
        let delta = Delta {
            symbol,
            // the first number after the service began anew: what was before is gone
            snapshot: self.kind == "snapshot" || self.data.last == 1,
            last: Some(self.data.last),
            time: Some(self.ts),
            bids,
            asks,
            ..Delta::default()
        };
        std::iter::once(Event::Book(delta)).chain(best.map(Event::BidAsk)).collect()
    }

    /// A book of one level is the best prices.
    fn best(&self, symbol: &str, bids: &[Change], asks: &[Change]) -> Ticker {
        let level = |side: &[Change]| side.first().map(|level| (level.price.number(), level.amount.number()));
        let (bid, ask) = (level(bids), level(asks));
        Ticker {
            symbol: Some(symbol.to_owned()),
            time: Time(Some(self.ts)),
            bid: bid.map(|(price, _)| price),
            bid_volume: bid.map(|(_, amount)| amount),
            ask: ask.map(|(price, _)| price),
            ask_volume: ask.map(|(_, amount)| amount),
            ..Ticker::default()
        }
    }
}

pub(super) fn events(url: &str, message: &str, markets: &Markets) -> Vec<Event> {
    let contract = url.contains("/linear") || url.contains("/inverse");
    if message.starts_with(r#"{"topic":"orderbook."#)
        && let Ok(book) = serde_json::from_str::<Book<'_>>(message)
    {
        return book.events(contract, markets);
    }
    let Some(body) = json::parse(message) else { return Vec::new() };
    if let Some(error) = refused(&body) {
        return vec![Event::Refused(error)];
    }
    let said = Said { body: &body, contract, context: Context { markets, asked: None } };
    let topic = body.text_of(&["topic", "op"]).unwrap_or_default();
    match topic.split('.').next().unwrap_or_default() {
        "auth" => vec![Event::LoggedIn],
        "tickers" | "tickers_lt" => said.ticker(topic).into_iter().collect(),
        "publicTrade" => vec![Event::Trades(said.data(|raw| said.trade(raw)))],
        "kline" => said.candles(topic).into_iter().collect(),
        "order" if body.text_of(&["op"]).is_some() => vec![said.reply()],
        "order" | "stopOrder" => vec![Event::Orders(said.orders())],
        "execution" => vec![Event::MyTrades(said.executions(topic == "execution.fast"))],
        "ticketInfo" => vec![Event::MyTrades(said.data(|raw| said.trade(raw)))],
        "wallet" | "outboundAccountInfo" => vec![Event::Balance(said.balance(topic))],
        "position" => vec![Event::Positions(said.data(|raw| position(raw, said.context)))],
        "liquidation" | "allLiquidation" => said.liquidations(),
        _ => Vec::new(),
    }
}

/// What the exchange says it did not do: `{"success":false,"ret_msg":"error:invalid op","request":{…}}`,
/// `{"retCode":170131,"retMsg":"Insufficient balance.","op":"order.create"}`.
fn refused(body: &Json<'_>) -> Option<VenueError> {
    let table = &Venue::Bybit.description().exceptions.everywhere;
    let code = body.text_of(&["code", "ret_code", "retCode"]).filter(|code| *code != "0");
    let class = match code {
        Some(code) => {
            let by_words = || table.broad(body.text_of(&["retMsg", "ret_msg"]));
            table.exact(Some(code)).or_else(by_words).unwrap_or(ErrorClass::ExchangeError)
        }
        None if body.get("success").flag() != Some(false) => return None,
        None => {
            let asked = body.get("request").text_of(&["op"]).or_else(|| body.text_of(&["op"]));
            if asked == Some("auth") { ErrorClass::AuthenticationError } else { ErrorClass::ExchangeError }
        }
    };
    Some(VenueError::new(class, &format!("bybit {body}")))
}

/// What a message says, and of which part of the exchange.
#[derive(Clone, Copy)]
struct Said<'m> {
    body: &'m Json<'m>,
    contract: bool,
    context: Context<'m>,
}

impl<'m> Said<'m> {
    fn data<T>(&self, one: impl FnMut(&'m Json<'m>) -> T) -> Vec<T> {
        self.body.get("data").each(one)
    }

    /// A ticker, or what changed of one; the spot market only sends whole ones.
    fn ticker(&self, topic: &str) -> Option<Event> {
        let raw = self.body.get("data")?;
        let delta = self.body.text_of(&["type"]) == Some("delta");
        let of_contract = raw.text_of(&["openInterestValue"]).is_some() || (delta && topic.starts_with("tickers."));
        let ticker = ticker(raw, self.context, self.contract || of_contract);
        Some(Event::Ticker(Ticker { time: Time::parse(self.body.text_of(&["ts"])), ..ticker }))
    }

    fn trade(&self, raw: &Json<'_>) -> Trade {
        let (market, symbol) = self.context.symbol(raw.text_of(&["s"]), self.contract);
        let side = raw.text_of(&["S"]).and_then(Side::parse);
        let maker = raw.get("m").flag();
        let bought = maker.map(|bought| if bought { Side::Buy } else { Side::Sell });
        Trade {
            info: Raw::of(raw),
            time: Time::parse(raw.text_of(&["t", "T"])),
            symbol,
            id: raw.string_of(&["i", "T", "v"]),
            order: raw.string_of(&["o"]),
            side: side.or(bought),
            taker_or_maker: side.and(maker).map(|maker| match maker {
                true => TakerOrMaker::Maker,
                false => TakerOrMaker::Taker,
            }),
            price: raw.number_of(&["p"]),
            amount: raw.number_of(&["q", "v"]),
            ..Trade::default()
        }
        .completed(market)
    }

    /// `kline.5.BTCUSDT`
    fn candles(&self, topic: &str) -> Option<Event> {
        let (interval, id) = topic.strip_prefix("kline.")?.split_once('.')?;
        let (market, symbol) = self.context.symbol(Some(id), self.contract);
        let in_coins = market.is_some_and(|market| market.linear == Some(false));
        let candle = |raw: &Json<'_>| {
            let number = |name: &str| raw.number_of(&[name]);
            let volume = number(if in_coins { "turnover" } else { "volume" });
            let time = Time::parse(raw.text_of(&["start"])).0;
            Candle(time, number("open"), number("high"), number("low"), number("close"), volume)
        };
        let timeframe = super::data::timeframe(interval)?.to_owned();
        Some(Event::Candles { symbol: symbol?, timeframe, candles: self.data(candle) })
    }

    /// What stands around an order: the market of its name in the part of the exchange it says.
    fn around(&self, raw: &Json<'_>) -> Context<'m> {
        let contract = raw.text_of(&["category"]).map(|part| part != "spot");
        let named = |contract| self.context.markets.named(raw.text_of(&["symbol"])?, contract);
        Context { asked: contract.and_then(named), ..self.context }
    }

    /// Orders whose market is said.
    fn orders(&self) -> Vec<Order> {
        let mut orders = self.data(|raw| Dialect.order(raw, self.around(raw)));
        orders.retain(|order| order.symbol.is_some());
        orders
    }

    fn reply(&self) -> Event {
        let nothing = Json::Object(Vec::new());
        Event::OrderReply(Dialect.order(self.body.get("data").unwrap_or(&nothing), self.context))
    }

    fn executions(&self, fast: bool) -> Vec<Trade> {
        let trade = |raw: &Json<'_>| {
            let traded = raw.text_of(&["execType"]).is_some_and(|kind| TRADES.contains(&kind));
            (fast || traded).then(|| Dialect.trade(raw, self.context))
        };
        self.data(trade).into_iter().flatten().collect()
    }

    fn balance(&self, topic: &str) -> Balances {
        let data = self.body.get("data");
        let (list, info) = if topic == "wallet" {
            (data.at(0).get("coin"), data.map(Raw::of))
        } else {
            (data.at(0).get("B"), data.at(0).get("B").map(Raw::of))
        };
        let one = |raw: &Json<'_>| {
            let held = || {
                let part = |name: &str| raw.number_of(&[name]).unwrap_or_default();
                part("totalPositionIM").plus(part("totalOrderIM"))
            };
            let balance = Balance {
                free: raw.number_of(&["availableToWithdraw", "f", "free"]),
                used: raw.number_of(&["l", "locked"]).or_else(held),
                total: raw.number_of(&["equity", "walletBalance"]),
                debt: None,
            };
            Some((Venue::Bybit.description().currency(raw.text_of(&["a", "coin"])?), balance.completed()))
        };
        Balances {
            info: info.unwrap_or_default(),
            time: Time::parse(self.body.text_of(&["ts"])),
            of: list.each(one).into_iter().flatten().collect(),
        }
    }

    fn liquidations(&self) -> Vec<Event> {
        let data = self.body.get("data");
        let all = data.list().unwrap_or_else(|| data.map(std::slice::from_ref).unwrap_or_default());
        all.iter().map(|raw| Event::Liquidations(vec![self.liquidation(raw)])).collect()
    }

    fn liquidation(&self, raw: &Json<'_>) -> Liquidation {
        Liquidation {
            info: Raw::of(raw),
            symbol: self.context.symbol(raw.text_of(&["symbol", "s"]), true).1,
            contracts: raw.number_of(&["size", "v"]),
            price: raw.number_of(&["price", "p"]),
            side: raw.text_of(&["side", "S"]).and_then(Side::parse),
            time: Time::parse(raw.text_of(&["updatedTime", "T"])),
            ..Liquidation::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOK: &str = r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":5,"data":{"s":"BTCUSDT",
        "b":[["1","2"]],"a":[],"u":LAST,"seq":7},"cts":4}"#;

    fn heard(message: &str) -> Vec<Event> {
        events("wss://stream.bybit.com/v5/public/linear", message, &Markets::default())
    }

    #[test]
    fn a_book_of_a_service_that_began_anew_is_whole() {
        for (last, whole) in [("1", true), ("2", false)] {
            let events = heard(&BOOK.replace("LAST", last));
            assert!(matches!(events.as_slice(), [Event::Book(delta)] if delta.snapshot == whole), "{events:?}");
        }
    }

    #[test]
    fn a_book_of_one_level_is_the_best_prices_too() {
        let events = heard(&BOOK.replace("LAST", "9").replace("orderbook.50", "orderbook.1"));
        let [Event::Book(_), Event::BidAsk(best)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((best.bid, best.bid_volume, best.ask), (Some(1.into()), Some(2.into()), None));
    }

    #[test]
    fn what_is_refused_is_told() {
        let class = |message: &str| match heard(message).as_slice() {
            [Event::Refused(error)] => Some(error.class()),
            _ => None,
        };
        let login = r#"{"success":false,"ret_msg":"error:USVC1111","conn_id":"e","request":{"op":"auth","args":[]}}"#;
        assert_eq!(class(login), Some(ErrorClass::AuthenticationError));
        assert_eq!(class(r#"{"success":false,"ret_msg":"error:invalid op"}"#), Some(ErrorClass::ExchangeError));
        let order = r#"{"reqId":"1","retCode":170131,"retMsg":"Insufficient balance.","op":"order.create","data":{}}"#;
        assert_eq!(class(order), Some(ErrorClass::InsufficientFunds));
        assert_eq!(class(&BOOK.replace("LAST", "9").replace("\"1\"", "\"x\"")), Some(ErrorClass::BadResponse));
        for silent in [r#"{"success":true,"ret_msg":"pong","op":"ping"}"#, r#"{"success":true,"op":"subscribe"}"#] {
            assert_eq!(heard(silent), []);
        }
        assert_eq!(heard(r#"{"success":true,"ret_msg":"","op":"auth","conn_id":"c"}"#), [Event::LoggedIn]);
    }
}

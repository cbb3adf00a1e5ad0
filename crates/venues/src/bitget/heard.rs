//! Messages of streams.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::parse::{currency, object};
use super::stream::TIMEFRAMES;
use super::{Dialect, order};
use crate::json::{self, Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{
    Balance, Balances, Candle, Fee, Market, Markets, Order, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade,
};
use crate::{Context, Dialect as _, ErrorClass, Number, VenueError};

/// A message of a book, the most frequent by far, read without a tree of values.
#[derive(Deserialize)]
struct Depth<'t> {
    action: &'t str,
    #[serde(borrow)]
    arg: Arg<'t>,
    #[serde(borrow)]
    data: Vec<Levels<'t>>,
}

#[derive(Deserialize)]
struct Arg<'t> {
    #[serde(rename = "instType")]
    part: &'t str,
    channel: &'t str,
    #[serde(rename = "instId")]
    market: &'t str,
}

/// Some numbers come as numbers here and as texts there.
#[derive(Deserialize)]
struct Levels<'t> {
    #[serde(borrow)]
    asks: Vec<(&'t str, &'t str)>,
    #[serde(borrow)]
    bids: Vec<(&'t str, &'t str)>,
    #[serde(borrow)]
    checksum: Option<&'t RawValue>,
    #[serde(borrow)]
    seq: Option<&'t RawValue>,
    #[serde(borrow)]
    ts: Option<&'t RawValue>,
}

fn whole<T: std::str::FromStr>(raw: Option<&RawValue>) -> Option<T> {
    raw?.get().trim_matches('"').parse().ok()
}

impl Depth<'_> {
    fn event(&self, markets: &Markets) -> Option<Event> {
        let levels = self.data.first()?;
        let changes = |side: &[(&str, &str)]| {
            side.iter().map(|(price, amount)| Change::parse(price, amount)).collect::<Option<Vec<_>>>()
        };
        let (bids, asks) = changes(&levels.bids).zip(changes(&levels.asks))?;
        let market = markets.named(self.arg.market, !self.arg.part.eq_ignore_ascii_case("spot"));
        let symbol = market.map_or_else(|| self.arg.market.to_owned(), |market| market.symbol.clone());
        // a book that is sent whole has zero here, or a checksum over fewer levels
        let snapshot = self.action == "snapshot" || self.arg.channel != "books";
        let checksum = whole(levels.checksum).filter(|sum: &i32| !snapshot && *sum != 0).map(i32::cast_unsigned);
        let (last, time) = (whole(levels.seq), whole(levels.ts));
        Some(Event::Book(Delta { symbol, snapshot, last, time, bids, asks, checksum, ..Delta::default() }))
    }
}

pub(super) fn events(message: &str, markets: &Markets) -> Vec<Event> {
    if message.contains("\"books")
        && let Ok(depth) = serde_json::from_str::<Depth<'_>>(message)
    {
        return vec![depth.event(markets).unwrap_or_else(no_book)];
    }
    let Some(body) = json::parse(message) else { return Vec::new() };
    match body.get("event").text() {
        Some("login") if matches!(body.get("code").text(), None | Some("0")) => return vec![Event::LoggedIn],
        Some("login" | "error") => return vec![refused(&body)],
        Some(_) => return Vec::new(),
        None => {}
    }
    let arg = body.get("arg");
    let part = arg.text_of(&["instType"]).unwrap_or_default().to_lowercase();
    let said = Said { body: &body, unified: part == "uta", spot: matches!(part.as_str(), "spot" | "margin"), markets };
    match arg.text_of(&["channel", "topic"]).unwrap_or_default() {
        "ticker" => said.ticker(),
        "trade" | "publicTrade" => vec![said.trades()],
        "kline" => said.candles(arg.text_of(&["interval"])).into_iter().collect(),
        "fill" => vec![Event::MyTrades(said.data().iter().map(|raw| said.fill(raw)).collect())],
        "account" | "account-crossed" | "account-isolated" => vec![Event::Balance(said.balance())],
        "position" | "positions" => {
            vec![Event::Positions(said.data().iter().map(|raw| said.position(raw)).collect())]
        }
        "order" | "orders" | "orders-algo" | "ordersAlgo" | "orders-crossed" | "orders-isolated" => {
            vec![Event::Orders(said.data().iter().map(|raw| said.order(raw)).collect())]
        }
        channel if channel.starts_with("books") => vec![no_book()],
        channel => said.candles(channel.strip_prefix("candle")).into_iter().collect(),
    }
}

fn no_book() -> Event {
    Event::Refused(VenueError::new(ErrorClass::BadResponse, "bitget: a level of the book is no number"))
}

/// "Websocket Error Code": `{"event":"error","code":30015,"msg":"Invalid sign"}`
fn refused(body: &Json<'_>) -> Event {
    let class = match body.get("code").text().unwrap_or_default() {
        "30001" | "30003" | "30014" | "30016" => ErrorClass::BadRequest,
        "30002" | "30004" | "30005" | "30011" | "30012" | "30013" | "30015" => ErrorClass::AuthenticationError,
        "30006" | "30007" => ErrorClass::RateLimitExceeded,
        _ => ErrorClass::ExchangeError,
    };
    Event::Refused(VenueError::new(class, &format!("bitget {body}")))
}

/// A message, and of which part of the exchange it is.
struct Said<'m> {
    body: &'m Json<'m>,
    /// Whether it is of a unified account, whose messages name the part in each element.
    unified: bool,
    spot: bool,
    markets: &'m Markets,
}

impl<'m> Said<'m> {
    fn data(&self) -> &'m [Json<'m>] {
        self.body.get("data").list().unwrap_or_default()
    }

    /// The market of the whole message.
    fn market(&self) -> (Option<&'m Market>, Option<String>) {
        let id = self.body.get("arg").text_of(&["instId", "symbol"]);
        Context { markets: self.markets, asked: None }.symbol(id, !self.spot)
    }

    /// The market of an element.
    fn market_of(&self, raw: &Json<'_>, spot: bool) -> (Option<&'m Market>, Option<String>) {
        let id = raw.text_of(&["instId", "symbol"]);
        let id = id.or_else(|| self.body.get("arg").text_of(&["instId"]));
        Context { markets: self.markets, asked: None }.symbol(id, !spot)
    }

    fn spot_of(&self, raw: &Json<'_>) -> bool {
        let category = raw.text_of(&["category"]).map(str::to_lowercase);
        if self.unified { matches!(category.as_deref(), Some("spot" | "margin")) } else { self.spot }
    }

    /// A message tells a market's day and its best prices at once.
    fn ticker(&self) -> Vec<Event> {
        let raw = object(self.data().first());
        let (market, symbol) = self.market();
        let time = Time::parse(raw.text_of(&["ts"]).or_else(|| self.body.get("ts").text()));
        let ticker = Dialect.ticker(raw, Context { markets: self.markets, asked: market });
        let ticker = Ticker { symbol, time, mark_price: None, index_price: None, ..ticker };
        let best = Ticker {
            symbol: ticker.symbol.clone(),
            time,
            bid: ticker.bid,
            bid_volume: ticker.bid_volume,
            ask: ticker.ask,
            ask_volume: ticker.ask_volume,
            info: ticker.info.clone(),
            ..Ticker::default()
        };
        vec![Event::BidAsk(best), Event::Ticker(ticker)]
    }

    /// The exchange tells the newest first.
    fn trades(&self) -> Event {
        let (market, symbol) = self.market();
        Event::Trades(self.data().iter().rev().map(|raw| trade(raw, market, symbol.clone())).collect())
    }

    fn fill(&self, raw: &Json<'_>) -> Trade {
        let (market, symbol) = self.market_of(raw, self.spot_of(raw));
        trade(raw, market, symbol)
    }

    fn candles(&self, word: Option<&str>) -> Option<Event> {
        let (timeframe, _) = TIMEFRAMES.iter().find(|(_, known)| Some(*known) == word)?;
        let (market, symbol) = self.market();
        let inverse = market.is_some_and(|market| market.linear == Some(false));
        let one = |raw: &Json<'_>| {
            if raw.list().is_some() {
                return Dialect.candle(raw, Context { markets: self.markets, asked: market });
            }
            let number = |name: &str| raw.number_of(&[name]);
            let volume = number("volume").filter(|_| !inverse).or_else(|| number("turnover")).or(number("volume"));
            let start = Time::parse(raw.get("start").text()).0;
            Candle(start, number("open"), number("high"), number("low"), number("close"), volume)
        };
        let candles = self.data().iter().map(one).collect();
        Some(Event::Candles { symbol: symbol?, timeframe: (*timeframe).to_owned(), candles })
    }

    fn balance(&self) -> Balances {
        let mut of: Vec<(String, Balance)> = Vec::new();
        let mut tell = |raw: &Json<'_>, balance: Balance| {
            let Some(code) = currency(raw, &["coin", "marginCoin"]) else { return };
            of.retain(|(known, _)| *known != code);
            of.push((code, balance.completed()));
        };
        for raw in self.data() {
            if self.unified {
                raw.get("coin").list().unwrap_or_default().iter().for_each(|coin| tell(coin, unified_balance(coin)));
            } else {
                tell(raw, balance(raw));
            }
        }
        Balances { info: Raw::of(self.body), time: Time::default(), of }
    }

    fn order(&self, raw: &Json<'_>) -> Order {
        let text = |names: &[&str]| raw.string_of(names);
        let number = |names: &[&str]| raw.number_of(names);
        let spot = self.spot_of(raw);
        let (market, symbol) = self.market_of(raw, spot);
        let trigger = number(&["triggerPrice"]);
        let amounts = if raw.text_of(&["loanType"]).is_some() { borrowed(raw) } else { amounts(raw, spot) };
        let fee = raw.get("feeDetail").at(0).filter(|fee| fee.text_of(&["fee"]).is_some());
        let lasts = raw.text_of(&["force", "timeInForce"]).map(str::to_uppercase);
        Order {
            info: Raw::of(raw),
            id: text(&["orderId"]),
            client_order_id: text(&["clientOid"]),
            time: Time::parse(raw.text_of(&["cTime", "createdTime"])),
            last_trade: Time::parse(raw.text_of(&["uTime", "updatedTime"])).0,
            symbol,
            order_type: text(&["orderType"]),
            time_in_force: lasts.map(|word| if word == "POST_ONLY" { "PO".to_owned() } else { word }),
            side: raw.text_of(&["side"]).and_then(Side::parse),
            // of an order that waits, the price is the one it waits for
            price: match trigger {
                None => number(&["price"]),
                Some(_) if spot => number(&["executePrice"]),
                Some(_) => None,
            },
            trigger_price: trigger,
            amount: amounts.total,
            cost: amounts.cost,
            average: number(&["priceAvg", "fillPrice", "avgPrice"]),
            filled: amounts.filled,
            remaining: amounts.total.and_then(|total| total.minus(amounts.filled?)),
            status: raw.text_of(&["status", "orderStatus"]).and_then(order::status),
            fee: fee.map(|fee| Fee {
                cost: fee.number_of(&["fee"]).map(Number::abs),
                currency: currency(fee, &["feeCoin"]),
                rate: None,
            }),
            ..Order::default()
        }
        .completed(market)
    }

    fn position(&self, raw: &Json<'_>) -> Position {
        let number = |names: &[&str]| raw.number_of(names);
        let (market, symbol) = self.market_of(raw, false);
        let profit = number(&["unrealizedPL", "unrealisedPnl"]);
        let margin = number(&["marginSize"]);
        let share = number(&["unrealizedPLR", "profitRate"]);
        let reckoned = || profit.and_then(|profit| profit.over_to(margin?, 4));
        Position {
            info: Raw::of(raw),
            id: raw.string_of(&["posId"]),
            symbol,
            contracts: number(&["total", "size"]),
            contract_size: market.and_then(|market| market.contract_size),
            unrealized_pnl: profit,
            leverage: number(&["leverage"]),
            liquidation_price: number(&["liquidationPrice", "liqPrice"]),
            collateral: number(&["available"]),
            mark_price: number(&["markPrice"]),
            entry_price: number(&["openPriceAvg", "avgPrice"]),
            time: Time::parse(raw.text_of(&["updatedTime", "uTime", "cTime", "createdTime"])),
            initial_margin: margin,
            maintenance_margin_percentage: number(&["keepMarginRate", "mmr"]),
            margin_ratio: number(&["marginRate"]),
            margin_mode: raw.text_of(&["marginMode"]).map(|word| match word {
                "crossed" => "cross".to_owned(),
                other => other.to_owned(),
            }),
            side: match raw.text_of(&["holdSide", "posSide"]) {
                Some("long") => Some("long"),
                Some("short") => Some("short"),
                _ => None,
            },
            hedged: Some(raw.text_of(&["posMode", "holdMode"]) == Some("hedge_mode")),
            percentage: share.or_else(reckoned).and_then(|share| share.times(100.into())),
            ..Position::default()
        }
    }
}

fn trade(raw: &Json<'_>, market: Option<&Market>, symbol: Option<String>) -> Trade {
    let number = |names: &[&str]| raw.number_of(names);
    let fee = raw.get("feeDetail").at(0);
    Trade {
        info: Raw::of(raw),
        time: Time::parse(raw.text_of(&["uTime", "cTime", "ts", "T", "execTime"])),
        symbol,
        id: raw.string_of(&["tradeId", "i", "execId"]),
        order: raw.string_of(&["orderId", "L"]),
        order_type: raw.string_of(&["orderType"]),
        side: raw.text_of(&["side", "S"]).and_then(Side::parse),
        taker_or_maker: match raw.get("tradeScope").text() {
            Some("taker") => Some(TakerOrMaker::Taker),
            Some("maker") => Some(TakerOrMaker::Maker),
            _ => None,
        },
        price: number(&["priceAvg", "price", "execPrice", "P"]),
        amount: number(&["size", "baseVolume", "execQty", "v"]),
        cost: number(&["amount", "quoteVolume", "execValue"]),
        fee: fee.map(|fee| Fee {
            cost: fee.number_of(&["totalFee", "fee"]).map(Number::abs),
            currency: currency(fee, &["feeCoin"]),
            rate: None,
        }),
        fees: Vec::new(),
        ..Trade::default()
    }
    .completed(market)
}

fn balance(raw: &Json<'_>) -> Balance {
    let number = |names: &[&str]| raw.number_of(names);
    let debt = number(&["borrow"]).and_then(|borrowed| borrowed.plus(number(&["interest"])?));
    Balance {
        free: number(&["maxTransferOut", "available"]),
        used: number(&["frozen"]),
        total: number(&["equity"]),
        debt,
    }
}

fn unified_balance(raw: &Json<'_>) -> Balance {
    let number = |name: &str| raw.number_of(&[name]);
    let debt = number("borrow").and_then(|borrowed| borrowed.plus(number("debts")?));
    Balance { free: number("available"), used: number("locked"), total: number("balance"), debt }
}

/// How much an order is of, and how much of it was filled.
struct Amounts {
    total: Option<Number>,
    filled: Option<Number>,
    cost: Option<Number>,
}

/// Of an order with borrowed money.
fn borrowed(raw: &Json<'_>) -> Amounts {
    let number = |names: &[&str]| raw.number_of(names);
    Amounts {
        total: number(&["baseSize", "qty"]),
        filled: number(&["baseVolume", "cumExecQty"]),
        cost: number(&["fillTotalAmount", "cumExecValue"]),
    }
}

/// Of other orders: what was filled so far, not the last time only.
fn amounts(raw: &Json<'_>, spot: bool) -> Amounts {
    let number = |names: &[&str]| raw.number_of(names);
    let nonzero = |names: &[&str]| number(names).and_then(Number::nonzero);
    let filled = number(&["accBaseVolume", "cumExecQty", "baseVolume"]);
    if !spot {
        return Amounts { total: number(&["size", "qty"]), filled, cost: number(&["fillNotionalUsd", "cumExecValue"]) };
    }
    // an order to buy at the market's price says what it may cost
    let by_cost = raw.get("orderType").text() == Some("market") && raw.get("side").text() == Some("buy");
    if by_cost {
        let total = nonzero(&["accBaseVolume", "cumExecQty"]);
        return Amounts { total, filled, cost: nonzero(&["newSize", "cumExecValue"]) };
    }
    Amounts { total: nonzero(&["newSize", "qty"]), filled, cost: number(&["cumExecValue"]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Venue;
    use crate::stream::{Outcome, Synced};

    fn push(action: &str, channel: &str, levels: &str) -> String {
        let arg = format!(r#"{{"instType":"SPOT","channel":"{channel}","instId":"BTCUSDT"}}"#);
        format!(r#"{{"action":"{action}","arg":{arg},"data":[{levels}],"ts":2}}"#)
    }

    fn delta(message: &str) -> Delta {
        match events(message, &Markets::default()).pop() {
            Some(Event::Book(delta)) => delta,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_book_is_kept_by_its_checksum() {
        let text = r#"{"code":"00000","data":[{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT"}]}"#;
        let markets = Markets::new(Dialect.markets("", &json::parse(text).unwrap()));
        let mut synced = Synced::new(Venue::Bitget.rule(markets.of("BTC/USDT").unwrap()));
        let snapshot = r#"{"asks":[["101.0","2.50"]],"bids":[["100.5","1.00"]],"checksum":0,"seq":7,"ts":"1"}"#;
        assert_eq!(synced.apply(&delta(&push("snapshot", "books", snapshot))), Outcome::Changed);
        let sum = crc32fast::hash(b"100.5:1.00:101.0:3.10:100.4:2").cast_signed();
        let change = |sum: i32, seq: u32| {
            let levels = format!(
                r#"{{"asks":[["101.0","3.10"]],"bids":[["100.4","2"]],"checksum":{sum},"seq":{seq},"ts":"3"}}"#
            );
            delta(&push("update", "books", &levels))
        };
        assert_eq!(synced.apply(&change(sum, 9)), Outcome::Changed);
        assert_eq!(synced.apply(&change(sum, 8)), Outcome::Old);
        assert_eq!(synced.book().and_then(|book| book.sequence), Some(9));
        assert_eq!(synced.apply(&change(sum.wrapping_add(1), 10)), Outcome::Wrong);
    }

    #[test]
    fn a_book_that_is_sent_whole_is_no_change() {
        let levels = r#"{"asks":[["101","2"]],"bids":[["100","1"]],"checksum":-5,"ts":"1"}"#;
        let delta = delta(&push("update", "books5", levels));
        assert_eq!((delta.snapshot, delta.checksum, delta.time), (true, None, Some(1)));
        for bad in [r#"{"asks":[["x","2"]],"bids":[]}"#, r#"{"asks":[["1","2","3"]],"bids":[]}"#] {
            let events = events(&push("update", "books", bad), &Markets::default());
            assert!(matches!(events.as_slice(), [Event::Refused(_)]), "{events:?}");
        }
    }

    #[test]
    fn what_is_no_news_is_told_apart() {
        let heard = |text| events(text, &Markets::default());
        assert_eq!(heard("pong"), []);
        assert_eq!(
            heard(r#"{"event":"subscribe","arg":{"instType":"SPOT","channel":"ticker","instId":"BTCUSDT"}}"#),
            []
        );
        assert_eq!(heard(r#"{"event":"login","code":0}"#), [Event::LoggedIn]);
        let refused = heard(r#"{"event":"error","code":30015,"msg":"Invalid sign"}"#);
        assert!(matches!(&refused[..], [Event::Refused(error)] if error.class() == ErrorClass::AuthenticationError));
    }
}

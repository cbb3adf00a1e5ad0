//! Messages of streams.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Dialect;
use super::order::status;
use super::parse::{currency, object};
use crate::json::{self, Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{Balance, Balances, Fee, Market, Markets, Order, Raw, Side, TakerOrMaker, Ticker, Time, Trade};
use crate::{Context, Dialect as _, ErrorClass, VenueError};

/// Timeframes by the exchange's names of them.
const TIMEFRAMES: [(&str, &str); 10] = [
    ("1min", "1m"),
    ("5min", "5m"),
    ("15min", "15m"),
    ("30min", "30m"),
    ("60min", "1h"),
    ("4hour", "4h"),
    ("1day", "1d"),
    ("1week", "1w"),
    ("1mon", "1M"),
    ("1year", "1y"),
];

/// The most frequent messages by far, read without a tree of values: a book's changes, and the whole book.
#[derive(Deserialize)]
struct Push<'t> {
    #[serde(borrow, alias = "rep")]
    ch: &'t str,
    ts: Option<i64>,
    #[serde(borrow, alias = "data")]
    tick: Levels<'t>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Levels<'t> {
    event: Option<&'t str>,
    version: Option<u64>,
    seq_num: Option<u64>,
    prev_seq_num: Option<u64>,
    #[serde(borrow, default)]
    bids: Vec<(&'t RawValue, &'t RawValue)>,
    #[serde(borrow, default)]
    asks: Vec<(&'t RawValue, &'t RawValue)>,
}

fn book(message: &str, asked: bool, markets: &Markets) -> Event {
    let bad = |why: &str| Event::Refused(VenueError::new(ErrorClass::BadResponse, &format!("htx: {why}")));
    let Ok(Push { ch, ts, tick }) = serde_json::from_str::<Push<'_>>(message) else {
        return bad("a book's message is none");
    };
    let changes = |side: &[(&RawValue, &RawValue)]| {
        side.iter().map(|(price, amount)| Change::parse(price.get(), amount.get())).collect::<Option<Vec<_>>>()
    };
    let Some((bids, asks)) = changes(&tick.bids).zip(changes(&tick.asks)) else {
        return bad("a level of the book is no number");
    };
    let id = ch.split('.').nth(1).unwrap_or_default();
    Event::Book(Delta {
        symbol: markets.named(id, id.contains('-')).map_or_else(|| id.to_owned(), |market| market.symbol.clone()),
        snapshot: asked || tick.event == Some("snapshot"),
        first: None,
        last: tick.seq_num.or(tick.version),
        previous: tick.prev_seq_num,
        time: ts,
        bids,
        asks,
        checksum: None,
    })
}

pub(super) fn events(message: &str, markets: &Markets) -> Vec<Event> {
    // the channel is the first member of what is pushed
    let begins = message.get(..64).unwrap_or(message);
    if begins.starts_with(r#"{"ch":"market."#) && (begins.contains(".mbp.") || begins.contains(".depth.")) {
        return vec![book(message, false, markets)];
    }
    let Some(body) = json::parse(message) else { return Vec::new() };
    let said = Said { body: &body, context: Context { markets, asked: None } };
    if let Some(answer) = pong(&body) {
        return vec![Event::Ping(answer)];
    }
    if let Some(refused) = refused(&body) {
        return vec![Event::Refused(refused)];
    }
    match (body.text_of(&["op", "action"]), body.text_of(&["ch", "topic", "rep", "subbed"])) {
        (Some("req"), Some("auth")) | (Some("auth"), _) => vec![Event::LoggedIn],
        (Some("close"), _) => vec![Event::Leave(Duration::ZERO)],
        (Some("notify"), Some(topic)) => said.notified(topic),
        (Some("push"), Some(channel)) => said.pushed(channel),
        (None, Some(channel)) => said.public(channel, message),
        _ => Vec::new(),
    }
}

/// What a ping is answered with: each part of the exchange has a form of its own.
fn pong(body: &Json<'_>) -> Option<String> {
    if let Some(time) = body.get("ping") {
        return Some(format!(r#"{{"pong":{time}}}"#));
    }
    match (body.get("op").text(), body.get("action").text()) {
        (Some("ping"), _) => body.get("ts").map(|time| format!(r#"{{"op":"pong","ts":{time}}}"#)),
        (_, Some("ping")) => {
            let time = body.get("data").get("ts")?;
            Some(format!(r#"{{"action":"pong","data":{{"ts":{time}}}}}"#))
        }
        _ => None,
    }
}

/// `{"status":"error","err-code":"bad-request",…}`, and codes other than 0 and 200 of the account's streams.
fn refused(body: &Json<'_>) -> Option<VenueError> {
    let code = body.text_of(&["code", "err-code"]);
    let failed = body.get("status").text() == Some("error");
    if !failed && code.is_none_or(|code| matches!(code, "200" | "0")) {
        return None;
    }
    let of_login = body.get("ch").text() == Some("auth") || body.get("op").text() == Some("auth");
    let class = match code {
        _ if of_login => ErrorClass::AuthenticationError,
        Some("bad-request" | "2021" | "2040" | "4007") => ErrorClass::BadRequest,
        Some("2002") => ErrorClass::AuthenticationError,
        Some("2001" | "2011") => ErrorClass::BadSymbol,
        _ => ErrorClass::ExchangeError,
    };
    Some(VenueError::new(class, &format!("htx {body}")))
}

/// Something that a message says.
#[derive(Clone, Copy)]
struct Said<'m> {
    body: &'m Json<'m>,
    context: Context<'m>,
}

impl<'m> Said<'m> {
    /// The market of a name, and its symbol; the symbol of one that is not known is its name.
    fn market(&self, id: Option<&str>) -> (Option<&'m Market>, Option<String>) {
        self.context.symbol(id, id.is_some_and(|id| id.contains('-')))
    }

    fn of(&self, market: Option<&'m Market>) -> Context<'m> {
        Context { asked: market, ..self.context }
    }

    fn public(&self, channel: &str, message: &str) -> Vec<Event> {
        let mut parts = channel.split('.').skip(1);
        let (id, kind, length) = (parts.next(), parts.next(), parts.next());
        if self.body.get("subbed").is_some() {
            return whole_book(channel, kind, self.body.get("id").text()).into_iter().collect();
        }
        let (market, symbol) = self.market(id);
        let tick = object(self.body, "tick");
        match kind {
            Some("mbp" | "depth") => vec![book(message, self.body.get("rep").is_some(), self.context.markets)],
            Some("detail" | "ticker") => vec![Event::Ticker(self.ticker(tick, market, symbol))],
            Some("bbo") => vec![Event::BidAsk(self.ticker(tick, market, symbol))],
            Some("trade") => {
                let mut trades = tick.get("data").each(|one| Dialect.trade(one, self.of(market)));
                trades.iter_mut().for_each(|trade| trade.symbol.clone_from(&symbol));
                trades.sort_by_key(|trade| trade.time.0);
                vec![Event::Trades(trades)]
            }
            Some("kline") => {
                let timeframe = TIMEFRAMES.iter().find(|(name, _)| Some(*name) == length);
                let timeframe = timeframe.map_or(length.unwrap_or_default(), |(_, timeframe)| *timeframe).to_owned();
                let candles = vec![Dialect.candle(tick, self.of(market))];
                vec![Event::Candles { symbol: symbol.unwrap_or_default(), timeframe, candles }]
            }
            _ => Vec::new(),
        }
    }

    fn ticker(&self, tick: &Json<'_>, market: Option<&'m Market>, symbol: Option<String>) -> Ticker {
        let time = Time::parse(self.body.text_of(&["ts"]));
        Ticker { symbol, time, ..Dialect.ticker(tick, self.of(market)) }
    }

    /// The account's side of the spot market.
    fn pushed(&self, channel: &str) -> Vec<Event> {
        let data = object(self.body, "data");
        let (market, _) = self.market(data.text_of(&["contract_code", "symbol"]));
        match channel.split('#').next() {
            Some("trade.clearing") => {
                let trade = own_trade(data, self.of(market));
                vec![Event::MyTrades(Some(trade).filter(|trade| trade.symbol.is_some()).into_iter().collect())]
            }
            Some("accounts.update") => vec![Event::Balance(self.spot_balance(channel, data))],
            Some("orders") if data.get("eventType").text() == Some("trade") => {
                vec![Event::Orders(vec![fill(data, self.of(market))])]
            }
            Some("orders") => vec![Event::Orders(vec![order(data, self.of(market))])],
            _ => Vec::new(),
        }
    }

    /// Of the modes of this channel only the second says both numbers at once. Of the others CCXT takes nothing, since
    /// one number alone does not say what the account has.
    fn spot_balance(&self, channel: &str, data: &Json<'_>) -> Balances {
        if !channel.ends_with("#2") {
            return Balances { info: nothing(), ..Balances::default() };
        }
        let balance =
            Balance { free: data.number_of(&["available"]), total: data.number_of(&["balance"]), ..Balance::default() };
        let own = data.get("accountType").text().is_none_or(|kind| kind == "trade");
        let of = currency(data, &["currency"]).filter(|_| own).map(|code| (code, balance.completed()));
        Balances { info: Raw::of(data), time: Time::parse(data.text_of(&["changeTime"])), of: of.into_iter().collect() }
    }

    /// The account's side of the contract markets.
    fn notified(&self, topic: &str) -> Vec<Event> {
        let data = self.body.get("data");
        let (market, _) = self.market(self.body.text_of(&["contract_code"]));
        match topic.split('.').next().unwrap_or_default() {
            kind if kind.starts_with("orders") || kind.starts_with("matchOrders") => self.orders(market),
            kind if kind.contains("trade") => {
                let list = data.list().map_or_else(|| data.into_iter().collect(), |list| list.iter().collect());
                let trades: Vec<&Json<'_>> = list;
                vec![Event::MyTrades(trades.into_iter().map(|one| own_trade(one, self.of(market))).collect())]
            }
            kind if kind.contains("account") => self.contract_balance(topic).into_iter().collect(),
            kind if kind.contains("positions") => {
                let time = Time::parse(self.body.text_of(&["ts"]));
                let mut positions = data.each(|one| super::position::position(one, self.context));
                positions.iter_mut().for_each(|position| position.time = time);
                vec![Event::Positions(positions)]
            }
            _ => Vec::new(),
        }
    }

    /// An order, and with it what filled it, where the exchange says it so.
    fn orders(&self, market: Option<&'m Market>) -> Vec<Event> {
        let raw = self.body.get("data").unwrap_or(self.body);
        let (of_data, _) = self.market(raw.text_of(&["contract_code", "symbol"]));
        let context = self.of(market.or(of_data));
        let order = order(raw, context);
        let mut events = Vec::new();
        let fills = raw.get("trade").each(|one| Trade {
            order: order.id.clone(),
            order_type: order.order_type.clone(),
            side: order.side,
            ..Dialect.trade(one, context)
        });
        if !fills.is_empty() {
            events.push(Event::MyTrades(fills));
        }
        events.push(Event::Orders(vec![order]));
        events
    }

    fn contract_balance(&self, topic: &str) -> Option<Event> {
        let (data, time) = (self.body.get("data"), Time::parse(self.body.text_of(&["ts"])));
        let one = |raw: &Json<'_>, name: &str, balance: Balance| Some((currency(raw, &[name])?, balance.completed()));
        let detail = |raw: &Json<'_>| {
            let free = raw.number_of(&["withdraw_available"]);
            one(raw, "currency", Balance { free, total: raw.number_of(&["equity"]), ..Balance::default() })
        };
        if topic == "account" {
            let of = data.get("details").each(detail).into_iter().flatten().collect();
            return Some(Event::Balance(Balances { info: nothing(), time, of }));
        }
        let list = data.list().filter(|list| !list.is_empty())?;
        let (name, available) = match topic {
            "accounts_unify" => ("margin_asset", "withdraw_available"),
            _ => ("symbol", "margin_available"),
        };
        let balance = |raw: &Json<'_>| {
            let (free, used) = (raw.number_of(&[available]), raw.number_of(&["margin_frozen"]));
            one(raw, name, Balance { free, used, ..Balance::default() })
        };
        let of = list.iter().filter_map(balance).collect();
        Some(Event::Balance(Balances { info: data.map(Raw::of).unwrap_or_default(), time, of }))
    }
}

/// What CCXT hands on as the words of a balance that is no list.
fn nothing() -> Raw {
    Raw::of(&Json::Array(Vec::new()))
}

/// Changes of a book of the spot market begin at once; the whole book has to be asked for (`"req"`).
fn whole_book(channel: &str, kind: Option<&str>, id: Option<&str>) -> Option<Event> {
    let id = serde_json::Value::from(id.unwrap_or_default());
    let frame = || format!(r#"{{"req":{},"id":{id}}}"#, serde_json::Value::from(channel));
    (kind == Some("mbp")).then(|| Event::Ping(frame()))
}

fn aggressor(raw: &Json<'_>) -> Option<TakerOrMaker> {
    let said = raw.get("aggressor").flag();
    said.map(|taker| if taker { TakerOrMaker::Taker } else { TakerOrMaker::Maker })
}

fn own_trade(raw: &Json<'_>, context: Context<'_>) -> Trade {
    let id = raw.text_of(&["symbol", "contract_code"]);
    let (market, symbol) = context.symbol(id, id.is_some_and(|id| id.contains('-')));
    let role = raw.text_of(&["role"]).map(|role| match role.eq_ignore_ascii_case("maker") {
        true => TakerOrMaker::Maker,
        false => TakerOrMaker::Taker,
    });
    let kind = raw.text_of(&["orderType", "type"]);
    let fee = currency(raw, &["feeCurrency", "fee_currency", "fee_asset"]).map(|currency| Fee {
        cost: raw.number_of(&["transactFee", "fee", "trade_fee"]),
        currency: Some(currency),
        rate: None,
    });
    Trade {
        info: Raw::of(raw),
        time: Time::parse(raw.text_of(&["tradeTime", "updated_time", "created_time"])),
        symbol,
        id: raw.string_of(&["tradeId", "trade_id", "id"]),
        order: raw.string_of(&["orderId", "order_id"]),
        order_type: kind.map(|kind| kind.split('-').nth(1).unwrap_or(kind).to_owned()),
        side: raw.text_of(&["side", "orderSide", "direction"]).and_then(Side::parse),
        taker_or_maker: aggressor(raw).or(role),
        price: raw.number_of(&["tradePrice", "trade_price"]),
        amount: raw.number_of(&["tradeVolume", "trade_volume"]),
        fee,
        ..Trade::default()
    }
    .completed(market)
}

/// What filled an order of the spot market, as far as it says something of the order.
fn fill(raw: &Json<'_>, context: Context<'_>) -> Order {
    let market = context.asked;
    let (_, symbol) = context.symbol(raw.text_of(&["symbol"]), false);
    let id = raw.string_of(&["orderId"]);
    let mut words = raw.text_of(&["type"]).unwrap_or_default().split('-');
    let (side, kind) = (words.next().and_then(Side::parse), words.next());
    let time = Time::parse(raw.text_of(&["tradeTime"]));
    let trade = Trade {
        info: Raw::of(raw),
        time,
        symbol: symbol.clone(),
        id: raw.string_of(&["tradeId"]),
        order: id.clone(),
        order_type: kind.map(str::to_owned),
        side,
        taker_or_maker: aggressor(raw),
        price: raw.number_of(&["tradePrice"]),
        amount: raw.number_of(&["tradeVolume"]),
        ..Trade::default()
    };
    Order {
        info: Raw::of(raw),
        id,
        last_trade: time.0,
        symbol,
        price: raw.number_of(&["orderPrice"]),
        amount: raw.number_of(&["orderSize"]),
        filled: raw.number_of(&["execAmt"]),
        remaining: raw.number_of(&["remainAmt"]),
        status: status(raw.text_of(&["orderStatus", "status"]).unwrap_or("filled")),
        trades: vec![trade.completed(market)],
        bare: true,
        ..Order::default()
    }
}

fn order(raw: &Json<'_>, context: Context<'_>) -> Order {
    let number = |names: &[&str]| raw.number_of(names);
    let id = raw.text_of(&["contract_code", "symbol"]);
    let (market, symbol) = context.symbol(id, id.is_some_and(|id| id.contains('-')));
    // `buy-limit` of the spot market; contracts say the two apart
    let said = raw.text_of(&["type"]);
    let (side, kind) = match said.and_then(|said| said.split_once('-')) {
        Some((side, rest)) => (Some(side), rest.split('-').next()),
        None => (raw.text_of(&["direction", "side"]), said.or_else(|| raw.text_of(&["order_price_type"]))),
    };
    let of_market = Context { asked: market, ..context };
    Order {
        info: Raw::of(raw),
        id: raw.string_of(&["orderId", "order_id"]),
        client_order_id: raw.string_of(&["clientOrderId", "client_order_id"]),
        time: Time::parse(raw.text_of(&["orderCreateTime", "created_time"])),
        last_trade: Time::parse(raw.text_of(&["lastActTime", "updated_time", "ts"])).0,
        symbol,
        order_type: kind.map(str::to_owned),
        time_in_force: raw.text_of(&["time_in_force"]).map(str::to_uppercase),
        reduce_only: raw.get("reduce_only").flag(),
        side: side.and_then(Side::parse),
        price: number(&["orderPrice", "price"]),
        take_profit_price: number(&["tp_trigger_price", "tp_order_price"]),
        stop_loss_price: number(&["sl_trigger_price", "sl_order_price"]),
        amount: number(&["orderSize", "volume"]),
        cost: number(&["orderValue", "trade_turnover"]),
        average: number(&["trade_avg_price"]),
        filled: number(&["execAmt", "trade_volume"]),
        status: raw.text_of(&["orderStatus", "state", "status"]).and_then(status),
        fee: number(&["fee"]).map(|cost| Fee {
            cost: Some(cost),
            currency: currency(raw, &["fee_asset", "fee_currency"]),
            rate: None,
        }),
        trades: raw.get("trade").each(|one| Dialect.trade(one, of_market)),
        ..Order::default()
    }
    .completed(market)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_are_answered_in_their_own_form() {
        let answers = [
            (r#"{"ping":1492420473027}"#, r#"{"pong":1492420473027}"#),
            (r#"{"action":"ping","data":{"ts":15}}"#, r#"{"action":"pong","data":{"ts":15}}"#),
            (r#"{"op":"ping","ts":"16"}"#, r#"{"op":"pong","ts":"16"}"#),
            (
                r#"{"id":"7","status":"ok","subbed":"market.btcusdt.mbp.150"}"#,
                r#"{"req":"market.btcusdt.mbp.150","id":"7"}"#,
            ),
        ];
        for (message, answer) in answers {
            assert_eq!(events(message, &Markets::default()), [Event::Ping(answer.to_owned())], "{message}");
        }
    }

    #[test]
    fn logins_and_refusals_are_told() {
        let heard = |message| events(message, &Markets::default());
        for message in [r#"{"action":"req","code":200,"ch":"auth","data":{}}"#, r#"{"op":"auth","err-code":0,"ts":1}"#]
        {
            assert_eq!(heard(message), [Event::LoggedIn]);
        }
        let classes = [
            (r#"{"status":"error","ts":1,"id":"1","err-code":"bad-request","err-msg":"x"}"#, ErrorClass::BadRequest),
            (r#"{"action":"sub","code":2001,"ch":"orders#x","message":"invalid.symbol"}"#, ErrorClass::BadSymbol),
            (r#"{"op":"auth","err-code":2003,"err-msg":"x"}"#, ErrorClass::AuthenticationError),
        ];
        for (message, class) in classes {
            assert!(
                matches!(heard(message).as_slice(), [Event::Refused(error)] if error.class() == class),
                "{message}"
            );
        }
        assert_eq!(heard(r#"{"op":"sub","cid":"1","topic":"orders","err-code":0}"#), []);
        assert_eq!(heard(r#"{"action":"sub","code":200,"ch":"orders#*","data":{}}"#), []);
    }

    #[test]
    fn a_whole_book_is_read_and_a_level_that_is_no_number_is_told() {
        let message = r#"{"id":"1","rep":"market.btcusdt.mbp.150","status":"ok","ts":5,
            "data":{"seqNum":7,"bids":[[1.50,1e-3]],"asks":[]}}"#;
        let [Event::Book(delta)] = &events(message, &Markets::default())[..] else { panic!() };
        assert!(delta.snapshot && delta.last == Some(7) && delta.time == Some(5));
        assert_eq!(delta.bids, [Change::parse("1.50", "0.001").unwrap()]);
        let message = r#"{"ch":"market.btcusdt.mbp.150","tick":{"seqNum":8,"bids":[["x",1]]}}"#;
        assert!(matches!(events(message, &Markets::default()).as_slice(), [Event::Refused(_)]));
    }
}

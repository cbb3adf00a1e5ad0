//! Answers: "Get Ticker Information", "Get Market Trades", "Get Fills", "Get Candlestick Data", "Get Account Assets".

use super::{markets, order, position};
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{
    Balance, Balances, Candle, Fee, Market, Order, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade,
};
use crate::{Number, Venue};

pub(crate) struct Dialect;

static EMPTY: Json<'static> = Json::Object(Vec::new());
static NONE: Json<'static> = Json::Array(Vec::new());

/// The value if it is an object, else one without members.
pub(super) fn object<'v>(value: Option<&'v Json<'v>>) -> &'v Json<'v> {
    value.filter(|value| matches!(value, Json::Object(_))).unwrap_or(&EMPTY)
}

/// The value if it is a list, else one without elements.
pub(super) fn list<'v>(value: Option<&'v Json<'v>>) -> &'v Json<'v> {
    value.filter(|value| value.list().is_some()).unwrap_or(&NONE)
}

/// The number with the other sign.
pub(super) fn negative(number: Number) -> Option<Number> {
    Number::default().minus(number)
}

/// The common name of the currency that this member names.
pub(super) fn currency(raw: &Json<'_>, names: &[&str]) -> Option<String> {
    raw.text_of(names).map(|id| Venue::Bitget.description().currency(id))
}

impl crate::Dialect for Dialect {
    fn markets(&self, _of: &str, answer: &Json<'_>) -> Vec<Market> {
        answer.get("data").list().unwrap_or_default().iter().filter_map(markets::market).collect()
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        let number = |names: &[&str]| raw.number_of(names);
        // tickers of contracts are told apart by the price that positions are valued at
        let contract = raw.text_of(&["markPrice"]).is_some() && raw.get("category").text() != Some("SPOT");
        let share = number(&["price24hPcnt", "change24h"]);
        Ticker {
            symbol: context.symbol(raw.text_of(&["symbol"]), contract).1,
            time: Time(Time::parse(raw.get("ts").text()).0.filter(|ms| *ms != 0)),
            high: number(&["high24h", "highPrice24h"]),
            low: number(&["low24h", "lowPrice24h"]),
            bid: number(&["bidPr", "bid1Price"]),
            bid_volume: number(&["bidSz", "bid1Size"]),
            ask: number(&["askPr", "ask1Price"]),
            ask_volume: number(&["askSz", "ask1Size"]),
            open: number(&["open", "open24h", "openPrice24h"]),
            close: number(&["lastPr", "lastPrice"]),
            percentage: share.and_then(|share| share.times(100.into())),
            base_volume: number(&["baseVolume", "volume24h"]),
            quote_volume: number(&["quoteVolume", "turnover24h"]),
            mark_price: number(&["markPrice"]),
            index_price: number(&["indexPrice"]),
            info: Raw::of(raw),
            ..Ticker::default()
        }
        .completed(context.asked)
    }

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        let number = |names: &[&str]| raw.number_of(names);
        let category = raw.text_of(&["category"]);
        let of_contract = raw.text_of(&["posMode"]).is_some() || category.is_some_and(|word| word.contains("FUTURES"));
        let contract = context.asked.map_or(of_contract, Market::contract);
        Trade {
            info: Raw::of(raw),
            time: Time::parse(raw.text_of(&["cTime", "ts", "createdTime"])),
            symbol: context.symbol(raw.text_of(&["symbol"]), contract).1,
            id: raw.string_of(&["tradeId", "execId"]),
            order: raw.string_of(&["orderId"]),
            order_type: raw.string_of(&["orderType"]),
            side: raw.get("side").text().and_then(Side::parse),
            taker_or_maker: match raw.get("tradeScope").text() {
                Some("taker") => Some(TakerOrMaker::Taker),
                Some("maker") => Some(TakerOrMaker::Maker),
                _ => None,
            },
            price: number(&["priceAvg", "price", "execPrice"]),
            amount: number(&["baseVolume", "size", "execQty"]),
            cost: number(&["quoteVolume", "amount", "execValue"]),
            fee: raw.get("feeDetail").map(fee),
            fees: Vec::new(),
            ..Trade::default()
        }
        .completed(context.asked)
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        order::order(raw, context)
    }

    fn candle(&self, raw: &Json<'_>, context: Context<'_>) -> Candle {
        let number = |place: usize| raw.number_at(place);
        let in_coins = context.asked.is_some_and(|market| market.linear == Some(false));
        let volume = number(if in_coins { 6 } else { 5 });
        Candle(Time::parse(raw.at(0).text()).0, number(1), number(2), number(3), number(4), volume)
    }

    fn balance(&self, raw: &Json<'_>, _context: Context<'_>) -> Option<Balances> {
        let mut of: Vec<(String, Balance)> = Vec::new();
        for one in raw.list().unwrap_or_default() {
            let Some(code) = currency(one, &["marginCoin", "coin"]) else { continue };
            // of a coin that has an account for each market, the last is told
            of.retain(|(known, _)| *known != code);
            of.push((code, balance(one)));
        }
        Some(Balances { info: Raw::of(raw), time: Time::default(), of })
    }

    fn position(&self, raw: &Json<'_>, context: Context<'_>) -> Option<Position> {
        Some(position::position(raw, context))
    }
}

/// The fee of a trade, which is told as what it changes: less than nothing is paid.
fn fee(raw: &Json<'_>) -> Fee {
    let one = raw.at(0).unwrap_or(raw);
    let cost = one.number_of(&["totalFee", "fee"]);
    let deducted = one.get("deduction").text() == Some("yes");
    let cost = if deducted { cost } else { cost.and_then(negative) };
    Fee { cost, currency: currency(one, &["feeCoin"]), rate: None }
}

fn balance(raw: &Json<'_>) -> Balance {
    let number = |name: &str| raw.number_of(&[name]);
    let sum = |left: Option<Number>, right: Option<Number>| left?.plus(right?);
    if let Some(borrowed) = number("borrow") {
        let debt = sum(Some(borrowed), number("interest"));
        return Balance { free: number("transferable"), used: None, total: number("totalAmount"), debt }.completed();
    }
    // what a position's profit allows to be used is not free to be taken away
    let balance = match number("maxTransferOut") {
        Some(free) => Balance { free: Some(free), total: number("accountEquity"), ..Balance::default() },
        None => {
            let used = sum(number("frozen"), number("locked"));
            Balance { free: number("available"), used, ..Balance::default() }
        }
    };
    balance.completed()
}

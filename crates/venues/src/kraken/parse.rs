//! Answers: "Market Data" of the spot REST API; orders, trades and what the account has stand beside.

use super::{account, markets, order, trade};
use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Balances, Candle, Market, Order, Position, Raw, Ticker, Time, Trade};

pub(crate) struct Dialect;

/// What an answer says beside its list of errors.
pub(super) fn result<'v, 't>(answer: &'v Json<'t>) -> Option<&'v Json<'t>> {
    answer.get("result")
}

/// The members of an object with their names, in the answer's order.
pub(super) fn members<'v, 't: 'v>(of: Option<&'v Json<'t>>) -> impl Iterator<Item = (&'v str, &'v Json<'t>)> {
    let members = match of {
        Some(Json::Object(members)) => members.as_slice(),
        _ => &[],
    };
    members.iter().map(|(name, value)| (&**name, value))
}

/// What the exchange said of one thing, with the name that the answer has it under.
pub(super) fn with_id(raw: &Json<'_>, id: Option<&str>) -> Raw {
    match id {
        Some(id) => Raw::of(raw).with("id", id),
        None => Raw::of(raw),
    }
}

/// A time in seconds and parts of them; what is finer than a millisecond is dropped.
pub(super) fn seconds(digits: Option<&str>) -> Time {
    let millis = digits.and_then(Number::parse).and_then(|seconds| seconds.times(1000.into()));
    Time::parse(millis.map(|millis| millis.to_string()).as_deref())
}

impl crate::Dialect for Dialect {
    fn markets(&self, _of: &str, answer: &Json<'_>) -> Vec<Market> {
        members(result(answer)).filter_map(|(id, raw)| markets::market(id, raw)).collect()
    }

    fn alias(&self, market: &Market) -> Option<String> {
        market.info.text_of("altname")
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        // of most numbers there are two: of the day, and of the last 24 hours
        let number = |name: &str, place: usize| raw.get(name).number_at(place);
        let (volume, vwap) = (number("v", 1), number("p", 1));
        Ticker {
            symbol: context.asked.map(|market| market.symbol.clone()),
            high: number("h", 1),
            low: number("l", 1),
            bid: number("b", 0),
            bid_volume: number("b", 2),
            ask: number("a", 0),
            ask_volume: number("a", 2),
            vwap,
            open: raw.number_of(&["o"]),
            close: number("c", 0),
            base_volume: volume,
            quote_volume: volume.and_then(|volume| volume.times(vwap?)),
            info: Raw::of(raw),
            ..Ticker::default()
        }
        .completed(context.asked)
    }

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        trade::trade(raw, None, context)
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        order::order(raw, None, context)
    }

    fn candle(&self, raw: &Json<'_>, _context: Context<'_>) -> Candle {
        let number = |place: usize| raw.number_at(place);
        Candle(seconds(raw.at(0).text()).0, number(1), number(2), number(3), number(4), number(6))
    }

    fn balance(&self, raw: &Json<'_>, _context: Context<'_>) -> Option<Balances> {
        Some(account::balances(raw))
    }

    fn position(&self, raw: &Json<'_>, context: Context<'_>) -> Option<Position> {
        Some(account::position(raw, context))
    }
}

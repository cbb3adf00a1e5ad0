//! Answers: V5 "Market Data", "Trade" and "Trading Account".

use super::{account, markets, order, position};
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Balances, Candle, Fee, Market, Order, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade};
use crate::{ErrorClass, Number, Venue, VenueError};

pub(crate) struct Dialect;

/// The elements of an answer.
pub(super) fn data<'v, 't>(answer: &'v Json<'t>) -> &'v [Json<'t>] {
    answer.get("data").list().unwrap_or_default()
}

/// The market of an answer that names it, and its symbol. What is not known is no other market: its symbol is its
/// currencies, or the exchange's name.
pub(super) fn named<'m>(context: Context<'m>, id: Option<&str>) -> (Option<&'m Market>, Option<String>) {
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return (context.asked, context.asked.map(|market| market.symbol.clone()));
    };
    if let Some(market) = context.markets.named(id, false) {
        return (Some(market), Some(market.symbol.clone()));
    }
    let currency = |id: &str| Venue::Okx.description().currency(id);
    let symbol = match id.split('-').collect::<Vec<_>>().as_slice() {
        [base, quote] => format!("{}/{}", currency(base), currency(quote)),
        // options, which are not read as markets
        [base, _, expiry, strike, kind @ ("C" | "P")] => format!("{base}/USD:{base}-{expiry}-{strike}-{kind}"),
        _ => id.to_owned(),
    };
    (None, Some(symbol))
}

/// The other way round: what the exchange takes is negative in its answers.
pub(super) fn negated(number: Number) -> Option<Number> {
    Number::default().minus(number)
}

/// An error for an order that makes no sense.
pub(super) fn invalid(message: &str) -> VenueError {
    VenueError::new(ErrorClass::InvalidOrder, &format!("okx createOrder() {message}"))
}

/// A fee, or a rebate, which is negative.
pub(super) fn fee(raw: &Json<'_>, currency: &str) -> Option<Fee> {
    let cost = raw.number_of(&["fee"])?;
    let currency = raw.text_of(&[currency]).map(|id| Venue::Okx.description().currency(id));
    Some(Fee { cost: negated(cost), currency, rate: None })
}

impl crate::Dialect for Dialect {
    fn markets(&self, _of: &str, answer: &Json<'_>) -> Vec<Market> {
        data(answer).iter().filter_map(markets::market).collect()
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        let number = |name: &str| raw.number_of(&[name]);
        let (market, symbol) = named(context, raw.text_of(&["instId"]));
        // contracts say their second volume in the base currency
        let spot = market.is_some_and(|market| !market.contract());
        Ticker {
            symbol,
            time: Time::parse(raw.get("ts").text()),
            high: number("high24h"),
            low: number("low24h"),
            bid: number("bidPx"),
            bid_volume: number("bidSz"),
            ask: number("askPx"),
            ask_volume: number("askSz"),
            open: number("open24h"),
            close: number("last"),
            base_volume: number("vol24h"),
            quote_volume: number("volCcy24h").filter(|_| spot),
            mark_price: number("markPx"),
            index_price: number("idxPx"),
            info: Raw::of(raw),
            ..Ticker::default()
        }
        .completed(market)
    }

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        let number = |names: &[&str]| raw.number_of(names);
        let (market, symbol) = named(context, raw.text_of(&["instId"]));
        Trade {
            info: Raw::of(raw),
            time: Time::parse(raw.get("ts").text()),
            symbol,
            id: raw.string_of(&["tradeId"]),
            order: raw.string_of(&["ordId"]),
            order_type: None,
            side: raw.get("side").text().and_then(Side::parse),
            taker_or_maker: match raw.get("execType").text() {
                Some("T") => Some(TakerOrMaker::Taker),
                Some("M") => Some(TakerOrMaker::Maker),
                _ => None,
            },
            price: number(&["fillPx", "px"]),
            amount: number(&["fillSz", "sz"]),
            cost: None,
            fee: fee(raw, "feeCcy"),
            fees: Vec::new(),
            ..Trade::default()
        }
        .completed(market)
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        order::order(raw, context)
    }

    fn candle(&self, raw: &Json<'_>, context: Context<'_>) -> Candle {
        let number = |place: usize| raw.number_at(place);
        // contracts come first, then the base currency
        let contract = context.asked.is_some_and(Market::contract);
        let volume = number(if contract { 6 } else { 5 });
        Candle(Time::parse(raw.at(0).text()).0, number(1), number(2), number(3), number(4), volume)
    }

    fn balance(&self, raw: &Json<'_>, _: Context<'_>) -> Option<Balances> {
        Some(account::balances(raw))
    }

    fn position(&self, raw: &Json<'_>, context: Context<'_>) -> Option<Position> {
        Some(position::position(raw, context))
    }
}

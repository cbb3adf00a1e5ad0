//! Answers: tickers, trades and candles of every part of the exchange.

use super::markets::{self, Lent};
use super::part::currency;
use super::{order, position};
use crate::dialect::Context;
use crate::json::{self, Access as _, Json};
use crate::unified::{Balances, Candle, Fee, Market, Order, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade};
use crate::{Number, Value};

/// What the addresses of lists of spot markets end with.
pub(super) const PAIRS: &str = "currency_pairs";

pub(crate) struct Dialect;

/// The market of an answer, and its symbol. Of a market that is not known the symbol follows from the name, whatever
/// was asked for.
pub(super) fn named<'m>(
    context: Context<'m>,
    id: Option<&str>,
    contract: bool,
) -> (Option<&'m Market>, Option<String>) {
    let known = id.map_or(context.asked, |id| context.markets.named(id, contract));
    let symbol = || {
        let id = id?;
        let unknown = id.split_once('_').filter(|(_, quote)| !quote.contains('_'));
        Some(unknown.map_or_else(|| id.to_owned(), |(base, quote)| format!("{}/{}", currency(base), currency(quote))))
    };
    (known, known.map(|market| market.symbol.clone()).or_else(symbol))
}

/// A time in seconds, which may have a fraction, as milliseconds.
pub(super) fn seconds(raw: Option<&str>) -> Option<i64> {
    let ms = Number::parse(raw?)?.times(1000.into())?;
    Time::parse(Some(&ms.to_string())).0
}

/// As the exchange would have said it.
pub(super) fn raw(value: &Value) -> Raw {
    json::parse(&value.json()).as_ref().map(Raw::of).unwrap_or_default()
}

/// Fees with one for each currency.
pub(super) fn gathered(fees: impl IntoIterator<Item = Fee>) -> Vec<Fee> {
    let mut all: Vec<Fee> = Vec::new();
    for fee in fees {
        match all.iter_mut().find(|known| known.currency == fee.currency) {
            Some(known) => known.cost = known.cost.and_then(|cost| cost.plus(fee.cost?)),
            None => all.push(fee),
        }
    }
    all
}

/// A fee of a cost that was said.
pub(super) fn fee(cost: Option<Number>, currency: Option<String>) -> Option<Fee> {
    cost.map(|cost| Fee { cost: Some(cost), currency, rate: None })
}

impl crate::Dialect for Dialect {
    fn markets(&self, of: &str, answer: &Json<'_>) -> Vec<Market> {
        let all = answer.list().unwrap_or_default().iter();
        if of.ends_with(PAIRS) {
            let none = Lent::new();
            return all.filter_map(|raw| markets::spot(raw, &none)).collect();
        }
        // futures/usdt/contracts
        let settle = of.rsplit('/').nth(1).unwrap_or_default();
        all.filter_map(|raw| markets::contract(raw, settle)).collect()
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        let number = |names: &[&str]| raw.number_of(names);
        let contract = raw.get("mark_price").is_some();
        let (_, symbol) = named(context, raw.text_of(&["currency_pair", "contract", "name"]), contract);
        // nothing that was traded at no price
        let volume = |names: &[&str]| match raw.text_of(names) {
            Some("nan") => Some(Number::default()),
            digits => digits.and_then(Number::parse),
        };
        Ticker {
            symbol,
            time: Time::parse(raw.text_of(&["t"])),
            high: number(&["high_24h"]),
            low: number(&["low_24h"]),
            bid: number(&["highest_bid", "b", "bid1_price"]),
            bid_volume: number(&["B", "bid1_size"]),
            ask: number(&["lowest_ask", "a", "ask1_price"]),
            ask_volume: number(&["A", "ask1_size"]),
            close: number(&["last", "last_price"]),
            percentage: number(&["change_percentage"]),
            base_volume: volume(&["base_volume", "volume_24h_base"]),
            quote_volume: volume(&["quote_volume", "volume_24h_quote"]),
            mark_price: number(&["mark_price"]),
            index_price: number(&["index_price"]),
            info: Raw::of(raw),
            ..Ticker::default()
        }
        .completed(context.asked)
    }

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        let number = |names: &[&str]| raw.number_of(names);
        let contract = raw.get("contract").is_some();
        let (market, symbol) = named(context, raw.text_of(&["currency_pair", "contract"]), contract);
        // of contracts the sign says which way it went
        let amount = number(&["amount", "size"]);
        let sold = amount.is_some_and(|amount| amount < Number::default());
        let by_sign = if sold { Side::Sell } else { Side::Buy };
        let paid_in = raw.text_of(&["fee_currency"]).map(currency);
        let paid_in = paid_in.or_else(|| market.and_then(|market| market.settle.clone()));
        let own = |name: &str, of: &str| fee(number(&[name]).and_then(Number::nonzero), Some(of.to_owned()));
        let all = [fee(number(&["fee"]), paid_in), own("gt_fee", "GT"), own("point_fee", "GATEPOINT")];
        let fees = gathered(all.into_iter().flatten());
        Trade {
            info: Raw::of(raw),
            time: Time(made(raw)),
            symbol,
            id: raw.string_of(&["id", "trade_id"]),
            order: raw.string_of(&["order_id"]),
            order_type: None,
            side: raw.text_of(&["side", "type"]).map_or(Some(by_sign), Side::parse),
            taker_or_maker: match raw.get("role").text() {
                Some("taker") => Some(TakerOrMaker::Taker),
                Some("maker") => Some(TakerOrMaker::Maker),
                _ => None,
            },
            price: number(&["price"]),
            amount: amount.map(Number::abs),
            cost: None,
            fee: if let [one] = fees.as_slice() { Some(one.clone()) } else { None },
            fees,
            ..Trade::default()
        }
        .completed(market)
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        order::order(raw, context)
    }

    fn candle(&self, raw: &Json<'_>, _context: Context<'_>) -> Candle {
        if raw.list().is_some() {
            let number = |place: usize| raw.number_at(place);
            return Candle(seconds(raw.at(0).text()), number(5), number(3), number(4), number(2), number(6));
        }
        let number = |name: &str| raw.number_of(&[name]);
        Candle(seconds(raw.get("t").text()), number("o"), number("h"), number("l"), number("c"), number("v"))
    }

    fn balance(&self, raw: &Json<'_>, _context: Context<'_>) -> Option<Balances> {
        Some(super::balance::balances(raw, false))
    }

    fn position(&self, raw: &Json<'_>, context: Context<'_>) -> Option<Position> {
        Some(position::position(raw, context))
    }
}

/// When a trade was made. What is named for milliseconds is in seconds where contracts are traded: thirteen digits
/// count.
fn made(raw: &Json<'_>) -> Option<i64> {
    let Some(ms) = raw.text_of(&["create_time_ms"]) else { return seconds(raw.text_of(&["time", "create_time"])) };
    let digits = Number::parse(ms)?.times(1000.into())?.to_string();
    digits.get(..13).unwrap_or(&digits).parse().ok()
}

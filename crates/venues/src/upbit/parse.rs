//! Answers: "Quotation" and "Exchange" of the REST API.

use super::{markets, order};
use crate::Venue;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Balance, Balances, Candle, Fee, Market, Order, Raw, Ticker, Time, Trade};

pub(crate) struct Dialect;

/// The market of a name; what is none is told by the two currencies in the name's order.
fn named<'m>(context: Context<'m>, id: Option<&str>) -> (Option<&'m Market>, Option<String>, Option<String>) {
    let known = id.map_or(context.asked, |id| context.markets.named(id, false));
    if let Some(market) = known {
        return (Some(market), Some(market.symbol.clone()), Some(market.quote.clone()));
    }
    let code = |id: &str| Venue::Upbit.description().currency(id);
    match id.and_then(|id| id.split_once('-')) {
        Some((one, other)) => (None, Some(format!("{}/{}", code(one), code(other))), Some(code(other))),
        None => (None, id.map(str::to_owned), None),
    }
}

/// What the account has: "Get Account Balance".
pub(super) fn balances(body: &Json<'_>) -> Balances {
    Balances { info: Raw::of(body), time: Time(None), of: assets(Some(body)) }
}

/// A list of currencies.
pub(super) fn assets(list: Option<&Json<'_>>) -> Vec<(String, Balance)> {
    let one = |raw: &Json<'_>| {
        let (free, used) = (raw.number_of(&["balance"]), raw.number_of(&["locked"]));
        let code = Venue::Upbit.description().currency(raw.text_of(&["currency"])?);
        Some((code, Balance { free, used, ..Balance::default() }.completed()))
    };
    list.each(one).into_iter().flatten().collect()
}

impl crate::Dialect for Dialect {
    fn markets(&self, _of: &str, answer: &Json<'_>) -> Vec<Market> {
        answer.each(markets::market).into_iter().flatten().collect()
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        let number = |name: &str| raw.number_of(&[name]);
        let (market, symbol, _) = named(context, raw.text_of(&["market", "code"]));
        Ticker {
            symbol,
            time: Time::parse(raw.text_of(&["trade_timestamp"])),
            high: number("high_price"),
            low: number("low_price"),
            open: number("opening_price"),
            close: number("trade_price"),
            previous_close: number("prev_closing_price"),
            change: number("signed_change_price"),
            percentage: number("signed_change_rate").and_then(|share| share.times(100.into())),
            base_volume: number("acc_trade_volume_24h"),
            quote_volume: number("acc_trade_price_24h"),
            info: Raw::of(raw),
            ..Ticker::default()
        }
        .completed(market)
    }

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        let number = |names: &[&str]| raw.number_of(names);
        let (market, symbol, quote) = named(context, raw.text_of(&["market", "code"]));
        let way = raw.text_of(&["ask_bid", "side"]).map(str::to_lowercase);
        let fee = way.as_ref().and_then(|way| raw.number_of(&[&format!("{way}_fee")]));
        let time = Time::parse(raw.text_of(&["timestamp"])).0;
        Trade {
            info: Raw::of(raw),
            time: Time(time.or_else(|| Time::of_iso(raw.text_of(&["created_at"])).0)),
            symbol,
            id: raw.string_of(&["sequential_id", "uuid"]),
            side: way.as_deref().filter(|way| matches!(*way, "ask" | "bid")).and_then(order::side),
            price: number(&["trade_price", "price"]),
            amount: number(&["trade_volume", "volume"]),
            cost: number(&["funds"]),
            fee: fee.map(|cost| Fee { cost: Some(cost), currency: quote, rate: None }),
            ..Trade::default()
        }
        .completed(market)
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        order::order(self, raw, context)
    }

    fn candle(&self, raw: &Json<'_>, _context: Context<'_>) -> Candle {
        let number = |name: &str| raw.number_of(&[name]);
        Candle(
            Time::of_iso(raw.text_of(&["candle_date_time_utc"])).0,
            number("opening_price"),
            number("high_price"),
            number("low_price"),
            number("trade_price"),
            number("candle_acc_trade_volume"),
        )
    }

    fn balance(&self, raw: &Json<'_>, _context: Context<'_>) -> Option<Balances> {
        Some(balances(raw))
    }
}

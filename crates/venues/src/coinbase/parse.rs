//! Answers: "Products", "Orders" and "Fees" of Advanced Trade, and the older "Buys" and "Sells".

use super::{account, markets, order, position};
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Balances, Candle, Fee, Market, Order, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade};
use crate::{Number, Venue};

/// What stands for a part of an answer that is not there.
pub(super) static NOTHING: Json<'static> = Json::Object(Vec::new());

pub(crate) struct Dialect;

impl crate::Dialect for Dialect {
    fn markets(&self, _of: &str, answer: &Json<'_>) -> Vec<Market> {
        answer.get("products").each(markets::market).into_iter().flatten().collect()
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        let (market, symbol) = context.symbol(raw.text_of(&["product_id"]), false);
        let (bid, ask) = (raw.get("bids").at(0), raw.get("asks").at(0));
        let best = |level: Option<&Json<'_>>, name: &str| match raw.get("bids") {
            Some(_) => level.number_of(&["price"]),
            None => raw.number_of(&[name]),
        };
        let written = raw.string_of(&["time"]);
        Ticker {
            symbol,
            time: Time::of_iso(written.as_deref()),
            datetime: written,
            bid: best(bid, "bid"),
            bid_volume: bid.number_of(&["size"]),
            ask: best(ask, "ask"),
            ask_volume: ask.number_of(&["size"]),
            close: raw.number_of(&["price"]),
            percentage: raw.number_of(&["price_percentage_change_24h"]),
            base_volume: raw.number_of(&["volume_24h"]),
            quote_volume: raw.number_of(&["approximate_quote_24h_volume"]),
            info: Raw::of(raw),
            ..Ticker::default()
        }
        .completed(market)
    }

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        let (market, symbol, quote) = named(context, raw.text_of(&["product_id"]));
        let price = raw.number_of(&["price"]);
        let size = raw.number_of(&["size"]);
        let in_quote = raw.get("size_in_quote").flag() == Some(true);
        let in_base = if in_quote { size.and_then(|size| size.over(price?)) } else { size };
        // buys and sells of the older paths name amounts with their currencies
        let amount = raw.get("amount").number_of(&["amount"]).or(in_base);
        let paid = raw.get("subtotal").number_of(&["amount"]).or(size.filter(|_| in_quote));
        let price = match (paid, amount) {
            (Some(paid), Some(amount)) => paid.over(amount),
            _ => price,
        };
        let fee = raw.get("fee").number_of(&["amount"]).or_else(|| raw.number_of(&["commission"]));
        let paid_in = raw.get("fee").text_of(&["currency"]).map(|id| Venue::Coinbase.description().currency(id));
        let written = raw.string_of(&["created_at", "trade_time", "time"]);
        Trade {
            info: Raw::of(raw),
            time: Time::of_iso(written.as_deref()),
            datetime: written,
            symbol,
            id: raw.string_of(&["id", "trade_id"]),
            order: raw.string_of(&["order_id"]),
            side: raw.text_of(&["resource", "side"]).and_then(Side::parse),
            taker_or_maker: raw.text_of(&["liquidity_indicator"]).and_then(taker_or_maker),
            price,
            amount,
            cost: price.and_then(|price| price.times(amount?)).or(paid),
            fee: Some(Fee { cost: fee, currency: paid_in.or(quote.filter(|_| fee.is_some())), rate: None }),
            ..Trade::default()
        }
        .completed(market)
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        order::order(raw, context)
    }

    fn candle(&self, raw: &Json<'_>, _: Context<'_>) -> Candle {
        let number = |name: &str| raw.number_of(&[name]);
        let start = Time::parse(raw.text_of(&["start"])).0.and_then(|seconds| seconds.checked_mul(1_000));
        Candle(start, number("open"), number("high"), number("low"), number("close"), number("volume"))
    }

    fn balance(&self, raw: &Json<'_>, _: Context<'_>) -> Option<Balances> {
        Some(account::balances(raw))
    }

    fn position(&self, raw: &Json<'_>, context: Context<'_>) -> Option<Position> {
        Some(position::position(raw, context))
    }
}

/// The market that an answer names, its symbol, and its quote currency. A market that is not known is named by the
/// two currencies that its name is made of; one that is not named is the one that was asked for.
pub(super) fn named<'m>(
    context: Context<'m>,
    id: Option<&str>,
) -> (Option<&'m Market>, Option<String>, Option<String>) {
    let known = id.map_or(context.asked, |id| context.markets.named(id, false));
    match (known, id) {
        (Some(market), _) => (known, Some(market.symbol.clone()), Some(market.quote.clone())),
        (None, Some(id)) => {
            let (symbol, quote) = pair(id).unzip();
            (None, symbol.or_else(|| Some(id.to_owned())), quote)
        }
        (None, None) => (None, None, None),
    }
}

/// The symbol of `LTC-BTC`, and its quote currency.
pub(super) fn pair(id: &str) -> Option<(String, String)> {
    let (base, quote) = id.split_once('-').filter(|(_, quote)| !quote.contains('-'))?;
    let description = Venue::Coinbase.description();
    let quote = description.currency(quote);
    Some((format!("{}/{quote}", description.currency(base)), quote))
}

/// Levels of a book, which name their price and size.
pub(super) fn levels(side: Option<&Json<'_>>) -> Vec<(Number, Number)> {
    let level = |level: &Json<'_>| level.number_of(&["price"]).zip(level.number_of(&["size"]));
    side.each(level).into_iter().flatten().collect()
}

fn taker_or_maker(word: &str) -> Option<TakerOrMaker> {
    match word {
        _ if word.eq_ignore_ascii_case("maker") => Some(TakerOrMaker::Maker),
        _ if word.eq_ignore_ascii_case("taker") => Some(TakerOrMaker::Taker),
        _ => None,
    }
}

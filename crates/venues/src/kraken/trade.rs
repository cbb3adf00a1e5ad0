//! Trades: "Get Recent Trades" as lists, "Get Trades History" and the streams' "Trade" as objects.

use super::parse::{seconds, with_id};
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Fee, Market, Raw, Side, TakerOrMaker, Time, Trade};

/// A trade; `id` is the name that the answer has it under.
pub(super) fn trade(raw: &Json<'_>, id: Option<&str>, context: Context<'_>) -> Trade {
    match raw {
        Json::Array(_) => listed(raw, context.asked),
        Json::String(id) => Trade { info: Raw::of(raw), ..only_named(id, None, symbol(context.asked).as_deref()) },
        _ if raw.get("ordertxid").is_some() => own(raw, id, context),
        _ => streamed(raw, context.asked),
    }
}

fn symbol(market: Option<&Market>) -> Option<String> {
    market.map(|market| market.symbol.clone())
}

/// Anybody's: price, amount, time, side, type, and since 2022 its name.
fn listed(raw: &Json<'_>, asked: Option<&Market>) -> Trade {
    let either = |place: usize, word: &str| raw.at(place).text() == Some(word);
    Trade {
        info: Raw::of(raw),
        time: seconds(raw.at(2).text()),
        symbol: symbol(asked),
        id: raw.at(6).text().map(str::to_owned),
        order_type: Some(if either(4, "l") { "limit" } else { "market" }.to_owned()),
        side: Some(if either(3, "s") { Side::Sell } else { Side::Buy }),
        price: raw.number_at(0),
        amount: raw.number_at(1),
        ..Trade::default()
    }
    .completed(asked)
}

fn own(raw: &Json<'_>, id: Option<&str>, context: Context<'_>) -> Trade {
    let (market, symbol) = named(raw.text_of(&["pair"]), context);
    let fee = raw.number_of(&["fee"]).map(|cost| Fee {
        cost: Some(cost),
        currency: market.map(|market| market.quote.clone()),
        rate: None,
    });
    Trade {
        info: with_id(raw, id),
        time: seconds(raw.text_of(&["time"])),
        symbol,
        id: id.map(str::to_owned).or_else(|| raw.string_of(&["id", "postxid"])),
        order: raw.string_of(&["ordertxid"]),
        order_type: raw.string_of(&["ordertype"]),
        side: raw.text_of(&["type"]).and_then(Side::parse),
        taker_or_maker: raw.get("maker").flag().map(side_of_book),
        price: raw.number_of(&["price"]),
        amount: raw.number_of(&["vol"]),
        cost: raw.number_of(&["cost"]),
        fee,
        ..Trade::default()
    }
    .completed(market)
}

fn streamed(raw: &Json<'_>, asked: Option<&Market>) -> Trade {
    let text = |name: &str| raw.string_of(&[name]);
    let datetime = text("timestamp");
    Trade {
        info: Raw::of(raw),
        time: Time::of_iso(datetime.as_deref()),
        datetime,
        symbol: symbol(asked).or_else(|| text("symbol")),
        id: text("trade_id"),
        order_type: text("ord_type"),
        side: raw.text_of(&["side"]).and_then(Side::parse),
        taker_or_maker: raw.get("maker").flag().map(side_of_book),
        price: raw.number_of(&["price"]),
        amount: raw.number_of(&["qty"]),
        cost: raw.number_of(&["cost"]),
        ..Trade::default()
    }
    .completed(asked)
}

const fn side_of_book(maker: bool) -> TakerOrMaker {
    if maker { TakerOrMaker::Maker } else { TakerOrMaker::Taker }
}

/// The market and the symbol of what the account's orders and trades name `id`: by that or by the further name; the
/// symbol of a market that is not known, as one that is closed, is that name.
pub(super) fn named<'m>(id: Option<&str>, context: Context<'m>) -> (Option<&'m Market>, Option<String>) {
    let of = |id: &str| context.markets.also_named(id).or_else(|| context.markets.named(id, false));
    let market = id.and_then(of);
    (market, symbol(market).or_else(|| id.map(str::to_owned)))
}

/// A trade that an order of the account only names.
pub(super) fn only_named(id: &str, order: Option<&str>, symbol: Option<&str>) -> Trade {
    Trade {
        info: Raw::of(&Json::Object(Vec::new())),
        id: Some(id.to_owned()),
        of_order: order.map(str::to_owned),
        symbol: symbol.map(str::to_owned),
        ..Trade::default()
    }
    .completed(None)
}

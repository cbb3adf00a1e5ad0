//! Orders: "Get Open Orders", "Get Closed Orders", "Query Orders Info", and what "Add Order" and "Amend Order" answer.

use super::parse::{seconds, with_id};
use super::trade;
use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Fee, Market, Order, OrderStatus, Side, Trade};

/// What a new order's description says: `buy 0.02100000 ETHUSDT @ limit 330.00`, or
/// `sell 0.28002676 ETHUSDT @ stop loss 0.0123 -> limit 0.0122 with 5:1 leverage`.
#[derive(Default)]
struct Described<'t> {
    side: Option<&'t str>,
    amount: Option<&'t str>,
    pair: Option<&'t str>,
    order_type: Option<String>,
    trigger: Option<&'t str>,
    price: Option<&'t str>,
}

impl<'t> Described<'t> {
    fn of(text: &'t str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        let word = |place: usize| words.get(place).copied().filter(|word| !word.is_empty());
        let order_type = match (word(4), word(5)) {
            (Some(one @ ("limit" | "market")), _) | (Some(one), None) => Some(one.to_owned()),
            (Some(one), Some(two)) => Some(format!("{one} {two}")),
            (None, _) => None,
        };
        let (trigger, price) = match order_type.as_deref() {
            Some("stop loss" | "take profit") => (word(6), word(9)),
            Some("limit") => (None, word(5)),
            _ => (None, None),
        };
        Self { side: word(0), amount: word(1), pair: word(2), order_type, trigger, price }
    }
}

/// An order; `id` is the name that the answer has it under.
pub(super) fn order(raw: &Json<'_>, id: Option<&str>, context: Context<'_>) -> Order {
    parsed(raw, id, false, context)
}

/// A new order; one that says what it may cost has that in the place of its amount.
pub(super) fn made(raw: &Json<'_>, by_cost: bool, context: Context<'_>) -> Order {
    parsed(raw, None, by_cost, context)
}

fn parsed(raw: &Json<'_>, known_as: Option<&str>, by_cost: bool, context: Context<'_>) -> Order {
    let text = |name: &str| raw.string_of(&[name]);
    let details = raw.get("descr");
    let said = details.text_of(&["order"]).or_else(|| details.text());
    let described = said.map(Described::of).unwrap_or_default();
    let raw_type = details.string_of(&["ordertype"]).or(described.order_type);
    let (market, symbol) = trade::named(details.text_of(&["pair"]).or(described.pair), context);
    let first = described.amount.and_then(Number::parse);
    let flags = raw.text_of(&["oflags"]).unwrap_or_default();
    let known_as = known_as.filter(|_| raw.get("id").is_none());
    let id = known_as.map(str::to_owned).or_else(|| text("id")).or_else(|| named(raw));
    let price = price(raw, details, described.price);
    // of those that wait, the first price sets them off and the second is theirs
    let (first_price, second_price) = (details.number_of(&["price"]), details.number_of(&["price2"]));
    let trigger = described.trigger.and_then(Number::parse);
    let (profit, stop, price) = match raw_type.as_deref() {
        Some(word) if word.starts_with("take-profit") => (first_price, None, second_price),
        Some(word) if word.starts_with("stop-loss") => (None, first_price, second_price),
        Some("take profit") => (trigger, None, price),
        Some("stop loss") => (None, trigger, price),
        _ => (None, None, price),
    };
    let fills = raw.get("trades").list().unwrap_or_default();
    let fill = |one: &Json<'_>| match one {
        Json::String(name) => trade::only_named(name, id.as_deref(), symbol.as_deref()),
        one => trade::trade(one, None, context),
    };
    let trades: Vec<Trade> = fills.iter().map(fill).collect();
    Order {
        info: with_id(raw, known_as),
        client_order_id: raw.string_of(&["cl_ord_id", "userref"]),
        time: seconds(raw.text_of(&["opentm"])),
        last_update: seconds(raw.text_of(&["closetm"])).0,
        order_type: raw_type.map(|word| order_type(word, price)),
        post_only: raw.get("amend_id").text().is_none().then(|| flags.contains("post")),
        reduce_only: raw.get("reduceOnly").flag().or_else(|| raw.get("reduce_only").flag()),
        side: details.text_of(&["type"]).or(described.side).and_then(Side::parse),
        price,
        trigger_price: trigger,
        take_profit_price: profit,
        stop_loss_price: stop,
        amount: raw.number_of(&["vol"]).or(first.filter(|_| !by_cost)),
        cost: first.filter(|_| by_cost),
        average: raw.number_of(&["price"]),
        filled: raw.number_of(&["vol_exec"]),
        status: raw.text_of(&["status"]).and_then(status),
        fee: raw.get("fee").map(|cost| fee(cost, flags, market)),
        fee_digits: text("fee"),
        trades,
        id,
        symbol,
        ..Order::default()
    }
    .completed(market)
}

fn fee(cost: &Json<'_>, flags: &str, market: Option<&Market>) -> Fee {
    let currency = match market {
        Some(market) if flags.contains("fciq") => Some(market.quote.clone()),
        Some(market) if flags.contains("fcib") => Some(market.base.clone()),
        _ => None,
    };
    Fee { cost: cost.text().and_then(Number::parse), currency, rate: None }
}

/// The order's name where an answer does not have it under that.
fn named(raw: &Json<'_>) -> Option<String> {
    match raw.get("txid").list() {
        Some(names) => names.first().text().map(str::to_owned),
        None => raw.string_of(&["txid", "order_id", "amend_id"]),
    }
}

/// The price; one that is zero or a share of another says nothing.
fn price(raw: &Json<'_>, details: Option<&Json<'_>>, described: Option<&str>) -> Option<Number> {
    let said = details.text_of(&["price"]).or(described).filter(|price| !price.ends_with('%'));
    let rest = || raw.text_of(&["limitprice", "price"]).or_else(|| details.text_of(&["price2"]));
    said.and_then(Number::parse).and_then(Number::nonzero).or_else(|| rest().and_then(Number::parse))
}

fn order_type(word: String, price: Option<Number>) -> String {
    match word.as_str() {
        "take-profit" | "stop-loss" => "market".to_owned(),
        "stop-loss-limit" | "take-profit-limit" | "trailing-stop-limit" => "limit".to_owned(),
        "stop loss" | "take profit" => if price.is_some() { "limit" } else { "market" }.to_owned(),
        _ => word,
    }
}

pub(super) fn status(word: &str) -> Option<OrderStatus> {
    match word {
        "pending" | "open" | "pending_new" | "new" | "partially_filled" => Some(OrderStatus::Open),
        "filled" | "closed" => Some(OrderStatus::Closed),
        "canceled" => Some(OrderStatus::Canceled),
        "expired" => Some(OrderStatus::Expired),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::json;
    use crate::unified::{Markets, OrderStatus};
    use crate::{Context, Venue};

    fn symbol(markets: &Markets, pair: &str) -> Option<String> {
        let text = format!(r#"{{"descr":{{"pair":"{pair}"}}}}"#);
        Venue::Kraken.dialect().order(&json::parse(&text).unwrap(), Context { markets, asked: None }).symbol
    }

    #[test]
    fn a_market_is_known_by_its_short_name_too() {
        let text = r#"{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","base":"XXBT","quote":"ZUSD"}}}"#;
        let kraken = Venue::Kraken.dialect();
        let markets = Markets::new(kraken.markets("", &json::parse(text).unwrap()));
        assert_eq!(symbol(&markets, "XBTUSD").as_deref(), Some("XBTUSD"));
        let markets = markets.with_aliases(|market| kraken.alias(market));
        assert_eq!(symbol(&markets, "XBTUSD").as_deref(), Some("BTC/USD"));
        assert_eq!(symbol(&markets, "XXBTZUSD").as_deref(), Some("BTC/USD"));
        assert_eq!(symbol(&markets, "XETHZEUR").as_deref(), Some("XETHZEUR"));
    }

    #[test]
    fn a_new_order_is_read_from_its_description() {
        let text = r#"{"descr":{"order":"sell 0.5 ETHUSDT @ stop loss 2677.00 -> limit 2577.00 with 5:1 leverage"},
            "txid":["OEKVV2-IH52O-TPL6GZ"]}"#;
        let raw = json::parse(text).unwrap();
        let order = Venue::Kraken.dialect().order(&raw, Context { markets: &Markets::default(), asked: None });
        let digits = |number: Option<crate::Number>| number.map(|number| number.to_string());
        assert_eq!(order.id.as_deref(), Some("OEKVV2-IH52O-TPL6GZ"));
        assert_eq!((order.symbol.as_deref(), order.order_type.as_deref()), (Some("ETHUSDT"), Some("limit")));
        assert_eq!(
            (digits(order.stop_loss_price), digits(order.trigger_price)),
            (Some("2677".into()), Some("2677".into()))
        );
        assert_eq!((digits(order.price), digits(order.amount)), (Some("2577".into()), Some("0.5".into())));
        assert_eq!((order.status, order.side), (None::<OrderStatus>, Some(crate::unified::Side::Sell)));
    }
}

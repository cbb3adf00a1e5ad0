//! Answers: "Market Data" and "Trading" of the spot and of the contract markets.

use super::{markets, order, position};
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Candle, Fee, Market, MarketKind, Order, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade};
use crate::{Number, Venue};

pub(crate) struct Dialect;

/// What stands for a part of an answer that is not there.
static NOTHING: Json<'static> = Json::Object(Vec::new());

/// A member that is an object; an empty one if it is none.
pub(super) fn object<'v, 't>(of: &'v Json<'t>, name: &str) -> &'v Json<'t> {
    match of.get(name) {
        Some(member @ Json::Object(_)) => member,
        _ => &NOTHING,
    }
}

/// The first of a list that is a member; an empty object if there is none.
pub(super) fn first<'v, 't>(of: &'v Json<'t>, name: &str) -> &'v Json<'t> {
    of.get(name).at(0).unwrap_or(&NOTHING)
}

/// The common name of the currency that one of these members names.
pub(super) fn currency(raw: &Json<'_>, names: &[&str]) -> Option<String> {
    raw.text_of(names).map(|id| Venue::Htx.description().currency(id))
}

impl crate::Dialect for Dialect {
    fn markets(&self, _of: &str, answer: &Json<'_>) -> Vec<Market> {
        answer.get("data").list().unwrap_or_default().iter().filter_map(markets::market).collect()
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        let number = |name: &str| raw.number_of(&[name]);
        // best prices are lists of price and amount, or two numbers
        let best = |side: &str, amount: &str| match raw.get(side) {
            Some(level @ Json::Array(_)) => (level.number_at(0), level.number_at(1)),
            _ => (number(side), number(amount)),
        };
        let ((bid, bid_volume), (ask, ask_volume)) = (best("bid", "bidSize"), best("ask", "askSize"));
        Ticker {
            symbol: ticker_symbol(raw.text_of(&["symbol", "contract_code"]), context),
            time: Time::parse(raw.text_of(&["ts", "quoteTime"])),
            high: number("high"),
            low: number("low"),
            bid,
            bid_volume,
            ask,
            ask_volume,
            open: number("open"),
            close: number("close"),
            base_volume: number("amount"),
            quote_volume: number("vol"),
            info: Raw::of(raw),
            ..Ticker::default()
        }
        .completed(context.asked)
    }

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        let contract = raw.get("contract_code").is_some();
        let (market, symbol) = context.symbol(raw.text_of(&["contract_code", "symbol"]), contract);
        // `buy-limit` of the spot market, `limit` of contracts
        let said = raw.text_of(&["type"]);
        let (side, order_type) = match said.map(|said| (said, said.split_once('-'))) {
            Some((_, Some((side, rest)))) => (Some(side), rest.split('-').next()),
            Some((said, None)) => (raw.text_of(&["direction", "side"]), Some(said)),
            None => (raw.text_of(&["direction", "side"]), None),
        };
        let id = raw.text_of(&["id"]).filter(|id| id.contains('-'));
        Trade {
            info: Raw::of(raw),
            time: Time::parse(raw.text_of(&["ts", "created-at", "created_at", "create_date", "created_time"])),
            symbol,
            id: id.or_else(|| raw.text_of(&["trade_id", "trade-id", "id"])).map(str::to_owned),
            order: raw.string_of(&["order-id", "order_id"]),
            order_type: order_type.map(str::to_owned),
            side: side.and_then(Side::parse),
            taker_or_maker: match raw.text_of(&["role"]) {
                Some(role) if role.eq_ignore_ascii_case("taker") => Some(TakerOrMaker::Taker),
                Some(role) if role.eq_ignore_ascii_case("maker") => Some(TakerOrMaker::Maker),
                _ => None,
            },
            price: raw.number_of(&["price", "trade_price"]),
            amount: raw.number_of(&["trade_volume", "filled-amount", "amount"]),
            cost: raw.number_of(&["trade_turnover"]),
            fee: fee(raw),
            ..Trade::default()
        }
        .completed(market)
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        order::order(self, raw, context)
    }

    fn candle(&self, raw: &Json<'_>, _context: Context<'_>) -> Candle {
        let number = |name: &str| raw.number_of(&[name]);
        let opened = Time::parse(raw.text_of(&["id"])).0.and_then(|seconds| seconds.checked_mul(1000));
        Candle(opened, number("open"), number("high"), number("low"), number("close"), number("amount"))
    }

    fn position(&self, raw: &Json<'_>, context: Context<'_>) -> Option<Position> {
        Some(position::position(raw, context))
    }
}

fn ticker_symbol(id: Option<&str>, context: Context<'_>) -> Option<String> {
    let (market, symbol) = context.symbol(id, true);
    if market.is_some() {
        return symbol;
    }
    let ends = context.markets.all().iter().filter(|market| market.kind == MarketKind::Future);
    let mut named = ends.filter(|market| markets::named_by_end(market).as_deref() == id);
    named.next().map(|market| market.symbol.clone()).or(symbol)
}

/// What a trade cost: in a currency, or in points that stand for one. Contracts count what is paid as negative.
fn fee(raw: &Json<'_>) -> Option<Fee> {
    let paid = || raw.number_of(&["trade_fee"]).and_then(|paid| Number::default().minus(paid));
    let cost = raw.number_of(&["filled-fees"]).or_else(paid);
    let of = |cost, names: &[&str]| Some(Fee { cost: Some(cost), currency: currency(raw, names), rate: None });
    let points = raw.number_of(&["filled-points"]).filter(|_| raw.text_of(&["fee-deduct-currency"]).is_some());
    match (cost.and_then(Number::nonzero), points) {
        (None, Some(points)) => of(points, &["fee-deduct-currency"]),
        _ => of(cost?, &["fee-currency", "fee_asset", "fee_currency"]),
    }
}

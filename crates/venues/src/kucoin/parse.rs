//! Answers: "Market Data" and "Orders" of the spot market, of contracts, and of unified accounts.

use super::{markets, order, position};
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Candle, Fee, Market, Markets, Order, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade};
use crate::{Number, Venue};

/// Digits of a time in nanoseconds beyond milliseconds.
const NANOSECOND_DIGITS: usize = 6;
/// Longest time of a candle that is in seconds.
const SECONDS_DIGITS_MAX: usize = 10;

pub(crate) struct Dialect;

/// What an answer is about.
pub(super) fn data<'v, 't>(answer: &'v Json<'t>) -> Option<&'v Json<'t>> {
    answer.get("data")
}

/// What becomes of an answer's object, or of an empty one if it has none.
pub(super) fn said<T>(answer: &Json<'_>, read: impl FnOnce(&Json<'_>) -> T) -> T {
    match data(answer) {
        Some(object @ Json::Object(_)) => read(object),
        _ => read(&Json::Object(Vec::new())),
    }
}

/// Milliseconds of nanoseconds.
pub(super) fn nanoseconds(digits: Option<&str>) -> Time {
    let ms = digits.map(|digits| digits.get(..digits.len().saturating_sub(NANOSECOND_DIGITS)).unwrap_or_default());
    Time::parse(ms)
}

/// The same as CCXT has it, which multiplies doubles and comes out one millisecond short at times: scripts and recorded
/// streams know trades and books by these.
pub(super) fn doubles(digits: Option<&str>) -> Time {
    let ns = digits.and_then(|digits| digits.parse::<f64>().ok());
    // whole numbers of doubles are written as their digits
    let ms = ns.map(|ns| (ns * 0.000_001).trunc().to_string());
    Time::parse(ms.as_deref())
}

/// The common name of a currency.
pub(super) fn currency(id: Option<&str>) -> Option<String> {
    id.filter(|id| !id.is_empty()).map(|id| Venue::Kucoin.description().currency(id))
}

/// The market of the exchange's name and its symbol; of one that is not known, as its name has it.
pub(super) fn named<'m>(id: &str, markets: &'m Markets) -> (Option<&'m Market>, Option<String>) {
    if let Some(market) = markets.named(id, true) {
        return (Some(market), Some(market.symbol.clone()));
    }
    let pair = id.split_once('-').filter(|(_, quote)| !quote.contains('-'));
    let symbol = pair.and_then(|(base, quote)| Some(format!("{}/{}", currency(Some(base))?, currency(Some(quote))?)));
    (None, symbol.or_else(|| Some(id.to_owned())))
}

/// The market of an answer and its symbol.
pub(super) fn place<'m>(raw: &Json<'_>, context: Context<'m>) -> (Option<&'m Market>, Option<String>) {
    match raw.text_of(&["symbol"]) {
        Some(id) => named(id, context.markets),
        None => (context.asked, context.asked.map(|market| market.symbol.clone())),
    }
}

/// A candle of the spot market, and of streams: seconds, open, close, high, low, and the volume at some place.
pub(super) fn candle_of(raw: &Json<'_>, volume: usize) -> Candle {
    let number = |place: usize| raw.number_at(place);
    let ms = Time::parse(raw.at(0).text()).0.and_then(|seconds| seconds.checked_mul(1000));
    Candle(ms, number(1), number(3), number(4), number(2), number(volume))
}

/// How long an order stays, by CCXT's name.
pub(super) fn time_in_force(word: &str) -> String {
    if word == "GTT" { "GTD" } else { word }.to_owned()
}

impl crate::Dialect for Dialect {
    fn markets(&self, _of: &str, answer: &Json<'_>) -> Vec<Market> {
        data(answer).each(markets::market).into_iter().flatten().collect()
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        let (market, _) = place(raw, context);
        if market.is_some_and(|market| !market.contract()) {
            return spot_ticker(raw, context);
        }
        contract_ticker(raw, context)
    }

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        let market = context.market(raw.text_of(&["symbol"]), true);
        let context = Context { asked: market, ..context };
        if raw.get("liquidityRole").is_some() {
            return unified_trade(raw, context);
        }
        trade(raw, context, market.is_none_or(Market::contract))
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        order::order(raw, context)
    }

    fn candle(&self, raw: &Json<'_>, _context: Context<'_>) -> Candle {
        let number = |place: usize| raw.number_at(place);
        let time = raw.at(0).text();
        if time.is_some_and(|digits| digits.len() <= SECONDS_DIGITS_MAX) {
            return candle_of(raw, 5);
        }
        let ms = Time::parse(time).0;
        Candle(ms, number(1), number(2), number(3), number(4), number(5))
    }

    fn position(&self, raw: &Json<'_>, context: Context<'_>) -> Option<Position> {
        Some(position::position(raw, context))
    }
}

/// "Get All Tickers" and "Get 24hr Stats" of the spot market, "Get Ticker" of unified accounts.
pub(super) fn spot_ticker(raw: &Json<'_>, context: Context<'_>) -> Ticker {
    let number = |names: &[&str]| raw.number_of(names);
    let (market, symbol) = place(raw, context);
    let hundred = Number::from(100);
    let spot = market.is_some_and(|market| !market.contract());
    let percentage = match number(&["changeRate"]) {
        Some(share) => share.times(hundred),
        None if spot => number(&["priceChangePercent"]).and_then(|share| share.times(hundred)),
        None => number(&["priceChangePercent"]),
    };
    Ticker {
        symbol,
        time: Time::parse(raw.text_of(&["time", "datetime", "timePoint"])),
        high: number(&["high"]),
        low: number(&["low"]),
        bid: number(&["buy", "bestBid", "bestBidPrice"]),
        bid_volume: number(&["bestBidSize"]),
        ask: number(&["sell", "bestAsk", "bestAskPrice"]),
        ask_volume: number(&["bestAskSize"]),
        open: number(&["open"]),
        close: number(&["price", "last", "lastTradedPrice", "lastPrice"]),
        change: number(&["changePrice", "priceChange"]),
        percentage,
        average: number(&["averagePrice"]),
        base_volume: number(&["vol", "baseVolume"]),
        quote_volume: number(&["volValue", "quoteVolume"]),
        mark_price: number(&["markPrice", "value"]),
        index_price: number(&["indexPrice"]),
        info: Raw::of(raw),
        ..Ticker::default()
    }
    .completed(market)
}

/// "Get Ticker" and "Get All Symbols" of contracts.
pub(super) fn contract_ticker(raw: &Json<'_>, context: Context<'_>) -> Ticker {
    let number = |names: &[&str]| raw.number_of(names);
    let (market, symbol) = place(raw, context);
    let (last, change) = (number(&["price", "lastTradePrice"]), number(&["priceChg"]));
    let share = number(&["priceChgPct"]).filter(|_| last.is_none() || change.is_none());
    Ticker {
        symbol,
        time: doubles(raw.text_of(&["ts"])),
        high: number(&["highPrice"]),
        low: number(&["lowPrice"]),
        bid: number(&["bestBidPrice"]),
        bid_volume: number(&["bestBidSize"]),
        ask: number(&["bestAskPrice"]),
        ask_volume: number(&["bestAskSize"]),
        close: last,
        change,
        percentage: share.and_then(|share| share.times(100.into())),
        base_volume: number(&["volumeOf24h"]),
        quote_volume: number(&["turnoverOf24h"]),
        mark_price: number(&["markPrice", "value"]),
        index_price: number(&["indexPrice"]),
        info: Raw::of(raw),
        ..Ticker::default()
    }
    .completed(market)
}

/// "Get Trade History" of anybody and of the account.
pub(super) fn trade(raw: &Json<'_>, context: Context<'_>, contract: bool) -> Trade {
    let number = |names: &[&str]| raw.number_of(names);
    let (market, symbol) = place(raw, context);
    let traded = if contract { raw.text_of(&["ts"]) } else { raw.text_of(&["time", "ts"]) };
    let time = match traded {
        Some(_) => nanoseconds(traded),
        None => {
            let Time(made) = Time::parse(raw.text_of(&["createdAt"]));
            // trades of the first version of the API are told in seconds
            let seconds = raw.get("dealValue").is_some();
            Time(made.and_then(|made| if seconds { made.checked_mul(1000) } else { Some(made) }))
        }
    };
    let side = raw.text_of(&["side"]).and_then(Side::parse);
    // where the currency is not said, it is what is got
    let sold = side == Some(Side::Sell);
    let got = || {
        let named =
            |id: &str| id.split_once('-').and_then(|(base, quote)| currency(Some(if sold { quote } else { base })));
        let known = market.map(|market| if sold { &market.quote } else { &market.base }.clone());
        known.or_else(|| raw.text_of(&["symbol"]).and_then(named))
    };
    let fee = number(&["fee"]).map(|cost| Fee {
        cost: Some(cost),
        currency: currency(raw.text_of(&["feeCurrency"])).or_else(got),
        rate: number(&["feeRate"]),
    });
    let words: &[&str] = if contract { &["type", "orderType"] } else { &["type"] };
    let mut cost = number(if contract { &["funds", "value"] } else { &["funds", "dealValue"] });
    let (price, amount) = (number(&["price", "dealPrice"]), number(&["size", "amount"]));
    if contract {
        cost = cost.or_else(|| price?.times(amount?)?.times(market?.contract_size?));
    }
    Trade {
        info: Raw::of(raw),
        time,
        symbol,
        id: raw.string_of(&["tradeId", "id"]),
        order: raw.string_of(&["orderId"]),
        order_type: raw.string_of(words).filter(|word| word != "match"),
        side,
        taker_or_maker: raw.text_of(&["liquidity"]).and_then(taker_or_maker),
        price,
        amount,
        cost,
        fee,
        ..Trade::default()
    }
    .completed(market)
}

/// "Get Trade History" of a unified account.
fn unified_trade(raw: &Json<'_>, context: Context<'_>) -> Trade {
    let number = |name: &str| raw.number_of(&[name]);
    let market = context.asked;
    let symbol = market.map(|market| market.symbol.clone());
    Trade {
        info: Raw::of(raw),
        time: doubles(raw.text_of(&["executionTime"])),
        symbol: symbol.or_else(|| raw.string_of(&["symbol"])),
        id: raw.string_of(&["tradeId"]),
        order: raw.string_of(&["orderId"]),
        order_type: raw.text_of(&["orderType"]).map(str::to_lowercase),
        side: raw.text_of(&["side"]).and_then(Side::parse),
        taker_or_maker: raw.text_of(&["liquidityRole"]).and_then(taker_or_maker),
        price: number("price"),
        amount: number("size"),
        cost: number("value"),
        fee: Some(Fee { cost: number("fee"), currency: currency(raw.text_of(&["feeCurrency"])), rate: None }),
        ..Trade::default()
    }
    .completed(market)
}

pub(super) fn taker_or_maker(word: &str) -> Option<TakerOrMaker> {
    match word {
        _ if word.eq_ignore_ascii_case("taker") => Some(TakerOrMaker::Taker),
        _ if word.eq_ignore_ascii_case("maker") => Some(TakerOrMaker::Maker),
        _ => None,
    }
}

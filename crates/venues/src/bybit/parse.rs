//! Answers: V5 "Market", "Order" and "Trade".

use super::{balance, markets, order, position};
use crate::Number;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Balances, Candle, Fee, Market, Order, Position, Raw, Side, TakerOrMaker, Ticker, Time, Trade};

pub(crate) struct Dialect;

/// Months as they stand in the names of options.
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// The elements of an answer's list.
pub(super) fn list<'v, 't>(answer: &'v Json<'t>) -> &'v [Json<'t>] {
    answer.get("result").get("list").list().unwrap_or_default()
}

/// The market of a name and its symbol. Options are known by their names alone.
pub(super) fn named<'m>(
    context: Context<'m>,
    id: Option<&str>,
    contract: bool,
) -> (Option<&'m Market>, Option<String>) {
    if let Some(id) = id
        && context.markets.named(id, contract).is_none()
        && let Some(symbol) = option(id)
    {
        return (None, Some(symbol));
    }
    context.symbol(id, contract)
}

/// The symbol of an option: `BTC-6JAN23-17500-C` is an option on BTC that is paid in USDC.
fn option(id: &str) -> Option<String> {
    let mut parts = id.split('-');
    let (base, day, strike, kind) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let settle = if parts.next() == Some("USDT") { "USDT" } else { "USDC" };
    let letter = day.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, rest) = day.split_at_checked(letter)?;
    let (month, year) = rest.split_at_checked(3)?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let known = matches!(kind, "C" | "P") && !number.is_empty();
    known.then(|| format!("{base}/{settle}:{settle}-{year}{month:02}{number:0>2}-{strike}-{kind}"))
}

impl crate::Dialect for Dialect {
    fn markets(&self, of: &str, answer: &Json<'_>) -> Vec<Market> {
        let part = answer.get("result").text_of(&["category"]).unwrap_or(of);
        list(answer).iter().filter_map(|raw| markets::market(raw, part)).collect()
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        ticker(raw, context, raw.text_of(&["openInterestValue"]).is_some())
    }

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        let number = |names: &[&str]| raw.number_of(names);
        let contract = match (context.asked, raw.text_of(&["category"])) {
            (Some(market), _) => market.contract(),
            (None, Some(part)) => part != "spot",
            (None, None) => raw.get("createType").is_some(),
        };
        let (market, symbol) = named(context, raw.text_of(&["symbol"]), contract);
        let bought = raw.text_of(&["isBuyer"]).map(|digits| digits != "0");
        let side = raw.text_of(&["side"]).and_then(Side::parse);
        let side = side.or_else(|| bought.map(|bought| if bought { Side::Buy } else { Side::Sell }));
        Trade {
            info: Raw::of(raw),
            time: Time::parse(raw.text_of(&["time", "execTime", "tradeTime"])),
            symbol,
            id: raw.string_of(&["execId", "id", "tradeId"]),
            order: raw.string_of(&["orderId"]),
            order_type: raw.text_of(&["orderType"]).map(str::to_lowercase).filter(|word| word != "unknown"),
            side,
            taker_or_maker: taker_or_maker(raw),
            price: number(&["execPrice", "orderPrice", "price"]),
            amount: number(&["execQty", "orderQty", "size"]),
            cost: number(&["execValue"]),
            fee: fee(raw, market, side),
            ..Trade::default()
        }
        .completed(market)
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        order::order(raw, context)
    }

    fn balance(&self, raw: &Json<'_>, _context: Context<'_>) -> Option<Balances> {
        Some(balance::balances(raw))
    }

    fn position(&self, raw: &Json<'_>, context: Context<'_>) -> Option<Position> {
        Some(position::position(raw, context))
    }

    fn candle(&self, raw: &Json<'_>, context: Context<'_>) -> Candle {
        let number = |place: usize| raw.at(place).text().and_then(Number::parse);
        let in_coins = context.asked.is_some_and(|market| market.linear == Some(false));
        let volume = number(if in_coins { 6 } else { 5 });
        Candle(Time::parse(raw.at(0).text()).0, number(1), number(2), number(3), number(4), volume)
    }
}

/// A ticker, of a contract or of a spot market.
pub(super) fn ticker(raw: &Json<'_>, context: Context<'_>, contract: bool) -> Ticker {
    let number = |names: &[&str]| raw.number_of(names);
    let (market, symbol) = named(context, raw.text_of(&["symbol"]), contract);
    Ticker {
        symbol,
        time: Time::parse(raw.text_of(&["time"])),
        high: number(&["highPrice24h"]),
        low: number(&["lowPrice24h"]),
        bid: number(&["bid1Price"]),
        bid_volume: number(&["bidSize", "bid1Size"]),
        ask: number(&["ask1Price"]),
        ask_volume: number(&["askSize", "ask1Size"]),
        open: number(&["prevPrice24h"]),
        close: number(&["lastPrice"]),
        percentage: number(&["price24hPcnt"]).and_then(|share| share.times(100.into())),
        base_volume: number(&["volume24h"]),
        quote_volume: number(&["turnover24h"]),
        mark_price: number(&["markPrice"]),
        index_price: number(&["indexPrice"]),
        info: Raw::of(raw),
        ..Ticker::default()
    }
    .completed(market)
}

fn taker_or_maker(raw: &Json<'_>) -> Option<TakerOrMaker> {
    let said = raw.text_of(&["lastLiquidityInd"]).filter(|word| *word != "UNKNOWN");
    let maker = raw.get("isMaker").flag().or_else(|| said.map(|word| matches!(word, "MAKER" | "AddedLiquidity")));
    maker.map(|maker| if maker { TakerOrMaker::Maker } else { TakerOrMaker::Taker })
}

/// What a trade cost. A fee is taken from what is got, and a rebate is paid in what is given.
fn fee(raw: &Json<'_>, market: Option<&Market>, side: Option<Side>) -> Option<Fee> {
    let cost = raw.number_of(&["execFee"])?;
    let paid_in = |market: &Market| {
        let got_base = (side == Some(Side::Buy)) == (cost > Number::default());
        match market.linear {
            Some(true) => market.settle.clone(),
            Some(false) => Some(market.base.clone()),
            None => Some(if got_base { market.base.clone() } else { market.quote.clone() }),
        }
    };
    let currency = raw.string_of(&["feeCoin"]).or_else(|| market.and_then(paid_in));
    Some(Fee { cost: Some(cost), currency, rate: raw.number_of(&["feeRate"]) })
}

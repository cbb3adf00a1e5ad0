//! Answers: "Market Data endpoints" and "Account endpoints" of the spot and of the contract markets.

use super::{markets, order};
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Candle, Fee, Market, Order, Raw, Side, TakerOrMaker, Ticker, Time, Trade};
use crate::{Number, Venue};

/// Fields that only trades of the spot market have.
const OF_SPOT_TRADES: [&str; 4] = ["isIsolated", "M", "orderListId", "isMaker"];

pub(crate) struct Dialect;

impl crate::Dialect for Dialect {
    fn markets(&self, _of: &str, answer: &Json<'_>) -> Vec<Market> {
        let symbols = answer.get("symbols").list().unwrap_or_default();
        symbols.iter().filter_map(markets::market).collect()
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        let number = |name: &str| raw.get(name).text().and_then(Number::parse);
        let contract = raw.get("time").is_some() || raw.get("bidQty").is_none();
        let (market, symbol) = context.symbol(raw.get("symbol").text(), contract);
        let vwap = number("weightedAvgPrice");
        // contracts settled in coins count volume in contracts, and in coins under a name of its own
        let in_coins = number("baseVolume");
        let quote_volume = in_coins.and_then(|volume| volume.times(vwap?));
        Ticker {
            symbol,
            time: Time::parse(raw.text_of(&["closeTime", "time"])),
            high: number("highPrice"),
            low: number("lowPrice"),
            bid: number("bidPrice"),
            bid_volume: number("bidQty"),
            ask: number("askPrice"),
            ask_volume: number("askQty"),
            vwap,
            open: number("openPrice"),
            close: number("lastPrice"),
            previous_close: number("prevClosePrice"),
            change: number("priceChange"),
            percentage: number("priceChangePercent"),
            base_volume: in_coins.or_else(|| number("volume")),
            quote_volume: quote_volume.or_else(|| number("quoteVolume")).or_else(|| number("amount")),
            mark_price: number("markPrice"),
            index_price: number("indexPrice"),
            info: Raw::of(raw),
            ..Ticker::default()
        }
        .completed(market)
    }

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        let number = |names: &[&str]| raw.number_of(names);
        let text = |names: &[&str]| raw.text_of(names).map(str::to_owned);
        let contract = !OF_SPOT_TRADES.iter().any(|name| raw.get(name).is_some());
        let (market, symbol) = context.symbol(raw.get("symbol").text(), contract);
        let either = |flag: bool, yes: Side, no: Side| if flag { yes } else { no };
        // who bought was there first: so the trade's taker sold
        let bought_first = raw.get("m").flag().or_else(|| raw.get("isBuyerMaker").flag());
        let side = match bought_first {
            Some(flag) => Some(either(flag, Side::Sell, Side::Buy)),
            None => match raw.get("side").text() {
                Some(word) => Side::parse(word),
                None => raw.get("isBuyer").flag().map(|flag| either(flag, Side::Buy, Side::Sell)),
            },
        };
        let first = raw.get("maker").flag().or_else(|| raw.get("isMaker").flag());
        Trade {
            info: Raw::of(raw),
            time: Time::parse(raw.text_of(&["T", "time"])),
            symbol,
            id: text(&["tradeId", "id", "t", "a"]),
            order: text(&["orderId"]),
            order_type: None,
            side,
            taker_or_maker: first.map(|first| if first { TakerOrMaker::Maker } else { TakerOrMaker::Taker }),
            price: number(&["p", "price"]),
            amount: number(&["quantity", "q", "qty"]),
            cost: number(&["quoteQty", "baseQty"]),
            fee: raw.get("commission").text().map(|cost| Fee {
                cost: Number::parse(cost),
                currency: raw.get("commissionAsset").text().map(|id| Venue::Binance.description().currency(id)),
                rate: None,
            }),
            ..Trade::default()
        }
        .completed(market)
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        order::order(self, raw, context)
    }

    fn candle(&self, raw: &Json<'_>, context: Context<'_>) -> Candle {
        let number = |place: usize| raw.at(place).text().and_then(Number::parse);
        let in_coins = context.asked.is_some_and(|market| market.linear == Some(false));
        let volume = number(if in_coins { 7 } else { 5 });
        Candle(Time::parse(raw.at(0).text()).0, number(1), number(2), number(3), number(4), volume)
    }
}

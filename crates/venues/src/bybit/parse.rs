//! Answers: V5 "Market", "Order" and "Trade".

use super::markets;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::unified::{Candle, Fee, Market, Order, OrderStatus, Raw, Side, TakerOrMaker, Ticker, Time, Trade};
use crate::{Number, Venue};

pub(crate) struct Dialect;

/// The elements of an answer's list.
pub(super) fn list<'v, 't>(answer: &'v Json<'t>) -> &'v [Json<'t>] {
    answer.get("result").get("list").list().unwrap_or_default()
}

impl crate::Dialect for Dialect {
    fn markets(&self, _of: &str, answer: &Json<'_>) -> Vec<Market> {
        list(answer).iter().filter_map(markets::market).collect()
    }

    fn ticker(&self, raw: &Json<'_>, context: Context<'_>) -> Ticker {
        let number = |names: &[&str]| raw.number_of(names);
        let contract = raw.get("openInterestValue").is_some();
        let (market, symbol) = context.symbol(raw.get("symbol").text(), contract);
        Ticker {
            symbol,
            high: number(&["highPrice24h"]),
            low: number(&["lowPrice24h"]),
            bid: number(&["bid1Price"]),
            bid_volume: number(&["bid1Size"]),
            ask: number(&["ask1Price"]),
            ask_volume: number(&["ask1Size"]),
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

    fn trade(&self, raw: &Json<'_>, context: Context<'_>) -> Trade {
        let number = |names: &[&str]| raw.number_of(names);
        let text = |names: &[&str]| raw.text_of(names).map(str::to_owned);
        let contract = raw.get("createType").is_some();
        let (market, symbol) = context.symbol(raw.get("symbol").text(), contract);
        let bought = raw.get("isBuyer").flag();
        let side = raw.get("side").text().and_then(Side::parse);
        let side = side.or_else(|| bought.map(|bought| if bought { Side::Buy } else { Side::Sell }));
        let cost = number(&["execFee"]);
        // a fee is taken from what is got, and a rebate is paid in what is given
        let paid_in = |market: &Market| {
            let got_base = (side == Some(Side::Buy)) == cost.is_none_or(|cost| cost > Number::default());
            let of_spot = if got_base { &market.base } else { &market.quote };
            market.settle.clone().unwrap_or_else(|| of_spot.clone())
        };
        let said = raw.text_of(&["feeCurrency"]).map(|id| Venue::Bybit.description().currency(id));
        let fee = cost.map(|cost| Fee {
            cost: Some(cost),
            currency: said.or_else(|| market.map(paid_in)),
            rate: number(&["feeRate"]),
        });
        Trade {
            info: Raw::of(raw),
            time: Time::parse(raw.text_of(&["time", "execTime", "tradeTime"])),
            symbol,
            id: text(&["execId", "id", "tradeId"]),
            order: text(&["orderId"]),
            order_type: raw.text_of(&["orderType"]).map(str::to_lowercase).filter(|word| word != "unknown"),
            side,
            taker_or_maker: raw
                .get("isMaker")
                .flag()
                .map(|first| if first { TakerOrMaker::Maker } else { TakerOrMaker::Taker }),
            price: number(&["execPrice", "orderPrice", "price"]),
            amount: number(&["execQty", "orderQty", "size"]),
            cost: number(&["execValue"]),
            fee,
            ..Trade::default()
        }
        .completed(market)
    }

    fn order(&self, raw: &Json<'_>, context: Context<'_>) -> Order {
        let number = |name: &str| raw.number_of(&[name]);
        let nonzero = |name: &str| number(name).and_then(Number::nonzero);
        let text = |name: &str| raw.string_of(&[name]);
        let contract = context.asked.map_or(raw.get("tpslMode").is_some(), Market::contract);
        let (_, symbol) = context.symbol(raw.get("symbol").text(), contract);
        let touched = Time::parse(raw.text_of(&["updatedTime", "updatedAt"])).0;
        let side = raw.get("side").text().and_then(Side::parse);
        let trigger = nonzero("triggerPrice");
        let reduces = raw.get("reduceOnly").flag();
        let rising = raw.get("triggerDirection").text() == Some("1");
        // an order that waits and only closes is what stops a loss or takes a profit
        let closes = trigger.filter(|_| reduces == Some(true));
        let stops = matches!((rising, side), (true, Some(Side::Buy)) | (false, Some(Side::Sell)));
        let takes = matches!((rising, side), (false, Some(Side::Buy)) | (true, Some(Side::Sell)));
        let fee = match raw.get("cumFeeDetail") {
            Some(Json::Object(of)) => of.first().map(|(currency, cost)| Fee {
                cost: cost.text().and_then(Number::parse),
                currency: Some(Venue::Bybit.description().currency(currency)),
                rate: None,
            }),
            _ => None,
        };
        Order {
            info: Raw::of(raw),
            id: text("orderId"),
            client_order_id: text("orderLinkId"),
            time: Time::parse(raw.text_of(&["createdTime", "createdAt"])),
            last_trade: touched,
            last_update: touched,
            symbol,
            order_type: raw.text_of(&["orderType"]).map(str::to_lowercase),
            time_in_force: raw.text_of(&["timeInForce"]).map(|word| time_in_force(word).to_owned()),
            post_only: None,
            reduce_only: reduces,
            side,
            price: number("price"),
            trigger_price: trigger,
            take_profit_price: nonzero("takeProfit").or(closes.filter(|_| takes)),
            stop_loss_price: nonzero("stopLoss").or(closes.filter(|_| stops)),
            amount: number("qty").filter(|_| raw.get("marketUnit").text() != Some("quoteCoin")),
            cost: number("cumExecValue"),
            average: number("avgPrice"),
            filled: number("cumExecQty"),
            remaining: number("leavesQty"),
            status: raw.get("orderStatus").text().and_then(status),
            fee,
            ..Order::default()
        }
        .completed(context.asked)
    }

    fn candle(&self, raw: &Json<'_>, context: Context<'_>) -> Candle {
        let number = |place: usize| raw.at(place).text().and_then(Number::parse);
        let in_coins = context.asked.is_some_and(|market| market.linear == Some(false));
        let volume = number(if in_coins { 6 } else { 5 });
        Candle(Time::parse(raw.at(0).text()).0, number(1), number(2), number(3), number(4), volume)
    }
}

fn time_in_force(word: &str) -> &str {
    match word {
        "GoodTillCancel" => "GTC",
        "ImmediateOrCancel" => "IOC",
        "FillOrKill" => "FOK",
        "PostOnly" => "PO",
        other => other,
    }
}

fn status(word: &str) -> Option<OrderStatus> {
    match word {
        "New" | "Created" | "Active" | "PartiallyFilled" | "Untriggered" | "Triggered" | "PendingCancel" => {
            Some(OrderStatus::Open)
        }
        "Filled" | "PartiallyFilledCanceled" => Some(OrderStatus::Closed),
        "Cancelled" | "Deactivated" => Some(OrderStatus::Canceled),
        "Rejected" => Some(OrderStatus::Rejected),
        _ => None,
    }
}

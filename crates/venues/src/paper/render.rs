//! Paper orders and trades as CCXT has them.

use orrery_kernel::{Asset, Timestamp};

use super::{PaperFees, PaperKind, PaperMarket, PaperOrder, PaperStatus, PaperTrade, Reference, TimeInForce};
use crate::unified::{
    Balance, Balances, Candle, Fee, Order, OrderBook, OrderStatus, Raw, Side, TakerOrMaker, Ticker, Time, Trade,
};

fn time(at: Timestamp) -> Time {
    Time(Some(at.millis()))
}

fn fee(of: Asset, minor: i64) -> Fee {
    Fee { cost: Some(PaperMarket::money(of, minor)), currency: Some(of.ticker().to_owned()), rate: None }
}

/// An order, with the trades that are known of it.
pub fn order(market: &PaperMarket, order: &PaperOrder, trades: &[PaperTrade]) -> Order {
    let status = match order.status {
        PaperStatus::Pending | PaperStatus::Open => OrderStatus::Open,
        PaperStatus::Closed => OrderStatus::Closed,
        PaperStatus::Canceled => OrderStatus::Canceled,
        PaperStatus::Expired => OrderStatus::Expired,
        PaperStatus::Rejected => OrderStatus::Rejected,
    };
    let received = if order.side == Side::Buy { market.base } else { market.quote };
    let limit = order.kind == PaperKind::Limit;
    Order {
        info: Raw::member("status", order.status.name()),
        id: Some(order.id(market)),
        client_order_id: order.client_id.clone(),
        time: time(order.created_at),
        last_trade: order.traded_at.map(Timestamp::millis),
        last_update: Some(order.updated_at.millis()),
        symbol: Some(market.symbol.clone()),
        order_type: Some(order.kind.name().to_owned()),
        time_in_force: Some(order.time_in_force.name().to_owned()),
        post_only: Some(order.time_in_force == TimeInForce::Po),
        side: Some(order.side),
        price: limit.then(|| market.price_number(order.price)),
        amount: Some(market.amount_number(order.lots)),
        cost: Some(PaperMarket::money(market.quote, order.cost)),
        filled: Some(market.amount_number(order.filled)),
        remaining: Some(market.amount_number(order.remaining())),
        status: Some(status),
        fee: Some(fee(received, order.fee)),
        fees: vec![fee(received, order.fee)],
        trades: trades.iter().filter_map(|trade| my_trade(market, trade, &order.account, Some(order))).collect(),
        ..Order::default()
    }
    .completed(None)
}

/// A trade as the account sees it; none, if it is another's.
pub fn my_trade(market: &PaperMarket, trade: &PaperTrade, account: &str, of: Option<&PaperOrder>) -> Option<Trade> {
    let (side, party) = trade.side_of(account, of.map(|order| order.n))?;
    let received = if side == Side::Buy { market.base } else { market.quote };
    let role = if side == trade.taker { TakerOrMaker::Taker } else { TakerOrMaker::Maker };
    let own = Trade {
        order: Some(format!("{}-{}", market.id, party.order)),
        order_type: of.map(|order| order.kind.name().to_owned()),
        side: Some(side),
        taker_or_maker: Some(role),
        fee: Some(fee(received, party.fee)),
        fees: vec![fee(received, party.fee)],
        ..public_trade(market, trade)
    };
    Some(own)
}

/// A trade as everybody sees it.
pub fn public_trade(market: &PaperMarket, trade: &PaperTrade) -> Trade {
    let id = format!("{}-{}", market.id, trade.n);
    Trade {
        info: Raw::member("id", &id),
        time: time(trade.at),
        symbol: Some(market.symbol.clone()),
        id: Some(id),
        side: Some(trade.taker),
        price: Some(market.price_number(trade.price)),
        amount: Some(market.amount_number(trade.lots)),
        cost: Some(PaperMarket::money(market.quote, market.cost(trade.price, trade.lots))),
        ..Trade::default()
    }
    .completed(None)
}

/// The book of [`super::Engine::depth`].
pub fn book(market: &PaperMarket, depth: [Vec<(i64, i64)>; 2], at: Timestamp) -> OrderBook {
    let number = |(price, lots)| (market.price_number(price), market.amount_number(lots));
    let [bids, asks] = depth.map(|side| side.into_iter().map(number).collect());
    OrderBook { symbol: Some(market.symbol.clone()), bids, asks, time: time(at), ..OrderBook::default() }
}

/// The last day, of the hours that are known and the best of each side.
pub fn ticker(market: &PaperMarket, reference: &Reference, depth: &[Vec<(i64, i64)>; 2], hours: &[Candle]) -> Ticker {
    let best = |side: Option<&Vec<(i64, i64)>>| side.and_then(|levels| levels.first().copied());
    let (bid, ask) = (best(depth.first()), best(depth.get(1)));
    let price = |level: Option<(i64, i64)>| level.map(|(price, _)| market.price_number(price));
    let lots = |level: Option<(i64, i64)>| level.map(|(_, lots)| market.amount_number(lots));
    let middle = || reference.bid.plus(reference.ask)?.over(2.into());
    let worth = |candle: &Candle| candle.4?.times(candle.5?);
    Ticker {
        symbol: Some(market.symbol.clone()),
        time: time(reference.at),
        high: hours.iter().filter_map(|candle| candle.2).max(),
        low: hours.iter().filter_map(|candle| candle.3).min(),
        bid: price(bid),
        bid_volume: lots(bid),
        ask: price(ask),
        ask_volume: lots(ask),
        open: hours.first().and_then(|candle| candle.1),
        close: reference.last.or_else(middle),
        base_volume: hours.iter().filter_map(|candle| candle.5).reduce(|a, b| a.plus(b).unwrap_or(a)),
        quote_volume: hours.iter().filter_map(worth).reduce(|a, b| a.plus(b).unwrap_or(a)),
        info: Raw::member("symbol", &market.id),
        ..Ticker::default()
    }
    .completed(Some(&market.unified(PaperFees::default())))
}

/// What an account has: asset, free, held.
pub fn balances(of: &[(Asset, i64, i64)], at: Timestamp) -> Balances {
    let one = |(asset, free, used): &(Asset, i64, i64)| {
        let number = |minor| Some(PaperMarket::money(*asset, minor));
        let balance = Balance { free: number(*free), used: number(*used), ..Balance::default() }.completed();
        (asset.ticker().to_owned(), balance)
    };
    Balances { info: Raw::member("type", "spot"), time: time(at), of: of.iter().map(one).collect() }
}

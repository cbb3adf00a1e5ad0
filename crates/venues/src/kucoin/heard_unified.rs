//! Messages of the newer streams, which unified accounts and positions are told by: short names, and times in
//! nanoseconds.

use super::heard::timeframe;
use super::order::unified_status;
use super::parse::{currency, doubles, taker_or_maker, time_in_force};
use crate::json::{Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{
    Balance, Balances, Candle, Fee, FundingRate, Market, Markets, Order, Position, Raw, Side, Ticker, Time, Trade,
};
use crate::{Context, Number};

/// Digits of the profit as a share.
const SHARE_DIGITS: u32 = 4;

/// What a message says of a market, by its own short names.
#[derive(Clone, Copy)]
struct Said<'m> {
    raw: &'m Json<'m>,
    context: Context<'m>,
}

pub(super) fn events(body: &Json<'_>, markets: &Markets) -> Vec<Event> {
    let (Some(topic), Some(raw)) = (body.get("T").text(), body.get("d")) else { return Vec::new() };
    let said = Said { raw, context: Context { markets, asked: None } };
    match topic.split('.').next().unwrap_or(topic) {
        "ticker" | "mark-price" => vec![Event::Ticker(said.ticker())],
        "trade" => vec![Event::Trades(vec![said.trade()])],
        "kline" => said.candle().into_iter().collect(),
        "obu" => said.book(body.get("t").text() == Some("snapshot")).into_iter().collect(),
        "order" | "orderAll" => vec![Event::Orders(vec![said.order()])],
        "execution" => vec![Event::MyTrades(vec![said.trade()])],
        "position" | "positionAll" => vec![Event::Positions(vec![said.position()])],
        "balance" => said.balance().into_iter().collect(),
        "funding-fee" => said.funding().into_iter().collect(),
        _ => Vec::new(),
    }
}

impl<'m> Said<'m> {
    fn number(&self, name: &str) -> Option<Number> {
        self.raw.number_of(&[name])
    }

    fn lower(&self, name: &str) -> Option<String> {
        self.raw.text_of(&[name]).map(str::to_lowercase)
    }

    fn place(&self) -> (Option<&'m Market>, Option<String>) {
        self.context.symbol(self.raw.text_of(&["s"]), true)
    }

    fn ticker(&self) -> Ticker {
        let (market, symbol) = self.place();
        let told = Time::parse(self.raw.text_of(&["ts"]));
        Ticker {
            symbol,
            time: if told.0.is_some() { told } else { doubles(self.raw.text_of(&["M"])) },
            // CCXT takes the sides so
            bid: self.number("a"),
            bid_volume: self.number("A"),
            ask: self.number("b"),
            ask_volume: self.number("B"),
            last: self.number("l"),
            mark_price: self.number("mp"),
            index_price: self.number("ip"),
            info: Raw::of(self.raw),
            ..Ticker::default()
        }
        .completed(market)
    }

    fn trade(&self) -> Trade {
        let (market, symbol) = self.place();
        Trade {
            info: Raw::of(self.raw),
            time: doubles(self.raw.text_of(&["M", "E"])),
            symbol,
            id: self.raw.string_of(&["ti"]),
            order: self.raw.string_of(&["oi"]),
            order_type: self.lower("oT"),
            side: self.raw.text_of(&["S"]).and_then(Side::parse),
            taker_or_maker: self.raw.text_of(&["lR"]).and_then(taker_or_maker),
            price: self.number("p"),
            amount: self.number("q"),
            fee: self.number("f").map(|cost| self.fee(Some(cost))),
            ..Trade::default()
        }
        .completed(market)
    }

    fn fee(&self, cost: Option<Number>) -> Fee {
        Fee { cost, currency: currency(self.raw.text_of(&["fC"])), rate: None }
    }

    fn candle(&self) -> Option<Event> {
        let began = Time::parse(self.raw.text_of(&["O"])).0.and_then(|seconds| seconds.checked_mul(1000));
        let number = |name: &str| self.number(name);
        let candle = Candle(began, number("o"), number("h"), number("l"), number("c"), number("v"));
        let timeframe = timeframe(self.raw.text_of(&["i"])?);
        Some(Event::Candles { symbol: self.place().1?, timeframe, candles: vec![candle] })
    }

    fn book(&self, snapshot: bool) -> Option<Event> {
        let side = |name: &str| {
            let one = |level: &Json<'_>| Change::parse(level.at(0).text()?, level.at(1).text()?);
            self.raw.get(name).each(one).into_iter().collect::<Option<Vec<_>>>()
        };
        let sequence = |name: &str| self.raw.text_of(&[name]).and_then(|digits| digits.parse().ok());
        Some(Event::Book(Delta {
            symbol: self.place().1?,
            snapshot,
            first: sequence("O"),
            last: sequence("C"),
            time: doubles(self.raw.text_of(&["M"])).0,
            bids: side("b")?,
            asks: side("a")?,
            ..Delta::default()
        }))
    }

    fn order(&self) -> Order {
        let (market, symbol) = self.place();
        let (rests, canceled) = (self.number("rS"), self.number("cS"));
        Order {
            info: Raw::of(self.raw),
            id: self.raw.string_of(&["oi"]),
            client_order_id: self.raw.string_of(&["ci"]),
            time: doubles(self.raw.text_of(&["O"])),
            last_update: doubles(self.raw.text_of(&["U"])).0,
            symbol,
            order_type: self.lower("oT"),
            time_in_force: self.raw.text_of(&["tIF"]).map(time_in_force),
            post_only: self.raw.get("pO").flag(),
            reduce_only: self.raw.get("rO").flag(),
            side: self.raw.text_of(&["S"]).and_then(Side::parse),
            price: self.number("p"),
            trigger_price: self.number("tP"),
            take_profit_price: self.number("pP"),
            stop_loss_price: self.number("lP"),
            amount: self.number("q"),
            cost: self.number("c"),
            average: self.number("aP"),
            filled: self.number("fS"),
            remaining: rests.and_then(|rests| rests.plus(canceled?)),
            status: self.raw.text_of(&["os"]).and_then(unified_status),
            fee: Some(self.fee(self.number("f"))),
            ..Order::default()
        }
        .completed(market)
    }

    fn position(&self) -> Position {
        let (market, symbol) = self.place();
        let size = self.number("q");
        let (profit, margin) = (self.number("uPL"), self.number("iM"));
        let long = size.is_some_and(|size| size > Number::default());
        Position {
            info: Raw::of(self.raw),
            id: self.raw.string_of(&["pi"]),
            symbol,
            contracts: size.map(Number::abs),
            contract_size: market.and_then(|market| market.contract_size),
            unrealized_pnl: profit,
            realized_pnl: self.number("rPL"),
            leverage: self.number("l"),
            liquidation_price: self.number("lP"),
            notional: self.number("pV"),
            mark_price: self.number("mP"),
            entry_price: self.number("eP"),
            time: doubles(self.raw.text_of(&["O"])),
            last_update: doubles(self.raw.text_of(&["U"])).0,
            initial_margin: margin,
            maintenance_margin: self.number("mtM"),
            maintenance_margin_percentage: self.number("mmr"),
            margin_mode: self.lower("mM"),
            side: Some(if long { "long" } else { "short" }),
            percentage: profit.and_then(|profit| profit.over_to(margin?, SHARE_DIGITS)?.times(100.into())),
            ..Position::default()
        }
    }

    fn balance(&self) -> Option<Event> {
        let (free, used, total) = (self.number("a"), self.number("h"), self.number("b"));
        let balance = Balance { free, used, total, ..Balance::default() };
        Some(Event::Balance(Balances {
            info: Raw::of(self.raw),
            time: doubles(self.raw.text_of(&["U"])),
            of: vec![(currency(self.raw.text_of(&["c"]))?, balance.completed())],
        }))
    }

    /// What one side of a contract pays the other; there is no event of its own for it.
    fn funding(&self) -> Option<Event> {
        let rate = FundingRate {
            info: Raw::of(self.raw),
            symbol: self.place().1,
            funding_rate: self.number("fr"),
            funding: Time::parse(self.raw.text_of(&["ft"])),
            next_funding: Time::parse(self.raw.text_of(&["nt"])),
            interval: self.raw.text_of(&["gl"]).map(|ms| super::market_data::interval(ms).to_owned()),
            ..FundingRate::default()
        };
        let text = serde_json::to_string(&rate).ok()?;
        crate::json::parse(&text).map(|rate| Event::Reply(Raw::of(&rate)))
    }
}

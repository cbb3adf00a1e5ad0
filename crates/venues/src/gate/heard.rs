//! Messages of streams.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Dialect;
use super::parse::named;
use super::part::currency;
use crate::json::{self, Access as _, Json};
use crate::stream::{Change, Delta, Event};
use crate::unified::{Balance, Balances, Liquidation, Markets, Order, OrderStatus, Position, Raw, Ticker, Time, Trade};
use crate::{Context, Dialect as _, ErrorClass, Number, Venue, VenueError};

/// Where in a message its channel stands at the latest.
const HEAD: usize = 256;

/// A level of the spot market's book, and of contracts' newer one.
type Pair<'t> = (&'t str, &'t str);

/// A level of a contract's book; its amount is a number, or a text where contracts can be parted.
#[derive(Deserialize)]
struct Named<'t> {
    p: &'t str,
    #[serde(borrow)]
    s: &'t RawValue,
}

trait Level {
    fn change(&self) -> Option<Change>;
}

impl Level for Pair<'_> {
    fn change(&self) -> Option<Change> {
        Change::parse(self.0, self.1)
    }
}

impl Level for Named<'_> {
    fn change(&self) -> Option<Change> {
        Change::parse(self.p, self.s.get().trim_matches('"'))
    }
}

/// The most frequent message by far, read without a tree of values.
#[derive(Deserialize)]
struct Depth<'t, L> {
    event: &'t str,
    channel: &'t str,
    result: Changes<'t, L>,
}

#[derive(Deserialize)]
struct Changes<'t, L> {
    t: Option<i64>,
    #[serde(default)]
    full: bool,
    #[serde(rename = "s")]
    market: &'t str,
    #[serde(rename = "U")]
    first: Option<u64>,
    #[serde(rename = "u")]
    last: Option<u64>,
    #[serde(rename = "b", default = "Vec::new")]
    bids: Vec<L>,
    #[serde(rename = "a", default = "Vec::new")]
    asks: Vec<L>,
}

impl<L: Level> Depth<'_, L> {
    fn event(&self, context: Context<'_>) -> Option<Event> {
        let said = &self.result;
        let side = |levels: &[L]| levels.iter().map(Level::change).collect::<Option<Vec<_>>>();
        // `ob.BTC_USDT.50`
        let id =
            said.market.strip_prefix("ob.").and_then(|rest| rest.rsplit_once('.')).map_or(said.market, |(id, _)| id);
        Some(Event::Book(Delta {
            symbol: named(context, Some(id), !self.channel.starts_with("spot.")).1?,
            snapshot: said.full,
            first: said.first,
            last: said.last,
            previous: None,
            time: said.t,
            bids: side(&said.bids)?,
            asks: side(&said.asks)?,
            checksum: None,
        }))
    }
}

fn depth<'t, L: Level + Deserialize<'t>>(message: &'t str, context: Context<'_>) -> Option<Event> {
    let depth: Depth<'t, L> = serde_json::from_str(message).ok()?;
    if depth.event == "update" { depth.event(context) } else { None }
}

/// A book, if the message is of one.
fn book(message: &str, context: Context<'_>) -> Option<Event> {
    let head = message.get(..HEAD).unwrap_or(message);
    if head.contains(r#".obu""#) || head.contains(r#""spot.order_book_update""#) {
        return depth::<Pair<'_>>(message, context);
    }
    if head.contains(r#".order_book_update""#) { depth::<Named<'_>>(message, context) } else { None }
}

pub(super) fn events(message: &str, markets: &Markets) -> Vec<Event> {
    let context = Context { markets, asked: None };
    if let Some(book) = book(message, context) {
        return vec![book];
    }
    let Some(body) = json::parse(message) else { return Vec::new() };
    if let Some(error) = refused(&body) {
        return vec![Event::Refused(error)];
    }
    if let Some(request) = body.text_of(&["request_id"]) {
        return reply(&body, request).into_iter().collect();
    }
    if matches!(body.get("event").text(), Some("subscribe" | "unsubscribe")) {
        return Vec::new();
    }
    let channel = body.get("channel").text().unwrap_or_default();
    let (part, name) = channel.split_once('.').unwrap_or_default();
    let all: Vec<&Json<'_>> = match body.get("result") {
        Some(Json::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
        None => return Vec::new(),
    };
    let said = Said { contract: part != "spot", context, all };
    match name {
        "tickers" => said.tickers().into_iter().map(Event::Ticker).collect(),
        "book_ticker" => said.tickers().into_iter().map(Event::BidAsk).collect(),
        "trades" => said.by_market().into_iter().map(Event::Trades).collect(),
        "candlesticks" => said.candles(),
        "usertrades" if !said.all.is_empty() => vec![Event::MyTrades(said.trades())],
        "orders" | "autoorders" | "priceorders" if !said.all.is_empty() => vec![Event::Orders(said.orders())],
        "balances" => vec![Event::Balance(said.balances(body.get("result")))],
        "positions" if !said.all.is_empty() => vec![Event::Positions(said.positions())],
        "liquidates" => vec![Event::Liquidations(said.all.iter().map(|raw| said.liquidation(raw)).collect())],
        "obu" | "order_book_update" => {
            let message = "gate: a level of the book is no number";
            vec![Event::Refused(VenueError::new(ErrorClass::BadResponse, message))]
        }
        _ => Vec::new(),
    }
}

/// `{"error":{"code":2,"message":"unknown contract"}}`, or of a request that asks for more than to listen
/// `{"data":{"errs":{"label":"AUTHENTICATION_FAILED","message":"Not login"}}}`.
fn refused(body: &Json<'_>) -> Option<VenueError> {
    let object = |value: &&Json<'_>| matches!(value, Json::Object(_));
    let error = body.get("error").filter(object).or_else(|| body.get("data").get("errs").filter(object))?;
    let class = match error.text_of(&["code", "label"]) {
        Some("1" | "2") => ErrorClass::BadRequest,
        Some("4" | "6" | "11") => ErrorClass::AuthenticationError,
        label => Venue::Gate.description().exceptions.everywhere.exact(label).unwrap_or(ErrorClass::ExchangeError),
    };
    Some(VenueError::new(class, &format!("gate {error}")))
}

/// The answer to a request that asks for more than to listen; that it came in is not told.
fn reply(body: &Json<'_>, request: &str) -> Option<Event> {
    if request == "authenticated" {
        return Some(Event::LoggedIn);
    }
    let result = body.get("data").get("result")?;
    (body.get("ack").flag() != Some(true)).then(|| Event::Reply(Raw::of(result)))
}

/// What a message says, and of which part of the exchange.
struct Said<'m> {
    contract: bool,
    context: Context<'m>,
    all: Vec<&'m Json<'m>>,
}

impl Said<'_> {
    fn tickers(&self) -> Vec<Ticker> {
        let one = |raw: &&Json<'_>| {
            // best prices name their market otherwise
            let of_prices = raw.text_of(&["s"]);
            let (asked, symbol) = match of_prices {
                Some(id) => named(self.context, Some(id), self.contract),
                None => (None, None),
            };
            let ticker = Dialect.ticker(raw, Context { asked, ..self.context });
            Ticker { symbol: symbol.or(ticker.symbol), ..ticker }
        };
        self.all.iter().map(one).collect()
    }

    fn trades(&self) -> Vec<Trade> {
        let mut trades: Vec<Trade> = self.all.iter().map(|raw| Dialect.trade(raw, self.context)).collect();
        trades.sort_by(|left, right| (left.time.0, &left.id).cmp(&(right.time.0, &right.id)));
        trades
    }

    /// Trades of each market that the message is of.
    fn by_market(&self) -> Vec<Vec<Trade>> {
        let mut of: Vec<Vec<Trade>> = Vec::new();
        for trade in self.trades() {
            let same = |list: &&mut Vec<Trade>| list.first().is_some_and(|first| first.symbol == trade.symbol);
            match of.iter_mut().find(same) {
                Some(list) => list.push(trade),
                None => of.push(vec![trade]),
            }
        }
        of
    }

    fn candles(&self) -> Vec<Event> {
        let mut of: Vec<(String, String, Vec<_>)> = Vec::new();
        for raw in &self.all {
            // `1m_BTC_USDT`
            let Some((timeframe, id)) = raw.text_of(&["n"]).and_then(|name| name.split_once('_')) else { continue };
            let Some(symbol) = named(self.context, Some(id), self.contract).1 else { continue };
            let candle = Dialect.candle(raw, self.context);
            match of.iter_mut().find(|(known, length, _)| *known == symbol && length == timeframe) {
                Some((_, _, candles)) => candles.push(candle),
                None => of.push((symbol, timeframe.to_owned(), vec![candle])),
            }
        }
        of.into_iter().map(|(symbol, timeframe, candles)| Event::Candles { symbol, timeframe, candles }).collect()
    }

    fn orders(&self) -> Vec<Order> {
        let one = |raw: &&Json<'_>| {
            let order = Dialect.order(raw, self.context);
            let done = || match raw.number_of(&["left"]).and_then(|left| left.cut(0)) {
                Some(left) if left == Number::default() => OrderStatus::Closed,
                _ => OrderStatus::Canceled,
            };
            let status = match raw.get("event").text() {
                Some("put" | "update") => Some(OrderStatus::Open),
                Some("finish") => Some(order.status.unwrap_or_else(done)),
                _ => order.status,
            };
            Order { status, ..order }
        };
        let mut orders: Vec<Order> = self.all.iter().map(one).collect();
        orders.sort_by_key(|order| order.time.0);
        orders
    }

    fn balances(&self, result: Option<&Json<'_>>) -> Balances {
        let one = |raw: &&Json<'_>| {
            let balance = Balance {
                free: raw.number_of(&["available"]),
                used: raw.number_of(&["freeze"]),
                total: raw.number_of(&["total", "balance"]),
                debt: None,
            };
            // contracts that are settled in nothing else do not say in what
            (raw.text_of(&["currency"]).map_or_else(|| "USDT".to_owned(), currency), balance.completed())
        };
        let mut of: Vec<(String, Balance)> = Vec::new();
        for (currency, balance) in self.all.iter().map(one) {
            // of two that are told of one currency the later holds
            of.retain(|(known, _)| *known != currency);
            of.push((currency, balance));
        }
        let time = self.all.last().and_then(|raw| Time::parse(raw.text_of(&["time_ms", "timestamp_ms"])).0);
        Balances { info: result.map(Raw::of).unwrap_or_default(), time: Time(time), of }
    }

    fn positions(&self) -> Vec<Position> {
        let one = |raw: &&Json<'_>| {
            let position = super::position::position(raw, self.context);
            // one that was closed goes neither way; it says which way it could go
            let closed = if raw.get("mode").text() == Some("dual_short") { "short" } else { "long" };
            Position { side: position.side.or(Some(closed)), ..position }
        };
        self.all.iter().map(one).collect()
    }

    fn liquidation(&self, raw: &Json<'_>) -> Liquidation {
        let number = |name: &str| raw.number_of(&[name]);
        let (market, symbol) = named(self.context, raw.text_of(&["contract"]), true);
        let contracts = number("size").and_then(|size| size.minus(number("left")?)).map(Number::abs);
        let contract_size = market.and_then(|market| market.contract_size);
        let price = number("fill_price");
        let base_value = contracts.and_then(|contracts| contracts.times(contract_size?)).filter(|_| price.is_some());
        Liquidation {
            info: Raw::of(raw),
            symbol,
            contracts,
            contract_size,
            price,
            base_value,
            quote_value: base_value.and_then(|value| value.times(price?)),
            time: Time::parse(raw.text_of(&["time_ms"])),
            ..Liquidation::default()
        }
    }
}

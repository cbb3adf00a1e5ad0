//! Messages in Binance's shapes, made by a rule: the same for both sides.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use orrery_venues::Number;
use orrery_venues::unified::{OrderBook, Time};

/// Messages of the book, of twenty changes each.
const MESSAGES: usize = 20_000;
/// Levels of each side that the book begins with.
const LEVELS: usize = 1_000;
const TICKERS: usize = 400;
const TRADES: usize = 1_000;
/// The first price in cents.
const MIDDLE: u64 = 4_300_000;

/// `exchangeInfo` of one market.
pub const MARKETS: &str = r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",
"baseAssetPrecision":8,"quotePrecision":8,"quoteAssetPrecision":8,"isSpotTradingAllowed":true,"permissions":["SPOT"],
"orderTypes":["LIMIT","MARKET"],"filters":[{"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000.00",
"tickSize":"0.01000000"},{"filterType":"LOT_SIZE","minQty":"0.00001","maxQty":"9000.0","stepSize":"0.00001000"}]}]}"#;

/// The texts.
pub struct Files {
    /// Changes of a book, one message each.
    pub depth: Vec<String>,
    /// `ticker/24hr`.
    pub tickers: String,
    /// `aggTrades`.
    pub trades: String,
}

/// A multiplicative generator (Knuth, MMIX): the same numbers on every machine.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn cents(price: u64) -> String {
    format!("{}.{:02}000000", price / 100, price % 100)
}

/// The book before the first message.
pub fn snapshot() -> OrderBook {
    let number = |cents: u64| Number::parse(&self::cents(cents)).unwrap_or_default();
    let level = |price: u64| (number(price), Number::from(1));
    let levels = 0..LEVELS as u64;
    OrderBook {
        symbol: None,
        bids: levels.clone().map(|place| level(MIDDLE - 1 - place)).collect(),
        asks: levels.map(|place| level(MIDDLE + 1 + place)).collect(),
        time: Time::default(),
        nonce: Some(1),
        ..OrderBook::default()
    }
}

fn depth() -> Vec<String> {
    let mut numbers = Numbers(1);
    let mut side = |rising: bool| {
        let mut levels = String::new();
        for place in 0..10 {
            // changes are near the market; the best levels of each side are never taken away
            let away = 1 + numbers.below(200) + 20 * u64::from(place > 6);
            let price = if rising { MIDDLE + away } else { MIDDLE - away };
            let taken = away > 5 && numbers.below(4) == 0;
            let amount = if taken { 0 } else { 1 + numbers.below(900_000_000) };
            let comma = if place == 0 { "" } else { "," };
            let (price, whole, part) = (cents(price), amount / 100_000_000, amount % 100_000_000);
            let _ = write!(levels, r#"{comma}["{price}","{whole}.{part:08}"]"#);
        }
        levels
    };
    (0..MESSAGES)
        .map(|n| {
            let (first, last) = (2 + 20 * n as u64, 21 + 20 * n as u64);
            let time = 1_700_000_000_000_u64 + 100 * n as u64;
            let (bids, asks) = (side(false), side(true));
            format!(
                r#"{{"e":"depthUpdate","E":{time},"s":"BTCUSDT","U":{first},"u":{last},"b":[{bids}],"a":[{asks}]}}"#
            )
        })
        .collect()
}

fn tickers() -> String {
    let mut numbers = Numbers(2);
    let one = |n: usize| {
        let (price, volume) = (1 + numbers.below(9_000_000), 1 + numbers.below(1_000_000));
        let (low, high, open) = (cents(price), cents(price + 500), cents(price + 100));
        format!(
            r#"{{"symbol":"C{n}USDT","priceChange":"-1.00000000","priceChangePercent":"-0.512","weightedAvgPrice":"{high}","prevClosePrice":"{open}","lastPrice":"{low}","lastQty":"0.01000000","bidPrice":"{low}","bidQty":"3.10000000","askPrice":"{high}","askQty":"1.20000000","openPrice":"{open}","highPrice":"{high}","lowPrice":"{low}","volume":"{volume}.12345678","quoteVolume":"{volume}00.12345678","openTime":1699913600000,"closeTime":1700000000000,"firstId":1,"lastId":{volume},"count":{volume}}}"#
        )
    };
    format!("[{}]", (0..TICKERS).map(one).collect::<Vec<_>>().join(","))
}

fn trades() -> String {
    let mut numbers = Numbers(3);
    let one = |n: usize| {
        let (price, amount, maker) =
            (cents(MIDDLE + numbers.below(900)), numbers.below(90_000_000), n.is_multiple_of(3));
        let time = 1_700_000_000_000_u64 + n as u64;
        format!(r#"{{"a":{n},"p":"{price}","q":"0.{amount:08}","f":{n},"l":{n},"T":{time},"m":{maker},"M":true}}"#)
    };
    format!("[{}]", (0..TRADES).map(one).collect::<Vec<_>>().join(","))
}

/// Makes the texts, and writes them where a peer reads them.
///
/// # Errors
/// When the folder cannot be written to.
pub fn write(folder: &Path) -> Result<Files> {
    let files = Files { depth: depth(), tickers: tickers(), trades: trades() };
    let level = |(price, amount): &(Number, Number)| format!(r#"["{price}","{amount}"]"#);
    let side = |levels: &[(Number, Number)]| levels.iter().map(level).collect::<Vec<_>>().join(",");
    let book = snapshot();
    let snapshot = format!(r#"{{"lastUpdateId":1,"bids":[{}],"asks":[{}]}}"#, side(&book.bids), side(&book.asks));
    std::fs::write(folder.join("depth.jsonl"), files.depth.join("\n"))?;
    std::fs::write(folder.join("snapshot.json"), snapshot)?;
    std::fs::write(folder.join("tickers.json"), &files.tickers)?;
    std::fs::write(folder.join("trades.json"), &files.trades)?;
    std::fs::write(folder.join("markets.json"), MARKETS)?;
    Ok(files)
}

//! What a core makes of an exchange's messages in a second, beside the ccxt package on the same payloads.
//!
//! `venues SECONDS [PEERS_DIR [ROUNDS]]`: books from the text of changes, tickers and trades from the text of answers to
//! the unified structures with what the exchange said, and orders from arguments to signed requests. With a directory,
//! `venues.mjs` there is run on the same files, and both final books must be equal. Both take turns, so many rounds;
//! what is told is the middle of each figure and of each round's ratio. Seconds are of CPU.

mod payloads;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use orrery_kernel::{Clock, Entropy, Secret, Timestamp};
use orrery_venues::json::{self, Access as _};
use orrery_venues::stream::{Event, Outcome, Synced};
use orrery_venues::unified::{Markets, OrderBook, Side};
use orrery_venues::{
    Answer, Context, Credentials, Exchange, Fields, NewOrder, Number, Permit, Request, Transport, Venue, VenueError,
};

/// Levels of the book that both sides are compared by.
const COMPARED: usize = 100;

/// What is measured.
const KINDS: [&str; 4] = ["books", "tickers", "trades", "orders"];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().unwrap_or_else(|| "3".into()).parse().context("SECONDS")?;
    let (peers, rounds) = (arguments.next(), arguments.next().map_or(Ok(1), |rounds| rounds.parse()));
    let rounds: usize = rounds.context("ROUNDS")?;
    let folder = tempfile::tempdir()?;
    let files = payloads::write(folder.path())?;
    let exchange = exchange()?;
    let markets = exchange.known_markets().context("there are no markets")?;
    let mut all: [Vec<(f64, f64)>; 4] = Default::default();
    for _ in 0..rounds.max(1) {
        let (books, book) = books(seconds, &files.depth, &markets)?;
        let tickers = tickers(seconds, &files.tickers, &markets)?;
        let own = [books, tickers, trades(seconds, &files.trades, &markets)?, orders(seconds, &exchange)?];
        let theirs = match &peers {
            Some(peers) => peer(peers, folder.path(), seconds, &book)?,
            None => [f64::NAN; 4],
        };
        all.iter_mut().zip(own.into_iter().zip(theirs)).for_each(|(kind, round)| kind.push(round));
    }
    for (kind, rounds) in KINDS.into_iter().zip(&all) {
        let of = |one: fn(&(f64, f64)) -> f64| middle(rounds.iter().map(one).collect());
        let (own, theirs, ratio) = (of(|(own, _)| *own), of(|(_, theirs)| *theirs), of(|(own, theirs)| own / theirs));
        if peers.is_none() {
            println!("{kind:<10} {own:>10.0} a CPU-second");
            continue;
        }
        let ratios = || rounds.iter().map(|(own, theirs)| own / theirs);
        let (least, most) = (ratios().fold(f64::MAX, f64::min), ratios().fold(0.0, f64::max));
        println!("{kind:<10} {own:>10.0} a CPU-second, ccxt {theirs:>8.0}: {ratio:>5.1}x ({least:.1} to {most:.1})");
    }
    if peers.is_some() {
        println!("the final books are equal");
    }
    Ok(())
}

/// The one in the middle.
fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The peer's figures on the same files; its final book must be `book`.
fn peer(folder: &str, files: &Path, seconds: u64, book: &OrderBook) -> Result<[f64; 4]> {
    let mut command = Command::new("node");
    command.args([format!("{folder}/venues.mjs"), files.display().to_string(), seconds.to_string()]);
    let output = command.output().context("node")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("the peer failed; run `npm install` in {folder}, or name a folder with ccxt in NODE_PATH: {said}");
    }
    let mut rates = [f64::NAN; 4];
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (name, value) = line.split_once(' ').context("a line of name and value")?;
        match KINDS.iter().zip(&mut rates).find(|(kind, _)| **kind == name) {
            Some((_, rate)) => *rate = value.parse()?,
            None => ensure!(name == "book" && value == shown(book), "the final books differ"),
        }
    }
    Ok(rates)
}

fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// How often it is done in a second of CPU; `each` does it so many times.
fn rate(seconds: u64, mut each: impl FnMut() -> Result<usize>) -> Result<f64> {
    each()?;
    let (start, mut done) = (cpu(), 0_usize);
    while cpu() - start < Duration::from_secs(seconds) {
        done += each()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    Ok(done as f64 / (cpu() - start).as_secs_f64())
}

fn books(seconds: u64, messages: &[String], markets: &Markets) -> Result<(f64, OrderBook)> {
    let market = markets.of("BTC/USDT")?;
    let mut last = OrderBook::default();
    let rate = rate(seconds, || {
        let mut synced = Synced::new(Venue::Binance.rule(market));
        let mut begun = false;
        for message in messages {
            for event in Venue::Binance.heard("wss://stream.binance.com:9443/ws/0", message, markets) {
                let Event::Book(delta) = event else { bail!("{event:?}") };
                if !begun {
                    begun = true;
                    synced.begin(&payloads::snapshot());
                }
                ensure!(synced.apply(&delta) == Outcome::Changed, "a change does not follow");
            }
        }
        last = synced.book().context("the book is not whole")?.unified(None, COMPARED);
        Ok(messages.len())
    })?;
    Ok((rate, last))
}

/// Prices and amounts, as the peer prints them.
fn shown(book: &OrderBook) -> String {
    let side = |levels: &[(Number, Number)]| {
        let level = |(price, amount): &(Number, Number)| format!("{price}x{amount}");
        levels.iter().map(level).collect::<Vec<_>>().join(",")
    };
    format!("{}|{}", side(&book.bids), side(&book.asks))
}

fn tickers(seconds: u64, text: &str, markets: &Markets) -> Result<f64> {
    let context = Context { markets, asked: None };
    rate(seconds, || {
        let body = json::parse(text).context("tickers")?;
        let tickers = body.each(|raw| Venue::Binance.dialect().ticker(raw, context));
        Ok(black_box(tickers).len())
    })
}

fn trades(seconds: u64, text: &str, markets: &Markets) -> Result<f64> {
    let context = Context { markets, asked: Some(markets.of("BTC/USDT")?) };
    rate(seconds, || {
        let body = json::parse(text).context("trades")?;
        let trades = body.each(|raw| Venue::Binance.dialect().trade(raw, context));
        Ok(black_box(trades).len())
    })
}

fn orders(seconds: u64, exchange: &Exchange) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let digits = |text: &str| Number::parse(text);
    let order = NewOrder {
        symbol: "BTC/USDT".into(),
        order_type: "limit".into(),
        side: Side::Buy,
        amount: digits("0.0123456789"),
        price: digits("43210.987654"),
        params: Fields::new(),
    };
    rate(seconds, || {
        runtime.block_on(async {
            for _ in 0..1_000 {
                black_box(exchange.create_order(&order).await?);
            }
            Ok(1_000)
        })
    })
}

/// Answers every order at once with nothing.
struct Nowhere;

#[async_trait]
impl Transport for Nowhere {
    async fn send(&self, request: Request, _: &Permit) -> Result<Answer, VenueError> {
        black_box(request);
        Ok(Answer { status: 200, body: "{}".to_owned() })
    }
}

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

impl Entropy for Standing {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

fn exchange() -> Result<Exchange> {
    let secret = |text: &str| Secret::new(text.to_owned());
    let account = Credentials { api_key: secret("key"), secret: secret("secret"), password: None };
    let exchange =
        Exchange::new(Venue::Binance, Some(account), Arc::new(Nowhere), Arc::new(Standing), Arc::new(Standing));
    let list = json::parse(payloads::MARKETS).context("the markets")?;
    exchange.set_markets(Markets::new(Venue::Binance.dialect().markets("", &list)));
    Ok(exchange)
}

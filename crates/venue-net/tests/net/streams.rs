//! Feeds: connections that come back, books that are whole, nothing told twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{Ears, Machine, bases, eventually, exchanges};
use orrery_testkit::fakes::SeededEntropy;
use orrery_testkit::stub_venue::StubVenue;
use orrery_venue_net::{Feed, FeedOptions};
use orrery_venues::stream::{Heard, Want, What};
use orrery_venues::unified::OrderBook;
use orrery_venues::{Exchanges as _, Venue, Verb};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

struct Running {
    stub: StubVenue,
    ears: Arc<Ears>,
    wants: watch::Sender<BTreeSet<Want>>,
    stopping: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn want(symbol: &str, what: What) -> Want {
    Want { symbol: symbol.to_owned(), what }
}

impl Running {
    async fn start(venue: Venue, stub: StubVenue, wants: &[Want]) -> Self {
        let exchange = exchanges(venue, &stub, Duration::from_secs(5)).open(venue, None).unwrap();
        let options = FeedOptions {
            bases: bases(&stub),
            book_every: Duration::from_millis(10),
            reconnect_wait: Duration::from_millis(20),
            poll_every: Duration::from_millis(20),
            ..FeedOptions::default()
        };
        let (ears, stopping) = (Arc::new(Ears::default()), CancellationToken::new());
        let feed = Feed::new(exchange, options, Arc::new(Machine), Arc::new(SeededEntropy::new(3)), ears.clone());
        let (sender, receiver) = watch::channel(wants.iter().cloned().collect());
        let token = stopping.clone();
        let task = tokio::spawn(async move { feed.run(receiver, token).await });
        Self { stub, ears, wants: sender, stopping, task }
    }

    fn book(&self, is: impl Fn(&OrderBook) -> bool) -> bool {
        self.ears.any(|_, heard| matches!(heard, Heard::Book(book) if is(book)))
    }

    async fn stop(self) {
        self.stopping.cancel();
        self.task.await.unwrap();
    }
}

fn depth(first: u64, last: u64, bids: &str) -> String {
    format!(r#"{{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT","U":{first},"u":{last},"b":{bids},"a":[]}}"#)
}

fn snapshot(stub: &StubVenue, last: u64, bids: &str) {
    let body = format!(r#"{{"lastUpdateId":{last},"bids":{bids},"asks":[["101.00","1"]]}}"#);
    stub.answer(Verb::Get, "/api/v3/depth", &body);
}

fn best(book: &OrderBook) -> String {
    book.bids.first().map_or_else(String::new, |(price, amount)| format!("{price} {amount}"))
}

#[tokio::test]
async fn a_book_is_begun_anew_when_messages_of_its_connection_are_missing() {
    let stub = StubVenue::start(Venue::Coinbase).await;
    stub.answer(
        Verb::Get,
        "/api/v3/brokerage/market/products",
        r#"{"products":[{"product_id":"BTC-USD","product_type":"SPOT","base_currency_id":"BTC",
            "quote_currency_id":"USD","base_increment":"0.00000001","price_increment":"0.01"}]}"#,
    );
    let said = |number: u64, kind: &str, amount: &str| {
        format!(
            r#"{{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.714Z","sequence_num":{number},
                "events":[{{"type":"{kind}","product_id":"BTC-USD","updates":[{{"side":"bid",
                "event_time":"1970-01-01T00:00:00Z","price_level":"100","new_quantity":"{amount}"}}]}}]}}"#
        )
    };
    stub.on_frame("level2", &[&said(0, "snapshot", "1")]);
    let running = Running::start(Venue::Coinbase, stub, &[want("BTC/USD", What::Book)]).await;
    eventually("the snapshot", || running.book(|book| best(book) == "100 1")).await;
    running.stub.push(&said(1, "update", "2"));
    eventually("the next change", || running.book(|book| best(book) == "100 2")).await;
    running.ears.0.lock().unwrap().clear();
    running.stub.push(&said(3, "update", "3"));
    eventually("the snapshot again", || running.book(|book| best(book) == "100 1")).await;
    assert!(!running.book(|book| best(book) == "100 3"), "nobody knows what the missing one said");
    let frames = running.stub.frames();
    assert!(frames.iter().any(|frame| frame.contains("unsubscribe") && frame.contains("BTC-USD")), "{frames:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_book_is_whole_after_a_gap_and_after_the_connection_was_lost() {
    let stub = StubVenue::start(Venue::Binance).await;
    snapshot(&stub, 10, r#"[["100.00","1"]]"#);
    stub.on_frame("depth", &[&depth(9, 11, r#"[["100.00","2"]]"#)]);
    let running = Running::start(Venue::Binance, stub, &[want("BTC/USDT", What::Book)]).await;
    eventually("the snapshot with what followed it", || running.book(|book| best(book) == "100 2")).await;

    running.stub.push(&depth(12, 13, r#"[["100.50","3"]]"#));
    eventually("the next change", || running.book(|book| best(book) == "100.5 3")).await;

    // 14 to 16 are missing, and the snapshot that is asked for then is of 20
    snapshot(&running.stub, 20, r#"[["90.00","9"]]"#);
    running.stub.push(&depth(17, 18, r#"[["99.00","1"]]"#));
    eventually("the book begun anew", || running.book(|book| best(book) == "90 9" && book.nonce == Some(20))).await;
    assert!(!running.book(|book| best(book) == "99 1"), "what follows a gap is not believed");

    snapshot(&running.stub, 30, r#"[["80.00","8"]]"#);
    running.stub.cut();
    eventually("the connection made anew", || running.stub.frames().len() >= 2).await;
    running.stub.push(&depth(30, 31, r#"[["80.00","7"]]"#));
    eventually("the book after it", || running.book(|book| best(book) == "80 7")).await;
    running.stop().await;
}

#[tokio::test]
async fn no_trade_is_told_twice_and_what_was_missed_is_asked_for() {
    let stub = StubVenue::start(Venue::Binance).await;
    let trade =
        |id: u32| format!(r#"{{"e":"trade","E":1,"s":"BTCUSDT","t":{id},"p":"100","q":"1","T":{id},"m":true}}"#);
    stub.on_frame("trade", &[&trade(1)]);
    let running = Running::start(Venue::Binance, stub, &[want("BTC/USDT", What::Trades)]).await;
    let told = || {
        let heard = running.ears.0.lock().unwrap();
        let trades = heard.iter().filter_map(|(_, heard)| match heard {
            Heard::Trades(trades) => Some(trades.clone()),
            _ => None,
        });
        trades.flatten().filter_map(|trade| trade.id).collect::<Vec<_>>()
    };
    eventually("the first trade", || told() == ["1"]).await;
    running.stub.answer(
        Verb::Get,
        "/api/v3/aggTrades",
        r#"[{"a":1,"p":"100","q":"1","T":1,"m":true,"M":true},{"a":2,"p":"100","q":"1","T":2,"m":true,"M":true}]"#,
    );
    running.stub.cut();
    eventually("the trade that was missed", || told() == ["1", "2"]).await;
    running.stop().await;
}

#[tokio::test]
async fn only_what_is_wanted_is_heard_and_wants_change() {
    let stub = StubVenue::start(Venue::Binance).await;
    let running = Running::start(Venue::Binance, stub, &[]).await;
    assert_eq!(running.stub.sockets(), 0);
    let ticker = want("BTC/USDT", What::Ticker);
    running.stub.on_frame(
        "miniTicker",
        &[
            r#"{"e":"24hrMiniTicker","E":1,"s":"BTCUSDT","c":"5","o":"4","h":"6","l":"3","v":"1","q":"5"}"#,
            r#"{"e":"24hrMiniTicker","E":1,"s":"ETHUSDT","c":"5","o":"4","h":"6","l":"3","v":"1","q":"5"}"#,
        ],
    );
    running.wants.send_replace(BTreeSet::from([ticker.clone()]));
    eventually("the ticker", || running.ears.kinds().contains("BTC/USDT ticker")).await;
    assert!(!running.ears.kinds().contains("ETH/USDT ticker"), "{:?}", running.ears.kinds());

    let candles = want("BTC/USDT", What::Candles("1m".to_owned()));
    running.stub.on_frame("kline", &[
        r#"{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":60000,"s":"BTCUSDT","i":"1m","o":"1","c":"2","h":"3","l":"1","v":"9"}}"#,
    ]);
    let more = want("ETH/USDT", What::Ticker);
    running.wants.send_replace(BTreeSet::from([candles.clone(), ticker, more.clone()]));
    eventually("candles", || running.ears.kinds().contains("BTC/USDT 1m")).await;
    eventually("the other ticker", || running.ears.kinds().contains("ETH/USDT ticker")).await;
    running.wants.send_replace(BTreeSet::from([candles, more]));
    eventually("the ticker taken back", || {
        running.stub.frames().iter().any(|frame| frame.contains("UNSUBSCRIBE") && frame.contains("btcusdt@miniTicker"))
    })
    .await;
    running.wants.send_replace(BTreeSet::new());
    eventually("no connection is kept for nothing", || running.stub.sockets() == 0).await;
    running.stop().await;
}

#[tokio::test]
async fn a_ticker_without_best_prices_takes_them_from_the_book() {
    let stub = StubVenue::start(Venue::Binance).await;
    snapshot(&stub, 10, r#"[["100.00","1"]]"#);
    stub.on_frame("depth", &[&depth(9, 11, r#"[["100.00","2"]]"#)]);
    stub.on_frame(
        "miniTicker",
        &[r#"{"e":"24hrMiniTicker","E":1,"s":"BTCUSDT","c":"100.4","o":"4","h":"106","l":"3","v":"1","q":"5"}"#],
    );
    let wants = [want("BTC/USDT", What::Ticker), want("BTC/USDT", What::Book)];
    let running = Running::start(Venue::Binance, stub, &wants).await;
    eventually("a whole ticker", || {
        // both, since the connection may be there before it asked for anything
        running.stub.push(&depth(11, 11, r#"[["100.00","2"]]"#));
        running.stub.push(&depth(12, 12, r#"[["100.10","2"]]"#));
        running.ears.any(|_, heard| match heard {
            Heard::Ticker(ticker) => ticker.last.is_some() && ticker.bid.is_some() && ticker.ask.is_some(),
            _ => false,
        })
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn recorded_messages_of_every_exchange_go_through() {
    for venue in Venue::ALL {
        let stub = StubVenue::start(venue).await;
        let markets = exchanges(venue, &stub, Duration::from_secs(5)).open(venue, None).unwrap();
        let markets = markets.load_markets().await.unwrap();
        let Some(symbol) = markets.all().iter().find(|market| !market.contract()).map(|m| m.symbol.clone()) else {
            panic!("{venue} has no spot market");
        };
        let wants = [want(&symbol, What::Ticker), want(&symbol, What::Trades)];
        let running = Running::start(venue, stub, &wants).await;
        eventually(&format!("{venue}: frames of both"), || running.stub.frames().len() >= 2).await;
        eventually(&format!("{venue}: both connections"), || running.stub.sockets() >= 2).await;
        running.stop().await;
    }
}

#[tokio::test]
async fn a_request_that_takes_the_place_of_others_carries_all() {
    let stub = StubVenue::start(Venue::Upbit).await;
    let net = exchanges(Venue::Upbit, &stub, Duration::from_secs(5)).open(Venue::Upbit, None).unwrap();
    let markets = net.load_markets().await.unwrap();
    let symbols: Vec<&str> = markets.all().iter().take(2).map(|market| market.symbol.as_str()).collect();
    let ids: Vec<&str> = markets.all().iter().take(2).map(|market| market.id.as_str()).collect();
    let running = Running::start(Venue::Upbit, stub, &[want(symbols[0], What::Ticker)]).await;
    eventually("the first", || running.stub.frames().len() == 1).await;
    running.wants.send_replace(symbols.iter().map(|symbol| want(symbol, What::Ticker)).collect());
    eventually("both in one", || {
        running.stub.frames().last().is_some_and(|frame| ids.iter().all(|id| frame.contains(id)))
    })
    .await;
    running.wants.send_replace(BTreeSet::from([want(symbols[1], What::Ticker)]));
    eventually("the second alone", || running.stub.frames().last().is_some_and(|frame| !frame.contains(ids[0]))).await;
    running.stop().await;
}

#[tokio::test]
async fn what_there_is_not_is_not_asked_for_again_and_again() {
    let stub = StubVenue::start(Venue::Binance).await;
    let wants = [want("NO/SUCH", What::Ticker), want("BTC/USDT", What::Ticker)];
    let running = Running::start(Venue::Binance, stub, &wants).await;
    eventually("the one that there is", || running.stub.frames().len() == 1).await;
    assert!(running.stub.frames()[0].contains("btcusdt"), "{:?}", running.stub.frames());
    running.stop().await;

    // candles have no stream here, so that they are asked for; one of the two is refused
    let stub = StubVenue::start(Venue::Coinbase).await;
    let markets = exchanges(Venue::Coinbase, &stub, Duration::from_secs(5)).open(Venue::Coinbase, None).unwrap();
    let markets = markets.load_markets().await.unwrap();
    let mut two = markets.all().iter().filter(|market| !market.contract());
    let (refused, good) = (two.next().unwrap(), two.next().unwrap());
    let path = |id: &str| format!("products/{id}/candles");
    stub.answer(Verb::Get, &path(&refused.id), r#"{"error":"INVALID_ARGUMENT","message":"no"}"#);
    stub.answer(Verb::Get, &path(&good.id), r#"{"candles":[]}"#);
    let wants = [&refused, &good].map(|market| want(&market.symbol, What::Candles("1m".into())));
    let running = Running::start(Venue::Coinbase, stub, &wants).await;
    eventually("the other one, often", || running.stub.asked(&path(&good.id)) >= 5).await;
    assert_eq!(running.stub.asked(&path(&refused.id)), 1);
    running.stop().await;
}

/// More than a line takes at once: neither may wait for the other.
#[tokio::test]
async fn many_wants_at_once_are_all_carried_and_taken_back() {
    let stub = StubVenue::start(Venue::Upbit).await;
    let names: Vec<_> = (0..70).map(|n| format!(r#"{{"market":"KRW-C{n:03}","english_name":"C"}}"#)).collect();
    stub.answer(Verb::Get, "market/all", &format!("[{}]", names.join(",")));
    let net = exchanges(Venue::Upbit, &stub, Duration::from_secs(5)).open(Venue::Upbit, None).unwrap();
    let markets = net.load_markets().await.unwrap();
    let many: Vec<_> = markets.all().iter().collect();
    assert_eq!(many.len(), 70);
    let running = Running::start(Venue::Upbit, stub, &[]).await;
    running.wants.send_replace(many.iter().map(|market| want(&market.symbol, What::Ticker)).collect());
    eventually("all in one request", || {
        running.stub.frames().last().is_some_and(|frame| many.iter().all(|market| frame.contains(&market.id)))
    })
    .await;
    running.wants.send_replace(BTreeSet::new());
    eventually("none is carried any more", || running.stub.sockets() == 0).await;
    running.stop().await;
}

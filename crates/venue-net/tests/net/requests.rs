//! Requests over the network, and what becomes of orders when it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{account, exchanges};
use orrery_testkit::fakes::SeededEntropy;
use orrery_testkit::stub_venue::{Fault, StubVenue};
use orrery_venue_net::{Bases, HttpOptions, HttpTransport, Throttle};
use orrery_venues::unified::Side;
use orrery_venues::{
    ErrorClass, Exchanges as _, Fields, Found, NewOrder, Outcome, Permit, Request, Transport as _, Venue, Verb,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PATIENCE: Duration = Duration::from_secs(2);

fn order(symbol: &str) -> NewOrder {
    NewOrder {
        symbol: symbol.to_owned(),
        order_type: "limit".to_owned(),
        side: Side::Buy,
        amount: Some(1.into()),
        price: Some(50_000.into()),
        params: Fields::new(),
    }
}

#[tokio::test]
async fn every_exchange_is_asked_for_its_markets() {
    for venue in Venue::ALL {
        let stub = StubVenue::start(venue).await;
        let exchange = exchanges(venue, &stub, PATIENCE).open(venue, None).unwrap();
        let markets = exchange.load_markets().await.unwrap_or_else(|error| panic!("{venue}: {error}"));
        assert!(!markets.all().is_empty(), "{venue}");
    }
}

#[tokio::test]
async fn an_order_is_sent_once_whatever_happens_and_found_by_its_name() {
    let faults = [
        (None, true),
        (Some(Fault::DoneThenStatus(502)), true),
        (Some(Fault::DoneThenCut), true),
        (Some(Fault::DoneThenSlow(PATIENCE * 2)), true),
        (Some(Fault::Cut), false),
        (Some(Fault::Status(503, None)), false),
        (Some(Fault::Html), false),
    ];
    for (fault, taken) in faults {
        let stub = StubVenue::start(Venue::Binance).await;
        let exchange = exchanges(Venue::Binance, &stub, PATIENCE).open(Venue::Binance, account()).unwrap();
        if let Some(fault) = fault {
            stub.fail("/api/v3/order", fault);
        }
        let (name, outcome) = exchange.submit(order("BTC/USDT")).await;
        match (fault, outcome) {
            (None, Outcome::Accepted(order)) => assert_eq!(order.client_order_id.as_deref(), Some(name.as_str())),
            (Some(_), Outcome::Unknown(_)) => {}
            (fault, outcome) => panic!("{fault:?}: {outcome:?}"),
        }
        assert_eq!(stub.asked("/api/v3/order"), 1, "{fault:?}");
        let orders: Vec<_> = stub.orders().into_iter().collect();
        assert_eq!(orders, if taken { vec![(name.clone(), 1)] } else { vec![] }, "{fault:?}");
        match exchange.find(&name, "BTC/USDT").await.unwrap() {
            Found::There(order) => assert!(taken && order.client_order_id == Some(name), "{fault:?}"),
            Found::Nowhere => assert!(!taken, "{fault:?}"),
        }
    }
}

/// Looks like a permit that ends after it was asked so often; also how often it was.
fn permit(holds: usize) -> (Permit, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    (Permit::during(move || count.fetch_add(1, Ordering::SeqCst) < holds), asked)
}

#[tokio::test]
async fn an_order_is_sent_only_if_its_permit_holds_when_its_bytes_go_out() {
    // 0: before a connection is made; 1: while one is made
    for (holds, looks, sent) in [(0, 1, 0), (1, 2, 0), (2, 2, 1)] {
        let stub = StubVenue::start(Venue::Binance).await;
        let exchange = exchanges(Venue::Binance, &stub, PATIENCE).open(Venue::Binance, account()).unwrap();
        let (permit, asked) = permit(holds);
        // its questions are not withheld
        let (name, outcome) = exchange.under(permit).submit(order("BTC/USDT")).await;
        match outcome {
            Outcome::Accepted(_) => assert_eq!(sent, 1),
            Outcome::Rejected(error) => {
                assert_eq!((sent, error.class()), (0, ErrorClass::OperationRejected), "{error}");
                assert!(error.to_string().contains("has ended"), "{error}");
            }
            Outcome::Unknown(error) => panic!("{error}"),
        }
        assert_eq!((asked.load(Ordering::SeqCst), stub.asked("/api/v3/order")), (looks, sent));
        assert_eq!(stub.orders().get(&name).copied().unwrap_or_default() as usize, sent);
        assert!(exchange.known_markets().is_some(), "what was learnt under a permit is known");
        let (_, outcome) = exchange.submit(order("BTC/USDT")).await;
        assert!(matches!(outcome, Outcome::Accepted(_)), "and without one orders are sent as ever: {outcome:?}");
    }
}

#[tokio::test]
async fn a_request_under_a_permit_looks_like_any_other() {
    let heads = async |permit: Permit| {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let options = HttpOptions { bases: Bases::new(Some(&base), None).unwrap(), ..HttpOptions::default() };
        let entropy = Arc::new(SeededEntropy::new(7));
        let throttle = Arc::new(Throttle::new(Venue::Binance.rate()));
        let transport = HttpTransport::new(Venue::Binance, &options, throttle, entropy).unwrap();
        let url = "https://api.binance.com/api/v3/order".to_owned();
        let request = Request { verb: Verb::Post, url, headers: vec![], body: Some("symbol=BTCUSDT".into()) };
        let answered = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"symbol=BTCUSDT") {
                assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
            String::from_utf8(seen).unwrap().replace(&base, "").to_lowercase()
        };
        let (answer, seen) = tokio::join!(transport.send(request, &permit), answered);
        assert_eq!(answer.unwrap().body, "{}");
        let mut lines: Vec<String> =
            seen.lines().filter(|line| !line.starts_with("host:")).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let plain = heads(Permit::default()).await;
    assert!(plain.iter().any(|line| line == "content-length: 14"), "{plain:?}");
    assert_eq!(heads(Permit::during(|| true)).await, plain);
}

#[tokio::test]
async fn a_refusal_is_no_mystery() {
    let stub = StubVenue::start(Venue::Binance).await;
    let exchange = exchanges(Venue::Binance, &stub, PATIENCE).open(Venue::Binance, account()).unwrap();
    stub.fail("/api/v3/order", Fault::ClockSkew);
    let (_, outcome) = exchange.submit(order("BTC/USDT")).await;
    assert!(matches!(&outcome, Outcome::Rejected(error) if error.class() == ErrorClass::InvalidNonce), "{outcome:?}");
    let (_, outcome) = exchange.submit(order("NO/SUCH")).await;
    assert!(matches!(&outcome, Outcome::Rejected(error) if error.class() == ErrorClass::BadSymbol), "{outcome:?}");
}

#[tokio::test]
async fn questions_are_asked_again_and_an_exchange_that_had_enough_is_left_alone() {
    let stub = StubVenue::start(Venue::Binance).await;
    stub.answer(Verb::Get, "/ticker/24hr", r#"{"symbol":"BTCUSDT","lastPrice":"5"}"#);
    let exchange = exchanges(Venue::Binance, &stub, PATIENCE).open(Venue::Binance, None).unwrap();
    exchange.load_markets().await.unwrap();
    stub.fail("/ticker/24hr", Fault::Cut);
    stub.fail("/ticker/24hr", Fault::Status(502, None));
    exchange.fetch_ticker("BTC/USDT", Fields::new()).await.unwrap();
    assert_eq!(stub.asked("/ticker/24hr"), 3);

    stub.fail("/ticker/24hr", Fault::Status(429, Some(3_600)));
    let error = exchange.fetch_ticker("BTC/USDT", Fields::new()).await.unwrap_err();
    assert_eq!((error.class(), error.status()), (ErrorClass::DDoSProtection, Some(429)));
    let error = exchange.fetch_ticker("BTC/USDT", Fields::new()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::RateLimitExceeded);
    assert_eq!(stub.asked("/ticker/24hr"), 4, "who is to be left alone is not asked");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_told_and_harm_nothing() {
    let stub = StubVenue::start(Venue::Binance).await;
    let exchange = exchanges(Venue::Binance, &stub, PATIENCE).open(Venue::Binance, None).unwrap();
    exchange.load_markets().await.unwrap();
    stub.fail("/ticker/24hr", Fault::Html);
    let error = exchange.fetch_ticker("BTC/USDT", Fields::new()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::BadResponse);
    stub.fail("/ticker/24hr", Fault::HugeNumbers);
    let ticker = exchange.fetch_ticker("BTC/USDT", Fields::new()).await.unwrap();
    assert_eq!((ticker.last, ticker.time.0), (None, None));
}

#[tokio::test]
async fn a_clock_agrees_with_the_exchange() {
    let stub = StubVenue::start(Venue::Binance).await;
    let net = exchanges(Venue::Binance, &stub, PATIENCE);
    stub.answer(Verb::Get, "/api/v3/time", r#"{"serverTime":1500000000000}"#);
    net.synchronise(Venue::Binance).await.unwrap();
    let clock = net.clock(Venue::Binance).unwrap();
    let now = orrery_kernel::Clock::now(&*clock).millis();
    assert!((1_500_000_000_000..1_500_000_060_000).contains(&now), "{now}");
    assert_eq!(stub.asked("/api/v3/time"), 5);
}

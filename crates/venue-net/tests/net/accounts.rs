//! Streams of accounts: each exchange's, logged in as it wants, made anew when they are lost.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{account, eventually, exchanges};
use orrery_kernel::Secret;
use orrery_testkit::stub_venue::StubVenue;
use orrery_venues::stream::{Listener, News, Part};
use orrery_venues::{Credentials, ErrorClass, Exchanges as _, Venue};

/// Keeps what is said.
#[derive(Default)]
struct Ears(Mutex<Vec<News>>);

impl Listener for Ears {
    fn heard(&self, news: News) {
        self.0.lock().unwrap().push(news);
    }
}

impl Ears {
    fn any(&self, is: impl Fn(&News) -> bool) -> bool {
        self.0.lock().unwrap().iter().any(is)
    }

    fn began(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|news| **news == News::Began).count()
    }
}

struct Followed {
    stub: StubVenue,
    ears: Arc<Ears>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keys of the form that each exchange gives out.
fn credentials(venue: Venue) -> Credentials {
    let mut account = account().unwrap();
    if venue == Venue::Kraken {
        account.secret = Secret::new("c2VjcmV0".to_owned());
    }
    account
}

async fn follow(venue: Venue, stub: StubVenue) -> Followed {
    let exchanges = exchanges(venue, &stub, Duration::from_secs(5));
    let ears = Arc::new(Ears::default());
    let listener = ears.clone();
    let task = tokio::spawn(async move {
        let ended = exchanges.follow(venue, credentials(venue), listener).await;
        panic!("{venue}: {ended}");
    });
    Followed { stub, ears, task }
}

/// What the recorded messages of each exchange say of accounts.
const RECORDED: [(Venue, &[&str]); 10] = [
    (Venue::Binance, &["balance", "orders"]),
    (Venue::Bybit, &["balance", "positions"]),
    (Venue::Okx, &["orders", "positions"]),
    (Venue::Coinbase, &["orders"]),
    (Venue::Kraken, &[]),
    (Venue::Kucoin, &["orders"]),
    (Venue::Htx, &["balance", "orders"]),
    (Venue::Gate, &["balance", "orders"]),
    (Venue::Bitget, &["balance"]),
    (Venue::Upbit, &["balance"]),
];

#[tokio::test]
async fn every_exchange_tells_of_its_accounts() {
    for (venue, kinds) in RECORDED {
        let followed = follow(venue, StubVenue::start(venue).await).await;
        let said = |kind: &str| {
            followed.ears.any(|news| match news {
                News::Began => kind == "began",
                News::Balance(..) => kind == "balance",
                News::Orders(_) => kind == "orders",
                News::Positions(_) => kind == "positions",
            })
        };
        for kind in kinds.iter().chain(&["began"]) {
            eventually(&format!("{venue} {kind}"), || said(kind)).await;
        }
    }
}

#[tokio::test]
async fn a_private_address_is_asked_for_with_a_token() {
    let followed = follow(Venue::Upbit, StubVenue::start(Venue::Upbit).await).await;
    eventually("the connection", || !followed.stub.handshakes().is_empty()).await;
    let (address, token) = followed.stub.handshakes().swap_remove(0);
    assert_eq!(address, "/websocket/v1/private");
    // head, claims, signature
    assert_eq!(token.strip_prefix("Bearer ").map(|token| token.split('.').count()), Some(3));
}

#[tokio::test]
async fn parts_are_told_apart_and_streams_come_back() {
    let stub = StubVenue::start(Venue::Bitget).await;
    let said = |part: &str, coin: &str| {
        format!(
            r#"{{"action":"snapshot","arg":{{"instType":"{part}","channel":"account","coin":"default"}},"data":[
                {{"coin":"{coin}","marginCoin":"{coin}","available":"5","frozen":"1","locked":"1"}}],"ts":1}}"#
        )
    };
    stub.on_frame(r#""instType":"SPOT","channel":"account""#, &[&said("SPOT", "BTC")]);
    stub.on_frame(r#""instType":"USDT-FUTURES","channel":"account""#, &[&said("USDT-FUTURES", "USDT")]);
    let followed = follow(Venue::Bitget, stub).await;
    let told = |part: Part, coin: &str| {
        followed.ears.any(|news| {
            matches!(news, News::Balance(of, balances) if *of == part && balances.of.iter().any(|(code, _)| code == coin))
        })
    };
    eventually("both parts", || told(Part::Main, "BTC") && told(Part::Contracts, "USDT")).await;
    assert!(!told(Part::Main, "USDT") && !told(Part::Contracts, "BTC"));
    let began = followed.ears.began();
    followed.stub.cut();
    eventually("both come back", || followed.ears.began() >= began + 2).await;
}

#[tokio::test]
async fn a_right_to_listen_is_asked_for_anew_when_it_is_over() {
    let followed = follow(Venue::Binance, StubVenue::start(Venue::Binance).await).await;
    eventually("the key", || followed.stub.asked("/listenKey") >= 2).await;
    eventually("both streams", || followed.ears.began() >= 2).await;
    let asked = followed.stub.asked("/listenKey");
    followed.stub.push(r#"{"e":"listenKeyExpired","E":1,"listenKey":"KEY"}"#);
    eventually("another key", || followed.stub.asked("/listenKey") > asked).await;
}

#[tokio::test]
async fn what_is_refused_is_told() {
    let stub = StubVenue::start(Venue::Kraken).await;
    let refusal = r#"{"error":["EAPI:Invalid key"]}"#;
    stub.answer(orrery_venues::Verb::Post, "/GetWebSocketsToken", refusal);
    let exchanges = exchanges(Venue::Kraken, &stub, Duration::from_secs(5));
    let ended = exchanges.follow(Venue::Kraken, credentials(Venue::Kraken), Arc::new(Ears::default())).await;
    assert_eq!(ended.class(), ErrorClass::AuthenticationError, "{ended}");
}

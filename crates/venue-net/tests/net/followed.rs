//! Prices of a real exchange for one that only plays.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{eventually, exchanges};
use orrery_kernel::{Clock as _, Timestamp};
use orrery_testkit::fakes::ManualClock;
use orrery_testkit::stub_venue::StubVenue;
use orrery_venue_net::FollowedPrices;
use orrery_venues::paper::PaperPrices as _;
use orrery_venues::{Exchanges as _, Number, Venue, Verb};
use tokio_util::sync::CancellationToken;

const DEPTH: &str = "/api/v3/depth";

#[tokio::test]
async fn a_market_is_followed_while_somebody_asks_for_it() {
    let stub = StubVenue::start(Venue::Binance).await;
    stub.answer(Verb::Get, DEPTH, r#"{"lastUpdateId":1,"bids":[["60000.5","1"]],"asks":[["60001","2"]]}"#);
    let exchange = exchanges(Venue::Binance, &stub, Duration::from_secs(2)).open(Venue::Binance, None).unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_760_000_000)));
    let prices = Arc::new(FollowedPrices::new(exchange, clock.clone()));
    let stopping = CancellationToken::new();
    let running = tokio::spawn(prices.clone().run(stopping.clone()));

    // nothing is asked of the exchange before anybody wants a price, nor of what it does not have again and again
    assert!(!prices.is_coming("BTC/USDT"));
    assert_eq!(prices.reference("NONE/USDT", clock.now()), None);
    assert!(prices.is_coming("NONE/USDT"));
    eventually("a market that is not there is no longer waited for", || !prices.is_coming("NONE/USDT")).await;
    assert_eq!((prices.reference("NONE/USDT", clock.now()), stub.asked(DEPTH)), (None, 0));

    assert_eq!(prices.reference("BTC/USDT", clock.now()), None);
    eventually("a price", || !prices.is_coming("BTC/USDT")).await;
    let price = prices.reference("BTC/USDT", clock.now()).unwrap();
    assert_eq!((price.bid, price.ask), (Number::parse("60000.5").unwrap(), 60_001.into()));
    eventually("the next look", || stub.asked(DEPTH) >= 2).await;

    clock.advance(Duration::from_secs(301));
    eventually("it is followed no more", || !prices.is_coming("BTC/USDT") && prices.knows() == 0).await;
    stopping.cancel();
    running.await.unwrap();
}

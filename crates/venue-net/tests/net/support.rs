//! What the tests of this crate share.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orrery_kernel::{Clock, Secret, Timestamp};
use orrery_testkit::fakes::SeededEntropy;
use orrery_testkit::stub_venue::StubVenue;
use orrery_venue_net::{Bases, HttpOptions, NetExchanges};
use orrery_venues::stream::{Heard, Sink};
use orrery_venues::{Credentials, Venue};

/// The machine's clock.
pub struct Machine;

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }
}

pub fn bases(stub: &StubVenue) -> Bases {
    Bases::new(Some(&stub.rest_url()), Some(&stub.ws_url())).unwrap()
}

pub fn exchanges(venue: Venue, stub: &StubVenue, timeout: Duration) -> NetExchanges {
    let options = HttpOptions { bases: bases(stub), timeout, ..HttpOptions::default() };
    NetExchanges::new(HashMap::from([(venue, options)]), Arc::new(Machine), Arc::new(SeededEntropy::new(7)))
}

pub fn account() -> Option<Credentials> {
    let secret = |text: &str| Secret::new(text.to_owned());
    Some(Credentials { api_key: secret("key"), secret: secret("secret"), password: Some(secret("password")) })
}

/// Keeps what is heard.
#[derive(Default)]
pub struct Ears(pub Mutex<Vec<(String, Heard)>>);

impl Sink for Ears {
    fn heard(&self, _exchange: &str, symbol: &str, heard: Heard, _latency: Option<i64>) {
        self.0.lock().unwrap().push((symbol.to_owned(), heard));
    }
}

impl Ears {
    /// Whether anything that was heard is so.
    pub fn any(&self, is: impl Fn(&str, &Heard) -> bool) -> bool {
        self.0.lock().unwrap().iter().any(|(symbol, heard)| is(symbol, heard))
    }

    /// What kinds were heard of which markets.
    pub fn kinds(&self) -> BTreeSet<String> {
        let heard = self.0.lock().unwrap();
        let kind = |(symbol, heard): &(String, Heard)| match heard {
            Heard::Ticker(_) => format!("{symbol} ticker"),
            Heard::Book(_) => format!("{symbol} book"),
            Heard::Trades(_) => format!("{symbol} trades"),
            Heard::Candles(timeframe, _) => format!("{symbol} {timeframe}"),
        };
        heard.iter().map(kind).collect()
    }
}

/// Waits until it is so, half a minute at most.
pub async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within half a minute: {what}");
}

//! An exchange of recorded answers on a standing clock, with names that count up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use orrery_kernel::{Clock, Entropy, Secret, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::unified::Markets;
use crate::{Answer, Credentials, Exchange, Request, Transport, Venue, VenueError};

/// The account of the cases.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    api_key: String,
    #[serde(default)]
    secret: String,
    password: Option<String>,
}

impl Account {
    /// Of cases that only read what is answered.
    pub(super) fn any() -> Self {
        Self { api_key: "key".to_owned(), secret: "secret".to_owned(), password: Some("password".to_owned()) }
    }

    fn credentials(&self) -> Credentials {
        Credentials {
            api_key: Secret::new(self.api_key.clone()),
            secret: Secret::new(self.secret.clone()),
            password: self.password.clone().map(Secret::new),
        }
    }
}

/// An answer of a file: to addresses that hold `of`, or, without it, in turn.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Recorded {
    #[serde(rename = "urlContains")]
    of: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    body: Box<RawValue>,
}

fn ok() -> u16 {
    200
}

impl Recorded {
    /// What cases of requests do not say and their addresses hold: HTX's number of the account.
    pub(super) fn of_account(venue: Venue) -> Vec<Self> {
        let body = r#"{"status":"ok","data":[{"id":5202591,"type":"spot","subtype":"","state":"working"}]}"#;
        let body = RawValue::from_string(body.to_owned()).ok().filter(|_| venue == Venue::Htx);
        let account = |body| Self { of: Some("/v1/account/accounts?".to_owned()), status: ok(), body };
        body.map(account).into_iter().collect()
    }

    fn answer(&self) -> Answer {
        let raw = self.body.get();
        let text = serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned());
        Answer { status: self.status, body: text }
    }
}

/// Gives recorded answers, and keeps what was sent.
#[derive(Default)]
pub(super) struct Wire {
    answers: Vec<Recorded>,
    sent: Mutex<Vec<Request>>,
}

impl Wire {
    pub(super) fn sent(&self) -> Vec<Request> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// By address if answers say which; else the next one, and the last again for whatever is asked after it.
    fn pick(&self, url: &str, turn: usize) -> Option<&Recorded> {
        if self.answers.iter().any(|answer| answer.of.is_some()) {
            return self.answers.iter().find(|answer| answer.of.as_ref().is_some_and(|of| url.contains(of.as_str())));
        }
        self.answers.get(turn).or_else(|| self.answers.last())
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request) -> Result<Answer, VenueError> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = self.pick(&request.url, sent.len()).map(Recorded::answer);
        sent.push(request);
        Ok(answer.unwrap_or(Answer { status: 200, body: "{}".to_owned() }))
    }
}

struct Standing(i64);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }
}

/// 1, 2, 3: each as the last bytes.
#[derive(Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, out: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        out.fill(0);
        for (byte, of) in out.iter_mut().rev().zip(number.to_be_bytes().into_iter().rev()) {
            *byte = of;
        }
    }
}

/// The exchange of one case, and what is sent to it.
pub(super) fn exchange(
    venue: Venue,
    account: Option<&Account>,
    clock_ms: i64,
    answers: Vec<Recorded>,
    markets: Option<Markets>,
) -> (Exchange, Arc<Wire>) {
    let wire = Arc::new(Wire { answers, sent: Mutex::default() });
    let (clock, names) = (Arc::new(Standing(clock_ms)), Arc::new(Counting::default()));
    let exchange = Exchange::new(venue, account.map(Account::credentials), wire.clone(), clock, names);
    if let Some(markets) = markets {
        exchange.set_markets(markets);
    }
    (exchange, wire)
}

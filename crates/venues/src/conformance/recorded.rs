//! An exchange of recorded answers on a standing clock, with names that count up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orrery_kernel::{Clock, Entropy, Secret, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::unified::{Markets, Raw};
use crate::{Answer, Credentials, Exchange, Permit, Request, Transport, Venue, VenueError};

/// The account of the cases.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    api_key: String,
    #[serde(default)]
    secret: String,
    /// A secret that is a PEM file, in base64.
    secret_pem_base64: Option<String>,
    password: Option<String>,
}

impl Account {
    /// Of cases that only read what is answered.
    pub(super) fn any() -> Self {
        let word = str::to_owned;
        Self { api_key: word("key"), secret: word("secret"), secret_pem_base64: None, password: Some(word("password")) }
    }

    fn credentials(&self) -> Credentials {
        let file = self.secret_pem_base64.as_ref().and_then(|file| STANDARD.decode(file).ok());
        let file = file.and_then(|bytes| String::from_utf8(bytes).ok());
        Credentials {
            api_key: Secret::new(self.api_key.clone()),
            secret: Secret::new(file.unwrap_or_else(|| self.secret.clone())),
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
    async fn send(&self, request: Request, _: &Permit) -> Result<Answer, VenueError> {
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

/// What is known of an exchange before a case begins.
#[derive(Default, Clone)]
pub(super) struct Known {
    pub markets: Markets,
    pub currencies: Vec<Raw>,
}

/// The exchange of one case, and what is sent to it.
pub(super) fn exchange(
    venue: Venue,
    account: Option<&Account>,
    clock_ms: i64,
    answers: Vec<Recorded>,
    known: Option<&Known>,
) -> (Exchange, Arc<Wire>) {
    let wire = Arc::new(Wire { answers, sent: Mutex::default() });
    let (clock, names) = (Arc::new(Standing(clock_ms)), Arc::new(Counting::default()));
    let exchange = Exchange::new(venue, account.map(Account::credentials), wire.clone(), clock, names);
    // what an exchange's library sends is compared, and it leaves bounds to the exchange
    let exchange = exchange.unbounded();
    if let Some(known) = known {
        exchange.set_markets(known.markets.clone());
        exchange.set_currencies(known.currencies.clone());
    }
    (exchange, wire)
}

//! CCXT's engines: how one is made, and the task that owns it.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Once};
use std::time::Duration;

use ccxt::{TypedExchange, Value};
use futures_util::FutureExt as _;
use orrery_kernel::Secret;
use orrery_venues::{ErrorClass, VenueError};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::failure;

/// An exchange of CCXT's, as one account.
pub type Engine = Box<dyn TypedExchange>;
/// Makes an engine, the first time and after one went wrong.
pub type Open = Arc<dyn Fn() -> Engine + Send + Sync>;

/// Longest time for a call, with its wait for the exchange's rate. CCXT's own limit for an answer is 10 s.
const CALL_MAX: Duration = Duration::from_secs(60);
/// Calls of one account that wait; one more is refused.
pub(crate) const CALLS_MAX: usize = 32;

/// What an account is known by; nothing of it is nobody's.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// The key's name.
    pub api_key: Option<Secret<String>>,
    /// What requests are signed with.
    pub secret: Option<Secret<String>>,
    /// The passphrase of exchanges that have one.
    pub password: Option<Secret<String>>,
    /// CCXT's `options` of the exchange, a JSON object: Bitvavo's orders want an `operatorId`.
    pub options: serde_json::Value,
}

/// CCXT has no exchange of this name, or it was not built in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CCXT has no exchange {0:?}, or it was not built in: its feature is its name")]
pub struct NoSuchExchange(String);

/// Makes engines of the exchange that CCXT calls so: `bitvavo`.
///
/// Errors: [`NoSuchExchange`].
pub fn engines(id: &str, account: &Account) -> Result<Open, NoSuchExchange> {
    let said = |secret: &Option<Secret<String>>| secret.as_ref().map(|secret| secret.expose().clone());
    let config = Value::from_json(&json!({
        "apiKey": said(&account.api_key),
        "secret": said(&account.secret),
        "password": said(&account.password),
        "options": if account.options.is_object() { account.options.clone() } else { json!({}) },
    }));
    let none = || NoSuchExchange(id.to_owned());
    // whether there is one does not change afterwards
    ccxt::from_id(id, Some(config.clone())).ok_or_else(none)?;
    let id = id.to_owned();
    Ok(Arc::new(move || ccxt::from_id(&id, Some(config.clone())).unwrap_or_else(|| Box::new(Gone))))
}

/// Stands for an exchange that is not there any more.
struct Gone;

#[async_trait::async_trait]
impl TypedExchange for Gone {
    async fn call_raw(&mut self, _: &str, _: Vec<Value>) -> ccxt::Result<Value> {
        Err(ccxt::ExchangeError::new("NotSupported", "the exchange is not built in"))
    }

    fn market(&self, _: &str) -> ccxt::Result<ccxt::types::Market> {
        Err(ccxt::ExchangeError::new("NotSupported", "the exchange is not built in"))
    }

    fn markets(&self) -> Vec<ccxt::types::Market> {
        Vec::new()
    }
}

/// One call, and who waits for it.
pub(crate) struct Call {
    /// CCXT's name in Rust: `fetch_ticker`.
    pub method: String,
    pub arguments: Vec<Value>,
    pub answer: oneshot::Sender<Result<Value, VenueError>>,
}

tokio::task_local! {
    /// A panic here is CCXT's way to say what went wrong.
    static CONTAINED: ();
}

/// Says nothing of panics that are answers; all others are told as before.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if CONTAINED.try_with(|()| ()).is_err() {
                before(panic);
            }
        }));
    });
}

/// Answers calls one after another until nobody can make one.
pub(crate) async fn serve(id: String, open: Open, mut calls: mpsc::Receiver<Call>) {
    quiet();
    let mut engine: Option<Engine> = None;
    while let Some(Call { method, arguments, answer }) = calls.recv().await {
        if answer.is_closed() {
            // who asked does not wait any more, and nothing was sent yet
            continue;
        }
        let worked = CONTAINED.scope((), work(&id, &open, &mut engine, &method, arguments));
        let answered = match tokio::time::timeout(CALL_MAX, AssertUnwindSafe(worked).catch_unwind()).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(failure::unreadable(&id, &method)),
            Err(_) => Err(VenueError::new(ErrorClass::RequestTimeout, &format!("{id} {method} took too long"))),
        };
        let broken = |error: &VenueError| {
            matches!(error.class(), ErrorClass::BadResponse | ErrorClass::RequestTimeout | ErrorClass::BaseError)
        };
        if answered.as_ref().is_err_and(broken) {
            engine = None;
        }
        // an error says that nobody waits for it any more
        let _ = answer.send(answered);
    }
}

async fn work(
    id: &str,
    open: &Open,
    engine: &mut Option<Engine>,
    method: &str,
    arguments: Vec<Value>,
) -> Result<Value, VenueError> {
    let engine = match engine {
        Some(engine) => engine,
        None => {
            let mut new = open();
            // said with its reason: `load_markets` itself keeps errors to itself
            let loaded = new.call_raw("load_markets", vec![Value::Bool(false)]).await;
            loaded.map_err(|error| failure::before(failure::of(id, &error)))?;
            engine.insert(new)
        }
    };
    engine.call_raw(method, arguments).await.map_err(|error| failure::of(id, &error))
}

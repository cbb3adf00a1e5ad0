//! A stand-in for any of the ten exchanges on the loopback: its answers and its streams are recorded ones, and it can
//! be told to fail in the ways exchanges do. Binance's takes orders and remembers them.

mod binance;
mod fault;
mod inside;
mod recorded;
mod rest;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use fault::Fault;
pub use inside::{NoExchanges, StubExchanges};
use orrery_venues::{Venue, Verb};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// Messages that a socket has not been sent yet.
const MESSAGES_MAX: usize = 10_000;

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What was done.
    pub verb: String,
    /// The path.
    pub path: String,
    /// The query.
    pub query: String,
    /// The body.
    pub body: String,
}

/// What is sent to all sockets.
#[derive(Clone, Debug)]
enum Word {
    Text(String),
    /// The connection is cut without a goodbye.
    Cut,
}

/// Which requests are answered so.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// Those that do this with a path that ends so.
    Path(Verb, String),
    /// Those whose path and query hold this.
    Part(String),
}

impl Asked {
    fn is(&self, seen: &Seen) -> bool {
        match self {
            Self::Path(verb, path) => verb.name() == seen.verb && seen.path.ends_with(path),
            Self::Part(part) => format!("{}?{}", seen.path, seen.query).contains(part),
        }
    }
}

struct Answer {
    asked: Asked,
    status: u16,
    body: String,
}

#[derive(Default)]
struct State {
    answers: Vec<Answer>,
    faults: VecDeque<(String, Fault)>,
    seen: Vec<Seen>,
    frames: Vec<String>,
    handshakes: Vec<(String, String)>,
    on_frame: Vec<(String, Vec<String>)>,
    orders: BTreeMap<String, binance::Kept>,
}

struct Inner {
    venue: Venue,
    state: Mutex<State>,
    words: broadcast::Sender<Word>,
    sockets: std::sync::atomic::AtomicUsize,
}

impl Inner {
    fn of(venue: Venue) -> Arc<Self> {
        let (words, _) = broadcast::channel(MESSAGES_MAX);
        let state = State { answers: recorded::answers(venue), ..State::default() };
        Arc::new(Self { venue, state: Mutex::new(state), words, sockets: 0.into() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running stand-in; it ends with the runtime of the test.
#[derive(Clone)]
pub struct StubVenue {
    inner: Arc<Inner>,
    rest: SocketAddr,
    stream: SocketAddr,
}

impl StubVenue {
    /// Starts it with the exchange's recorded answers and streams.
    pub async fn start(venue: Venue) -> Self {
        let inner = Inner::of(venue);
        let listen = async || TcpListener::bind("127.0.0.1:0").await.expect("a free port of the loopback");
        let (http, sockets) = (listen().await, listen().await);
        let address = |listener: &TcpListener| listener.local_addr().expect("a bound socket has an address");
        let (rest, stream) = (address(&http), address(&sockets));
        tokio::spawn(rest::serve(http, inner.clone()));
        tokio::spawn(stream::serve(sockets, inner.clone()));
        Self { inner, rest, stream }
    }

    /// `http://127.0.0.1:…`, for `rest_url`.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.rest)
    }

    /// `ws://127.0.0.1:…`, for `ws_url`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.stream)
    }

    /// Answers requests whose path ends so, before any recorded answer.
    pub fn answer(&self, verb: Verb, path: &str, body: &str) {
        let answer = Answer { asked: Asked::Path(verb, path.to_owned()), status: 200, body: body.to_owned() };
        self.inner.state().answers.insert(0, answer);
    }

    /// The next request whose path ends so goes wrong.
    pub fn fail(&self, path: &str, fault: Fault) {
        self.inner.state().faults.push_back((path.to_owned(), fault));
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.inner.state().seen.clone()
    }

    /// How many requests came whose path ends so.
    pub fn asked(&self, path: &str) -> usize {
        self.inner.state().seen.iter().filter(|seen| seen.path.ends_with(path)).count()
    }

    /// How often each of the account's names of orders was taken.
    pub fn orders(&self) -> BTreeMap<String, u32> {
        self.inner.state().orders.iter().map(|(name, kept)| (name.clone(), kept.taken)).collect()
    }

    /// All frames that came over sockets so far.
    pub fn frames(&self) -> Vec<String> {
        self.inner.state().frames.clone()
    }

    /// Where connections were asked for, and the `Authorization` of each.
    pub fn handshakes(&self) -> Vec<(String, String)> {
        self.inner.state().handshakes.clone()
    }

    /// Sends messages to a socket whenever a frame comes over it that holds `part`.
    pub fn on_frame(&self, part: &str, messages: &[&str]) {
        let messages = messages.iter().map(|text| (*text).to_owned()).collect();
        self.inner.state().on_frame.push((part.to_owned(), messages));
    }

    /// Sends a message to every socket.
    pub fn push(&self, message: &str) {
        // an error says that nobody listens
        let _ = self.inner.words.send(Word::Text(message.to_owned()));
    }

    /// Cuts every socket without a goodbye.
    pub fn cut(&self) {
        let _ = self.inner.words.send(Word::Cut);
    }

    /// Sockets that are open.
    pub fn sockets(&self) -> usize {
        self.inner.sockets.load(std::sync::atomic::Ordering::SeqCst)
    }
}

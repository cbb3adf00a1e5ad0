//! A client of Orrery's WebSocket channels: connects again with full jitter, joins its channels again from the
//! last offset it has seen, resends what was not acknowledged under its own number (so that nothing is
//! published twice), and queues while offline.
//!
//! ```no_run
//! # async fn example() -> Result<(), orrery_client::Error> {
//! use orrery_client::{Client, Event, Options};
//!
//! let (client, mut events) = Client::connect("ws://127.0.0.1:8000/ws", Options::token("eyJ…"))?;
//! client.join("main").await?;
//! let ack = client.send("main", serde_json::json!("hello")).await?;
//! while let Some(event) = events.next().await {
//!     if let Event::Message(message) = event {
//!         println!("{} {}", message.metadata.sequence, message.content);
//!         assert!(message.metadata.sequence <= ack.offset);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Bounds: [`Options::queue_max`] messages wait for an acknowledgement, and as many events for their reader;
//! when those are full the connection is not read until there is room, and the server's own bounds apply.

mod session;
mod wire;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use wire::{Ack, Message, Metadata, Position};

/// Where tokens are from; asked again for every connection and before one runs out.
pub type TokenSource = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync>;

/// How the client behaves.
#[derive(Clone)]
pub struct Options {
    /// Where tokens are from; `None`: none is sent.
    pub token: Option<TokenSource>,
    /// The client's name for itself. A second connection of the same name replaces the first.
    pub client_id: Option<String>,
    /// The longest first wait before connecting again; doubles each time.
    pub min_delay: Duration,
    /// The longest wait.
    pub max_delay: Duration,
    /// Attempts in a row before giving up.
    pub max_retries: u32,
    /// Messages that may wait to be acknowledged, and events that may wait to be read.
    pub queue_max: usize,
    /// A message that is not acknowledged in this time is sent again.
    pub ack_timeout: Duration,
    /// A silent server is asked after this time, and given up after half as much again.
    pub ping: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: None,
            client_id: None,
            min_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            max_retries: u32::MAX,
            queue_max: 1_000,
            ack_timeout: Duration::from_secs(10),
            ping: Duration::from_secs(30),
        }
    }
}

impl Options {
    /// The defaults with one token.
    pub fn token(token: impl Into<String>) -> Self {
        let token = token.into();
        let source: TokenSource = Arc::new(move || {
            let token = token.clone();
            Box::pin(async move { Ok(token) })
        });
        Self { token: Some(source), ..Self::default() }
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a `ws://` URL.
    #[error("not a WebSocket URL: {0}")]
    Url(String),
    /// The client was closed, or has given up.
    #[error("the client has ended: {0}")]
    Ended(String),
    /// As many messages wait as may.
    #[error("too many messages wait to be acknowledged")]
    QueueFull,
    /// The server's word.
    #[error("{code}: {message}")]
    Refused {
        /// `forbidden`, `bad_request` …
        code: String,
        /// Words.
        message: String,
    },
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A connection is there.
    Open,
    /// It is gone; a new one is tried unless [`Event::Ended`] follows.
    Closed {
        /// Close code; 1006: none came.
        code: u16,
        /// Words.
        reason: String,
    },
    /// A channel was joined.
    Joined {
        /// Which.
        channel: String,
        /// Where it is.
        position: Position,
        /// What was missed follows, whole.
        recovered: bool,
    },
    /// A message of a joined channel.
    Message(Message),
    /// Messages of a channel are lost: read its state anew.
    Gap {
        /// Which.
        channel: String,
        /// Where it is now.
        position: Position,
    },
    /// A word of the server's or the operator's: the frame.
    System(serde_json::Value),
    /// The server refused something that was not a message.
    Refused {
        /// Code.
        code: String,
        /// Words.
        message: String,
    },
    /// No further connection is tried.
    Ended(String),
}

pub(crate) enum Command {
    Join { channel: String, from: Option<Position> },
    Leave { channel: String },
    Send { channel: String, content: serde_json::Value, key: Option<String>, done: oneshot::Sender<Result<Ack, Error>> },
    Close,
}

/// A connection that comes back by itself. Cheap to clone; ends when the last clone and the events are gone.
#[derive(Clone)]
pub struct Client {
    commands: mpsc::Sender<Command>,
}

/// What happens, in order.
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// The next event; `None` after [`Event::Ended`].
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Client {
    /// Connects in the background, on the current runtime.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn connect(url: &str, options: Options) -> Result<(Self, Events), Error> {
        let url = url::Url::parse(url).map_err(|e| Error::Url(e.to_string()))?;
        if !matches!(url.scheme(), "ws" | "wss") {
            return Err(Error::Url(format!("{} is no WebSocket's scheme", url.scheme())));
        }
        let (commands, asked) = mpsc::channel(options.queue_max.max(1));
        let (tell, events) = mpsc::channel(options.queue_max.max(1));
        let session = session::Session::new(url, options, asked, tell);
        #[expect(clippy::disallowed_methods, reason = "a library has no supervisor; the task ends with its client")]
        tokio::spawn(session.run());
        Ok((Self { commands }, Events(events)))
    }

    async fn ask(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).await.map_err(|_| Error::Ended("nobody is there any more".into()))
    }

    /// Joins a channel, now and after every reconnect.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn join(&self, channel: &str) -> Result<(), Error> {
        self.ask(Command::Join { channel: channel.into(), from: None }).await
    }

    /// The same, with what came after `position`.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn join_from(&self, channel: &str, position: Position) -> Result<(), Error> {
        self.ask(Command::Join { channel: channel.into(), from: Some(position) }).await
    }

    /// Leaves a channel.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn leave(&self, channel: &str) -> Result<(), Error> {
        self.ask(Command::Leave { channel: channel.into() }).await
    }

    /// Publishes and waits for the acknowledgement, over as many connections as it takes.
    ///
    /// # Errors
    /// When the server refuses it for good, too many wait already, or the client has ended.
    pub async fn send(&self, channel: &str, content: serde_json::Value) -> Result<Ack, Error> {
        self.send_keyed(channel, content, None).await
    }

    /// The same for a channel of the newest: `key` says what this is the newest value of.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_keyed(&self, channel: &str, content: serde_json::Value, key: Option<&str>) -> Result<Ack, Error> {
        let (done, ack) = oneshot::channel();
        self.ask(Command::Send { channel: channel.into(), content, key: key.map(Into::into), done }).await?;
        ack.await.unwrap_or_else(|_| Err(Error::Ended("nobody is there any more".into())))
    }

    /// Closes for good; what was not acknowledged fails.
    pub async fn close(&self) {
        // an error says that it has ended already
        let _ = self.ask(Command::Close).await;
    }
}

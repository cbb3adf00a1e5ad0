//! The port that carries scripts' requests and sockets.

use async_trait::async_trait;

use super::Refusal;

/// Most bytes of an answer's body, unpacked, and of a request's.
pub const FETCH_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Most headers of a request or an answer; of an answer, further ones are left out.
pub const HEADERS_MAX: usize = 200;
/// Most bytes of a socket's message.
pub const MESSAGE_BYTES_MAX: usize = 1_024 * 1_024;

/// What becomes of an answer that leads elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Redirect {
    /// It is followed.
    #[default]
    Follow,
    /// It is an error.
    Error,
    /// It is answered as it is.
    Manual,
}

impl Redirect {
    /// The one that `fetch` knows by this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "follow" => Some(Self::Follow),
            "error" => Some(Self::Error),
            "manual" => Some(Self::Manual),
            _ => None,
        }
    }
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchRequest {
    /// Where.
    pub url: String,
    /// In capital letters.
    pub method: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<Vec<u8>>,
    /// What becomes of an answer that leads elsewhere.
    pub redirect: Redirect,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchResponse {
    /// Whose answer it is, after redirections.
    pub url: String,
    /// HTTP status.
    pub status: u16,
    /// Its usual words.
    pub status_text: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// It was asked for elsewhere.
    pub redirected: bool,
    /// Unpacked.
    pub body: Vec<u8>,
}

/// What comes over a socket and goes over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The end.
    Close {
        /// RFC 6455 section 7.4; 1005 where none was sent.
        code: u16,
        /// For people.
        reason: String,
    },
}

/// A request or a socket that failed. Tells nothing of what the script did not ask for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Scripts may not go there.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot be sent.
    #[error("{0}")]
    Invalid(String),
    /// The answer or the message is too large.
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// It took too long.
    #[error("no answer came in time")]
    Timeout,
    /// The name is unknown, the connection could not be made, or broke.
    #[error("{0}")]
    Broken(String),
}

/// A socket. Dropping it closes it.
#[async_trait]
pub trait EgressSocket: Send + Sync {
    /// The subprotocol that the other side chose; empty for none.
    fn protocol(&self) -> &str;

    /// The next message; waits for it. Pings are answered while somebody waits. After [`Message::Close`] nothing
    /// comes. Dropping the future loses no message.
    ///
    /// Errors: the socket is of no use then.
    async fn next(&self) -> Result<Message, EgressError>;

    /// Sends a message. It waits while the other side does not read.
    ///
    /// Errors: the socket is of no use then.
    async fn send(&self, message: Message) -> Result<(), EgressError>;
}

/// The way out for scripts. Every address that is connected to, of redirections too, is one that
/// [`Policy`](super::Policy) admitted, and no name is asked for its address twice on the way.
#[async_trait]
pub trait Egress: Send + Sync {
    /// Makes a request, and reads the whole answer.
    ///
    /// Errors: see [`EgressError`]; an answer of any status is none.
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, EgressError>;

    /// Opens a socket.
    ///
    /// Errors: see [`EgressError`].
    async fn open(&self, url: &str, protocols: &[String]) -> Result<Box<dyn EgressSocket>, EgressError>;
}

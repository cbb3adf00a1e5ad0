//! The ports: who makes tunnels, and where they lead to.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Asked, Kind, Opened};

/// Why there is no tunnel (any more). Texts hold no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TunnelError {
    /// The program that makes it is not on this machine.
    #[error("{tool} is not installed on the server; {advice}")]
    Missing {
        /// Its name.
        tool: &'static str,
        /// How to get it.
        advice: &'static str,
    },
    /// The provider said no, in these words.
    #[error("{0}")]
    Refused(String),
    /// The provider cannot be reached, or does not answer as it should.
    #[error("{0}")]
    Unreachable(String),
    /// It was there and is not any more.
    #[error("{0}")]
    Ended(String),
    /// This server cannot do its part now.
    #[error("{0}")]
    Unavailable(String),
}

/// Is told how a tunnel does. Must not wait.
pub trait Heard: Send + Sync {
    /// It is open; also when it is again.
    fn opened(&self, opened: Opened);

    /// A line of what the provider's program says.
    fn line(&self, text: &str);
}

/// Makes tunnels of one kind.
///
/// Contract: `carry` goes on for as long as the tunnel does, and ends with why it cannot go on; it does not try again
/// by itself. Dropping it ends the tunnel with every process of it, as does the end of this process, whichever way it
/// comes. Connections and output are bounded. The token is in no argument, line or error.
#[async_trait]
pub trait TunnelProvider: Send + Sync {
    /// Of which kind.
    fn kind(&self) -> Kind;

    /// Opens a tunnel to `127.0.0.1:port`, says so, and carries it until it ends.
    async fn carry(&self, asked: &Asked, port: u16, heard: Arc<dyn Heard>) -> TunnelError;
}

/// A listener of a tunnel's own, closed when it is dropped, with its connections.
pub trait Door: Send + Sync {
    /// Its port on the loopback.
    fn port(&self) -> u16;

    /// It answers to that name too, in place of the one before, and as long as it is open.
    fn answer_to(&self, host: &str);
}

/// Opens doors.
#[async_trait]
pub trait Doors: Send + Sync {
    /// A door on a free port of the loopback. Nothing that comes through it counts as local.
    ///
    /// # Errors
    /// When there is no port to be had.
    async fn open(&self) -> std::io::Result<Arc<dyn Door>>;
}

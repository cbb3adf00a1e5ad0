//! What the hub asks of a protocol: how its frames look. Each surface gives its own.

use bytes::Bytes;
use orrery_kernel::Timestamp;
use serde_json::value::RawValue;

use super::conn::Who;

/// Protocols that share frames: a dialect's number is below this.
pub const DIALECTS: usize = 4;

/// A publication on its way to a connection.
pub struct Delivery<'a> {
    /// Where.
    pub channel: &'a str,
    /// Of which epoch.
    pub epoch: &'a str,
    /// Its place.
    pub offset: u64,
    /// When it was accepted.
    pub at: Timestamp,
    /// Its id.
    pub id: &'a str,
    /// The user who sent it.
    pub user: Option<i64>,
    /// The client that sent it; empty: the server.
    pub client: &'a str,
    /// What it is the newest value of.
    pub key: Option<&'a str>,
    /// JSON.
    pub content: &'a RawValue,
    /// The sender's own number of it, for the sender alone.
    pub client_sequence: Option<u64>,
    /// It is part of a picture of now, and was told before.
    pub snapshot: bool,
}

/// How severe an operator's message is (Aether document, "System Messages").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// For information.
    Info,
    /// Something may be wrong.
    Warning,
    /// Something is.
    Error,
}

impl Severity {
    /// The document's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The severity of that word.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Error].into_iter().find(|s| s.name() == name)
    }
}

/// Something about the connection itself.
pub enum Notice<'a> {
    /// It has joined a channel, whose position this is.
    Joined {
        /// Who.
        who: &'a Who,
        /// Which.
        channel: &'a str,
        /// Epoch.
        epoch: &'a str,
        /// Newest offset.
        offset: u64,
        /// What it missed follows, whole.
        recovered: bool,
    },
    /// It does not read as fast as it is sent to.
    Slow,
    /// Messages of a channel were lost: read its state anew.
    Gap {
        /// Which.
        channel: &'a str,
        /// Epoch.
        epoch: &'a str,
        /// Newest offset.
        offset: u64,
    },
    /// The token runs out soon.
    TokenExpiring {
        /// When.
        at: Timestamp,
    },
    /// A word of the operator's.
    Operator {
        /// Words.
        message: &'a str,
        /// How severe.
        severity: Severity,
    },
    /// Somebody came to or left a channel.
    Presence {
        /// Which.
        channel: &'a str,
        /// The user.
        user: Option<i64>,
        /// Their client.
        client: &'a str,
        /// Came, not left.
        here: bool,
    },
    /// Are you there?
    Ping,
}

/// Why a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It does not take what it is sent; everything of the fullest channel came up to this offset.
    Slow {
        /// Offset.
        offset: u64,
    },
    /// The token ran out.
    Expired,
    /// The token was revoked, or its user may not any more.
    Revoked,
    /// The same client came again.
    Replaced,
    /// Nothing was heard of it.
    Silent,
    /// The server stops.
    Shutdown,
    /// Anything else, in the protocol's own numbers.
    Other {
        /// Close code.
        code: u16,
        /// Words.
        reason: String,
    },
}

/// A protocol's frames.
pub trait Dialect: Send + Sync {
    /// Which of the [`DIALECTS`] it is.
    fn number(&self) -> usize;
    /// A publication; made once for all connections of the dialect that get the same.
    fn publication(&self, delivery: &Delivery<'_>) -> Bytes;
    /// May frames be written one after another as one? Else each is handed over by itself.
    fn joins_frames(&self) -> bool {
        true
    }
    /// Does the hub ask silent clients whether they are there? Else the protocol does it itself.
    fn pings(&self) -> bool {
        true
    }
    /// A notice, if the protocol has it.
    fn notice(&self, notice: &Notice<'_>) -> Option<Bytes>;
    /// The last frame.
    fn close(&self, ending: &Ending) -> Bytes;
}

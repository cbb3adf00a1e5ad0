//! What a script's process and its parent say to each other: JSON texts, each after its length.

use std::collections::HashSet;
use std::time::Duration;

use orrery_workers::script::{End, Exceeded, Limits, Outcome, Setting, Thrown, Usage};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Longest message.
const MESSAGE_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// To the process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Down {
    /// The first message.
    Run(Box<Start>),
    /// The answer to a call.
    Answer { id: u32, text: String },
    /// The error that a call ends in.
    Refused { id: u32, class: String, message: String },
    /// The script is to stop gently.
    Stop,
}

/// From the process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Up {
    Call {
        id: u32,
        method: String,
        arguments: String,
    },
    Cancel {
        id: u32,
    },
    Log {
        level: String,
        text: String,
    },
    /// The last message.
    End(Box<Ended>),
}

/// Everything that a run needs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    /// The script as the engine takes it.
    pub text: String,
    /// Modules by name.
    pub library: Vec<(String, String)>,
    /// Names that the script uses.
    pub names: Option<HashSet<String>>,
    pub setting: SettingWire,
    pub limits: LimitsWire,
}

macro_rules! twin {
    ($name:ident of $of:ident { $($field:ident: $type:ty),* $(,)? }) => {
        /// As it goes over the pipe.
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct $name { $($field: $type),* }

        impl From<$of> for $name {
            fn from(of: $of) -> Self {
                Self { $($field: of.$field),* }
            }
        }

        impl From<$name> for $of {
            fn from(of: $name) -> Self {
                Self { $($field: of.$field),* }
            }
        }
    };
}

twin!(SettingWire of Setting {
    sid: String,
    nid: String,
    network: String,
    account: Option<String>,
    protocol: Option<String>,
    owner: Option<String>,
    start_time: i64,
    epoch: i64,
});

twin!(LimitsWire of Limits {
    memory: usize,
    stack: usize,
    slice: Duration,
    per_minute: Duration,
    wall: Option<Duration>,
    grace: Duration,
    calls: usize,
    calls_queued: usize,
    call_bytes: usize,
    timers: usize,
    log_lines: u32,
    log_line_bytes: usize,
    output_bytes: usize,
});

twin!(UsageWire of Usage {
    cpu: Duration,
    calls: u64,
    calls_failed: u64,
    log_lines: u64,
    log_lines_suppressed: u64,
    uncaught: u64,
    memory: usize,
});

twin!(ThrownWire of Thrown {
    class: String,
    message: String,
    place: Option<(u32, u32)>,
    stack: String,
});

/// How a run ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ended {
    end: EndWire,
    usage: UsageWire,
}

#[derive(Debug, Serialize, Deserialize)]
enum EndWire {
    Returned(Option<String>),
    Threw(ThrownWire),
    Stopped,
    Slice,
    Minute,
    Wall,
    Memory,
    Wedged,
    Failed(String),
}

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Self {
        let end = match outcome.end {
            End::Returned(value) => EndWire::Returned(value),
            End::Threw(thrown) => EndWire::Threw(thrown.into()),
            End::Stopped => EndWire::Stopped,
            End::Exceeded(Exceeded::Slice) => EndWire::Slice,
            End::Exceeded(Exceeded::Minute) => EndWire::Minute,
            End::Exceeded(Exceeded::Wall) => EndWire::Wall,
            End::Exceeded(Exceeded::Memory) => EndWire::Memory,
            End::Wedged => EndWire::Wedged,
            End::Failed(message) => EndWire::Failed(message),
        };
        Self { end, usage: outcome.usage.into() }
    }
}

impl From<Ended> for Outcome {
    fn from(ended: Ended) -> Self {
        let end = match ended.end {
            EndWire::Returned(value) => End::Returned(value),
            EndWire::Threw(thrown) => End::Threw(thrown.into()),
            EndWire::Stopped => End::Stopped,
            EndWire::Slice => End::Exceeded(Exceeded::Slice),
            EndWire::Minute => End::Exceeded(Exceeded::Minute),
            EndWire::Wall => End::Exceeded(Exceeded::Wall),
            EndWire::Memory => End::Exceeded(Exceeded::Memory),
            EndWire::Wedged => End::Wedged,
            EndWire::Failed(message) => End::Failed(message),
        };
        Self { end, usage: ended.usage.into() }
    }
}

/// Sends a message.
///
/// Errors: those of the pipe.
pub(super) async fn send(to: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> std::io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let length = u32::try_from(text.len()).map_err(std::io::Error::other)?;
    to.write_all(&length.to_le_bytes()).await?;
    to.write_all(&text).await?;
    to.flush().await
}

/// The next message. Not to be given up half-way: what was read of it would be lost.
///
/// Errors: those of the pipe, its end among them; a message that is too long or none.
pub(super) async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<T> {
    let length = from.read_u32_le().await? as usize;
    if length > MESSAGE_BYTES_MAX {
        return Err(std::io::Error::other("a message is too long"));
    }
    let mut text = vec![0; length];
    from.read_exact(&mut text).await?;
    Ok(serde_json::from_slice(&text)?)
}

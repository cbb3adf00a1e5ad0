//! Tunnels from the internet to this server, as data: who makes them, what is asked of them, what they say.
//!
//! A tunnel leads to a [`Door`], a listener of its own: what comes through it is never from this machine.

mod lines;
mod log;
mod opened;
mod ports;

pub use lines::{Lines, cloudflared_url, ngrok_url};
pub use log::{LINE_CHARS_MAX, LINES_MAX, LogTail, redact};
pub use opened::{Name, Opened};
use orrery_kernel::Secret;
pub use ports::{Door, Doors, Heard, TunnelError, TunnelProvider};

/// Who makes a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// ngrok, by its own program.
    Ngrok,
    /// localtunnel, whose protocol is spoken here.
    Localtunnel,
    /// A quick tunnel of Cloudflare's, by its own program.
    Cloudflared,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 3] = [Self::Ngrok, Self::Localtunnel, Self::Cloudflared];

    /// The name in paths and answers: `ngrok`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ngrok => "ngrok",
            Self::Localtunnel => "localtunnel",
            Self::Cloudflared => "cloudflared",
        }
    }
}

/// What is asked of a tunnel.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Its name at the provider; whether it is given is the provider's matter.
    pub name: Option<Name>,
    /// What proves to the provider whose it is. Never in arguments, logs or answers.
    pub token: Option<Secret<String>>,
}

//! What the server, the runner and a run's keeper say to each other.
//!
//! To the runner: one byte ([`Ask`]) with flags and the descriptors of the run. To a keeper, and back: JSON texts, each
//! after its length; then single bytes.

use std::io::{Read, Write};
use std::path::PathBuf;

use orrery_exec::{Exit, Limits, NetPolicy, Profile};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest text.
pub(crate) const TEXT_BYTES_MAX: usize = 1_024 * 1_024;

/// The byte by which a keeper is told to end its run.
pub(crate) const END: u8 = b'T';

/// What the runner is asked for, in the first byte; the second holds the flags of [`Spaces`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A run: descriptors of control, input, output, errors.
    Run,
    /// Which layers there are: the descriptor of control.
    Probe,
}

impl Ask {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Run => b'R',
            Self::Probe => b'P',
        }
    }

    pub(crate) const fn of(byte: u8) -> Option<Self> {
        match byte {
            b'R' => Some(Self::Run),
            b'P' => Some(Self::Probe),
            _ => None,
        }
    }
}

/// Which namespaces a run gets of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spaces {
    pub user: bool,
    pub mount: bool,
    pub pid: bool,
    pub net: bool,
}

impl Spaces {
    pub(crate) fn byte(self) -> u8 {
        u8::from(self.user) | u8::from(self.mount) << 1 | u8::from(self.pid) << 2 | u8::from(self.net) << 3
    }

    pub(crate) const fn of(byte: u8) -> Self {
        Self { user: byte & 1 != 0, mount: byte & 2 != 0, pid: byte & 4 != 0, net: byte & 8 != 0 }
    }

    /// As `clone` takes them.
    pub(crate) fn flags(self) -> libc::c_int {
        let flag = |set: bool, flag| if set { flag } else { 0 };
        flag(self.user, libc::CLONE_NEWUSER)
            | flag(self.mount, libc::CLONE_NEWNS)
            | flag(self.pid, libc::CLONE_NEWPID | libc::CLONE_NEWIPC)
            | flag(self.net, libc::CLONE_NEWNET)
    }
}

/// Everything that a keeper must know of its run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub argv: Vec<String>,
    pub workspace: PathBuf,
    pub directory: PathBuf,
    pub profile: Profile,
    pub net: NetPolicy,
    /// Some TCP ports, which the runner knows, are closed to it.
    pub closes: bool,
    pub env: Vec<(String, String)>,
    pub limits: Limits,
    /// Files and directories that are not there for it.
    pub hidden: Vec<PathBuf>,
    /// What it may read under [`Profile::Strict`].
    pub readable: Vec<PathBuf>,
    pub spaces: Spaces,
    pub landlock: bool,
    pub seccomp: bool,
    pub bound_processes: bool,
    /// Its input is the terminal of that name, which it is to control.
    pub terminal: Option<PathBuf>,
    /// Time between asking and killing, ms.
    pub grace: u32,
}

/// What a keeper says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The command runs.
    Started,
    /// It could not be started; a sentence without paths of the host.
    Failed(String),
    /// The sandbox could not be made as it should.
    Unsafe(String),
    /// It ended by itself, and what it left behind is gone.
    Code(i32),
    /// The same, by a signal.
    Signal(i32),
    /// Layers by name, with why they are missing.
    Layers(Vec<(String, Option<String>)>),
}

impl Report {
    /// The exit that it tells of.
    pub(crate) const fn exit(&self) -> Option<Exit> {
        match self {
            Self::Code(code) => Some(Exit::Code(*code)),
            Self::Signal(signal) => Some(Exit::Signal(*signal)),
            _ => None,
        }
    }
}

/// A message with its length before it.
pub(crate) fn framed(message: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let text = serde_json::to_vec(message)?;
    let length = u32::try_from(text.len()).map_err(std::io::Error::other)?;
    Ok([&length.to_le_bytes()[..], &text].concat())
}

/// Sends a message; waits until it is away.
pub(crate) fn send(to: &mut impl Write, message: &impl Serialize) -> std::io::Result<()> {
    to.write_all(&framed(message)?)
}

/// Waits for a message.
pub(crate) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> std::io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > TEXT_BYTES_MAX {
        return Err(std::io::Error::other("a message is too long"));
    }
    let mut text = vec![0; length];
    from.read_exact(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Takes a whole message off the front of `bytes`, if there is one.
pub(crate) fn take<T: DeserializeOwned>(bytes: &mut Vec<u8>) -> std::io::Result<Option<T>> {
    let Some(length) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > TEXT_BYTES_MAX {
        return Err(std::io::Error::other("a message is too long"));
    }
    let Some(text) = bytes.get(4..4 + length) else { return Ok(None) };
    let message = serde_json::from_slice(text)?;
    bytes.drain(..4 + length);
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_pieces() {
        let mut bytes = framed(&Report::Signal(9)).unwrap();
        let mut early = bytes[..6].to_vec();
        assert!(take::<Report>(&mut early).unwrap().is_none());
        bytes.extend(framed(&Report::Started).unwrap());
        assert!(matches!(take(&mut bytes).unwrap(), Some(Report::Signal(9))));
        assert!(matches!(take(&mut bytes).unwrap(), Some(Report::Started)));
        assert!(bytes.is_empty());
        assert!(take::<Report>(&mut vec![0xFF; 4]).is_err());
        for byte in 0..16 {
            assert_eq!(Spaces::of(byte).byte(), byte);
        }
    }
}

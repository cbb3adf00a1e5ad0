//! The port of terminals.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use orrery_exec::{Command, Exit, Foreground, Limits, RunError, Size, TerminalHandle, Terminals, TtyMode};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use tokio::io::unix::AsyncFd;

use crate::host::{Control, Unix};
use crate::{foreground, fork};

/// Read at once.
const READ_BYTES: usize = 32 * 1_024;

fn unavailable(error: impl Into<std::io::Error>) -> RunError {
    RunError::Unavailable(format!("no terminal: {}", error.into().kind()))
}

/// A terminal's two sides, ours and the program's, and the name of the latter.
fn open_pty(size: Size, mode: TtyMode) -> rustix::io::Result<(OwnedFd, OwnedFd, PathBuf)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = ptsname(&ours, Vec::new())?;
    let theirs = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    let mut modes = tcgetattr(&theirs)?;
    modes.input_modes |= rustix::termios::InputModes::IUTF8;
    if mode == TtyMode::Quiet {
        modes.local_modes -= LocalModes::ECHO | LocalModes::ECHOE | LocalModes::ECHOK | LocalModes::ECHONL;
        modes.output_modes -= OutputModes::ONLCR;
    }
    tcsetattr(&theirs, OptionalActions::Now, &modes)?;
    tcsetwinsize(&ours, winsize(size))?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs, PathBuf::from(OsStr::from_bytes(name.as_bytes()))))
}

fn winsize(size: Size) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}

struct Terminal {
    master: AsyncFd<OwnedFd>,
    control: Control,
}

#[async_trait]
impl Terminals for Unix {
    async fn open(
        &self,
        command: Command,
        limits: Limits,
        size: Size,
        mode: TtyMode,
    ) -> Result<Arc<dyn TerminalHandle>, RunError> {
        let (ours, theirs, name) = open_pty(size, mode).map_err(unavailable)?;
        let copy = || theirs.try_clone().map_err(unavailable);
        let io = [copy()?, copy()?, copy()?];
        // once nobody else has it open, reading ends
        drop(theirs);
        let control = self.start(&command, limits, io, Some(name)).await?;
        Ok(Arc::new(Terminal { master: fork::watched(ours).map_err(unavailable)?, control }))
    }
}

#[async_trait]
impl TerminalHandle for Terminal {
    async fn read(&self) -> Option<Bytes> {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let mut ready = self.master.readable().await.ok()?;
            match ready.try_io(|master| Ok(rustix::io::read(master.get_ref(), bytes.as_mut_slice())?)) {
                // Linux says EIO when the program's side is closed
                Ok(Ok(0) | Err(_)) => return None,
                Ok(Ok(n)) => {
                    bytes.truncate(n);
                    return Some(bytes.into());
                }
                Err(_would_block) => {}
            }
        }
    }

    async fn write(&self, mut bytes: &[u8]) -> Result<(), RunError> {
        let gone = || RunError::NotStarted("the program has ended".to_owned());
        while !bytes.is_empty() {
            let mut ready = self.master.writable().await.map_err(|_| gone())?;
            match ready.try_io(|master| Ok(rustix::io::write(master.get_ref(), bytes)?)) {
                Ok(Ok(n)) => bytes = bytes.get(n..).unwrap_or_default(),
                Ok(Err(_)) => return Err(gone()),
                Err(_would_block) => {}
            }
        }
        Ok(())
    }

    fn resize(&self, size: Size) {
        if let Err(error) = tcsetwinsize(self.master.get_ref(), winsize(size)) {
            tracing::debug!(%error, "a terminal keeps its size");
        }
    }

    fn foreground(&self) -> Foreground {
        foreground::of(self.master.get_ref().as_fd())
    }

    async fn ended(&self) -> Result<Exit, RunError> {
        self.control.ended().await
    }

    async fn terminate(&self) {
        self.control.end().await;
        // whether it could be told or not, it is over
        let _ = self.control.ended().await;
    }
}

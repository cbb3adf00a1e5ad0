//! The server's side of the runner: started when needed, started again when it is gone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;

use orrery_exec::RunError;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::wire::{Ask, Spaces};
use crate::{RUNNER, fork, runner};

/// Times that a runner which ends at once is started again for one request.
const STARTS_MAX: u32 = 3;

/// A runner.
struct Running {
    socket: AsyncFd<OwnedFd>,
    /// Killed with this.
    child: Child,
}

/// The way to the runner, whichever it is at the time.
pub(crate) struct Link {
    program: PathBuf,
    closed: Vec<u16>,
    running: Mutex<Option<Running>>,
}

impl Link {
    /// To runners of that program, which close these ports to runs.
    pub(crate) fn new(program: PathBuf, closed: Vec<u16>) -> Self {
        Self { program, closed, running: Mutex::new(None) }
    }

    /// Passes a request on; descriptors are copied. Requests wait for each other.
    ///
    /// # Errors
    /// When there is no runner, nor can be.
    pub(crate) async fn ask(&self, ask: Ask, spaces: Spaces, fds: &[BorrowedFd<'_>]) -> Result<(), RunError> {
        let mut running = self.running.lock().await;
        for _ in 0..STARTS_MAX {
            if running.as_mut().is_some_and(|r| !matches!(r.child.try_wait(), Ok(None))) {
                tracing::warn!("the process that runs commands has ended; another is started");
                *running = None;
            }
            let runner = match running.take() {
                Some(running) => running,
                None => {
                    self.start().map_err(|e| RunError::Unavailable(format!("no process for them: {}", e.kind())))?
                }
            };
            let runner = running.insert(runner);
            match pass(&runner.socket, ask, spaces, fds).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, "the process that runs commands does not answer; another is started");
                    *running = None;
                }
            }
        }
        Err(RunError::RunnerGone)
    }

    /// The runner's process id, if there is one.
    pub(crate) async fn pid(&self) -> Option<u32> {
        self.running.lock().await.as_ref().and_then(|running| running.child.id())
    }

    fn start(&self) -> std::io::Result<Running> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        // by its whole path and without a hook, so that it is spawned and not forked
        let child = Command::new(&self.program)
            .arg(RUNNER)
            .args(self.closed.iter().map(u16::to_string))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Running { socket: fork::watched(ours)?, child })
    }
}

async fn pass(socket: &AsyncFd<OwnedFd>, ask: Ask, spaces: Spaces, fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    loop {
        let mut ready = socket.writable().await.map_err(|_| Errno::IO)?;
        match runner::ask(socket.get_ref().as_fd(), ask, spaces, fds) {
            Err(Errno::AGAIN) => ready.clear_ready(),
            other => return other,
        }
    }
}

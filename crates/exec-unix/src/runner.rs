//! The runner: makes a copy of itself for each run, and nothing else.

use std::collections::HashSet;
use std::io::{IoSlice, IoSliceMut, PipeReader, PipeWriter};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::process::{
    Pid, Signal, WaitOptions, kill_process, set_child_subreaper, set_parent_process_death_signal, setsid, wait,
};

use crate::confine::Ready;
use crate::keeper::{Pipes, Who, keep};
use crate::wire::{Ask, Report, Spaces, send};
use crate::{fork, probe};

/// Descriptors in one message.
const DESCRIPTORS: usize = 4;

/// Makes runs until the server is gone. To be called first thing in `main` when the first argument is
/// [`RUNNER`](crate::RUNNER), before there are threads. The other arguments are TCP ports that are closed to runs.
pub fn child() -> ExitCode {
    // what is typed at the server's terminal is not for runs
    let _ = setsid();
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    // whose keeper is gone comes here, and is ended
    let _ = set_child_subreaper(Some(rustix::process::getpid()));
    let who = Who { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
    let closed: Vec<u16> = std::env::args().skip(2).filter_map(|port| port.parse().ok()).collect();
    let ready = Ready::new(&closed);
    let Ok((reader, writer)) = std::io::pipe() else { return ExitCode::FAILURE };
    let mut runner = Runner { who, ready, reader, writer: Some(writer), keepers: HashSet::new() };
    let socket = rustix::stdio::stdin();
    loop {
        let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
        // an end that nobody asked about is noticed within the second
        let _ = poll(&mut fds, Some(&Timespec { tv_sec: 1, tv_nsec: 0 }));
        runner.reap();
        if fds.iter().all(|fd| fd.revents().is_empty()) {
            continue;
        }
        match receive(socket) {
            Ok(Some((ask, spaces, fds))) => runner.serve(ask, spaces, fds),
            // no server, no runner
            Ok(None) => return ExitCode::SUCCESS,
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

/// What a runner has.
struct Runner {
    who: Who,
    ready: Ready,
    /// Its end tells keepers that the runner is gone.
    reader: PipeReader,
    /// Taken out in the copies: only the runner has it.
    writer: Option<PipeWriter>,
    /// Keepers that have not ended.
    keepers: HashSet<i32>,
}

impl Runner {
    fn serve(&mut self, ask: Ask, spaces: Spaces, fds: Vec<OwnedFd>) {
        match ask {
            Ask::Run => {
                let Ok([control, input, output, errors]) = <[OwnedFd; 4]>::try_from(fds) else { return };
                let pipes = Pipes { control: UnixStream::from(control), input, output, errors };
                let Ok(mut control) = pipes.control.try_clone() else { return };
                let (who, writer) = (self.who, &mut self.writer);
                let (ready, reader) = (&self.ready, &self.reader);
                let copied = fork::copy(spaces.flags(), || {
                    drop(writer.take());
                    keep(pipes, reader, spaces, who, ready)
                });
                match copied {
                    Ok(pid) => drop(self.keepers.insert(pid.as_raw_nonzero().get())),
                    Err(error) => {
                        let _ = send(&mut control, &Report::Failed(format!("no process can be made: {error}")));
                    }
                }
            }
            Ask::Probe => {
                let Ok([control]) = <[OwnedFd; 1]>::try_from(fds) else { return };
                let mut control = UnixStream::from(control);
                let _ = send(&mut control, &Report::Layers(probe::layers(self.who, &self.ready.filters)));
            }
        }
    }

    /// Takes note of who ended, and ends those whose keeper was killed.
    fn reap(&mut self) {
        let mut some = false;
        while let Ok(Some((pid, _))) = wait(WaitOptions::NOHANG) {
            self.keepers.remove(&pid.as_raw_nonzero().get());
            some = true;
        }
        if !some {
            return;
        }
        let me = std::process::id();
        let children = std::fs::read_to_string(format!("/proc/{me}/task/{me}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            if let Some(pid) = Pid::from_raw(child).filter(|_| !self.keepers.contains(&child)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

type Request = (Ask, Spaces, Vec<OwnedFd>);

/// The next request; `None` when there will be none.
fn receive(socket: BorrowedFd<'_>) -> rustix::io::Result<Option<Request>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 2];
    let got = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            fds.extend(passed);
        }
    }
    if got.bytes == 0 {
        return Ok(None);
    }
    let ask = Ask::of(bytes[0]).ok_or(rustix::io::Errno::INVAL)?;
    Ok(Some((ask, Spaces::of(bytes[1]), fds)))
}

/// Asks a runner; descriptors are copied.
///
/// # Errors
/// `AGAIN` when it has too much to do; that it is gone.
pub(crate) fn ask(socket: impl AsFd, ask: Ask, spaces: Spaces, fds: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(fds));
    let bytes = [ask.byte(), spaces.byte()];
    sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
    Ok(())
}

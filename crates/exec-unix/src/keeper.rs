//! The keeper of a run: makes its surroundings, starts the command, and ends everything with it.

use std::fs;
use std::io::{PipeReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::Duration;

use orrery_exec::Profile;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sendto, socket_with};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, set_child_subreaper,
    set_dumpable_behavior, set_parent_process_death_signal, setsid, wait,
};

use crate::confine::Ready;
use crate::wire::{Report, Spaces, Spec, receive, send};
use crate::{confine, fork, mounts};

/// How often zombies are looked for, and descendants that have not ended yet.
const LOOK: Duration = Duration::from_millis(250);
const LOOK_AT_THE_END: Duration = Duration::from_millis(2);
/// Looks at the end; what has not ended then is in the kernel's hands.
const LOOKS_MAX: u32 = 2_000;

/// A user and a group, as they are outside.
#[derive(Clone, Copy)]
pub(crate) struct Who {
    pub uid: u32,
    pub gid: u32,
}

/// Descriptors of a run.
pub(crate) struct Pipes {
    pub control: UnixStream,
    pub input: OwnedFd,
    pub output: OwnedFd,
    pub errors: OwnedFd,
}

/// Keeps a run to its end. Called in a copy of the runner, with namespaces of its own by `spaces`.
///
/// `runner` is a pipe whose other end only the runner has.
pub(crate) fn keep(mut pipes: Pipes, runner: &PipeReader, spaces: Spaces, who: Who, ready: &Ready) -> i32 {
    let Ok(spec) = receive::<Spec>(&mut pipes.control) else { return 1 };
    let _kept = match surround(&spec, spaces, who) {
        Ok(kept) => kept,
        Err(problem) => {
            let _ = send(&mut pipes.control, &Report::Unsafe(problem));
            return 1;
        }
    };
    let Pipes { mut control, input, output, errors } = pipes;
    let command = match start(&spec, ready, [input, output, errors]) {
        Ok(command) => command,
        Err(report) => {
            let _ = send(&mut control, &report);
            return 1;
        }
    };
    if send(&mut control, &Report::Started).is_err() {
        end_all(spaces, Signal::KILL);
        return 1;
    }
    let status = watch(&mut control, runner, command, spaces, Duration::from_millis(u64::from(spec.grace)));
    clear(spaces);
    let Some(status) = status else { return 1 };
    let report = match status.terminating_signal() {
        Some(signal) => Report::Signal(signal),
        None => Report::Code(status.exit_status().unwrap_or(-1)),
    };
    i32::from(send(&mut control, &report).is_err())
}

/// The surroundings: who one is, what there is, whom one can talk to. What is returned is to be kept.
fn surround(spec: &Spec, spaces: Spaces, who: Who) -> Result<Option<OwnedFd>, String> {
    if spaces.user {
        map_users(who).map_err(|e| format!("user_namespace: {e}"))?;
    }
    if !spaces.pid {
        set_child_subreaper(Some(rustix::process::getpid())).map_err(|e| format!("subreaper: {e}"))?;
    }
    // what runs beside it must not look into it
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| format!("dumpable: {e}"))?;
    if spaces.net {
        loopback_up().map_err(|e| format!("net_namespace: {e}"))?;
    }
    let mut kept = None;
    if spaces.mount {
        kept = mounts::arrange(spec).map_err(|e| format!("mount_namespace: {e}"))?;
    }
    if spec.bound_processes && spaces.pid {
        bound_processes(spec.limits.processes).map_err(|e| format!("process_bound: {e}"))?;
    }
    Ok(kept)
}

/// One is who one was, in a namespace in which nobody else is anybody.
pub(crate) fn map_users(who: Who) -> std::io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{0} {0} 1", who.uid))?;
    fs::write("/proc/self/gid_map", format!("{0} {0} 1", who.gid))
}

/// Bounds the ids of this namespace, and with them its processes; holds for root too.
pub(crate) fn bound_processes(most: u64) -> std::io::Result<()> {
    // the kernel takes no less
    const LEAST: u64 = 301;
    fs::write("/proc/sys/kernel/pid_max", most.max(LEAST).to_string())
}

/// Switches the loopback of this namespace on: RTM_NEWLINK for the first interface, with its flag UP.
pub(crate) fn loopback_up() -> std::io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const REQUEST: u16 = 1;
    const UP: u32 = 1;
    const LENGTH: u32 = 32;
    let mut message = Vec::with_capacity(LENGTH as usize);
    message.extend(LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend([0; 8]); // sequence, sender
    message.extend([0; 4]); // family, kind
    message.extend(1_u32.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sendto(&socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    Ok(())
}

/// Starts the command. An error is what is to be reported.
fn start(spec: &Spec, ready: &Ready, io: [OwnedFd; 3]) -> Result<Pid, Report> {
    let failed = |e: std::io::Error| Report::Failed(format!("no process can be made: {e}"));
    let (mut reader, mut writer) = std::io::pipe().map_err(failed)?;
    let copied = fork::copy(0, || {
        let report = become_command(spec, ready, &io);
        if let Ok(text) = serde_json::to_vec(&report) {
            let _ = writer.write_all(&text);
        }
        127
    });
    let command = copied.map_err(failed)?;
    drop((writer, io));
    let mut text = Vec::new();
    // its end comes when the command is started
    reader.read_to_end(&mut text).map_err(failed)?;
    if text.is_empty() {
        return Ok(command);
    }
    Err(serde_json::from_slice(&text).unwrap_or_else(|_| Report::Failed("it could not be started".into())))
}

/// Becomes the command; comes back only with why not.
fn become_command(spec: &Spec, ready: &Ready, io: &[OwnedFd; 3]) -> Report {
    let prepared = || -> Result<(), String> {
        setsid().map_err(|e| format!("session: {e}"))?;
        // should its keeper be killed
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| e.to_string())?;
        let [input, output, errors] = io;
        if spec.terminal.is_some() {
            rustix::process::ioctl_tiocsctty(input).map_err(|e| format!("terminal: {e}"))?;
        }
        rustix::stdio::dup2_stdin(input).map_err(|e| e.to_string())?;
        rustix::stdio::dup2_stdout(output).map_err(|e| e.to_string())?;
        rustix::stdio::dup2_stderr(errors).map_err(|e| e.to_string())?;
        rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
        Ok(())
    };
    if let Err(problem) = prepared() {
        return Report::Failed(problem);
    }
    if rustix::process::chdir(&spec.directory).is_err() {
        return Report::Failed("its directory is not there".into());
    }
    if let Err(problem) = confine::confine(spec, ready) {
        return Report::Unsafe(problem);
    }
    let Some((program, arguments)) = spec.argv.split_first() else { return Report::Failed("no program".into()) };
    let error = std::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .exec();
    let shown = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    Report::Failed(match error.kind() {
        std::io::ErrorKind::NotFound => format!("{shown}: not found"),
        std::io::ErrorKind::PermissionDenied => format!("{shown}: may not be executed"),
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => format!("{shown}: is no program"),
        kind => format!("{shown}: {kind}"),
    })
}

/// Waits for the command's end, or for the word of the server: then it is asked to end, and killed after the grace.
/// Without a server it is the same; without a runner it ends at once, and nobody is told how: `None`.
fn watch(
    control: &mut UnixStream,
    runner: &PipeReader,
    command: Pid,
    spaces: Spaces,
    grace: Duration,
) -> Option<WaitStatus> {
    let pidfd = pidfd_open(command, PidfdFlags::empty()).ok();
    let mut asked: Option<Duration> = None;
    loop {
        let mut fds = vec![PollFd::new(runner, PollFlags::IN)];
        if asked.is_none() {
            fds.push(PollFd::new(control, PollFlags::IN));
        }
        if let Some(pidfd) = &pidfd {
            fds.push(PollFd::new(pidfd, PollFlags::IN));
        }
        let wait = asked.map_or(LOOK, |left| left.min(LOOK));
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
        let _ = poll(&mut fds, Some(&timeout));
        let spoke = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        let (no_runner, heard) = (spoke(0), asked.is_none() && spoke(1));
        if no_runner {
            return None;
        }
        if let Some(status) = reap(Some(command)) {
            return Some(status);
        }
        if heard {
            // one byte or the end: either way it is over
            let _ = control.read(&mut [0]);
            end_all(spaces, Signal::TERM);
            // a stopped process hears nothing
            end_all(spaces, Signal::CONT);
            asked = Some(grace);
        } else if let Some(left) = asked {
            let left = left.saturating_sub(wait);
            if left.is_zero() {
                end_all(spaces, Signal::KILL);
            }
            asked = Some(left.max(Duration::from_millis(1)));
        }
    }
}

/// Takes note of processes that ended; of `command` it returns how.
fn reap(command: Option<Pid>) -> Option<WaitStatus> {
    let mut ended = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if Some(pid) == command {
            ended = Some(status);
        }
    }
    ended
}

/// Kills what the command left behind, until nobody is there.
fn clear(spaces: Spaces) {
    for _ in 0..LOOKS_MAX {
        end_all(spaces, Signal::KILL);
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        std::thread::sleep(LOOK_AT_THE_END);
    }
}

/// Signals everything of the run.
fn end_all(spaces: Spaces, signal: Signal) {
    if spaces.pid {
        fork::signal_all(signal.as_raw());
        return;
    }
    for pid in descendants() {
        let _ = kill_process(pid, signal);
    }
}

/// All processes below this one.
fn descendants() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let parents: Vec<(i32, i32)> = pids.filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let mut found = vec![rustix::process::getpid().as_raw_nonzero().get()];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name may hold anything, brackets too
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(1)?.parse().ok()
}

/// No sandbox: nothing that needs a namespace.
pub(crate) fn spaces_for(profile: Profile, there: Spaces) -> Spaces {
    if profile == Profile::Off { Spaces::default() } else { there }
}

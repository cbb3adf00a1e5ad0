//! Does the foreground of a terminal wait for input? The kernel tells in which call its processes are.

use std::collections::VecDeque;
use std::fs;
use std::os::fd::BorrowedFd;

use orrery_exec::Foreground;
use rustix::termios::tcgetpgrp;

/// Processes of a foreground that are looked at.
const PROCESSES_MAX: usize = 64;

/// What the foreground of the terminal does; `master` is our side of it.
pub(crate) fn of(master: BorrowedFd<'_>) -> Foreground {
    let Ok(group) = tcgetpgrp(master) else { return Foreground::Unknown };
    let group = group.as_raw_nonzero().get();
    let mut known = false;
    for pid in members(group) {
        match what(pid) {
            Foreground::Reads => return Foreground::Reads,
            Foreground::Busy => known = true,
            Foreground::Unknown => {}
        }
    }
    if known { Foreground::Busy } else { Foreground::Unknown }
}

/// The processes of a group: its leader and what comes from it, or, when the leader is gone, whoever there is.
fn members(group: i32) -> Vec<i32> {
    let in_group = |pid: i32| group_of(pid) == Some(group);
    if in_group(group) {
        let (mut found, mut open) = (Vec::new(), VecDeque::from([group]));
        while let Some(pid) = open.pop_front().filter(|_| found.len() < PROCESSES_MAX) {
            found.push(pid);
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            open.extend(children.split_whitespace().filter_map(|c| c.parse().ok()).filter(|c| in_group(*c)));
        }
        return found;
    }
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| in_group(*pid)).take(PROCESSES_MAX).collect()
}

/// The fields of `/proc/<pid>/stat` after the name, which may hold anything.
fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(')')?;
    Some(after.split_whitespace().map(str::to_owned).collect())
}

fn group_of(pid: i32) -> Option<i32> {
    stat(pid)?.get(2)?.parse().ok()
}

/// What one process does.
fn what(pid: i32) -> Foreground {
    let Some(fields) = stat(pid) else { return Foreground::Unknown };
    match fields.first().map(String::as_str) {
        // sleeps in a way that can be interrupted, as who reads does
        Some("S") => {}
        Some(_) => return Foreground::Busy,
        None => return Foreground::Unknown,
    }
    if let Ok(call) = fs::read_to_string(format!("/proc/{pid}/syscall")) {
        return by_call(pid, &call);
    }
    match fs::read_to_string(format!("/proc/{pid}/wchan")).as_deref() {
        Ok("n_tty_read" | "wait_woken" | "do_select" | "do_poll" | "ep_poll" | "do_epoll_wait") => Foreground::Reads,
        Ok("0" | "") | Err(_) => Foreground::Unknown,
        Ok(_) => Foreground::Busy,
    }
}

/// By the call that it is in: its number and six arguments.
fn by_call(pid: i32, call: &str) -> Foreground {
    let mut words = call.split_whitespace();
    let Some(number) = words.next().and_then(|n| n.parse::<i64>().ok()) else { return Foreground::Busy };
    let first = words.next().and_then(|a| i64::from_str_radix(a.trim_start_matches("0x"), 16).ok()).unwrap_or(-1);
    let reads = match number {
        libc::SYS_read | libc::SYS_readv => is_terminal(pid, first),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_select | libc::SYS_poll => is_terminal(pid, 0),
        libc::SYS_pselect6 | libc::SYS_ppoll => is_terminal(pid, 0),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => watches_terminal(pid, first),
        libc::SYS_epoll_pwait => watches_terminal(pid, first),
        _ => false,
    };
    if reads { Foreground::Reads } else { Foreground::Busy }
}

fn is_terminal(pid: i32, fd: i64) -> bool {
    fs::read_link(format!("/proc/{pid}/fd/{fd}"))
        .is_ok_and(|to| to.starts_with("/dev/pts") || to.as_os_str() == "/dev/tty")
}

/// Is a terminal among what an epoll waits for?
fn watches_terminal(pid: i32, epoll: i64) -> bool {
    let Ok(info) = fs::read_to_string(format!("/proc/{pid}/fdinfo/{epoll}")) else { return false };
    let watched = info.lines().filter_map(|line| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok());
    watched.into_iter().any(|fd: i64| is_terminal(pid, fd))
}

//! What the safe interfaces don't have: copies of a process, signals to everybody, descriptors that are watched.

use std::os::fd::OwnedFd;

use rustix::process::Pid;
use tokio::io::unix::AsyncFd;

/// Runs `child` in a copy of this process, which ends with what it returns as its code. Namespaces of the copy's own by
/// `flags` (`CLONE_NEW…`).
///
/// To be called by a process with a single thread only: the runner and the keepers, which have no other. Any code may
/// then run in the copy.
///
/// # Errors
/// Those of `clone(2)`.
#[expect(unsafe_code, reason = "no safe interface makes a copy of a process in namespaces of its own")]
pub(crate) fn copy(flags: libc::c_int, child: impl FnOnce() -> i32) -> std::io::Result<Pid> {
    let none = std::ptr::null::<libc::c_void>();
    let flags = libc::c_long::from(flags | libc::SIGCHLD);
    // SAFETY: without CLONE_VM and without a stack this is fork(2): the copy goes on with memory of its own. No other
    // thread exists that could hold a lock in it.
    let pid = match flags == libc::c_long::from(libc::SIGCHLD) {
        true => libc::c_long::from(unsafe { libc::fork() }),
        false => unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, none) },
    };
    if pid == 0 {
        let code = child();
        // SAFETY: ends the copy at once; what the original registered for its own end must not run here.
        unsafe { libc::_exit(code) }
    }
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.ok_or_else(std::io::Error::last_os_error)
}

/// Signals every process of this namespace but the first, which is to be the caller.
#[expect(unsafe_code, reason = "no safe interface has the process id -1")]
pub(crate) fn signal_all(signal: libc::c_int) {
    // SAFETY: it reads no memory. The caller is the first process of a namespace: -1 is everybody else in it.
    if std::process::id() == 1 {
        unsafe { libc::kill(-1, signal) };
    }
}

/// Lets the runtime say when a descriptor is ready.
///
/// # Errors
/// Those of the runtime.
#[expect(unsafe_code, reason = "the runtime wants a word that the descriptor stays the same")]
pub(crate) fn watched(fd: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, and is the same descriptor, for as long as it lives.
    unsafe { Ok(AsyncFd::register(fd)?) }
}

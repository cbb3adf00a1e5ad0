//! Places that a slip destroys.

/// Directories at the top that a system needs.
const TOP: [&str; 19] = [
    "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "mnt", "opt", "proc", "root", "run",
    "sbin", "srv", "sys", "usr", "var",
];

/// Devices that one may write to.
const HARMLESS: [&str; 9] = ["null", "zero", "full", "tty", "stdout", "stderr", "stdin", "random", "urandom"];

/// Is it the root, a directory at the top, a home directory, or all that is in one of these?
pub(super) fn is_precious(path: &str) -> bool {
    if let Some(home) = path.strip_prefix('~') {
        // `~`, `~user`, and all that is in it
        let inside = home.split_once('/').map_or("", |(_, inside)| inside);
        return names(inside).is_some_and(|names| names.is_empty());
    }
    if !path.starts_with('/') {
        return false;
    }
    match names(path).as_deref() {
        // it goes up beyond the root, which is the root
        None | Some([]) => true,
        Some([name]) => TOP.contains(name) || name.contains(['*', '?', '[']),
        Some([home, name]) => *home == "home" && name.contains('*'),
        Some(_) => false,
    }
}

/// The names on the way, `.` and `..` resolved, without stars at its end; `None` when it goes up too far.
fn names(path: &str) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    while names.last().is_some_and(|name| matches!(*name, "*" | ".*" | "{*,.*}")) {
        names.pop();
    }
    Some(names)
}

/// Is it a device that nobody should write to?
pub(super) fn is_device(path: &str) -> bool {
    let Some(names) = path.strip_prefix("/").and_then(names) else { return false };
    match names.as_slice() {
        ["dev", "fd" | "pts" | "shm" | "tcp" | "udp", ..] => false,
        ["dev", name, ..] => !HARMLESS.contains(name),
        _ => false,
    }
}

/// Is it a file without which nobody can log in, or a switch of the kernel?
pub(super) fn is_vital_file(path: &str) -> bool {
    matches!(path, "/etc/passwd" | "/etc/shadow" | "/etc/group" | "/etc/sudoers" | "/etc/fstab" | "/proc/sysrq-trigger")
}

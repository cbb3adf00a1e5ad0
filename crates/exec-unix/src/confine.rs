//! What a run's first process gives up before it becomes the command.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, Scope,
};
use orrery_exec::Profile;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::filter::Filters;
use crate::wire::Spec;

/// What the runner makes once for all its runs, because it takes a while.
pub(crate) struct Ready {
    /// Filters of system calls, or why there are none.
    pub filters: Result<Filters, String>,
    /// All TCP ports but those that are closed.
    pub ports: Option<Result<RulesetCreated, String>>,
}

impl Ready {
    /// `closed` are the TCP ports that are closed to runs; none: nothing is made for them.
    pub(crate) fn new(closed: &[u16]) -> Self {
        let ports = (!closed.is_empty()).then(|| ports(closed).map_err(|e| e.to_string()));
        Self { filters: Filters::new(), ports }
    }
}

/// Devices that a run may use.
const DEVICES: [&str; 8] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/fd"];

/// Sets the bounds, then gives up rights, one layer after the other.
///
/// # Errors
/// Which layer could not be had although it is there.
pub(crate) fn confine(spec: &Spec, ready: &Ready) -> Result<(), String> {
    limits(spec)?;
    if spec.profile == Profile::Off {
        return Ok(());
    }
    rustix::thread::set_no_new_privs(true).map_err(|e| format!("no_new_privs: {e}"))?;
    if spec.landlock {
        landlock(spec).map_err(|e| format!("landlock: {e}"))?;
        if spec.closes {
            // after the files: each layer copies the rules of those before it, and these are many
            close(ready).map_err(|e| format!("landlock: {e}"))?;
        }
    }
    match (spec.seccomp, &ready.filters) {
        (true, Ok(filters)) => {
            let inet = match spec.net {
                orrery_exec::NetPolicy::None => false,
                // without a loopback of its own it gets none
                orrery_exec::NetPolicy::Loopback => spec.spaces.net,
                orrery_exec::NetPolicy::All => true,
            };
            filters.apply(inet).map_err(|e| format!("seccomp: {e}"))
        }
        (true, Err(problem)) => Err(format!("seccomp: {problem}")),
        (false, _) => Ok(()),
    }
}

fn limits(spec: &Spec) -> Result<(), String> {
    let limits = spec.limits;
    let mut bounds = vec![
        (Resource::Core, 0),
        (Resource::Fsize, limits.file),
        (Resource::Nofile, limits.files),
        (Resource::As, limits.memory),
    ];
    if let Some(cpu) = limits.cpu {
        bounds.push((Resource::Cpu, cpu.as_secs().max(1)));
    }
    // without a namespace of users it would count everything else that this user runs
    if spec.spaces.user {
        bounds.push((Resource::Nproc, limits.processes));
    }
    for (resource, bound) in bounds {
        // nobody may raise what the machine gave
        let bound = getrlimit(resource).maximum.map_or(bound, |most| most.min(bound));
        let limit = Rlimit { current: Some(bound), maximum: Some(bound) };
        setrlimit(resource, limit).map_err(|e| format!("rlimits: {e}"))?;
    }
    Ok(())
}

/// Files by path.
///
/// # Errors
/// Those of the kernel.
fn landlock(spec: &Spec) -> Result<(), landlock::RulesetError> {
    let abi = ABI::V6;
    let (all, read) = (AccessFs::from_all(abi), AccessFs::from_read(abi));
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let rules = ruleset.handle_access(all)?.scope(Scope::from_all(abi))?.create()?;
    let readable = match spec.profile {
        Profile::Strict => spec.readable.clone(),
        _ => siblings(&excluded(spec)),
    };
    let mut rules = grant(rules, readable.iter().map(PathBuf::as_path), read)?;
    if spec.spaces.mount {
        // names of the root too: what is hidden is not there to be named. Without mounts of its own, a rule for the
        // root would show the names in every place below it
        if spec.profile == Profile::Standard {
            rules = grant(rules, [Path::new("/")], AccessFs::ReadDir.into())?;
        }
        rules = grant(rules, ["/tmp", "/dev/shm"].map(Path::new), all)?;
        if spec.spaces.pid {
            rules = grant(rules, [Path::new("/proc")], read)?;
        }
    }
    rules = grant(rules, [spec.workspace.as_path()], all)?;
    rules = grant(rules, [Path::new("/dev")], AccessFs::ReadDir.into())?;
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::ReadDir;
    rules = grant(rules, DEVICES.map(Path::new), device)?;
    // without mounts of its own the terminals of others are there too
    let terminals = if spec.spaces.mount { Some(Path::new("/dev/pts")) } else { spec.terminal.as_deref() };
    rules = grant(rules, terminals, device)?;
    rules.restrict_self()?;
    Ok(())
}

/// Rules only ever grant: all ports but those.
///
/// # Errors
/// Those of the kernel.
fn ports(closed: &[u16]) -> Result<RulesetCreated, landlock::RulesetError> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let mut rules = ruleset.handle_access(AccessNet::ConnectTcp)?.create()?;
    for port in (0..=u16::MAX).filter(|port| !closed.contains(port)) {
        rules = rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    Ok(rules)
}

/// Closes the ports to this process, and to whatever it becomes.
fn close(ready: &Ready) -> Result<(), String> {
    let ports = ready.ports.as_ref().ok_or("no ports were named")?.as_ref()?;
    let ports = ports.try_clone().map_err(|e| e.to_string())?;
    ports.restrict_self().map(drop).map_err(|e| e.to_string())
}

/// Does this kernel close TCP ports for a run?
pub(crate) fn closes_ports() -> bool {
    static KNOWN: LazyLock<bool> = LazyLock::new(|| {
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        ruleset.handle_access(AccessNet::ConnectTcp).and_then(Ruleset::create).is_ok()
    });
    *KNOWN
}

/// Adds what is there of `paths`.
fn grant<'p>(
    mut rules: RulesetCreated,
    paths: impl IntoIterator<Item = &'p Path>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    for path in paths {
        let Ok(place) = PathFd::new(path) else { continue };
        let is_dir = rustix::fs::fstat(place.as_fd())
            .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory);
        let access = if is_dir { access } else { access & AccessFs::from_file(ABI::V6) };
        rules = rules.add_rule(PathBeneath::new(place, access))?;
    }
    Ok(rules)
}

/// Places without which the rest is granted. With mounts of its own, what is hidden is not there.
fn excluded(spec: &Spec) -> Vec<PathBuf> {
    let mut excluded = vec![PathBuf::from("/dev"), PathBuf::from("/proc")];
    if !spec.spaces.mount {
        excluded.extend(spec.hidden.iter().cloned());
        excluded.push(PathBuf::from("/tmp"));
    }
    excluded
}

/// All that is not on the way to `excluded`, from the root down: rules only ever grant.
fn siblings(excluded: &[PathBuf]) -> Vec<PathBuf> {
    let (mut granted, mut open) = (Vec::new(), vec![PathBuf::from("/")]);
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if excluded.contains(&path) {
                continue;
            }
            // a link grants where it leads to
            let leads = || {
                fs::canonicalize(&path).is_ok_and(|to| excluded.iter().any(|e| e.starts_with(&to) || to.starts_with(e)))
            };
            match excluded.iter().any(|e| e.starts_with(&path)) {
                true if entry.file_type().is_ok_and(|t| t.is_dir()) => open.push(path),
                true => {}
                false if entry.file_type().is_ok_and(|t| t.is_symlink()) && leads() => {}
                false => granted.push(path),
            }
        }
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_what_is_hidden_is_not_granted() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for directory in ["data/keys", "data/open", "other"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        std::os::unix::fs::symlink(root.join("data"), root.join("link")).unwrap();
        let hidden = root.join("data/keys");
        let granted = siblings(&[hidden.clone(), PathBuf::from("/proc")]);
        assert!(granted.contains(&root.join("data/open")) && granted.contains(&root.join("other")));
        assert!(granted.iter().all(|path| !hidden.starts_with(path)), "{granted:?}");
        assert!(!granted.contains(&root.join("link")) && !granted.contains(&PathBuf::from("/proc")));
    }
}

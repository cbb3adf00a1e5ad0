//! Which layers the machine has: each is tried, in a process of its own.

use std::io::{Read as _, Write as _};

use landlock::{ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, Scope};
use orrery_exec::Layer;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{WaitOptions, waitpid};

use crate::filter::Filters;
use crate::fork;
use crate::keeper::{Who, bound_processes, loopback_up, map_users};
use crate::wire::Spaces;

type Found = (String, Option<String>);

/// Every layer, with why it is missing.
pub(crate) fn layers(who: Who, filters: &Result<Filters, String>) -> Vec<Found> {
    let users = Spaces { user: true, ..Spaces::default() };
    let with = |spaces: Spaces, then: fn() -> Result<(), String>| {
        attempt(spaces, move || {
            map_users(who).map_err(|e| e.to_string())?;
            then()
        })
    };
    let fsize = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    let tries: Vec<(Layer, Result<(), String>)> = vec![
        (Layer::Runner, Ok(())),
        (
            Layer::NoNewPrivileges,
            attempt(Spaces::default(), || rustix::thread::set_no_new_privs(true).map_err(|e| e.to_string())),
        ),
        (
            Layer::ResourceLimits,
            attempt(Spaces::default(), move || {
                rustix::process::setrlimit(rustix::process::Resource::Fsize, fsize).map_err(|e| e.to_string())
            }),
        ),
        (Layer::Landlock, attempt(Spaces::default(), || landlock(AccessFs::from_all(ABI::V1), false))),
        (Layer::LandlockScope, attempt(Spaces::default(), || landlock(AccessFs::from_all(ABI::V1), true))),
        (
            Layer::Seccomp,
            attempt(Spaces::default(), || {
                rustix::thread::set_no_new_privs(true).map_err(|e| e.to_string())?;
                filters.as_ref().map_err(Clone::clone)?.apply(true)
            }),
        ),
        (Layer::UserNamespace, with(users, || Ok(()))),
        (Layer::MountNamespace, with(Spaces { mount: true, ..users }, hides_places)),
        (Layer::PidNamespace, with(Spaces { mount: true, pid: true, ..users }, is_first)),
        (Layer::NetNamespace, with(Spaces { net: true, ..users }, || loopback_up().map_err(|e| e.to_string()))),
        (Layer::ProcessBound, with(Spaces { mount: true, pid: true, ..users }, bounds_processes)),
    ];
    tries.into_iter().map(|(layer, found)| (layer.name().to_owned(), found.err())).collect()
}

/// Tries it in a copy of this process. What is said there is at most a sentence.
fn attempt(spaces: Spaces, what: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let (mut reader, mut writer) = std::io::pipe().map_err(|e| e.to_string())?;
    let pid = fork::copy(spaces.flags(), || match what() {
        Ok(()) => 0,
        Err(problem) => {
            let _ = writer.write_all(problem.as_bytes());
            1
        }
    });
    let pid = pid.map_err(|e| e.to_string())?;
    drop(writer);
    let mut problem = String::new();
    let _ = reader.read_to_string(&mut problem);
    match waitpid(Some(pid), WaitOptions::empty()) {
        Ok(Some((_, status))) if status.exit_status() == Some(0) => Ok(()),
        _ if problem.is_empty() => Err("it ended without a word".to_owned()),
        _ => Err(problem),
    }
}

fn landlock(access: landlock::BitFlags<AccessFs>, scope: bool) -> Result<(), String> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let ruleset = ruleset.handle_access(access).map_err(|e| e.to_string())?;
    let ruleset = match scope {
        true => ruleset.scope(Scope::from_all(ABI::V6)).map_err(|e| e.to_string())?,
        false => ruleset,
    };
    let created = ruleset.create().map_err(|e| e.to_string())?;
    created.restrict_self().map(drop).map_err(|e| e.to_string())
}

fn hides_places() -> Result<(), String> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(|e| e.to_string())?;
    mount("tmpfs", "/tmp", "tmpfs", MountFlags::NOSUID, c"size=4k").map_err(|e| e.to_string())
}

fn is_first() -> Result<(), String> {
    match std::process::id() {
        1 => Ok(()),
        _ => Err("a process of it is not the first".to_owned()),
    }
}

fn bounds_processes() -> Result<(), String> {
    // before Linux 6.14 the bound is the whole machine's, which must not be touched
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|n| n.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) < (Some(6), Some(14)) {
        return Err(format!("Linux {release} bounds the whole machine only"));
    }
    hides_places()?;
    mount("proc", "/proc", "proc", MountFlags::NOSUID, None).map_err(|e| e.to_string())?;
    bound_processes(512).map_err(|e| e.to_string())
}

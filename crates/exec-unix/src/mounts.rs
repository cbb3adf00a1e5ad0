//! What a run sees of the file system: a copy of the mounts in which some places are empty.

use std::ffi::{CStr, OsStr};
use std::fs;
use std::io::Result;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_bind, mount_change, move_mount,
    open_tree,
};
use rustix::pty::ptsname;

use crate::wire::Spec;

/// `/tmp` of a run, and its shared memory; both are gone with it.
const TMP: &CStr = c"mode=1777,size=512m";
const SHM: &CStr = c"mode=1777,size=256m";
/// What stands in place of a directory that is hidden.
const EMPTY: &CStr = c"mode=755,size=64k";

fn tmpfs(at: &Path, options: &CStr) -> Result<()> {
    Ok(mount("tmpfs", at, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options)?)
}

/// Terminals: for their user alone.
const TERMINALS: &CStr = c"newinstance,ptmxmode=0666,mode=0600";

/// Highest number of a terminal that it keeps in its run.
const NUMBER_MAX: usize = 255;

/// Arranges the mounts of this process, which has a mount namespace of its own. What is returned is to be kept for as
/// long as the run goes on.
///
/// # Errors
/// Those of the mounts: then nothing must run in here.
pub(crate) fn arrange(spec: &Spec) -> Result<Option<OwnedFd>> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    // taken before its place may be hidden
    let workspace = open_tree(CWD, &spec.workspace, flags)?;
    if spec.spaces.pid {
        proc()?;
    }
    let kept = terminals(spec.terminal.as_deref())?;
    tmpfs(Path::new("/tmp"), TMP)?;
    if Path::new("/dev/shm").is_dir() {
        tmpfs(Path::new("/dev/shm"), SHM)?;
    }
    for place in &spec.hidden {
        match fs::symlink_metadata(place) {
            Ok(data) if data.is_dir() => tmpfs(place, EMPTY)?,
            Ok(data) if data.is_file() => mount_bind("/dev/null", place)?,
            // sockets: as files
            Ok(data) if !data.is_symlink() => mount_bind("/dev/null", place)?,
            // what is not there, or lies in what is hidden already
            Ok(_) | Err(_) => {}
        }
    }
    fs::create_dir_all(&spec.workspace)?;
    move_mount(&workspace, "", CWD, &spec.workspace, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(kept)
}

/// Terminals of its own: those of others, which belong to the same user of the machine, are not there to be read from or
/// written to. The run's own, which was made outside, takes the place of one that is made for this; that one is returned,
/// for the place ends with it.
fn terminals(own: Option<&Path>) -> Result<Option<OwnedFd>> {
    let place = Path::new("/dev/pts");
    if !place.is_dir() {
        return Ok(None);
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let number = own.and_then(Path::file_name).map(OsStr::to_owned);
    let own = own.map(|own| open_tree(CWD, own, flags)).transpose()?;
    if mount("devpts", place, "devpts", MountFlags::NOSUID | MountFlags::NOEXEC, TERMINALS).is_err() {
        tmpfs(place, EMPTY)?;
        return Ok(None);
    }
    let Some(own) = own else { return Ok(None) };
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    // its name is looked for by its number, and numbers are given out from zero on
    let mut before = Vec::new();
    let (stand_in, name) = loop {
        let stand_in = rustix::fs::open(place.join("ptmx"), flags, Mode::empty())?;
        let name = ptsname(&stand_in, Vec::new())?;
        let is_it = Path::new(OsStr::from_bytes(name.to_bytes())).file_name() == number.as_deref();
        if is_it || before.len() >= NUMBER_MAX {
            break (stand_in, name);
        }
        before.push(stand_in);
    };
    move_mount(&own, "", CWD, name.as_c_str(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(Some(stand_in))
}

/// The processes of this namespace alone. Where the machine hides parts of its own `/proc`, nobody may mount another:
/// then there is none.
fn proc() -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    match mount("proc", "/proc", "proc", flags, None) {
        Ok(()) => Ok(()),
        Err(_) => tmpfs(Path::new("/proc"), EMPTY),
    }
}

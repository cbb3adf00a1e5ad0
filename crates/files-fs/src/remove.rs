//! Dropping folders that programs wrote in: however deep they nested it, whatever rights they took away.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

/// Names read at a time.
const NAMES_MAX: usize = 1_024;
/// Entries of one folder with all below it. Only what goes on being filled has more; it is left as it is then.
const ENTRIES_MAX: u64 = 5_000_000;

/// Drops a folder with everything below it; that there is none is fine. No link is followed. Folders are moved up to the
/// topmost one before they are emptied, so that neither open files nor the stack grow with their depth.
///
/// # Errors
/// When the file system refuses, or somebody goes on filling it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let top = match enter(CWD, path) {
        Ok(top) => top,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let mut removing = Removing { top, moved: 0, entries: 0 };
    while removing.pass()? {}
    match std::fs::remove_dir(path) {
        // somebody else dropped it at the same time
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Opens a folder that is none of ours any more: with the rights that emptying it takes.
fn enter(at: impl AsFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = openat(at, name, flags, Mode::empty())?;
    if rustix::fs::fstat(&found)?.st_mode & 0o700 != 0o700 {
        // the link leads to what is open, whatever the name stands for meanwhile
        let itself = format!("/proc/self/fd/{}", found.as_raw_fd());
        std::fs::set_permissions(itself, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(openat(&found, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Some of the names in a folder.
fn names(folder: impl AsFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
        if names.len() == NAMES_MAX {
            break;
        }
    }
    Ok(names)
}

/// What became of an entry.
enum Found {
    Gone,
    /// A folder that has something in it.
    Folder,
}

fn unlink(at: impl AsFd, name: &CString) -> io::Result<Found> {
    for flags in [AtFlags::empty(), AtFlags::REMOVEDIR] {
        match unlinkat(&at, name, flags) {
            Ok(()) | Err(Errno::NOENT) => return Ok(Found::Gone),
            // the second way is for it
            Err(Errno::ISDIR | Errno::PERM) if flags.is_empty() => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(Found::Folder),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(Found::Folder)
}

struct Removing {
    top: OwnedFd,
    moved: u64,
    entries: u64,
}

impl Removing {
    /// Empties the topmost folder of what is in it now; was there anything?
    fn pass(&mut self) -> io::Result<bool> {
        let found = names(&self.top)?;
        for name in &found {
            self.count()?;
            if matches!(unlink(&self.top, name)?, Found::Folder) {
                let below = enter(&self.top, name)?;
                while self.empty(&below)? {}
                unlink(&self.top, name)?;
            }
        }
        Ok(!found.is_empty())
    }

    /// Drops what is in a folder, or moves it up; was there anything?
    fn empty(&mut self, folder: &OwnedFd) -> io::Result<bool> {
        let found = names(folder)?;
        for name in &found {
            self.count()?;
            if matches!(unlink(folder, name)?, Found::Folder) {
                // moving a folder writes in it
                drop(enter(folder, name)?);
                self.lift(folder, name)?;
            }
        }
        Ok(!found.is_empty())
    }

    fn lift(&mut self, from: &OwnedFd, name: &CString) -> io::Result<()> {
        loop {
            self.count()?;
            self.moved += 1;
            match renameat(from, name, &self.top, self.moved.to_string()) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                // somebody had that name already
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn count(&mut self) -> io::Result<()> {
        self.entries += 1;
        if self.entries > ENTRIES_MAX { Err(io::Error::other("it goes on being filled")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::mkdirat;

    use super::*;

    /// Folders in folders, deeper than any path or stack.
    fn nest(root: &Path, depth: usize) {
        let mut at = openat(CWD, root, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..depth {
            mkdirat(&at, "d", Mode::from_raw_mode(0o755)).unwrap();
            at = openat(&at, "d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
            rustix::fs::symlinkat("/", &at, "l").unwrap();
        }
    }

    #[test]
    fn whatever_programs_made_of_it() {
        let place = tempfile::tempdir().unwrap();
        let (root, other) = (place.path().join("root"), place.path().join("other"));
        for folder in ["root/a/b/c", "root/1/2/3", "root/2", "other"] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        for file in ["root/a/b/c/x", "root/1/2/3/x", "root/3", "other/stays"] {
            fs::write(place.path().join(file), "x").unwrap();
        }
        std::os::unix::fs::symlink(&other, root.join("a/link")).unwrap();
        std::os::unix::fs::symlink(&other, root.join("4")).unwrap();
        rustix::fs::mkfifoat(CWD, root.join("pipe"), Mode::RUSR).unwrap();
        (0..3_000).for_each(|n| fs::write(root.join("a/b").join(n.to_string()), "").unwrap());
        for taken in ["root/a/b/c", "root/a/b", "root/1"] {
            fs::set_permissions(place.path().join(taken), fs::Permissions::from_mode(0o0)).unwrap();
        }
        remove(&root).unwrap();
        assert!(!root.exists());
        assert_eq!(fs::read_to_string(other.join("stays")).unwrap(), "x");
        remove(&root).unwrap();
        // a link in its place is none
        std::os::unix::fs::symlink(&other, &root).unwrap();
        assert!(remove(&root).is_err());
        assert!(other.join("stays").exists());
    }

    #[test]
    fn deeper_than_any_stack() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        fs::create_dir(&root).unwrap();
        nest(&root, 20_000);
        remove(&root).unwrap();
        assert!(!root.exists());
    }
}

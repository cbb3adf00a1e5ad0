//! A folder whose paths cannot lead out of it: every part is opened from the one above, and links are not followed.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, mkdirat, openat};

/// Modes of what is made; who may reach the folder at all is decided above it.
const FOLDER: Mode = Mode::from_raw_mode(0o755);
const PLAIN: Mode = Mode::from_raw_mode(0o644);
const RUNNABLE: Mode = Mode::from_raw_mode(0o755);

/// An open folder.
#[derive(Debug)]
pub(crate) struct Beneath(OwnedFd);

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// A part that names what is in the folder and nothing else.
fn harmless(part: &str) -> io::Result<&str> {
    if part.is_empty() || part == "." || part == ".." || part.contains(['/', '\0']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a part of a path"));
    }
    Ok(part)
}

impl Beneath {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, folder_flags(), Mode::empty())?))
    }

    /// The folder that `path`'s last part is in, made where `make` says so, and that part.
    fn above<'a>(&self, path: &'a str, make: bool) -> io::Result<(OwnedFd, &'a str)> {
        let mut at = self.0.try_clone()?;
        let mut parts = path.split('/');
        let last = parts.next_back().map_or(Ok(""), harmless)?;
        for part in parts {
            let part = harmless(part)?;
            if make {
                match mkdirat(&at, part, FOLDER) {
                    Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                    Err(e) => return Err(e.into()),
                }
            }
            at = openat(&at, part, folder_flags(), Mode::empty())?;
        }
        Ok((at, last))
    }

    /// Makes a file that is not there yet, with the folders above it.
    pub(crate) fn create(&self, path: &str) -> io::Result<File> {
        let (at, last) = self.above(path, true)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(openat(&at, last, flags, PLAIN)?))
    }

    /// Opens a regular file to be read.
    pub(crate) fn read(&self, path: &str) -> io::Result<File> {
        let (at, last) = self.above(path, false)?;
        // a pipe that nobody writes to must not hold us
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&at, last, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
    }

    /// Everything of this folder's file system is on the disk afterwards.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.0)?)
    }
}

/// Lets a file be run, or not.
pub(crate) fn runnable(file: &File, yes: bool) -> io::Result<()> {
    Ok(rustix::fs::fchmod(file, if yes { RUNNABLE } else { PLAIN })?)
}

/// Makes a rename in the folder last.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn nothing_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let root = outside.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let folder = Beneath::open(&root).unwrap();
        folder.create("a/b/c.txt").unwrap().write_all(b"in").unwrap();
        let mut text = String::new();
        folder.read("a/b/c.txt").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "in");
        assert!(folder.create("a/b/c.txt").is_err(), "it is there");
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        for path in ["../secret", "a/../../secret", "/etc/passwd", "up/secret", "link", "", ".", "a//b", "a/b", "a\0b"]
        {
            assert!(folder.read(path).is_err(), "{path:?}");
            assert!(folder.create(path).is_err(), "{path:?}");
        }
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 2);
    }
}

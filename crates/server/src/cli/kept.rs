//! Files and programs of users in a backup: gathered while the server runs, and put back.
//!
//! Bytes of files never change once they are there, so they are linked where the backup lies on the same disk. Folders of
//! programs are copied; what a program put there that is neither file nor folder is not, nor what is nested too deeply,
//! has too long a path or may not be read: nobody's program keeps others from having a backup.

use std::fs::{DirBuilder, File, Permissions};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::backup::digest;

/// Folders of the data directory, and what of each is kept: what is still on its way is not.
const FOLDERS: [&str; 2] = ["files", "programs"];
/// Name of the folder in each that has what is on its way.
const ARRIVING: &str = "arriving";
/// What comes in parts, and is not whole either.
const PARTS: &str = "parts";
/// Folders in folders; deeper ones are left out.
const DEPTH_MAX: usize = 128;
/// Longest path below `files` or `programs`, bytes; what has a longer one is left out.
const PATH_BYTES_MAX: usize = 2_048;
/// Longest name that has room for an ending.
const NAME_BYTES_MAX: usize = 250;

/// Files of a backup beside its database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// How many.
    pub files: u64,
    /// Of all of them.
    pub bytes: u64,
    /// Of the list of their digests and paths, hex.
    pub sha256: String,
}

fn private(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| path.display().to_string())
}

/// Adds what is in the data directory and not in the backup yet. Called before the database is copied and after it, so
/// that every file of the copy has its bytes.
pub fn gather(data: &Path, to: &Path) -> Result<()> {
    for folder in FOLDERS {
        let (from, to) = (data.join(folder), to.join(folder));
        private(&to)?;
        if let Some(from) = opened(CWD, from.as_os_str().as_bytes())? {
            copy(&from, &to, folder == "files", Below::default())?;
        }
    }
    Ok(())
}

/// Opens a folder without following a link. `None`: there is none.
fn opened(at: impl rustix::fd::AsFd, name: &[u8]) -> Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(at, name, flags, Mode::empty()) {
        Ok(folder) => Ok(Some(folder)),
        // gone, or changed into something else
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(rustix::io::Errno::LOOP) => Ok(None),
        // a program took the rights away
        Err(rustix::io::Errno::ACCESS) if !name.starts_with(b"/") => Ok(None),
        Err(e) => Err(e).with_context(|| String::from_utf8_lossy(name).into_owned()),
    }
}

/// How far below its root a folder is.
#[derive(Clone, Copy, Default)]
struct Below {
    depth: usize,
    /// Of the path from there.
    bytes: usize,
}

/// Copies a folder that others may be changing; no link of theirs is followed.
fn copy(from: &OwnedFd, to: &Path, unchanging: bool, at: Below) -> Result<()> {
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if [b".".as_slice(), b".."].contains(&name) || at.depth == 0 && is_on_its_way(name) {
            continue;
        }
        let target = to.join(std::ffi::OsStr::from_bytes(name));
        let below = Below { depth: at.depth + 1, bytes: at.bytes + name.len() + 1 };
        if below.depth > DEPTH_MAX || below.bytes > PATH_BYTES_MAX {
            tracing::warn!(depth = below.depth, "what a program nested is left out of a backup");
            continue;
        }
        let Ok(found) = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => {
                if let Some(folder) = opened(from, name)? {
                    private(&target)?;
                    copy(&folder, &target, unchanging, below)?;
                    let mode = Permissions::from_mode(found.st_mode & 0o777 | 0o700);
                    std::fs::set_permissions(&target, mode).with_context(|| target.display().to_string())?;
                }
            }
            FileType::RegularFile => copy_file(from, name, &target, unchanging)?,
            _ => {}
        }
    }
    Ok(())
}

fn is_on_its_way(name: &[u8]) -> bool {
    [ARRIVING.as_bytes(), PARTS.as_bytes()].contains(&name)
}

fn copy_file(from: &OwnedFd, name: &[u8], to: &Path, unchanging: bool) -> Result<()> {
    let named = || to.display().to_string();
    if unchanging {
        match rustix::fs::linkat(from, name, CWD, to, AtFlags::empty()) {
            // an earlier pass did it, or it was deleted
            Ok(()) | Err(rustix::io::Errno::EXIST | rustix::io::Errno::NOENT) => return Ok(()),
            // another disk, or one without links
            Err(_) => {}
        }
        if to.exists() {
            return Ok(());
        }
    }
    // a pipe in the file's place must not be waited for
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(source) = rustix::fs::openat(from, name, flags, Mode::empty()) else { return Ok(()) };
    let mut source = File::from(source);
    let about = source.metadata().with_context(named)?;
    if !about.is_file() {
        return Ok(());
    }
    let mut part = to.as_os_str().to_owned();
    // half of a file is told apart, unless its own name leaves no room for that; a digest tells too
    if name.len() <= NAME_BYTES_MAX {
        part.push(".part");
    }
    let part = PathBuf::from(part);
    let mut target = File::create(&part).with_context(named)?;
    std::io::copy(&mut source, &mut target).with_context(named)?;
    target.set_permissions(Permissions::from_mode(about.permissions().mode() & 0o777)).with_context(named)?;
    target.sync_all().with_context(named)?;
    std::fs::rename(&part, to).with_context(named)
}

/// What a backup holds beside its database.
pub fn measure(from: &Path) -> Result<Kept> {
    measured(FOLDERS.map(|folder| (folder, from.join(folder))))
}

fn measured(folders: [(&str, PathBuf); 2]) -> Result<Kept> {
    let (mut kept, mut all) = (Kept::default(), Sha256::new());
    for (name, folder) in folders {
        let mut paths = Vec::new();
        list(&folder, &mut paths, 0)?;
        paths.sort();
        for path in paths {
            let bytes = std::fs::metadata(&path).with_context(|| path.display().to_string())?.len();
            kept.files += 1;
            kept.bytes += bytes;
            let below = path.strip_prefix(&folder).unwrap_or(&path).as_os_str().as_bytes();
            all.update(format!("{}  {name}/", digest(&path)?));
            all.update(below);
            all.update(b"\n");
        }
    }
    kept.sha256 = hex::encode(all.finalize());
    Ok(kept)
}

/// Regular files below a folder of a backup.
fn list(folder: &Path, found: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    if depth > DEPTH_MAX {
        bail!("{} has folders in folders without end", folder.display());
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e).with_context(|| folder.display().to_string()),
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&entry.path(), found, depth + 1)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Where what is put back lies until all of it was checked.
fn staged(data: &Path, folder: &str) -> PathBuf {
    data.join(format!("{folder}.restoring"))
}

/// Copies a backup's files beside those of the data directory and checks them; [`swap`] puts them in place.
///
/// # Errors
/// When they are not those that were backed up. Nothing is left of them then.
pub fn stage(from: &Path, data: &Path, expected: &Kept) -> Result<()> {
    drop_staged(data)?;
    let copied = || -> Result<()> {
        for folder in FOLDERS {
            private(&staged(data, folder))?;
            if let Some(source) = opened(CWD, from.join(folder).as_os_str().as_bytes())? {
                copy(&source, &staged(data, folder), false, Below::default())?;
            }
        }
        if measured(FOLDERS.map(|folder| (folder, staged(data, folder))))? != *expected {
            bail!("files and programs are not those that were backed up: their digest differs");
        }
        Ok(())
    };
    copied().inspect_err(|_| {
        // the first fault says more
        let _ = drop_staged(data);
    })
}

/// Drops what [`stage`] left.
pub fn drop_staged(data: &Path) -> Result<()> {
    for folder in FOLDERS {
        let path = staged(data, folder);
        match std::fs::remove_dir_all(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e).with_context(|| path.display().to_string()),
            _ => {}
        }
    }
    Ok(())
}

/// Puts what was staged in place. What was there is kept beside it, under a name with `now`, which are seconds.
pub fn swap(data: &Path, now: i64) -> Result<()> {
    for folder in FOLDERS {
        let place = data.join(folder);
        if place.exists() {
            let aside = data.join(format!("{folder}.replaced-{now}"));
            std::fs::rename(&place, &aside).with_context(|| aside.display().to_string())?;
        }
        std::fs::rename(staged(data, folder), &place).with_context(|| place.display().to_string())?;
    }
    File::open(data).and_then(|folder| folder.sync_all()).with_context(|| data.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folders in folders with a file in each, deeper than paths reach.
    fn nest(root: &Path, name: &str, depth: usize) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let mut at = rustix::fs::openat(CWD, root, flags, Mode::empty()).unwrap();
        for _ in 0..depth {
            rustix::fs::mkdirat(&at, name, Mode::RWXU).unwrap();
            at = rustix::fs::openat(&at, name, flags, Mode::empty()).unwrap();
        }
    }

    fn put(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn what_is_whole_comes_back_and_no_link_is_followed() {
        let d = tempfile::tempdir().unwrap();
        let (data, to, other) = (d.path().join("data"), d.path().join("copy"), d.path().join("other"));
        put(&data.join("files/blobs/ab/abc"), "one");
        put(&data.join("files/arriving/x"), "not whole");
        put(&data.join("files/parts/y"), "not whole");
        put(&data.join("programs/7/project_1/src/main.py"), "print(1)");
        put(&data.join("programs/7/project_1/arriving/kept"), "a program's own name");
        put(&data.join("programs/arriving/z"), "not whole");
        put(&data.join("secret.key"), "secret");
        let script = data.join("programs/7/project_1/run.sh");
        put(&script, "echo");
        std::fs::set_permissions(&script, Permissions::from_mode(0o744)).unwrap();
        for (link, to) in [("key", "../../../secret.key"), ("all", "../../..")] {
            std::os::unix::fs::symlink(to, data.join("programs/7/project_1").join(link)).unwrap();
        }
        rustix::fs::mkfifoat(CWD, data.join("programs/7/project_1/pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        // what would be no path of a backup keeps nobody from having one
        nest(&data.join("programs/7/project_1"), "d", 1_000);
        nest(&data.join("programs/7/project_1"), &"n".repeat(255), 20);
        gather(&data, &to).unwrap();
        put(&data.join("files/blobs/cd/cde"), "two");
        gather(&data, &to).unwrap();
        let kept = measure(&to).unwrap();
        assert_eq!((kept.files, kept.bytes), (5, 3 + 3 + 8 + 20 + 4));

        private(&other).unwrap();
        put(&other.join("files/blobs/ff/old"), "old");
        stage(&to, &other, &kept).unwrap();
        swap(&other, 5).unwrap();
        let read = |path: &str| std::fs::read_to_string(other.join(path)).unwrap();
        assert_eq!((read("files/blobs/ab/abc"), read("files/blobs/cd/cde")), ("one".into(), "two".into()));
        assert_eq!(read("programs/7/project_1/src/main.py"), "print(1)");
        assert_eq!(read("files.replaced-5/blobs/ff/old"), "old");
        let mode = std::fs::metadata(other.join("programs/7/project_1/run.sh")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o744);
        for none in ["files/parts", "files/blobs/ff", "programs/7/project_1/key", "programs/7/project_1/all/secret.key"]
        {
            assert!(!other.join(none).exists(), "{none}");
        }
        assert_eq!(measure(&other).unwrap(), kept);

        // the file there is the same as the one in the data directory: change it as a disk would
        std::fs::remove_file(to.join("files/blobs/ab/abc")).unwrap();
        put(&to.join("files/blobs/ab/abc"), "bad");
        let text = stage(&to, &other, &kept).unwrap_err().to_string();
        assert!(text.contains("digest differs"), "{text}");
        assert!(!staged(&other, "files").exists() && read("files/blobs/ab/abc") == "one");
    }
}

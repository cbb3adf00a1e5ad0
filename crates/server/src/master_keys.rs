//! The file of master keys, which seal exchange keys at rest; and the name of this node.
//!
//! A line each: a number and 64 hex digits. The highest number seals, all of them open. Several servers on one
//! database need the same file.

use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use orrery_app::wallets::MasterKeys;
use orrery_crypto::seal::{Keyring, MASTER_KEY_BYTES};
use orrery_kernel::Entropy;
use zeroize::Zeroizing;

/// Its name in the data directory.
pub const FILE: &str = "master.key";
/// The file of the node's name.
const NODE_FILE: &str = "node_id";

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Others may read the file.
    #[error("{} can be read by other users (mode {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not what this program writes.
    #[error("{}: line {line} is not a number and 64 hex digits; put the file back from a backup", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Counted from 1; 0: there is no key at all.
        line: usize,
    },
    /// The operating system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

type Key = (u32, Zeroizing<[u8; MASTER_KEY_BYTES]>);

/// Keys in a file, read again when a record asks for one that is newer.
pub struct FileKeys {
    path: PathBuf,
    ring: RwLock<Arc<Keyring>>,
}

impl std::fmt::Debug for FileKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileKeys").field("path", &self.path).finish_non_exhaustive()
    }
}

impl FileKeys {
    /// Reads the file, and makes it with one key where there is none.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn open(path: &Path, entropy: &dyn Entropy) -> Result<Self, KeysError> {
        if !path.exists() {
            match create(path, entropy) {
                // another process was faster
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.map_err(|source| KeysError::Io { path: path.to_owned(), source })?,
            }
        }
        let ring = ring(path, read(path)?)?;
        Ok(Self { path: path.to_owned(), ring: RwLock::new(Arc::new(ring)) })
    }

    /// Adds a key, which seals from now on; gives its number.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn add(&self, entropy: &dyn Entropy) -> Result<u32, KeysError> {
        let mut keys = read(&self.path)?;
        let number = keys.iter().map(|(number, _)| *number).max().unwrap_or(0) + 1;
        keys.push((number, fresh(entropy)));
        self.replace(keys, entropy)?;
        Ok(number)
    }

    /// Removes the keys that are not in `used` and not the newest; gives their numbers.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn keep(&self, used: &[u32], entropy: &dyn Entropy) -> Result<Vec<u32>, KeysError> {
        let keys = read(&self.path)?;
        let newest = keys.iter().map(|(number, _)| *number).max();
        let (kept, gone): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|(number, _)| used.contains(number) || Some(*number) == newest);
        let gone = gone.iter().map(|(number, _)| *number).collect();
        self.replace(kept, entropy)?;
        Ok(gone)
    }

    /// Their numbers.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn numbers(&self) -> Result<Vec<u32>, KeysError> {
        Ok(read(&self.path)?.iter().map(|(number, _)| *number).collect())
    }

    fn replace(&self, keys: Vec<Key>, entropy: &dyn Entropy) -> Result<(), KeysError> {
        let io = |source| KeysError::Io { path: self.path.clone(), source };
        let partial = self.path.with_extension(format!("{}.partial", nonce(entropy)));
        write_new(&partial, &keys).and_then(|()| std::fs::rename(&partial, &self.path)).map_err(io)?;
        sync_folder(&self.path).map_err(io)?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring(&self.path, keys)?);
        Ok(())
    }
}

impl MasterKeys for FileKeys {
    fn ring(&self) -> Arc<Keyring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refreshed(&self) -> Arc<Keyring> {
        match read(&self.path).and_then(|keys| ring(&self.path, keys)) {
            Ok(new) => *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new),
            Err(error) => tracing::error!(%error, "the master keys cannot be read again"),
        }
        self.ring()
    }
}

fn ring(path: &Path, keys: Vec<Key>) -> Result<Keyring, KeysError> {
    Keyring::new(keys).map_err(|_| KeysError::Form { path: path.to_owned(), line: 0 })
}

fn fresh(entropy: &dyn Entropy) -> Zeroizing<[u8; MASTER_KEY_BYTES]> {
    let mut key = Zeroizing::new([0; MASTER_KEY_BYTES]);
    entropy.fill(key.as_mut());
    key
}

fn nonce(entropy: &dyn Entropy) -> String {
    let mut bits = [0; 8];
    entropy.fill(&mut bits);
    hex::encode(bits)
}

fn read(path: &Path) -> Result<Vec<Key>, KeysError> {
    let io = |source| KeysError::Io { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeysError::Open { path: path.to_owned(), mode });
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io)?);
    let key = |line: &str| {
        let (number, digits) = line.trim().split_once(' ')?;
        let mut read = Zeroizing::new([0; MASTER_KEY_BYTES]);
        hex::decode_to_slice(digits.trim(), read.as_mut()).ok()?;
        let number: u32 = number.parse().ok().filter(|n| *n > 0)?;
        Some((number, read))
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(i, line)| key(line).ok_or(KeysError::Form { path: path.to_owned(), line: i + 1 })).collect()
}

fn write_new(path: &Path, keys: &[Key]) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for (number, key) in keys {
        let line = Zeroizing::new(format!("{number} {}\n", hex::encode(**key)));
        file.write_all(line.as_bytes())?;
    }
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Appears whole under its name, or not at all.
fn create(path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
    let partial = path.with_extension(format!("{}.partial", nonce(entropy)));
    let written = write_new(&partial, &[(1, fresh(entropy))]).and_then(|()| std::fs::hard_link(&partial, path));
    let removed = std::fs::remove_file(&partial);
    written.and(removed)?;
    sync_folder(path)
}

/// The node's name: as configured, or one that was made at the first start.
///
/// # Errors
/// When the operating system refuses.
pub fn node_id(configured: &str, data_dir: &Path, entropy: &dyn Entropy) -> Result<String, KeysError> {
    if !configured.is_empty() {
        return Ok(configured.to_owned());
    }
    let path = data_dir.join(NODE_FILE);
    let io = |source| KeysError::Io { path: path.clone(), source };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() && text.trim().len() <= 64 && text.trim().chars().all(plain) => {
            return Ok(text.trim().to_owned());
        }
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io(e)),
        _ => {}
    }
    let name = format!("s-{}", &nonce(entropy)[..8]);
    let made = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    made.and_then(|mut file| writeln!(file, "{name}")).map_err(io)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemEntropy;

    #[test]
    fn keys_are_made_once_rotated_and_dropped() {
        let d = tempfile::tempdir().unwrap();
        let path = d.path().join(FILE);
        let keys = FileKeys::open(&path, &SystemEntropy).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(d.path()).unwrap().count(), 1, "nothing else is left");
        let sealed = keys.ring().seal(b"secret", "p", &SystemEntropy).unwrap();
        // a second process, which learns of a new key when it needs it
        let other = FileKeys::open(&path, &SystemEntropy).unwrap();
        assert_eq!(keys.add(&SystemEntropy).unwrap(), 2);
        let again = keys.ring().rewrap(&sealed, "p", &SystemEntropy).unwrap();
        assert!(other.ring().open(&again, "p").is_err());
        assert_eq!(other.refreshed().open(&again, "p").unwrap().as_slice(), b"secret");
        assert_eq!(keys.keep(&[1, 2], &SystemEntropy).unwrap(), [0_u32; 0]);
        assert_eq!(keys.keep(&[2], &SystemEntropy).unwrap(), [1]);
        assert!(keys.ring().open(&sealed, "p").is_err());
        assert_eq!(keys.numbers().unwrap(), [2]);
    }

    #[test]
    fn files_that_cannot_be_right_are_refused_with_advice() {
        let d = tempfile::tempdir().unwrap();
        let path = d.path().join(FILE);
        for text in ["", "1", "1 zz", "0 00", "one 00"] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(FileKeys::open(&path, &SystemEntropy), Err(KeysError::Form { .. })), "{text:?}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let text = FileKeys::open(&path, &SystemEntropy).unwrap_err().to_string();
        assert!(text.contains("chmod 600"), "{text}");
    }

    #[test]
    fn a_node_keeps_its_name() {
        let d = tempfile::tempdir().unwrap();
        let first = node_id("", d.path(), &SystemEntropy).unwrap();
        assert!(first.starts_with("s-") && first.len() == 10);
        assert_eq!(node_id("", d.path(), &SystemEntropy).unwrap(), first);
        assert_eq!(node_id("s-0001", d.path(), &SystemEntropy).unwrap(), "s-0001");
    }
}

//! The key that signs tokens: given by the operator, or made once and kept in the data directory.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use orrery_crypto::{WeakSecret, check_secret};
use orrery_kernel::{Entropy, Secret};

use crate::config::{Auth, Config, DatabaseUrl};

/// Its file in the data directory.
pub const FILE: &str = "jwt_secret.key";

/// Why tokens cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The operator's secret is one that others know or can guess.
    #[error(
        "auth.jwt_secret = [redacted] ({origin}): the secret {weakness}; make one with `openssl rand -hex 32`, or unset \
         it and the server makes its own"
    )]
    Given {
        /// Where it is from.
        origin: String,
        /// What is wrong.
        weakness: WeakSecret,
    },
    /// The stored secret is.
    #[error("the secret in {} {weakness}; move the file away and the server makes a new one", path.display())]
    Stored {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        weakness: WeakSecret,
    },
    /// Others may read the file.
    #[error("{} can be read by other users (mode {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The operating system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Makes the data directory, for its owner only, unless it is there.
///
/// # Errors
/// When the operating system refuses.
pub fn prepare_data_dir(path: &Path) -> Result<(), SecretError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| SecretError::Io { path: path.to_owned(), source })
}

/// The signing key.
///
/// # Errors
/// See [`SecretError`].
pub fn signing_key(auth: &Auth, data_dir: &Path, entropy: &dyn Entropy) -> Result<Secret<Vec<u8>>, SecretError> {
    if let Some(given) = &auth.jwt_secret {
        let bytes = given.expose().as_bytes();
        let origin = auth.jwt_secret_origin.clone();
        check_secret(bytes).map_err(|weakness| SecretError::Given { origin, weakness })?;
        return Ok(Secret::new(bytes.to_vec()));
    }
    let path = data_dir.join(FILE);
    match read(&path)? {
        Some(secret) => Ok(secret),
        None => {
            make(&path, entropy).map_err(|source| SecretError::Io { path: path.clone(), source })?;
            let gone = || SecretError::Io { path: path.clone(), source: io::ErrorKind::NotFound.into() };
            read(&path)?.ok_or_else(gone)
        }
    }
}

/// What to know when several gateways could share the database, but this one has a key of its own.
pub fn shared_key_advice(config: &Config) -> Option<&'static str> {
    let shared = matches!(config.database.url, DatabaseUrl::Postgres(_));
    (shared && config.auth.jwt_secret.is_none()).then_some(
        "tokens are signed with a key of this machine alone, which other gateways on the same database refuse; set \
         JWT_SECRET to the same value for all of them",
    )
}

fn read(path: &Path) -> Result<Option<Secret<Vec<u8>>>, SecretError> {
    let io = |source| SecretError::Io { path: path.to_owned(), source };
    let mode = match std::fs::metadata(path) {
        Ok(found) => found.permissions().mode() & 0o777,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io(e)),
    };
    if mode & 0o077 != 0 {
        return Err(SecretError::Open { path: path.to_owned(), mode });
    }
    let bytes = std::fs::read(path).map_err(io)?.trim_ascii().to_vec();
    check_secret(&bytes).map_err(|weakness| SecretError::Stored { path: path.to_owned(), weakness })?;
    Ok(Some(Secret::new(bytes)))
}

/// Writes a new secret that appears whole under its name, or not at all. When another process was
/// faster, its secret stays.
fn make(path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
    let mut bits = [0; 48];
    entropy.fill(&mut bits);
    let (secret, nonce) = bits.split_at(32);
    let partial = path.with_extension(format!("{}.partial", hex::encode(nonce)));
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
        writeln!(file, "{}", hex::encode(secret))?;
        file.sync_all()?;
        match std::fs::hard_link(&partial, path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    })();
    let removed = std::fs::remove_file(&partial);
    written.and(removed)?;
    match path.parent() {
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::system::SystemEntropy;

    fn auth(secret: Option<&str>) -> Auth {
        Auth {
            jwt_secret: secret.map(|s| Secret::new(s.to_owned())),
            jwt_secret_origin: "env JWT_SECRET".into(),
            jwt_algorithm: orrery_crypto::Algorithm::Hs256,
            jwt_expires: Duration::from_secs(1),
            open_registration: true,
            registrations_per_hour: 1,
            account_failures: 1,
            address_failures: 1,
            hash_workers: 1,
            hash_queue: 1,
            local_operator: false,
        }
    }

    #[test]
    fn a_secret_is_made_once_for_the_owner_only() {
        let d = tempfile::tempdir().unwrap();
        let data = d.path().join("a/b");
        prepare_data_dir(&data).unwrap();
        assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        let first = signing_key(&auth(None), &data, &SystemEntropy).unwrap();
        let again = signing_key(&auth(None), &data, &SystemEntropy).unwrap();
        assert_eq!(first.expose(), again.expose());
        assert_eq!(first.expose().len(), 64);
        let mode = std::fs::metadata(data.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn bad_secrets_are_refused_with_advice() {
        let d = tempfile::tempdir().unwrap();
        for weak in ["bittrade_secret_key_2024", "your_super_secure_jwt_secret_key_here", "short"] {
            let text = signing_key(&auth(Some(weak)), d.path(), &SystemEntropy).unwrap_err().to_string();
            assert!(text.contains("env JWT_SECRET") && text.contains("openssl rand") && !text.contains(weak), "{text}");
        }
        let path = d.path().join(FILE);
        std::fs::write(&path, "bittrade_secret_key_2024\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let text = signing_key(&auth(None), d.path(), &SystemEntropy).unwrap_err().to_string();
        assert!(text.contains("chmod 600"), "{text}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = signing_key(&auth(None), d.path(), &SystemEntropy).unwrap_err().to_string();
        assert!(text.contains("published"), "{text}");
    }
}

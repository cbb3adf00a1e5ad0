//! Copies of a database in use.

use std::path::{Path, PathBuf};

use crate::db::Sqlite;
use crate::open;
use crate::sql::control;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file of that name exists; it was left alone.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// A database in memory.
    #[error("a database in memory has no file to back up")]
    Memory,
    /// The operating system refuses.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file or its folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// SQLite fails.
    #[error("backup failed: {0}")]
    Sqlite(String),
}

impl Sqlite {
    /// Writes a copy as of one moment to `path` (mode 0600) while others read and write; gives its size
    /// in bytes. The file appears under its name only when it is whole and on the disk.
    pub async fn backup_to(&self, path: &Path) -> Result<u64, BackupError> {
        let source = self.path().ok_or(BackupError::Memory)?;
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| BackupError::Io { path, source }
        };
        if tokio::fs::try_exists(path).await.map_err(io(path))? {
            return Err(BackupError::Exists(path.to_owned()));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        match tokio::fs::remove_file(&partial).await {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(&partial)(e)),
            _ => {}
        }
        // SQLite takes an empty file, so the copy is never readable to others
        open::private(&partial).await.map_err(io(&partial))?;
        let written = self.copy(source, &partial).await;
        let size = match written {
            Ok(size) => size,
            Err(e) => {
                // best effort: the copy is useless, and the first error is the one to tell
                let _ = tokio::fs::remove_file(&partial).await;
                return Err(e);
            }
        };
        // a hard link, unlike a rename, never replaces a file made in the meantime
        match tokio::fs::hard_link(&partial, path).await {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                let _ = tokio::fs::remove_file(&partial).await;
                return Err(BackupError::Exists(path.to_owned()));
            }
            // some file systems have no links
            Err(_) => tokio::fs::rename(&partial, path).await.map_err(io(path))?,
            Ok(()) => tokio::fs::remove_file(&partial).await.map_err(io(&partial))?,
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder_file = tokio::fs::File::open(folder).await.map_err(io(folder))?;
        folder_file.sync_all().await.map_err(io(folder))?;
        Ok(size)
    }

    async fn copy(&self, source: &Path, partial: &Path) -> Result<u64, BackupError> {
        use sqlx::Connection;
        let sqlite = |e: sqlx::Error| BackupError::Sqlite(e.to_string());
        let target = partial.to_str().ok_or_else(|| BackupError::Sqlite("the path is not UTF-8".into()))?.to_owned();
        let mut conn = open::reader(source, &self.inner.options).await.map_err(sqlite)?;
        control::BACKUP
            .call()
            .bind(target)
            .execute(&mut conn, None)
            .await
            .map_err(|e| BackupError::Sqlite(e.to_string()))?;
        conn.close().await.map_err(sqlite)?;
        let io = |source| BackupError::Io { path: partial.to_owned(), source };
        // VACUUM INTO does not wait for the disk
        let file = tokio::fs::File::open(partial).await.map_err(io)?;
        file.sync_all().await.map_err(io)?;
        Ok(file.metadata().await.map_err(io)?.len())
    }
}

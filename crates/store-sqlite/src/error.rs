//! What can go wrong, and how SQLite's codes become the ports' errors.

use std::path::PathBuf;

use orrery_kernel::StoreError;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither a path nor a `sqlite://` URL that this program understands.
    #[error("{0:?} is not a SQLite location: write sqlite://PATH, sqlite::memory: or a path")]
    Location(String),
    /// There is no such file, and none was to be made.
    #[error("there is no database at {}", .0.display())]
    Missing(PathBuf),
    /// The operating system refuses.
    #[error("cannot open {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{} is not a SQLite database", .0.display())]
    NotADatabase(PathBuf),
    /// A SQLite database of another program.
    #[error("{} is a SQLite database, but not one of Orrery's", .0.display())]
    Foreign(PathBuf),
    /// A newer program has migrated it.
    #[error("{} has schema {found}, this program knows up to {known}: use a newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema's version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// A durability setting did not take, as on file systems without shared memory.
    #[error("{} cannot be made durable: {setting} is {found:?}, not {wanted:?}", path.display())]
    NotDurable {
        /// The file.
        path: PathBuf,
        /// Which setting.
        setting: &'static str,
        /// As read back.
        found: String,
        /// As needed.
        wanted: &'static str,
    },
    /// Everything else SQLite says, among it that another process holds the file locked.
    #[error("cannot open {}: {reason}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
}

/// SQLite's primary result code, where `e` carries one.
pub(crate) fn code(e: &sqlx::Error) -> Option<i32> {
    let extended: i32 = e.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

pub(crate) const CORRUPT: i32 = 11;
pub(crate) const CANTOPEN: i32 = 14;
pub(crate) const CONSTRAINT: i32 = 19;
pub(crate) const NOTADB: i32 = 26;

/// The port's error for a statement that failed before any commit. SQLite's messages name tables and
/// columns, never values.
pub(crate) fn failed(statement: &'static str, e: &sqlx::Error) -> StoreError {
    match (code(e), e) {
        // a row that the schema refuses is a fault of ours, as is a malformed page: trying again is of no use
        (Some(CORRUPT | NOTADB | CONSTRAINT), _)
        | (None, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
            StoreError::Corrupt { what: statement, detail: e.to_string() }
        }
        _ => StoreError::Unavailable(format!("{statement}: {e}")),
    }
}

pub(crate) use orrery_store_rows::corrupt;

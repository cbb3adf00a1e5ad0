//! What can go wrong, and how the driver's errors become the ports'.

use orrery_kernel::StoreError;

/// Why a database could not be opened. Texts never hold the URL, which has a password in it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a `postgres://` URL.
    #[error("the database URL is not a postgres:// URL that can be used: {0}")]
    Location(String),
    /// Nobody answers, or they refuse.
    #[error(
        "cannot connect to PostgreSQL: {0}; see that it runs and that DATABASE_URL names its address, user and database"
    )]
    Unreachable(String),
    /// The schema is not there, or not whole.
    #[error("the database has schema {found}, this program needs {needed}: run `orrery-gateway migrate` first")]
    Unmigrated {
        /// The schema's version; 0 where there is none.
        found: i64,
        /// The version needed.
        needed: i64,
    },
    /// A newer program has migrated it.
    #[error("the database has schema {found}, this program knows up to {known}: use a newer one")]
    Newer {
        /// The schema's version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// A setting that loses commits.
    #[error("the server does not keep what it commits: {setting} is {found}; set it to on")]
    NotDurable {
        /// Which setting.
        setting: &'static str,
        /// As it is.
        found: String,
    },
    /// Too old.
    #[error("the server is PostgreSQL {0}; 14 or newer is needed")]
    TooOld(String),
}

pub(crate) use orrery_store_rows::corrupt;

/// An error of a statement before its transaction was committed: nothing has changed.
pub(crate) fn failed(what: &'static str, e: &sqlx::Error) -> StoreError {
    match e {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
            corrupt(what, e)
        }
        // constraint violations: what was to be written contradicts what is there
        sqlx::Error::Database(d) if d.code().is_some_and(|c| c.starts_with("23") || c == "P0001") => {
            corrupt(what, d.message())
        }
        e => StoreError::Unavailable(format!("{what}: {}", text(e))),
    }
}

/// The driver's words; they hold no URL.
pub(crate) fn text(e: &sqlx::Error) -> String {
    match e {
        sqlx::Error::Database(d) => d.message().to_owned(),
        e => e.to_string(),
    }
}

/// Is it a violation of a unique index?
pub(crate) fn taken(e: &sqlx::Error) -> bool {
    matches!(e, sqlx::Error::Database(d) if d.is_unique_violation())
}

//! From a location to checked connections.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{Connection, SqliteConnection};

use crate::error::{CANTOPEN, NOTADB, OpenError, code};
use crate::location::Location;
use crate::options::{Durability, Options};
use crate::schema::SCHEMA_VERSION;
use crate::sql::control;

/// `ORRY`, as the first migration sets it.
const APPLICATION_ID: i64 = 0x4f52_5259;

/// Statements kept prepared on each connection; more than there are.
const STATEMENTS: usize = 128;

/// Makes an empty file that only its owner may read, unless there is one. SQLite gives its side
/// files the same mode.
pub(crate) async fn ensure_file(path: &Path, create: bool) -> Result<(), OpenError> {
    let unreadable = |source| OpenError::Unreadable { path: path.to_owned(), source };
    match tokio::fs::metadata(path).await {
        Ok(found) if found.is_dir() => Err(unreadable(std::io::ErrorKind::IsADirectory.into())),
        Ok(_) => tokio::fs::File::open(path).await.map(|_| ()).map_err(unreadable),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && create => match private(path).await {
            Ok(()) => Ok(()),
            // made by another process just now
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(unreadable(e)),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(OpenError::Missing(path.to_owned())),
        Err(e) => Err(unreadable(e)),
    }
}

/// Creates a file of mode 0600 that was not there.
pub(crate) async fn private(path: &Path) -> std::io::Result<()> {
    tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).await.map(|_| ())
}

/// Rows that wait to be taken. Most are taken all at once, and with the library's fifty the two threads wake each other
/// for every fifty.
const ROWS: usize = 1_000;

fn connect_options(location: &Location, options: &Options) -> SqliteConnectOptions {
    use sqlx::ConnectOptions;
    let base = match location {
        Location::Memory => SqliteConnectOptions::new().in_memory(true),
        Location::File(path) => SqliteConnectOptions::new().filename(path),
    };
    let base = base
        .create_if_missing(matches!(location, Location::Memory))
        .foreign_keys(true)
        .busy_timeout(options.busy_timeout)
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(ROWS)
        .thread_name(|n| format!("sqlite-{n}"))
        .disable_statement_logging();
    [("temp_store", "MEMORY"), ("recursive_triggers", "ON"), ("trusted_schema", "OFF")]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .chain(options.pragmas.iter().cloned())
        .fold(base, |base, (key, value)| base.pragma(key, value))
}

/// Opens the connection that writes: the file must be ours, of a schema we know, and its settings
/// must read back as durable.
pub(crate) async fn writer(location: &Location, options: &Options) -> Result<SqliteConnection, OpenError> {
    let file = match location {
        Location::Memory => Path::new(":memory:"),
        Location::File(path) => path.as_path(),
    };
    let refused = |e: sqlx::Error| refusal(file, &e);
    let mut conn = SqliteConnection::connect_with(&connect_options(location, options)).await.map_err(refused)?;
    let known = foreign_or_newer(&mut conn).await.map_err(refused)?;
    match known {
        Known::Ours => {}
        Known::Foreign => return Err(OpenError::Foreign(file.to_owned())),
        Known::Newer(found) => {
            return Err(OpenError::Newer { path: file.to_owned(), found, known: SCHEMA_VERSION });
        }
    }
    // only now, so that a file of another program was not touched; a configured pragma does not override it
    sqlx::query(control::SET_WAL.text).execute(&mut conn).await.map_err(refused)?;
    sqlx::query(control::SET_FULL.text).execute(&mut conn).await.map_err(refused)?;
    let found = durability(&mut conn).await.map_err(refused)?;
    if *location != Location::Memory {
        let wrong =
            |setting, found, wanted| Err(OpenError::NotDurable { path: file.to_owned(), setting, found, wanted });
        if found.journal_mode != "wal" {
            return wrong("journal_mode", found.journal_mode, "wal");
        }
        if found.synchronous != Durability::FULL {
            return wrong("synchronous", found.synchronous.to_string(), "2");
        }
        if !found.foreign_keys {
            return wrong("foreign_keys", "0".into(), "1");
        }
    }
    Ok(conn)
}

/// Opens a connection that only checkpoints.
pub(crate) async fn checkpointer(location: &Location, options: &Options) -> Result<SqliteConnection, sqlx::Error> {
    let mut conn = SqliteConnection::connect_with(&connect_options(location, options)).await?;
    sqlx::query(control::SET_FULL.text).execute(&mut conn).await?;
    Ok(conn)
}

/// Reads the settings that decide whether a commit survives.
pub(crate) async fn durability(conn: &mut SqliteConnection) -> Result<Durability, sqlx::Error> {
    let journal_mode = sqlx::query_scalar(control::JOURNAL_MODE.text).fetch_one(&mut *conn).await?;
    let synchronous = sqlx::query_scalar(control::SYNCHRONOUS.text).fetch_one(&mut *conn).await?;
    let foreign_keys = sqlx::query_scalar(control::FOREIGN_KEYS.text).fetch_one(&mut *conn).await?;
    Ok(Durability { journal_mode, synchronous, foreign_keys })
}

enum Known {
    Ours,
    Foreign,
    Newer(i64),
}

async fn foreign_or_newer(conn: &mut SqliteConnection) -> Result<Known, sqlx::Error> {
    let (mark, things): (i64, i64) = sqlx::query_as(control::MARK.text).fetch_one(&mut *conn).await?;
    if mark != APPLICATION_ID && things > 0 {
        return Ok(Known::Foreign);
    }
    let listed: i64 = sqlx::query_scalar(control::HAS_MIGRATIONS.text).fetch_one(&mut *conn).await?;
    if listed == 0 {
        return Ok(Known::Ours);
    }
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as(control::MIGRATIONS.text).fetch_all(&mut *conn).await?;
    Ok(match applied.last() {
        Some((found, _)) if *found > SCHEMA_VERSION => Known::Newer(*found),
        _ => Known::Ours,
    })
}

fn refusal(path: &Path, e: &sqlx::Error) -> OpenError {
    let path = path.to_owned();
    match code(e) {
        Some(NOTADB) => OpenError::NotADatabase(path),
        Some(CANTOPEN) => OpenError::Unreadable { path, source: std::io::Error::other(e.to_string()) },
        _ => OpenError::Sqlite { path, reason: e.to_string() },
    }
}

/// Connections that can only read. They are opened as needed and then kept.
pub(crate) fn readers(path: &Path, options: &Options) -> SqlitePool {
    let connect = connect_options(&Location::File(path.to_owned()), options).read_only(true).pragma("query_only", "ON");
    SqlitePoolOptions::new()
        .max_connections(options.readers.max(1))
        .acquire_timeout(options.wait)
        .acquire_slow_threshold(Duration::from_secs(1))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(connect)
}

/// A connection of its own that can only read, for long work.
pub(crate) async fn reader(path: &Path, options: &Options) -> Result<SqliteConnection, sqlx::Error> {
    let connect = connect_options(&Location::File(path.to_owned()), options).read_only(true);
    SqliteConnection::connect_with(&connect).await
}

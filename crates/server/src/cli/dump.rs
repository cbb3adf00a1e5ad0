//! `backup` and `restore` of a Postgres: `pg_dump` and `pg_restore`, checked by the ledger's chain.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use orrery_kernel::{Clock, Secret};
use orrery_ledger::{Head, LedgerStore, Report, Verifier};
use orrery_store_postgres::{Options, Postgres, SCHEMA_VERSION};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::args::Restore;
use super::backup::{Copied, Told, digest, gather, measure, write_synced};
use super::kept::{self, Kept};
use super::output::say;
use crate::config::Config;
use crate::secret;
use crate::system::SystemClock;

const DUMP: &str = "orrery.dump";
const MANIFEST: &str = "manifest.json";
/// Version of the manifest's own form; odd ones are a SQLite file's. Of the first one, copies hold the database alone.
const FORMAT: u32 = 4;
const FORMAT_BARE: u32 = 2;
/// Largest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 65_536;

/// What a dump holds, written after everything else so that a whole one is known by it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    created_at: String,
    version: String,
    schema_version: i64,
    /// Entries at least; the dump may hold some that came while it was made.
    journal_entries: i64,
    /// 64 hex digits: hash of entry number `journal_entries`.
    journal_head: String,
    bytes: u64,
    /// Of the dump, hex.
    sha256: String,
    /// Files and programs of users.
    kept: Option<Kept>,
}

/// A program of PostgreSQL's that is not there.
#[derive(Debug, thiserror::Error)]
#[error("{0} does not start; install PostgreSQL's client programs (Debian: postgresql-client) of the server's version")]
pub struct NoProgram(pub String);

/// A PostgreSQL program; the password goes by the environment, where other users do not see it.
async fn run(program: &str, url: &Secret<String>, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    if let Some(password) = password(url) {
        command.env("PGPASSWORD", password);
    }
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => anyhow::Error::from(NoProgram(program.to_owned())),
        _ => anyhow::Error::from(e).context(format!("{program} does not start")),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).replace(url.expose().as_str(), "[redacted]");
        bail!("{program}: {}: {}", output.status, said.trim());
    }
    Ok(())
}

/// Makes a consistent copy of the database, also of one in use, and of what users keep on this machine.
///
/// # Errors
/// A [`NoProgram`] when there is no `pg_dump`.
pub async fn copy(config: &Config, url: &Secret<String>, to: &Path, told: &dyn Told) -> Result<Copied> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to).with_context(|| to.display().to_string())?;
    let manifest_path = to.join(MANIFEST);
    if manifest_path.exists() {
        bail!("{} holds a backup already; choose another directory", to.display());
    }
    told.step("files", 5).await;
    gather(config, to).await?;
    told.step("database", 40).await;
    let database = Postgres::open(url.expose(), Options { connections: config.database.readers, ..Options::default() });
    let database = database.await?;
    // what is committed by now is in the dump, which begins later
    let head = database.ledger().head().await?;
    database.close().await;
    let created_at = SystemClock.now().iso();
    let path = to.join(DUMP);
    let file = path.to_str().context("the path is not UTF-8")?;
    let name = dbname(url);
    run("pg_dump", url, &["--format=custom", "--no-owner", "--no-privileges", "--file", file, &name]).await?;
    let bytes = std::fs::metadata(&path).with_context(|| path.display().to_string())?.len();
    // what came in between is named in the database already
    told.step("files", 60).await;
    gather(config, to).await?;
    told.step("digests", 70).await;
    let kept = measure(to).await?;
    let manifest = Manifest {
        format: FORMAT,
        created_at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema_version: SCHEMA_VERSION,
        journal_entries: head.seq,
        journal_head: hex::encode(head.hash),
        bytes,
        sha256: digest(&path)?,
        kept: Some(kept.clone()),
    };
    write_synced(&manifest_path, serde_json::to_string_pretty(&manifest)?.as_bytes())?;
    Ok(Copied { entries: manifest.journal_entries, head: manifest.journal_head, bytes, kept })
}

/// `pg_dump` takes the connection as its argument only; without a password it may be seen.
fn dbname(url: &Secret<String>) -> String {
    let text = url.expose();
    let Some((scheme, rest)) = text.split_once("://") else { return String::new() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((login, host)) => {
            let user = login.split_once(':').map_or(login, |(user, _)| user);
            format!("--dbname={scheme}://{user}@{host}{tail}")
        }
        None => format!("--dbname={text}"),
    }
}

/// The password of a URL, decoded, for `PGPASSWORD`.
fn password(url: &Secret<String>) -> Option<String> {
    let (_, rest) = url.expose().split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (login, _) = authority.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    let mut bytes = Vec::new();
    let mut rest = password.bytes();
    while let Some(byte) = rest.next() {
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match byte {
            b'%' => bytes.push(u8::try_from(hex(rest.next())? * 16 + hex(rest.next())?).ok()?),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Puts a dump into an empty database and replays its ledger.
pub async fn restore(config: &Config, url: &Secret<String>, restore: &Restore) -> Result<()> {
    let manifest = read_manifest(&restore.from)?;
    if manifest.schema_version > SCHEMA_VERSION {
        bail!("the backup has schema {}, this program knows up to {SCHEMA_VERSION}", manifest.schema_version);
    }
    let path = restore.from.join(DUMP);
    if digest(&path)? != manifest.sha256 {
        bail!("the dump is not the one that was made: its digest differs");
    }
    let data = &config.server.data_dir;
    let there = |folder: &str| std::fs::read_dir(data.join(folder)).is_ok_and(|mut entries| entries.next().is_some());
    if manifest.kept.is_some() && !restore.force && (there("files") || there("programs")) {
        bail!("there are files of users in {}; stop the server and say --force to replace them", data.display());
    }
    let options = || Options { connections: config.database.readers, ..Options::default() };
    let empty = Postgres::connect(url.expose(), options()).await?;
    let found = empty.schema_version().await?;
    empty.close().await;
    if found > 0 {
        bail!("the database is not empty; make a new one (createdb) and name it in database.url");
    }
    if let Some(kept) = &manifest.kept {
        secret::prepare_data_dir(data)?;
        kept::stage(&restore.from, data, kept).context("the backup is not good; nothing was changed")?;
    }
    let file = path.to_str().context("the path is not UTF-8")?;
    let name = dbname(url);
    run("pg_restore", url, &["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", &name, file])
        .await?;
    let database = Postgres::connect(url.expose(), options()).await?;
    database.migrate().await?;
    let (report, there) = replay(&database, &manifest).await?;
    database.close().await;
    if let Some(fault) = report.faults.first() {
        bail!("the ledger has {} faults, the first: {fault}", report.fault_count);
    }
    if !there {
        bail!("the journal does not hold the entry that the manifest names");
    }
    if manifest.kept.is_some() {
        kept::swap(data, SystemClock.now().secs())?;
    }
    say(&format!("restored {} entries of {}", report.head.seq, manifest.created_at));
    say(&hex::encode(report.head.hash));
    Ok(())
}

/// The whole ledger replayed, and whether the manifest's entry is in it.
async fn replay(database: &Postgres, manifest: &Manifest) -> Result<(Report, bool)> {
    let ledger: std::sync::Arc<dyn LedgerStore> = database.ledger();
    let mut verifier = Verifier::default();
    ledger.audit(&mut verifier).await?;
    let named = manifest.journal_entries;
    let there = match ledger.entries(named - 1, 1).await?.pop() {
        Some(entry) => entry.seq == named && hex::encode(entry.hash) == manifest.journal_head,
        None => named == 0 && hex::encode(ledger.head().await.map(|h: Head| h.hash)?) == manifest.journal_head,
    };
    Ok((verifier.finish(), there))
}

fn read_manifest(from: &Path) -> Result<Manifest> {
    use std::io::Read;
    let path = from.join(MANIFEST);
    let file = std::fs::File::open(&path).with_context(|| format!("{} is no backup: {MANIFEST}", from.display()))?;
    let manifest: Manifest = serde_json::from_reader(file.take(MANIFEST_BYTES_MAX))
        .with_context(|| format!("{} is not the manifest of a Postgres backup", path.display()))?;
    let known = if manifest.kept.is_some() { FORMAT } else { FORMAT_BARE };
    if manifest.format != known {
        bail!("{} has format {}, this program knows {FORMAT_BARE} and {FORMAT}", path.display(), manifest.format);
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_holds_the_password() {
        let url = Secret::new("postgres://ann:p%40ss@db:5432/desk?sslmode=disable".to_owned());
        assert_eq!(dbname(&url), "--dbname=postgres://ann@db:5432/desk?sslmode=disable");
        assert_eq!(password(&url).as_deref(), Some("p@ss"));
        let bare = Secret::new("postgres://db/desk".to_owned());
        assert_eq!((dbname(&bare), password(&bare)), ("--dbname=postgres://db/desk".to_owned(), None));
    }
}

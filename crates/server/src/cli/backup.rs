//! `backup` and `restore`.

use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use orrery_kernel::Clock;
use orrery_ledger::Verifier;
use orrery_store_sqlite::{Options, SCHEMA_VERSION, Sqlite};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::args::Restore;
use super::kept::{self, Kept};
use super::output::say;
use crate::config::{Config, DatabaseUrl};
use crate::database::Database;
use crate::system::SystemClock;
use crate::{secret, wire};

const DATABASE: &str = "orrery.db";
const MANIFEST: &str = "manifest.json";
/// Version of the manifest's own form. Of the first one, copies hold the database alone; they are still restored.
const FORMAT: u32 = 3;
const FORMAT_BARE: u32 = 1;
/// Largest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 65_536;

/// What a backup holds, written after everything else so that a whole one is known by it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    created_at: String,
    version: String,
    schema_version: i64,
    journal_entries: i64,
    /// 64 hex digits.
    journal_head: String,
    bytes: u64,
    /// Of the database file, hex.
    sha256: String,
    /// Files and programs of users.
    kept: Option<Kept>,
}

/// A copy that was made.
pub struct Copied {
    /// Entries of the journal.
    pub entries: i64,
    /// The journal's head, hex.
    pub head: String,
    /// Bytes of the database.
    pub bytes: u64,
    /// Files and programs of users.
    pub kept: Kept,
}

/// Hears how far a copy is.
#[async_trait]
pub trait Told: Send + Sync {
    /// `step` begins when about `percent` of the work is done.
    async fn step(&self, step: &'static str, percent: u8);
}

/// Nobody hears.
struct Nobody;

#[async_trait]
impl Told for Nobody {
    async fn step(&self, _: &'static str, _: u8) {}
}

/// Makes a consistent copy, also of a database in use.
pub async fn backup(config: &Config, to: &Path) -> Result<()> {
    let Copied { entries, head, bytes, kept } = copy(config, to, &Nobody).await?;
    let Kept { files, bytes: of_files, .. } = kept;
    say(&format!("copied {entries} entries ({bytes} bytes) and {files} files ({of_files} bytes) to {}", to.display()));
    say(&head);
    Ok(())
}

/// Copies the database and what users keep into a directory that holds no copy yet, without a word.
///
/// # Errors
/// When something cannot be read or written, or of PostgreSQL when its `pg_dump` is not there.
pub async fn copy(config: &Config, to: &Path, told: &dyn Told) -> Result<Copied> {
    match &config.database.url {
        DatabaseUrl::Postgres(url) => super::dump::copy(config, url, to, told).await,
        _ => copy_sqlite(config, to, told).await,
    }
}

/// Work on the disk, away from the threads that serve.
pub(super) async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    #[expect(clippy::disallowed_methods, reason = "one backup at a time, one step of it at a time")]
    let done = tokio::task::spawn_blocking(work);
    done.await?
}

/// Adds to a backup what users keep and it does not have.
pub(super) async fn gather(config: &Config, to: &Path) -> Result<()> {
    let (data, to) = (config.server.data_dir.clone(), to.to_owned());
    on_disk(move || kept::gather(&data, &to)).await
}

/// What a backup has of what users keep.
pub(super) async fn measure(to: &Path) -> Result<Kept> {
    let to = to.to_owned();
    on_disk(move || kept::measure(&to)).await
}

async fn copy_sqlite(config: &Config, to: &Path, told: &dyn Told) -> Result<Copied> {
    let source = wire::open(config, false).await?;
    let Database::Sqlite(database) = &source.database else { bail!("the database is not SQLite's") };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to).with_context(|| to.display().to_string())?;
    let manifest_path = to.join(MANIFEST);
    if manifest_path.exists() {
        bail!("{} holds a backup already; choose another directory", to.display());
    }
    let path = to.join(DATABASE);
    told.step("files", 5).await;
    gather(config, to).await?;
    told.step("database", 40).await;
    let bytes = database.backup_to(&path).await?;
    let created_at = source.clock.now().iso();
    source.database.close().await;
    // what came in between is named in the database already
    told.step("files", 60).await;
    gather(config, to).await?;
    told.step("digests", 70).await;
    let kept = measure(to).await?;

    let copy = open_copy(&path).await?;
    let head = copy.ledger().head().await?;
    let schema_version = copy.schema_version().await?;
    copy.close().await;
    // empty once the last connection is closed
    remove_sides(&path)?;
    let manifest = Manifest {
        format: FORMAT,
        created_at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema_version,
        journal_entries: head.seq,
        journal_head: hex::encode(head.hash),
        bytes,
        sha256: digest(&path)?,
        kept: Some(kept.clone()),
    };
    let text = serde_json::to_string_pretty(&manifest)?;
    write_synced(&manifest_path, text.as_bytes())?;
    Ok(Copied { entries: manifest.journal_entries, head: manifest.journal_head, bytes, kept })
}

/// Checks a backup whole, then puts it where the server looks. A database that was there is kept
/// beside it.
pub async fn restore(config: &Config, restore: &Restore) -> Result<()> {
    if let DatabaseUrl::Postgres(url) = &config.database.url {
        return super::dump::restore(config, url, restore).await;
    }
    let manifest = read_manifest(&restore.from)?;
    let Some(target) = config.database.file() else { bail!("the database is not SQLite's") };
    if target.exists() && !restore.force {
        bail!("there is a database at {}; stop the server and say --force to replace it", target.display());
    }
    if manifest.schema_version > SCHEMA_VERSION {
        bail!("the backup has schema {}, this program knows up to {SCHEMA_VERSION}", manifest.schema_version);
    }
    let from = restore.from.join(DATABASE);
    secret::prepare_data_dir(&config.server.data_dir)?;
    let mut staged = target.as_os_str().to_owned();
    staged.push(".restoring");
    let staged = PathBuf::from(staged);
    remove_with_sides(&staged)?;
    copy_private(&from, &staged)?;
    let checked = check(&staged, &manifest, restore.verify).await;
    if let Err(error) = checked {
        remove_with_sides(&staged)?;
        return Err(error.context("the backup is not good; nothing was changed"));
    }
    let data = &config.server.data_dir;
    if let Some(kept) = &manifest.kept
        && let Err(error) = kept::stage(&restore.from, data, kept)
    {
        remove_with_sides(&staged)?;
        return Err(error.context("the backup is not good; nothing was changed"));
    }
    let now = SystemClock.now().secs();
    for side in ["", "-wal", "-shm"] {
        let old = with_suffix(target, side);
        if old.exists() {
            let kept = with_suffix(target, &format!(".replaced-{now}{side}"));
            std::fs::rename(&old, &kept).with_context(|| kept.display().to_string())?;
        }
    }
    remove_sides(&staged)?;
    std::fs::rename(&staged, target).with_context(|| target.display().to_string())?;
    sync_parent(target)?;
    if manifest.kept.is_some() {
        kept::swap(data, now)?;
    }
    say(&format!("restored {} entries of {} to {}", manifest.journal_entries, manifest.created_at, target.display()));
    say(&manifest.journal_head);
    Ok(())
}

fn read_manifest(from: &Path) -> Result<Manifest> {
    let path = from.join(MANIFEST);
    let file = std::fs::File::open(&path).with_context(|| format!("{} is no backup: {MANIFEST}", from.display()))?;
    let manifest: Manifest = serde_json::from_reader(file.take(MANIFEST_BYTES_MAX))
        .with_context(|| format!("{} is not a manifest of this program", path.display()))?;
    let known = if manifest.kept.is_some() { FORMAT } else { FORMAT_BARE };
    if manifest.format != known {
        bail!("{} has format {}, this program knows {FORMAT_BARE} and {FORMAT}", path.display(), manifest.format);
    }
    Ok(manifest)
}

/// Digest, journal head, and a replay of the whole ledger.
async fn check(path: &Path, manifest: &Manifest, pages_too: bool) -> Result<()> {
    if digest(path)? != manifest.sha256 {
        bail!("the database file is not the one that was backed up: its digest differs");
    }
    let copy = open_copy(path).await?;
    if pages_too && let Some(fault) = copy.integrity().await?.first() {
        bail!("the database file is damaged: {fault}");
    }
    let mut verifier = Verifier::default();
    copy.ledger().audit(&mut verifier).await?;
    copy.close().await;
    let report = verifier.finish();
    if let Some(fault) = report.faults.first() {
        bail!("the ledger has {} faults, the first: {fault}", report.fault_count);
    }
    if hex::encode(report.head.hash) != manifest.journal_head {
        bail!("the journal does not end where the manifest says");
    }
    Ok(())
}

async fn open_copy(path: &Path) -> Result<Sqlite> {
    let text = path.to_str().context("the path is not UTF-8")?;
    let options = Options { readers: 1, create: false, ..Options::default() };
    Ok(Sqlite::open(text, options).await?)
}

pub(super) fn digest(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut buffer).with_context(|| path.display().to_string())?;
        match buffer.get(..n) {
            Some(part) if n > 0 => hasher.update(part),
            _ => return Ok(hex::encode(hasher.finalize())),
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).with_context(|| path.display().to_string()),
        _ => Ok(()),
    }
}

fn remove_sides(path: &Path) -> Result<()> {
    remove(&with_suffix(path, "-wal"))?;
    remove(&with_suffix(path, "-shm"))
}

fn remove_with_sides(path: &Path) -> Result<()> {
    remove(path)?;
    remove_sides(path)
}

fn create_private(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn copy_private(from: &Path, to: &Path) -> Result<()> {
    let mut source = std::fs::File::open(from).with_context(|| from.display().to_string())?;
    let mut target = create_private(to).with_context(|| to.display().to_string())?;
    std::io::copy(&mut source, &mut target).with_context(|| to.display().to_string())?;
    target.sync_all().with_context(|| to.display().to_string())
}

pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    let named = || path.display().to_string();
    let mut file = create_private(path).with_context(named)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(named)?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => {
            std::fs::File::open(parent).and_then(|f| f.sync_all()).with_context(|| parent.display().to_string())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use orrery_app::ledger_writer::commit_once;
    use orrery_kernel::{Asset, UserId};
    use orrery_ledger::{Actor, Command, Head, IdemKey, Operation};

    use super::*;
    use crate::config::{self, Sources};

    fn config(cwd: &Path, data: &str) -> Config {
        let env = vec![("ORRERY_DATA_DIR".to_owned(), data.to_owned())];
        config::load(&Sources { env, cwd: cwd.to_owned(), ..Sources::default() }).unwrap().config
    }

    async fn deposit(config: &Config, key: &str) -> Head {
        let parts = wire::open(config, true).await.unwrap();
        let ledger = parts.database.ledger();
        let operation = Operation::Deposit { user: UserId(1), asset: Asset::INR, amount: 100 };
        let command = Command { actor: Actor::Operator, key: IdemKey::new(key).unwrap(), operation };
        commit_once(ledger.as_ref(), &SystemClock, wire::ledger_limits(config), command).await.unwrap();
        head(config).await
    }

    async fn head(config: &Config) -> Head {
        let parts = wire::open(config, false).await.unwrap();
        parts.database.ledger().head().await.unwrap()
    }

    fn from(dir: &Path, force: bool) -> Restore {
        Restore { from: dir.to_owned(), verify: true, force }
    }

    #[tokio::test]
    async fn what_was_backed_up_comes_back() {
        let d = tempfile::tempdir().unwrap();
        let (home, other, copy) = (config(d.path(), "home"), config(d.path(), "other"), d.path().join("copy"));
        let saved = deposit(&home, "one").await;
        backup(&home, &copy).await.unwrap();
        let mut left: Vec<_> = std::fs::read_dir(&copy).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["files", MANIFEST, DATABASE, "programs"]);
        assert!(backup(&home, &copy).await.is_err(), "a backup is never written over");

        restore(&other, &from(&copy, false)).await.unwrap();
        assert_eq!(head(&other).await, saved);

        let later = deposit(&home, "two").await;
        let refused = restore(&home, &from(&copy, false)).await.unwrap_err().to_string();
        assert!(refused.contains("--force"), "{refused}");
        assert_eq!(head(&home).await, later);
        restore(&home, &from(&copy, true)).await.unwrap();
        assert_eq!(head(&home).await, saved);
        let kept = |e: &std::fs::DirEntry| e.file_name().to_string_lossy().contains(".replaced-");
        assert!(std::fs::read_dir(d.path().join("home")).unwrap().any(|e| kept(&e.unwrap())), "the old one is kept");
    }

    #[tokio::test]
    async fn a_bad_backup_changes_nothing() {
        let d = tempfile::tempdir().unwrap();
        let (home, copy) = (config(d.path(), "home"), d.path().join("copy"));
        deposit(&home, "one").await;
        backup(&home, &copy).await.unwrap();
        let now = deposit(&home, "two").await;

        let database = std::fs::read(copy.join(DATABASE)).unwrap();
        let mut changed = database.clone();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        std::fs::write(copy.join(DATABASE), &changed).unwrap();
        let text = format!("{:#}", restore(&home, &from(&copy, true)).await.unwrap_err());
        assert!(text.contains("digest differs"), "{text}");

        std::fs::write(copy.join(DATABASE), &database).unwrap();
        let manifest = std::fs::read_to_string(copy.join(MANIFEST)).unwrap();
        let head_line = manifest.lines().find(|l| l.contains("journal_head")).unwrap();
        let forged = manifest.replace(head_line, &format!("\"journal_head\": \"{}\",", "0".repeat(64)));
        std::fs::write(copy.join(MANIFEST), forged).unwrap();
        let text = format!("{:#}", restore(&home, &from(&copy, true)).await.unwrap_err());
        assert!(text.contains("does not end where"), "{text}");

        std::fs::remove_file(copy.join(MANIFEST)).unwrap();
        assert!(restore(&home, &from(&copy, true)).await.is_err());
        assert_eq!(head(&home).await, now);
        let names: Vec<_> = std::fs::read_dir(d.path().join("home")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(names.iter().all(|n| !n.to_string_lossy().contains("restoring")), "{names:?}");
    }
}

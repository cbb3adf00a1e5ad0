//! `doctor`: what is fit, what is odd, what has to be mended, and how.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use orrery_exec::Runner;
use orrery_kernel::Clock;
use orrery_store_sqlite::Durability;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::output::say;
use crate::config::{self, Config, Sources};
use crate::database::Database;
use crate::listen::{self, BindError};
use crate::system::SystemClock;
use crate::tls::Tls;
use crate::{secret, wire};

/// Below this the disk is nearly full, bytes.
const FREE_BYTES_WARN: u64 = 1 << 30;
/// Below this the ledger cannot go on for long, bytes.
const FREE_BYTES_FAIL: u64 = 64 << 20;
/// Entries at the journal's end whose chain is recomputed.
const RECENT_ENTRIES: i64 = 10_000;
const PAGE: u32 = 1_000;
/// No earlier time can be right: this program was written later. 2026-01-01.
const CLOCK_S_MIN: i64 = 1_767_225_600;
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Findings {
    failed: bool,
}

impl Findings {
    fn ok(&self, what: &str, text: &str) {
        say(&format!("ok    {what}: {text}"));
    }

    fn warn(&self, what: &str, text: &str) {
        say(&format!("warn  {what}: {text}"));
    }

    fn fail(&mut self, what: &str, text: &str) {
        self.failed = true;
        say(&format!("FAIL  {what}: {text}"));
    }
}

pub async fn run(sources: &Sources) -> Result<ExitCode> {
    let mut f = Findings::default();
    match config::load(sources) {
        Err(error) => f.fail("configuration", &error.to_string()),
        Ok(loaded) => {
            f.ok("configuration", "every key is known and in range");
            loaded.notes.iter().for_each(|note| f.warn("configuration", note));
            let config = &loaded.config;
            clock(&mut f);
            data_dir(&mut f, config);
            match crate::serve::open_files() {
                n if n < config.server.connections_max as u64 => f.warn(
                    "open files",
                    &format!(
                        "at most {n}, but server.connections_max is {}; raise the limit (ulimit -n, LimitNOFILE=)",
                        config.server.connections_max
                    ),
                ),
                n => f.ok("open files", &format!("up to {n}")),
            }
            signing_key(&mut f, config);
            if let Some(files) = config.tls.clone() {
                match Tls::load(files) {
                    Ok(_) => f.ok("tls", "certificate and key fit together"),
                    Err(error) => f.fail("tls", &error.to_string()),
                }
            }
            indicators(&f, config);
            sandbox(&mut f, config).await;
            listeners(&mut f, config).await;
            database(&mut f, config).await;
        }
    }
    Ok(if f.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn clock(f: &mut Findings) {
    let now = SystemClock.now();
    if now.secs() < CLOCK_S_MIN {
        f.fail("clock", &format!("it says {}; set it, for tokens and prices go by it", now.iso()));
    } else {
        f.ok("clock", &format!("it says {}", now.iso()));
    }
}

fn data_dir(f: &mut Findings, config: &Config) {
    let path = &config.server.data_dir;
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            f.ok("data directory", &format!("{shown} is not there yet; the first start makes it"));
            return;
        }
        Err(e) => return f.fail("data directory", &format!("{shown}: {e}")),
        Ok(found) if !found.is_dir() => return f.fail("data directory", &format!("{shown} is no directory")),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            f.warn("data directory", &format!("other users can look into {shown}; run: chmod 700 {shown}"));
        }
        Ok(_) => f.ok("data directory", &format!("{shown} is its owner's alone")),
    }
    match rustix::fs::statvfs(path) {
        Err(e) => f.warn("disk", &format!("free space is unknown: {e}")),
        Ok(fs) => {
            let free = fs.f_bavail.saturating_mul(fs.f_frsize);
            let text = format!("{} MiB free at {shown}", free >> 20);
            match free {
                n if n < FREE_BYTES_FAIL => f.fail("disk", &format!("{text}; make room, or the ledger will stop")),
                n if n < FREE_BYTES_WARN => f.warn("disk", &format!("{text}; make room soon")),
                _ => f.ok("disk", &text),
            }
        }
    }
}

fn signing_key(f: &mut Findings, config: &Config) {
    if let Some(advice) = secret::shared_key_advice(config) {
        f.warn("signing key", advice);
    }
    let file = config.server.data_dir.join(secret::FILE);
    if config.auth.jwt_secret.is_none() && !file.exists() {
        return f.ok("signing key", "none yet; the first start makes one");
    }
    // it is there, so nothing is made here
    match secret::signing_key(&config.auth, &config.server.data_dir, &crate::system::SystemEntropy) {
        Ok(_) => f.ok("signing key", "long enough, not published, readable by its owner only"),
        Err(error) => f.fail("signing key", &error.to_string()),
    }
}

fn indicators(f: &Findings, config: &Config) {
    let series = config.fred.series.len();
    match &config.fred.api_key {
        Some(_) => f.ok("indicators", &format!("{series} series from {}", config.fred.base_url)),
        None => f.ok("indicators", "no figures of the economy are fetched: fred.api_key is empty"),
    }
}

async fn listeners(f: &mut Findings, config: &Config) {
    for spec in &config.server.listen {
        match listen::bind(std::slice::from_ref(spec)).await {
            Ok(_) => f.ok("listener", &format!("{spec} is free")),
            Err(BindError::Taken { .. }) => match asks_like_us(spec).await {
                true => f.ok("listener", &format!("{spec}: an Orrery server answers there")),
                false => f.fail(
                    "listener",
                    &format!(
                        "{spec} is taken by another program; stop it, or choose another port with PORT or --listen"
                    ),
                ),
            },
            Err(error) => f.fail("listener", &error.to_string()),
        }
    }
}

/// Does `/health` at the address look like ours? Only plain HTTP is tried.
async fn asks_like_us(spec: &config::ListenSpec) -> bool {
    let host = match spec.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    let ask = async {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, spec.port)).await.ok()?.collect();
        let mut stream = tokio::net::TcpStream::connect(addresses.as_slice()).await.ok()?;
        let request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.take(65_536).read_to_end(&mut answer).await.ok()?;
        Some(String::from_utf8_lossy(&answer).contains("\"market_source\""))
    };
    tokio::time::timeout(ASK_TIMEOUT, ask).await.ok().flatten().unwrap_or(false)
}

/// Which layers hold runs in.
async fn sandbox(f: &mut Findings, config: &Config) {
    if !config.exec.enabled {
        return f.ok("commands", "switched off (exec.enabled)");
    }
    let layers = crate::exec::unix(config).layers().await;
    for (layer, missing) in layers.report() {
        let what = format!("sandbox {}", layer.name());
        match missing {
            None => f.ok(&what, "active"),
            Some(why) if config.exec.required.contains(&layer) => {
                f.fail(&what, &format!("required, and missing: {why}"));
            }
            Some(why) => f.warn(&what, why),
        }
    }
}

async fn database(f: &mut Findings, config: &Config) {
    let shown = match config.database.file() {
        Some(path) => path.display().to_string(),
        None => "PostgreSQL".to_owned(),
    };
    if let Some(path) = config.database.file() {
        // the first start makes the data directory, but no other
        let folder = path.parent().filter(|f| *f != config.server.data_dir);
        if let Some(folder) = folder.filter(|f| !f.as_os_str().is_empty() && !f.is_dir()) {
            let text = format!("{} is not there; make it, or change database.url", folder.display());
            return f.fail("database", &text);
        }
        if !path.exists() {
            return f.ok("database", &format!("{shown} is not there yet; the first start makes it"));
        }
    }
    let parts = match wire::open(config, false).await {
        Ok(parts) => parts,
        Err(error) => return f.fail("database", &format!("{error:#}")),
    };
    match &parts.database {
        // it would not have opened otherwise
        Database::Postgres(_) => f.ok("database", &format!("{shown} answers, and every commit waits for its disk")),
        Database::Sqlite(database) => match database.durability().await {
            Ok(d) if d.journal_mode == "wal" && d.synchronous == Durability::FULL => {
                f.ok("database", &format!("{shown} opens, WAL, every commit waits for the disk"));
            }
            Ok(d) => f.fail(
                "database",
                &format!(
                    "commits may be lost: journal_mode={} synchronous={}; move it to a local disk",
                    d.journal_mode, d.synchronous
                ),
            ),
            Err(error) => f.fail("database", &error.to_string()),
        },
    }
    match parts.database.migrations().await {
        Ok(all) => match all.iter().find(|m| !m.applied) {
            None => f.ok("schema", &format!("version {}", all.len())),
            Some(missing) => {
                f.warn("schema", &format!("migration {} is missing; the next start applies it", missing.version));
            }
        },
        Err(error) => f.fail("schema", &error.to_string()),
    }
    if let Err(error) = ledger(f, &parts).await {
        f.fail("ledger", &format!("cannot be read: {error:#}"));
    }
    match &parts.redis {
        None => {}
        Some(redis) => match redis.health().await {
            Ok(()) => f.ok("redis", "it answers"),
            Err(error) => f.warn("redis", &format!("{error}; the server goes on without it")),
        },
    }
    parts.database.close().await;
}

/// The end of the chain; `ledger verify` does the whole.
async fn ledger(f: &mut Findings, parts: &wire::Parts) -> Result<()> {
    let store = parts.database.ledger();
    let head = store.head().await?;
    let mut after = (head.seq - RECENT_ENTRIES).max(0);
    let mut prev = if after == 0 { Some(orrery_ledger::genesis()) } else { None };
    let mut checked = 0_u64;
    loop {
        let entries = store.entries(after, PAGE).await?;
        let Some(last) = entries.last() else { break };
        after = last.seq;
        for entry in &entries {
            if entry.hash != entry.digest() || prev.is_some_and(|p| p != entry.prev) {
                f.fail("ledger", &format!("entry {} does not continue the chain; run: ledger verify", entry.seq));
                return Ok(());
            }
            prev = Some(entry.hash);
            checked += 1;
        }
    }
    if prev.is_some_and(|p| p != head.hash) && after == head.seq {
        f.fail("ledger", "the journal does not end in its head; run: ledger verify");
        return Ok(());
    }
    f.ok("ledger", &format!("{} entries; the chain of the last {checked} holds (all of it: ledger verify)", head.seq));
    if head.at > parts.clock.now() {
        f.warn("clock", &format!("the last entry is from {}, later than now; was the clock set back?", head.at.iso()));
    }
    Ok(())
}

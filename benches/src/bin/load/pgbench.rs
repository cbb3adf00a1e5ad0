//! The peer on PostgreSQL: `pgbench`, one trade in each transaction, prepared statements.
//!
//! In two ways. *Single entry*: the documented tables (bittrade-server.md, "Database Schema"), a user's
//! balances in one row and a row for each transaction; it has no other side, so it cannot say whether money
//! appeared. *Double entry*: the same trade against the house's accounts, with an entry, its legs and the
//! key that makes it happen once. Neither has a hash chain, which is to their favour.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::ValueEnum;
use sqlx::{Connection, Executor, PgConnection};

use crate::LedgerArgs;
use crate::postgres::Scratch;
use crate::report::{Report, Span, Tally, Window};

/// What the peer keeps of a trade.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// The user's row and a transaction's.
    Single,
    /// Both sides, an entry with its legs, the key.
    Double,
}

const SINGLE_TABLES: &str = "
CREATE TABLE users (
    id bigint PRIMARY KEY, available_inr bigint NOT NULL, available_btc bigint NOT NULL,
    reserved_inr bigint NOT NULL DEFAULT 0, reserved_btc bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE transactions (
    id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id), type text NOT NULL,
    status text NOT NULL, btc_amount bigint NOT NULL, inr_amount bigint NOT NULL,
    execution_price bigint NOT NULL, executed_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON transactions (user_id, created_at);
CREATE INDEX ON transactions (type, status);";
const SINGLE_FILL: &str = "INSERT INTO users (id, available_inr, available_btc)
    SELECT n, 1000000000000, 1000000000000 FROM generate_series(1, $1) AS n";

/// Account 2n is user n's rupees, 2n + 1 its bitcoin; 0 and 1 are the house's.
const DOUBLE_TABLES: &str = "
CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
CREATE TABLE journal (
    seq bigserial PRIMARY KEY, kind smallint NOT NULL, user_id bigint NOT NULL, price bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now());
CREATE TABLE legs (
    seq bigint NOT NULL REFERENCES journal (seq), n smallint NOT NULL, from_account bigint NOT NULL,
    to_account bigint NOT NULL, amount bigint NOT NULL CHECK (amount > 0), PRIMARY KEY (seq, n));
CREATE TABLE idempotency (key text PRIMARY KEY, seq bigint NOT NULL);
CREATE INDEX ON journal (user_id, seq);";
const DOUBLE_FILL: &str = "INSERT INTO accounts (id, balance)
    SELECT n, 1000000000000 FROM generate_series(0, 2 * $1 + 1) AS n";

impl Way {
    fn label(self) -> &'static str {
        match self {
            Self::Single => "pgbench, single entry",
            Self::Double => "pgbench, double entry",
        }
    }

    /// Tables, and what fills them for `$1` users.
    fn schema(self) -> (&'static str, &'static str) {
        match self {
            Self::Single => (SINGLE_TABLES, SINGLE_FILL),
            Self::Double => (DOUBLE_TABLES, DOUBLE_FILL),
        }
    }

    /// A buy of one rupee, checked under the rows' locks, which are taken in one order.
    fn script(self, users: u32) -> String {
        match self {
            Self::Single => format!(
                "\\set user random(1, {users})
BEGIN;
SELECT available_inr, available_btc FROM users WHERE id = :user FOR UPDATE;
UPDATE users SET available_inr = available_inr - 1, available_btc = available_btc + 24, updated_at = now()
    WHERE id = :user AND available_inr >= 1;
INSERT INTO transactions (user_id, type, status, btc_amount, inr_amount, execution_price)
    VALUES (:user, 'MARKET_BUY', 'EXECUTED', 24, 1, 4095000);
COMMIT;
"
            ),
            Self::Double => format!(
                "\\set user random(1, {users})
\\set inr 2 * :user
\\set btc 2 * :user + 1
BEGIN;
SELECT id, balance FROM accounts WHERE id IN (:inr, :btc) ORDER BY id FOR UPDATE;
INSERT INTO journal (kind, user_id, price) VALUES (1, :user, 409500000) RETURNING seq \\gset
INSERT INTO legs VALUES (:seq, 0, :inr, 0, 100), (:seq, 1, 1, :btc, 24);
INSERT INTO idempotency VALUES ('trade-' || :seq, :seq);
UPDATE accounts SET balance = balance - 100 WHERE id = :inr;
UPDATE accounts SET balance = balance + 24 WHERE id = :btc;
UPDATE accounts SET balance = balance + 100 WHERE id = 0;
UPDATE accounts SET balance = balance - 24 WHERE id = 1;
COMMIT;
"
            ),
        }
    }
}

/// Debian keeps the program off the path.
fn program() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|v| v.path().join("bin/pgbench")).filter(|p| p.exists()).max();
    newest.unwrap_or_else(|| "pgbench".into())
}

/// Runs the program for `seconds`; its latencies are added when there is a tally.
fn drive(url: &str, folder: &Path, clients: u32, seconds: u64, tally: Option<&mut Tally>) -> anyhow::Result<()> {
    let program = program();
    let output = Command::new(&program)
        .current_dir(folder)
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--log", "--log-prefix=latency"])
        .args(["--file=trade.sql", &format!("--client={clients}"), &format!("--time={seconds}")])
        .arg(url)
        .output()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    if !output.status.success() {
        bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut latencies = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("latency")) {
            let text = std::fs::read_to_string(&path)?;
            for line in text.lines() {
                // client, number of its transaction, microseconds, script, and when
                let us = line.split(' ').nth(2).and_then(|f| f.parse().ok()).context("pgbench's log")?;
                latencies.push(us);
            }
            std::fs::remove_file(path)?;
        }
    }
    if let Some(tally) = tally {
        latencies.into_iter().for_each(|us| tally.took(us));
    }
    Ok(())
}

/// `load pgbench`.
pub(crate) async fn run(way: Way, server: &str, args: &LedgerArgs, span: Span) -> anyhow::Result<Report> {
    let scratch = Scratch::create(server).await?;
    let mut connection = PgConnection::connect(scratch.url()).await?;
    let (tables, fill) = way.schema();
    connection.execute(tables).await?;
    sqlx::query(fill).bind(i64::from(args.users)).execute(&mut connection).await?;
    connection.execute("VACUUM ANALYZE").await?;
    connection.close().await?;
    let folder = tempfile::Builder::new().prefix("orrery-load-").tempdir()?;
    std::fs::write(folder.path().join("trade.sql"), way.script(args.users))?;
    // blocks, and nothing else runs meanwhile
    if !span.warm_up.is_zero() {
        drive(scratch.url(), folder.path(), args.in_flight, span.warm_up.as_secs(), None)?;
    }
    let window = Window::open(Span { warm_up: std::time::Duration::ZERO, ..span });
    let mut tally = Tally::new(window)?;
    drive(scratch.url(), folder.path(), args.in_flight, span.measured.as_secs(), Some(&mut tally))?;
    let report = Report::of(way.label(), args.in_flight, window, vec![tally])?;
    scratch.remove().await?;
    Ok(report)
}

//! Between rows and what nodes of a fleet share. Many rows travel as one JSON list.

use std::time::Duration;

use orrery_kernel::{StoreError, Timestamp};
use orrery_storage::Lease;
use orrery_workers::fleet::{
    Beat, Grant, Intent, IntentState, LeaseSeen, NodeSeen, NodeTotals, Reason, RunRecord, Settled, SettledSeen, Totals,
};
use orrery_workers::kv::{Entry, Key, Versionstamp};
use orrery_workers::logs::{Line, LogSize, Numbered};
use orrery_workers::script::Level;
use serde_json::{Value, json};

use crate::{Columns, corrupt};

/// Which writes take turns, where several processes write at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Those of leases.
    Leases,
    /// Those of logs.
    Logs,
    /// Those of whatever has this name.
    Of(String),
}

/// A span in microseconds.
pub fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 4)
}

/// Text that both databases take: PostgreSQL has no zero character.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A list of texts, without repetitions.
pub fn texts(list: &[String]) -> String {
    let list: std::collections::BTreeSet<&String> = list.iter().collect();
    json!(list).to_string()
}

/// Leases as a list of records.
pub fn leases(list: &[(String, i64)]) -> String {
    let record = |(sid, epoch): &(String, i64)| json!({ "sid": sid, "epoch": epoch });
    Value::Array(list.iter().map(record).collect()).to_string()
}

/// Of several records of the same thing, the last.
fn last<'a, T, K: Ord>(list: &'a [T], key: impl Fn(&'a T) -> K) -> impl Iterator<Item = &'a T> {
    let map: std::collections::BTreeMap<K, &'a T> = list.iter().map(|item| (key(item), item)).collect();
    map.into_values()
}

/// Runs as a list of records.
pub fn runs(list: &[RunRecord]) -> String {
    let record = |run: &RunRecord| {
        json!({
            "id": run.id, "sid": run.sid, "version": run.version, "node": run.node, "epoch": run.epoch,
            "started": run.started_at.micros(), "ended": run.ended_at.map(Timestamp::micros),
            "outcome": run.outcome, "error": run.error.as_deref().map(plain), "calls": run.calls, "cpu": run.cpu_ms,
        })
    };
    Value::Array(last(list, |run| &run.id).map(record).collect()).to_string()
}

/// Totals as a list of records.
pub fn totals_text(list: &[Totals]) -> String {
    let record = |t: &Totals| {
        json!({
            "sid": t.sid, "node": t.node, "executions": t.executions, "errors": t.errors,
            "network_errors": t.network_errors, "consecutive": t.consecutive, "running": i64::from(t.running),
            "started": t.started_at.micros(), "last_run": t.last_run.map(Timestamp::micros),
            "last_error": t.last_error.as_deref().map(plain), "last_network": i64::from(t.last_network),
        })
    };
    Value::Array(last(list, |t| (&t.sid, &t.node)).map(record).collect()).to_string()
}

/// Lines of log with their generations, as a list of records.
pub fn lines(list: &[(i64, &Line)]) -> String {
    let record = |(generation, line): &(i64, &Line)| {
        json!({
            "sid": line.sid, "generation": generation, "at": line.at.micros(), "level": line.level.name(),
            "text": plain(&line.text),
        })
    };
    Value::Array(list.iter().map(record).collect()).to_string()
}

fn small(row: &dyn Columns, i: usize) -> Result<u32, StoreError> {
    u32::try_from(row.count(i)?).map_err(|e| corrupt(row.name(), format!("column {i}: {e}")))
}

fn flag(row: &dyn Columns, i: usize) -> Result<bool, StoreError> {
    row.get::<i64>(i).map(|n| n != 0)
}

fn maybe_time(row: &dyn Columns, i: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.get::<Option<i64>>(i)?.map(Timestamp::from_micros))
}

/// A node, of seven columns.
pub fn node(row: &dyn Columns) -> Result<NodeSeen, StoreError> {
    let beat = Beat {
        holder: row.get(0)?,
        node: row.get(1)?,
        version: row.get(2)?,
        capacity: small(row, 3)?,
        running: small(row, 4)?,
        draining: flag(row, 5)?,
    };
    // the clock may have been set back since
    let ago = Duration::from_micros(u64::try_from(row.get::<i64>(6)?).unwrap_or(0));
    Ok(NodeSeen { beat, ago })
}

/// A lease that was had, of three columns.
pub fn grant(row: &dyn Columns) -> Result<Grant, StoreError> {
    Ok(Grant { sid: row.get(0)?, epoch: row.get(1)?, clean: flag(row, 2)? })
}

/// Workers and numbers, of one column that is a JSON list of pairs.
pub fn pairs(row: &dyn Columns) -> Result<Vec<(String, i64)>, StoreError> {
    let text: String = row.get(0)?;
    let mut pairs: Vec<(String, i64)> =
        serde_json::from_str(&text).map_err(|error| corrupt("a list of workers", error))?;
    pairs.sort_unstable();
    Ok(pairs)
}

/// A worker's lease, of six columns.
pub fn lease(row: &dyn Columns, sid: &str) -> Result<LeaseSeen, StoreError> {
    Ok(LeaseSeen {
        lease: Lease { key: sid.to_owned(), holder: row.get(0)?, epoch: row.get(1)? },
        acquired_at: row.time(2)?,
        renewed_at: row.time(3)?,
        expires_at: row.time(4)?,
        now: row.time(5)?,
    })
}

/// A run, of eleven columns.
pub fn run(row: &dyn Columns) -> Result<RunRecord, StoreError> {
    Ok(RunRecord {
        id: row.get(0)?,
        sid: row.get(1)?,
        version: row.get(2)?,
        node: row.get(3)?,
        epoch: row.get(4)?,
        started_at: row.time(5)?,
        ended_at: maybe_time(row, 6)?,
        outcome: row.get(7)?,
        error: row.get(8)?,
        calls: row.get(9)?,
        cpu_ms: row.get(10)?,
    })
}

/// What a node counted, of eleven columns.
pub fn totals(row: &dyn Columns) -> Result<Totals, StoreError> {
    Ok(Totals {
        sid: row.get(0)?,
        node: row.get(1)?,
        executions: row.get(2)?,
        errors: row.get(3)?,
        network_errors: row.get(4)?,
        consecutive: row.get(5)?,
        running: flag(row, 6)?,
        started_at: row.time(7)?,
        last_run: maybe_time(row, 8)?,
        last_error: row.get(9)?,
        last_network: flag(row, 10)?,
    })
}

/// How far an order came, in column `i`.
pub fn state(row: &dyn Columns, i: usize) -> Result<IntentState, StoreError> {
    let name: &str = row.get(i)?;
    IntentState::parse(name).ok_or_else(|| corrupt("order_intents.state", name))
}

/// An intent, of nine columns.
pub fn intent(row: &dyn Columns) -> Result<Intent, StoreError> {
    Ok(Intent {
        client_order_id: row.get(0)?,
        sid: row.get(1)?,
        epoch: row.get(2)?,
        venue: row.get(3)?,
        account: row.get(4)?,
        body: row.get(5)?,
        state: state(row, 6)?,
        order_id: row.get(7)?,
        at: row.time(8)?,
    })
}

/// A line of a log, of five columns.
pub fn line(row: &dyn Columns) -> Result<Numbered, StoreError> {
    let level: &str = row.get(3)?;
    let level = Level::parse(level).ok_or_else(|| corrupt("worker_logs.level", level))?;
    Ok(Numbered { id: row.get(0)?, line: Line { sid: row.get(1)?, at: row.time(2)?, level, text: row.get(4)? } })
}

/// How much log there is, of the first three columns.
pub fn log_size(row: &dyn Columns) -> Result<LogSize, StoreError> {
    Ok(LogSize { bytes: row.count(0)?, lines: row.count(1)?, modified: maybe_time(row, 2)? })
}

/// What was settled, of six columns.
pub fn settled(row: &dyn Columns) -> Result<SettledSeen, StoreError> {
    let reason: &str = row.get(3)?;
    let reason = Reason::parse(reason).ok_or_else(|| corrupt("worker_settled.reason", reason))?;
    let node: String = row.get(1)?;
    let node = (!node.is_empty()).then_some(node);
    let settled = Settled { sid: row.get(0)?, node, version: row.get(2)?, reason };
    Ok(SettledSeen { settled, at: row.time(4)?, owner: row.get(5)? })
}

/// What a node counted of all workers, of five columns.
pub fn node_totals(row: &dyn Columns) -> Result<NodeTotals, StoreError> {
    Ok(NodeTotals {
        node: row.get(0)?,
        executions: row.get(1)?,
        errors: row.get(2)?,
        network_errors: row.get(3)?,
        running: row.get(4)?,
    })
}

/// An entry of the scripts' store, of three columns.
pub fn entry(row: &dyn Columns) -> Result<Entry, StoreError> {
    let key = Key::from_bytes(row.get(0)?).map_err(|e| corrupt("kv.key", e))?;
    Ok(Entry { key, value: row.get(1)?, stamp: Versionstamp(row.get(2)?) })
}

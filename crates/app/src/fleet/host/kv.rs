//! `Stels.net` and `Stels.local`.

use std::time::Duration;

use orrery_workers::kv::{
    COMMIT_MAX, Commit, Committed, Entry, Key, Mutation, Range, Space, VALUE_BYTES_MAX, Versionstamp,
};
use orrery_workers::script::HostError;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::parts::{self, Written};
use super::{Result, WorkerHost, lost, read, type_error, unavailable};

/// Entries of a page of a listing: their values may be 64 kB each, and an answer 8 MiB.
const PAGE_MAX: u32 = 100;
/// Keys that one call watches.
const WATCHED_MAX: usize = 100;
/// Longest time that a value is kept if it is not for ever, in milliseconds: 100 years.
const EXPIRE_MAX: f64 = 3.2e12;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SetOptions {
    expire_in: Option<f64>,
}

#[derive(Deserialize)]
struct Selector {
    #[serde(default)]
    prefix: Vec<Written>,
    start: Option<Vec<Written>>,
    end: Option<Vec<Written>>,
    #[serde(default)]
    reverse: bool,
    limit: Option<f64>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(default)]
    checks: Vec<Check>,
    #[serde(borrow)]
    mutations: Vec<Change<'a>>,
}

#[derive(Deserialize)]
struct Check {
    key: Vec<Written>,
    versionstamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    #[serde(rename = "type")]
    kind: String,
    key: Vec<Written>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    expire_in: Option<f64>,
}

fn expiry(ms: Option<f64>) -> Result<Option<Duration>> {
    let bad = || HostError::new("RangeError", "expireIn takes milliseconds, more than 0");
    match ms {
        None => Ok(None),
        Some(ms) if ms > 0.0 => Ok(Some(Duration::from_secs_f64(ms.min(EXPIRE_MAX) / 1e3))),
        Some(_) => Err(bad()),
    }
}

/// A mutation that sets a value.
pub(super) fn set(key: Key, value: &str, expire_in: Option<f64>) -> Result<Mutation> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(type_error(format!("a value has at most {VALUE_BYTES_MAX} bytes as JSON, not {}", value.len())));
    }
    Ok(Mutation::Set { key, value: value.to_owned(), expire_in: expiry(expire_in)? })
}

fn stamp(text: Option<&str>) -> Result<Option<Versionstamp>> {
    let bad = |text: &str| type_error(format!("{text:?} is no versionstamp"));
    text.map(|text| Versionstamp::parse(text).ok_or_else(|| bad(text))).transpose()
}

/// An entry, or its absence, as JSON. The value's text is the script's own: the order of its members stays.
fn shown(key: &Key, entry: Option<&Entry>) -> Result<String> {
    let value = entry.map_or("null", |entry| entry.value.as_str());
    let stamp = json!(entry.map(|entry| entry.stamp.to_string()));
    Ok(format!(r#"{{"key":{},"value":{value},"versionstamp":{stamp}}}"#, parts::shown(key)?))
}

impl Selector {
    /// What is listed, from where the last page ended.
    fn range(&self) -> Result<Range> {
        let limit = self.limit.unwrap_or(f64::from(PAGE_MAX)).clamp(1.0, f64::from(PAGE_MAX)) as u32;
        let prefix = Key::prefix(&parts::parts(&self.prefix)?).map_err(parts::bad)?;
        let mut range = Range { reverse: self.reverse, ..Range::of(&prefix, limit) };
        if let Some(start) = &self.start {
            range.start = parts::key(start)?.as_bytes().to_vec().max(range.start);
        }
        if let Some(end) = &self.end {
            range.end = parts::key(end)?.as_bytes().to_vec().min(range.end);
        }
        if let Some(cursor) = &self.cursor {
            let last = hex::decode(cursor).map_err(|_| type_error("the cursor is none of a listing"))?;
            if self.reverse {
                range.end = last.min(range.end);
            } else {
                // the first bytes after that key
                range.start = [last, vec![0]].concat().max(range.start);
            }
        }
        Ok(range)
    }
}

impl WorkerHost {
    /// The owner's keys, on the network or on this node.
    pub(super) fn space(&self, net: bool) -> Space {
        let running = &self.running;
        if net { Space::net(&running.owner) } else { Space::local(&running.node, &running.owner) }
    }

    pub(super) async fn keep(&self, net: bool, act: &str, arguments: &str) -> Result<String> {
        let space = self.space(net);
        match act {
            "get" => {
                let (key,): (Vec<Written>,) = read("get", arguments)?;
                let key = parts::key(&key)?;
                shown(&key, self.entries(&space, std::slice::from_ref(&key)).await?.first().and_then(Option::as_ref))
            }
            "set" => Ok(self.set(net, &space, arguments).await?.to_string()),
            "delete" => {
                let (key,): (Vec<Written>,) = read("delete", arguments)?;
                self.commit(net, &space, Vec::new(), vec![Mutation::Delete(parts::key(&key)?)]).await?;
                Ok("null".into())
            }
            "list" => self.list(&space, arguments).await,
            "commit" => Ok(self.batch(net, &space, arguments).await?.to_string()),
            "watch" => self.watch(&space, arguments).await,
            _ => Err(HostError::new("NotSupported", format!("the store has no {act:?}"))),
        }
    }

    pub(super) async fn entries(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        self.shared.ports.kv.get(space, keys).await.map_err(|error| unavailable(&error))
    }

    /// Makes changes while the run may; `None`: a key is of another commit by now.
    pub(super) async fn commit(
        &self,
        net: bool,
        space: &Space,
        checks: Vec<(Key, Option<Versionstamp>)>,
        mutations: Vec<Mutation>,
    ) -> Result<Option<Versionstamp>> {
        if checks.len() + mutations.len() > COMMIT_MAX {
            return Err(type_error(format!("a commit has at most {COMMIT_MAX} checks and changes")));
        }
        let (fence, quota) = (self.running.right.fence.clone(), self.shared.settings.quota);
        let commit = Commit { checks, mutations, fence, quota };
        match self.shared.ports.kv.commit(space, &commit).await.map_err(|error| unavailable(&error))? {
            Committed::Done(stamp) => {
                self.shared.changes.tell(space, net).await;
                Ok(Some(stamp))
            }
            Committed::Conflict => Ok(None),
            Committed::Fenced => Err(lost(&self.running)),
            Committed::Full => {
                let text = format!("the store is full: an owner has {} keys and {} bytes", quota.keys, quota.bytes);
                Err(HostError::new("QuotaExceeded", text))
            }
        }
    }

    async fn set(&self, net: bool, space: &Space, arguments: &str) -> Result<Value> {
        let mut given: Vec<&RawValue> = read("set", arguments)?;
        if given.len() < 2 {
            return Err(type_error("set takes a key and a value"));
        }
        given.truncate(3);
        let options: SetOptions = match given.get(2) {
            Some(options) => read("set", options.get())?,
            None => SetOptions::default(),
        };
        let (key, value) =
            (given.first().map_or("", |key| key.get()), given.get(1).map_or("null", |value| value.get()));
        let key = parts::key(&read::<Vec<Written>>("set", key)?)?;
        let done = self.commit(net, space, Vec::new(), vec![set(key, value, options.expire_in)?]).await?;
        Ok(json!({ "ok": true, "versionstamp": done.map(|stamp| stamp.to_string()) }))
    }

    async fn batch(&self, net: bool, space: &Space, arguments: &str) -> Result<Value> {
        let (batch,): (Batch<'_>,) = read("commit", arguments)?;
        let check = |check: &Check| Ok((parts::key(&check.key)?, stamp(check.versionstamp.as_deref())?));
        let change = |change: &Change<'_>| {
            let key = parts::key(&change.key)?;
            match change.kind.as_str() {
                "set" => set(key, change.value.map_or("null", RawValue::get), change.expire_in),
                "delete" => Ok(Mutation::Delete(key)),
                other => Err(type_error(format!("a change is of type set or delete, not {other:?}"))),
            }
        };
        let checks = batch.checks.iter().map(check).collect::<Result<_>>()?;
        let changes = batch.mutations.iter().map(change).collect::<Result<_>>()?;
        Ok(match self.commit(net, space, checks, changes).await? {
            Some(stamp) => json!({ "ok": true, "versionstamp": stamp.to_string() }),
            None => json!({ "ok": false }),
        })
    }

    async fn list(&self, space: &Space, arguments: &str) -> Result<String> {
        let (selector,): (Selector,) = read("list", arguments)?;
        let range = selector.range()?;
        let found = self.shared.ports.kv.list(space, &range).await.map_err(|error| unavailable(&error))?;
        let entries = found.iter().map(|entry| shown(&entry.key, Some(entry))).collect::<Result<Vec<_>>>()?;
        // there may be more after a full page
        let last = found.last().filter(|_| found.len() == range.limit as usize);
        let cursor = json!(last.map(|entry| hex::encode(entry.key.as_bytes())));
        Ok(format!(r#"{{"entries":[{}],"cursor":{cursor}}}"#, entries.join(",")))
    }

    /// Waits until one of the keys is of another commit than was seen.
    async fn watch(&self, space: &Space, arguments: &str) -> Result<String> {
        let (keys, seen): (Vec<Vec<Written>>, Vec<Option<String>>) = read("watch", arguments)?;
        if keys.is_empty() || keys.len() > WATCHED_MAX {
            return Err(type_error(format!("1 to {WATCHED_MAX} keys are watched at once")));
        }
        let keys = keys.iter().map(|key| parts::key(key)).collect::<Result<Vec<_>>>()?;
        let seen = seen.iter().map(|text| stamp(text.as_deref())).collect::<Result<Vec<_>>>()?;
        let mut changed = self.shared.changes.of(space);
        loop {
            changed.mark_unchanged();
            let now = self.entries(space, &keys).await?;
            let stamps = now.iter().map(|entry| entry.as_ref().map(|entry| entry.stamp));
            if stamps.ne(seen.iter().copied()) {
                let shown = keys.iter().zip(&now).map(|(key, entry)| shown(key, entry.as_ref()));
                return Ok(format!("[{}]", shown.collect::<Result<Vec<_>>>()?.join(",")));
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep(self.shared.settings.watch_period) => {}
            }
            self.gate()?;
        }
    }
}

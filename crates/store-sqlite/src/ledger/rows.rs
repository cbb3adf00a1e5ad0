//! Between rows (and the JSON lists that carry them) and the ledger's types.

use orrery_kernel::{SnapshotId, StoreError, Timestamp};
use orrery_ledger::{
    Account, Actor, Batch, Entry, Head, IdemKey, IdemRow, Kind, Leg, NewSnapshot, Outcome, Posted, Recorded, Size,
    Snapshot, users_of,
};
use serde::Serialize;

use crate::call::Fields;
use crate::error::corrupt;

fn json<T: Serialize>(rows: &T) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|e| corrupt("list", e))
}

fn hash_of(hex_text: &str, what: &'static str) -> Result<[u8; 32], StoreError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(hex_text, &mut bytes).map_err(|e| corrupt(what, e))?;
    Ok(bytes)
}

pub(super) fn account(code: &str, what: &'static str) -> Result<Account, StoreError> {
    Account::parse(code).ok_or_else(|| corrupt(what, format!("{code:?} is no account")))
}

fn actor(code: &str, what: &'static str) -> Result<Actor, StoreError> {
    Actor::parse(code).ok_or_else(|| corrupt(what, format!("{code:?} is no actor")))
}

fn outcome(bytes: &[u8]) -> Result<Outcome, StoreError> {
    Outcome::from_bytes(bytes).ok_or_else(|| corrupt("idempotency.outcome", "not an outcome"))
}

fn key(text: &str, what: &'static str) -> Result<IdemKey, StoreError> {
    IdemKey::new(text).map_err(|e| corrupt(what, e))
}

/// The head of an empty journal.
pub(super) fn genesis() -> Head {
    Head { seq: 0, hash: orrery_ledger::genesis(), at: Timestamp::default() }
}

// what goes in

/// `[[actor, key], …]`
pub(super) fn keys_json<'k>(keys: impl Iterator<Item = &'k (Actor, IdemKey)>) -> Result<String, StoreError> {
    json(&keys.map(|(actor, key)| (actor.code(), key.as_str())).collect::<Vec<_>>())
}

/// `[code, …]`
pub(super) fn codes_json<'a>(accounts: impl Iterator<Item = &'a Account>) -> Result<String, StoreError> {
    json(&accounts.map(Account::code).collect::<Vec<_>>())
}

/// The lists that a batch becomes, one a table.
pub(super) struct Lists {
    pub journal: String,
    pub legs: String,
    pub legs_count: u64,
    pub balances: String,
    pub outcomes: String,
    pub statement: String,
    pub statement_count: u64,
}

impl Lists {
    pub(super) fn of(batch: &Batch) -> Result<Self, StoreError> {
        let journal: Vec<_> = batch.entries.iter().map(journal_row).collect();
        let legs: Vec<_> = batch.entries.iter().flat_map(leg_rows).collect();
        let statement: Vec<_> = batch.entries.iter().flat_map(statement_rows).collect();
        let balances: Vec<_> = batch
            .balances
            .iter()
            .map(|(a, balance)| (a.code(), a.owner.code(), a.asset.code(), a.bucket.name(), *balance))
            .collect();
        let outcomes: Vec<_> = batch
            .idem
            .iter()
            .map(|row| {
                let (fingerprint, outcome) = (row.recorded.fingerprint, row.recorded.outcome.to_bytes());
                (row.actor.code(), row.key.as_str(), hex::encode(fingerprint), hex::encode(outcome))
            })
            .collect();
        Ok(Self {
            journal: json(&journal)?,
            legs_count: legs.len() as u64,
            legs: json(&legs)?,
            balances: json(&balances)?,
            outcomes: json(&outcomes)?,
            statement_count: statement.len() as u64,
            statement: json(&statement)?,
        })
    }
}

type JournalRow<'e> =
    (i64, i64, String, &'e str, Option<i64>, Option<i64>, Option<i64>, Option<i64>, i64, String, String);

fn journal_row(e: &Entry) -> JournalRow<'_> {
    let (inr, btc) = match e.size {
        Some(Size::Inr(paise)) => (Some(paise), None),
        Some(Size::Btc(sat)) => (None, Some(sat)),
        None => (None, None),
    };
    (
        e.seq,
        i64::from(e.kind as u8),
        e.actor.code(),
        e.key.as_str(),
        e.snapshot.map(|s| s.0),
        inr,
        btc,
        e.refs,
        e.at.micros(),
        hex::encode(e.prev),
        hex::encode(e.hash),
    )
}

fn leg_rows(e: &Entry) -> impl Iterator<Item = (i64, usize, String, String, i64, i64, i64)> {
    let row = |(n, l): (usize, &Leg)| (e.seq, n, l.from.code(), l.to.code(), l.amount, l.from_after, l.to_after);
    e.legs.iter().enumerate().map(row)
}

fn statement_rows(e: &Entry) -> impl Iterator<Item = (i64, i64)> {
    users_of(e).into_iter().map(|user| (user.0, e.seq))
}

// what comes out

/// `[[code, balance], …]`
pub(super) fn balances(list: &str) -> Result<Vec<(Account, i64)>, StoreError> {
    let rows: Vec<(&str, i64)> = serde_json::from_str(list).map_err(|e| corrupt("accounts", e))?;
    rows.into_iter().map(|(code, balance)| Ok((account(code, "accounts.code")?, balance))).collect()
}

/// `[seq, hash, time]`; null for an empty journal.
pub(super) fn head(list: Option<&str>) -> Result<Head, StoreError> {
    let Some(list) = list else { return Ok(genesis()) };
    let (seq, hash, at): (i64, &str, i64) = serde_json::from_str(list).map_err(|e| corrupt("journal", e))?;
    Ok(Head { seq, hash: hash_of(hash, "journal.hash")?, at: Timestamp::from_micros(at) })
}

/// `[[actor, key, fingerprint, outcome], …]`
pub(super) fn outcomes(list: &str) -> Result<Vec<IdemRow>, StoreError> {
    let rows: Vec<(String, String, String, String)> =
        serde_json::from_str(list).map_err(|e| corrupt("idempotency", e))?;
    rows.into_iter()
        .map(|(who, text, fingerprint, stored)| {
            let fingerprint = hash_of(&fingerprint, "idempotency.fingerprint")?;
            let stored = hex::decode(stored).map_err(|e| corrupt("idempotency.outcome", e))?;
            Ok(IdemRow {
                actor: actor(&who, "idempotency.actor")?,
                key: key(&text, "idempotency.key")?,
                recorded: Recorded { fingerprint, outcome: outcome(&stored)? },
            })
        })
        .collect()
}

/// `[[id, source, …], …]`
pub(super) fn snapshots(list: &str) -> Result<Vec<Snapshot>, StoreError> {
    type Row = (i64, String, i64, i64, i64, i64, i64, i64, i64);
    let rows: Vec<Row> = serde_json::from_str(list).map_err(|e| corrupt("snapshots", e))?;
    let snapshot = |(id, source, btc_usd_cents, buy_mult_e4, sell_mult_e4, buy_rate, sell_rate, seen, stored): Row| {
        let (observed_at, received_at) = (Timestamp::from_micros(seen), Timestamp::from_micros(stored));
        let price = NewSnapshot {
            source,
            btc_usd_cents,
            buy_mult_e4,
            sell_mult_e4,
            buy_rate,
            sell_rate,
            observed_at,
            received_at,
        };
        Snapshot { id: SnapshotId(id), price }
    };
    Ok(rows.into_iter().map(snapshot).collect())
}

/// Nine columns from `at`.
pub(super) fn snapshot(row: &Fields, at: usize) -> Result<Snapshot, StoreError> {
    Ok(Snapshot {
        id: SnapshotId(row.get(at)?),
        price: NewSnapshot {
            source: row.get(at + 1)?,
            btc_usd_cents: row.get(at + 2)?,
            buy_mult_e4: row.get(at + 3)?,
            sell_mult_e4: row.get(at + 4)?,
            buy_rate: row.get(at + 5)?,
            sell_rate: row.get(at + 6)?,
            observed_at: row.time(at + 7)?,
            received_at: row.time(at + 8)?,
        },
    })
}

/// The four columns of a remembered outcome.
pub(super) fn recorded(row: &Fields) -> Result<IdemRow, StoreError> {
    Ok(IdemRow {
        actor: actor(row.get(0)?, "idempotency.actor")?,
        key: key(row.get(1)?, "idempotency.key")?,
        recorded: Recorded { fingerprint: row.hash(2)?, outcome: outcome(row.get(3)?)? },
    })
}

/// The 22 columns of an entry with what belongs to it.
pub(super) fn posted(row: &Fields) -> Result<Posted, StoreError> {
    let number: i64 = row.get(1)?;
    let price: Option<i64> = row.get(4)?;
    let size = match (row.get::<Option<i64>>(5)?, row.get::<Option<i64>>(6)?) {
        (None, None) => None,
        (Some(paise), None) => Some(Size::Inr(paise)),
        (None, Some(sat)) => Some(Size::Btc(sat)),
        (Some(_), Some(_)) => return Err(corrupt("journal.size", "two sizes")),
    };
    let entry = Entry {
        seq: row.get(0)?,
        kind: u8::try_from(number).ok().and_then(Kind::from_number).ok_or_else(|| corrupt("journal.kind", number))?,
        actor: actor(row.get(2)?, "journal.actor")?,
        key: key(row.get(3)?, "journal.idem_key")?,
        snapshot: price.map(SnapshotId),
        size,
        refs: row.get(7)?,
        legs: legs(row.get(11)?)?,
        at: row.time(8)?,
        prev: row.hash(9)?,
        hash: row.hash(10)?,
    };
    let snapshot = match (price, row.get::<Option<i64>>(13)?) {
        (Some(id), None) => return Err(corrupt("journal.snapshot_id", format!("there is no snapshot {id}"))),
        (Some(_), Some(_)) => Some(snapshot(row, 13)?),
        (None, _) => None,
    };
    Ok(Posted { entry, reversed_by: row.get(12)?, snapshot })
}

fn legs(list: &str) -> Result<Vec<Leg>, StoreError> {
    let rows: Vec<(&str, &str, i64, i64, i64)> = serde_json::from_str(list).map_err(|e| corrupt("legs", e))?;
    let leg = |(from, to, amount, from_after, to_after)| {
        let (from, to) = (account(from, "legs.from_account")?, account(to, "legs.to_account")?);
        Ok(Leg { from, to, amount, from_after, to_after })
    };
    rows.into_iter().map(leg).collect()
}

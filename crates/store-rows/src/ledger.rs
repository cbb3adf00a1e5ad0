//! Between rows (and the JSON lists that carry them) and the ledger's types.

use orrery_kernel::{Asset, SnapshotId, StoreError, Timestamp, UserId};
use orrery_ledger::{
    Account, Actor, Batch, Entry, Head, Hold, HoldStatus, IdemKey, IdemRow, Kind, Leg, Loan, NewSnapshot, Order,
    OrderStatus, Outcome, Posted, Recorded, Side, Size, Snapshot, Terms, shown_to,
};
use serde::Serialize;

use crate::{Columns, corrupt};

fn json<T: Serialize>(rows: &T) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|e| corrupt("list", e))
}

fn hash_of(hex_text: &str, what: &'static str) -> Result<[u8; 32], StoreError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(hex_text, &mut bytes).map_err(|e| corrupt(what, e))?;
    Ok(bytes)
}

pub fn account(code: &str, what: &'static str) -> Result<Account, StoreError> {
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
pub fn genesis() -> Head {
    Head { seq: 0, hash: orrery_ledger::genesis(), at: Timestamp::default() }
}

// what goes in

/// `[[actor, key], …]`
pub fn keys_json<'k>(keys: impl Iterator<Item = &'k (Actor, IdemKey)>) -> Result<String, StoreError> {
    json(&keys.map(|(actor, key)| (actor.code(), key.as_str())).collect::<Vec<_>>())
}

/// `[code, …]`
pub fn codes_json<'a>(accounts: impl Iterator<Item = &'a Account>) -> Result<String, StoreError> {
    json(&accounts.map(Account::code).collect::<Vec<_>>())
}

/// The lists that a batch becomes, one a table.
pub struct Lists {
    pub journal: String,
    pub legs: String,
    pub legs_count: u64,
    pub balances: String,
    pub outcomes: String,
    pub statement: String,
    pub statement_count: u64,
    pub deals: Deals,
}

/// The lists of orders, holds and loans that a batch changes.
pub struct Deals {
    pub orders: String,
    pub holds: String,
    pub loans: String,
    pub loans_count: u64,
    pub loans_over: String,
}

impl Lists {
    pub fn of(batch: &Batch) -> Result<Self, StoreError> {
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
            deals: Deals::of(batch)?,
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

impl Deals {
    /// The lists of a batch.
    pub fn of(batch: &Batch) -> Result<Self, StoreError> {
        let (orders, holds): (Vec<_>, Vec<_>) =
            (batch.orders.values().map(order_row).collect(), batch.holds.values().map(hold_row).collect());
        let loans: Vec<_> = batch.loans.values().flatten().map(loan_row).collect();
        let over: Vec<_> = batch.loans.iter().filter(|(_, loan)| loan.is_none()).map(|(user, _)| user.0).collect();
        Ok(Self {
            orders: json(&orders)?,
            holds: json(&holds)?,
            loans_count: loans.len() as u64,
            loans: json(&loans)?,
            loans_over: json(&over)?,
        })
    }
}

/// Thirteen columns.
type JournalRow<'e> = (
    i64,
    i64,
    String,
    &'e str,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
    String,
    String,
    Option<i64>,
    Option<i64>,
);

/// The two columns of a size: paise, satoshis.
fn size_columns(size: Option<Size>) -> (Option<i64>, Option<i64>) {
    match size {
        Some(Size::Inr(paise)) => (Some(paise), None),
        Some(Size::Btc(sat)) => (None, Some(sat)),
        None => (None, None),
    }
}

fn size_of(columns: (Option<i64>, Option<i64>)) -> Result<Option<Size>, StoreError> {
    match columns {
        (None, None) => Ok(None),
        (Some(paise), None) => Ok(Some(Size::Inr(paise))),
        (None, Some(sat)) => Ok(Some(Size::Btc(sat))),
        (Some(_), Some(_)) => Err(corrupt("size", "two sizes")),
    }
}

type OrderRow = (i64, i64, i64, Option<i64>, Option<i64>, i64, i64, Option<i64>, i64, Option<i64>, i64, i64, i64);

fn order_row(o: &Order) -> OrderRow {
    let (inr, btc) = size_columns(Some(o.size));
    let (side, status) = (if o.side == Side::Buy { 1 } else { 2 }, i64::from(o.status as u8));
    let (expires, closed) = (o.expires_at.map(Timestamp::micros), o.closed_at.map(Timestamp::micros));
    (o.id, o.user.0, side, inr, btc, o.limit, o.reserved, expires, status, closed, o.inr, o.btc, o.rate)
}

type HoldRow<T> = (i64, i64, T, i64, i64, Option<i64>, i64, Option<i64>);

fn hold_row(h: &Hold) -> HoldRow<&'static str> {
    let (expires, closed) = (h.expires_at.map(Timestamp::micros), h.closed_at.map(Timestamp::micros));
    (h.id, h.user.0, h.asset.code(), h.amount, h.paid, expires, i64::from(h.status as u8), closed)
}

type LoanRow = (i64, i64, i64, i64, i64);

fn loan_row(l: &Loan) -> LoanRow {
    (l.user.0, l.opened, l.rate_bps, l.accrued_to.micros(), l.carry)
}

fn journal_row(e: &Entry) -> JournalRow<'_> {
    let (inr, btc) = size_columns(e.size);
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
        e.terms.map(|t| t.rate),
        e.terms.and_then(|t| t.until).map(Timestamp::micros),
    )
}

fn leg_rows(e: &Entry) -> impl Iterator<Item = (i64, usize, String, String, i64, i64, i64)> {
    let row = |(n, l): (usize, &Leg)| (e.seq, n, l.from.code(), l.to.code(), l.amount, l.from_after, l.to_after);
    e.legs.iter().enumerate().map(row)
}

fn statement_rows(e: &Entry) -> impl Iterator<Item = (i64, i64)> {
    shown_to(e).into_iter().map(|user| (user.0, e.seq))
}

// what comes out

/// `[[code, balance], …]`
pub fn balances(list: &str) -> Result<Vec<(Account, i64)>, StoreError> {
    let rows: Vec<(&str, i64)> = serde_json::from_str(list).map_err(|e| corrupt("accounts", e))?;
    rows.into_iter().map(|(code, balance)| Ok((account(code, "accounts.code")?, balance))).collect()
}

/// `[seq, hash, time]`; null for an empty journal.
pub fn head(list: Option<&str>) -> Result<Head, StoreError> {
    let Some(list) = list else { return Ok(genesis()) };
    let (seq, hash, at): (i64, &str, i64) = serde_json::from_str(list).map_err(|e| corrupt("journal", e))?;
    Ok(Head { seq, hash: hash_of(hash, "journal.hash")?, at: Timestamp::from_micros(at) })
}

/// `[[actor, key, fingerprint, outcome], …]`
pub fn outcomes(list: &str) -> Result<Vec<IdemRow>, StoreError> {
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
pub fn snapshots(list: &str) -> Result<Vec<Snapshot>, StoreError> {
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
pub fn snapshot(row: &dyn Columns, at: usize) -> Result<Snapshot, StoreError> {
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
pub fn recorded(row: &dyn Columns) -> Result<IdemRow, StoreError> {
    Ok(IdemRow {
        actor: actor(row.get(0)?, "idempotency.actor")?,
        key: key(row.get(1)?, "idempotency.key")?,
        recorded: Recorded { fingerprint: row.hash(2)?, outcome: outcome(row.get(3)?)? },
    })
}

fn parsed<'j, T: serde::Deserialize<'j>>(list: &'j str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(list).map_err(|e| corrupt(what, e))
}

/// An order from its JSON array.
pub fn order(list: &str) -> Result<Order, StoreError> {
    order_of(parsed(list, "orders")?)
}

/// Orders from an array of JSON arrays.
pub fn orders(list: &str) -> Result<Vec<Order>, StoreError> {
    parsed::<Vec<OrderRow>>(list, "orders")?.into_iter().map(order_of).collect()
}

fn order_of(row: OrderRow) -> Result<Order, StoreError> {
    let (id, user, side, size_inr, size_btc, limit, reserved, expires_at, status, closed_at, inr, btc, rate) = row;
    let status = u8::try_from(status).ok().and_then(OrderStatus::from_number);
    Ok(Order {
        id,
        user: UserId(user),
        side: match side {
            1 => Side::Buy,
            2 => Side::Sell,
            _ => return Err(corrupt("orders.side", side)),
        },
        size: size_of((size_inr, size_btc))?.ok_or_else(|| corrupt("orders.size", "no size"))?,
        limit,
        reserved,
        expires_at: expires_at.map(Timestamp::from_micros),
        status: status.ok_or_else(|| corrupt("orders.status", "unknown"))?,
        closed_at: closed_at.map(Timestamp::from_micros),
        inr,
        btc,
        rate,
    })
}

/// A hold from its JSON array.
pub fn hold(list: &str) -> Result<Hold, StoreError> {
    hold_of(parsed(list, "holds")?)
}

/// Holds from an array of JSON arrays.
pub fn holds(list: &str) -> Result<Vec<Hold>, StoreError> {
    parsed::<Vec<HoldRow<String>>>(list, "holds")?.into_iter().map(hold_of).collect()
}

fn hold_of(
    (id, user, asset, amount, paid, expires_at, status, closed_at): HoldRow<String>,
) -> Result<Hold, StoreError> {
    let status = u8::try_from(status).ok().and_then(HoldStatus::from_number);
    Ok(Hold {
        id,
        user: UserId(user),
        asset: Asset::parse(&asset).ok_or_else(|| corrupt("holds.asset", asset))?,
        amount,
        paid,
        expires_at: expires_at.map(Timestamp::from_micros),
        status: status.ok_or_else(|| corrupt("holds.status", "unknown"))?,
        closed_at: closed_at.map(Timestamp::from_micros),
    })
}

/// A loan from its JSON array.
pub fn loan(list: &str) -> Result<Loan, StoreError> {
    Ok(loan_of(parsed(list, "loans")?))
}

/// Loans from an array of JSON arrays.
pub fn loans(list: &str) -> Result<Vec<Loan>, StoreError> {
    Ok(parsed::<Vec<LoanRow>>(list, "loans")?.into_iter().map(loan_of).collect())
}

fn loan_of((user, opened, rate_bps, accrued_to, carry): LoanRow) -> Loan {
    Loan { user: UserId(user), opened, rate_bps, accrued_to: Timestamp::from_micros(accrued_to), carry }
}

/// The 26 columns of an entry with what belongs to it.
pub fn posted(row: &dyn Columns) -> Result<Posted, StoreError> {
    let number: i64 = row.get(1)?;
    let price: Option<i64> = row.get(4)?;
    let size = size_of((row.get(5)?, row.get(6)?))?;
    let until: Option<i64> = row.get(23)?;
    let terms = row.get::<Option<i64>>(22)?.map(|rate| Terms { rate, until: until.map(Timestamp::from_micros) });
    let entry = Entry {
        seq: row.get(0)?,
        kind: u8::try_from(number).ok().and_then(Kind::from_number).ok_or_else(|| corrupt("journal.kind", number))?,
        actor: actor(row.get(2)?, "journal.actor")?,
        key: key(row.get(3)?, "journal.idem_key")?,
        snapshot: price.map(SnapshotId),
        size,
        refs: row.get(7)?,
        terms,
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
    Ok(Posted {
        entry,
        resolved_by: row.get(12)?,
        snapshot,
        order: row.get::<Option<&str>>(24)?.map(order).transpose()?,
        hold: row.get::<Option<&str>>(25)?.map(hold).transpose()?,
    })
}

fn legs(list: &str) -> Result<Vec<Leg>, StoreError> {
    let rows: Vec<(&str, &str, i64, i64, i64)> = serde_json::from_str(list).map_err(|e| corrupt("legs", e))?;
    let leg = |(from, to, amount, from_after, to_after)| {
        let (from, to) = (account(from, "legs.from_account")?, account(to, "legs.to_account")?);
        Ok(Leg { from, to, amount, from_after, to_after })
    };
    rows.into_iter().map(leg).collect()
}

//! One commit of up to a few hundred commands in eight round trips to the connection's thread.

use std::collections::{BTreeSet, HashMap};

use orrery_kernel::StoreError;
use orrery_ledger::{Account, Answer, Batch, Decider, Decision, Needs, Owner, Posted, Seq, View, users_of};

use orrery_store_rows::ledger as rows;

use crate::db::Sqlite;
use crate::error::corrupt;
use crate::sql::ledger as sql;
use crate::write::Tx;

/// [`Needs`] as the parameters of the reading statements.
struct Wanted {
    accounts: String,
    keys: String,
    snapshots: String,
    entries: Option<String>,
    /// Orders, holds, loans.
    deals: Option<(String, String, String)>,
}

pub(super) async fn commit(db: &Sqlite, needs: &Needs, decide: Decider) -> Result<Vec<Answer>, StoreError> {
    let list = |numbers: Vec<i64>| serde_json::to_string(&numbers).map_err(|e| corrupt("list", e));
    let wanted = Wanted {
        accounts: rows::codes_json(needs.accounts.iter())?,
        keys: rows::keys_json(needs.keys.iter())?,
        snapshots: list(needs.snapshots.iter().map(|s| s.0).collect())?,
        entries: match needs.entries.is_empty() {
            true => None,
            false => Some(list(needs.entries.iter().copied().collect())?),
        },
        deals: match needs.orders.is_empty() && needs.holds.is_empty() && needs.loans.is_empty() {
            true => None,
            false => Some((
                list(needs.orders.iter().copied().collect())?,
                list(needs.holds.iter().copied().collect())?,
                list(needs.loans.iter().map(|user| user.0).collect())?,
            )),
        },
    };
    db.write(move |tx| Box::pin(decide_and_write(tx, wanted, decide))).await
}

async fn decide_and_write(tx: &mut Tx, wanted: Wanted, decide: Decider) -> Result<Vec<Answer>, StoreError> {
    let view = view(tx, wanted).await?;
    let head = view.head;
    // a panic in here is caught by the transaction, which rolls back
    let Decision { batch, answers } = decide(view);
    if batch.expected != head {
        return Err(StoreError::Unavailable(format!(
            "decided on head {}, but the journal is at {}",
            batch.expected.seq, head.seq
        )));
    }
    if batch.entries.is_empty() && batch.idem.is_empty() {
        tx.nothing_to_keep();
        return Ok(answers);
    }
    let lists = rows::Lists::of(&batch)?;
    if !batch.entries.is_empty() {
        let wrote = tx.execute(sql::INSERT_JOURNAL.call().bind(lists.journal)).await?;
        all_written(wrote, batch.entries.len() as u64, "journal")?;
        let wrote = tx.execute(sql::INSERT_LEGS.call().bind(lists.legs)).await?;
        all_written(wrote, lists.legs_count, "legs")?;
        let wrote = tx.execute(sql::PUT_BALANCES.call().bind(lists.balances)).await?;
        all_written(wrote, batch.balances.len() as u64, "accounts")?;
        let wrote = tx.execute(sql::INSERT_STATEMENT.call().bind(lists.statement)).await?;
        all_written(wrote, lists.statement_count, "statement")?;
        write_deals(tx, &batch, lists.deals).await?;
    }
    if !batch.idem.is_empty() {
        let wrote = tx.execute(sql::INSERT_OUTCOMES.call().bind(lists.outcomes)).await?;
        all_written(wrote, batch.idem.len() as u64, "idempotency")?;
    }
    Ok(answers)
}

async fn write_deals(tx: &mut Tx, batch: &Batch, lists: rows::Deals) -> Result<(), StoreError> {
    if !batch.orders.is_empty() {
        let wrote = tx.execute(sql::PUT_ORDERS.call().bind(lists.orders)).await?;
        all_written(wrote, batch.orders.len() as u64, "orders")?;
    }
    if !batch.holds.is_empty() {
        let wrote = tx.execute(sql::PUT_HOLDS.call().bind(lists.holds)).await?;
        all_written(wrote, batch.holds.len() as u64, "holds")?;
    }
    if !batch.loans.is_empty() {
        let wrote = tx.execute(sql::PUT_LOANS.call().bind(lists.loans)).await?;
        all_written(wrote, lists.loans_count, "loans")?;
        // a loan that a batch both opened and ended was never stored
        tx.execute(sql::END_LOANS.call().bind(lists.loans_over)).await?;
    }
    Ok(())
}

fn all_written(wrote: u64, wanted: u64, what: &'static str) -> Result<(), StoreError> {
    if wrote == wanted { Ok(()) } else { Err(corrupt(what, format!("wrote {wrote} of {wanted} rows"))) }
}

async fn view(tx: &mut Tx, wanted: Wanted) -> Result<View, StoreError> {
    let read = sql::VIEW.call().bind(wanted.accounts).bind(wanted.keys).bind(wanted.snapshots);
    let row = tx.one(read).await?;
    let recorded = rows::outcomes(row.get(2)?)?.into_iter().map(|r| ((r.actor, r.key), r.recorded)).collect();
    let mut view = View {
        head: rows::head(row.get(0)?)?,
        balances: rows::balances(row.get(1)?)?.into_iter().collect(),
        recorded,
        snapshots: rows::snapshots(row.get(3)?)?.into_iter().map(|s| (s.id, s)).collect(),
        entries: HashMap::new(),
        orders: HashMap::new(),
        holds: HashMap::new(),
        loans: HashMap::new(),
    };
    if let Some((orders, holds, loans)) = wanted.deals {
        let row = tx.one(sql::DEALS.call().bind(orders).bind(holds).bind(loans)).await?;
        view.orders = rows::orders(row.get(0)?)?.into_iter().map(|o| (o.id, o)).collect();
        view.holds = rows::holds(row.get(1)?)?.into_iter().map(|h| (h.id, h)).collect();
        view.loans = rows::loans(row.get(2)?)?.into_iter().map(|l| (l.user, l)).collect();
    }
    if let Some(seqs) = wanted.entries {
        view.entries = to_reverse(tx, seqs, &mut view.balances).await?;
    }
    Ok(view)
}

/// The entries to be reversed; adds the balances that undoing them needs.
async fn to_reverse(
    tx: &mut Tx,
    seqs: String,
    balances: &mut HashMap<Account, i64>,
) -> Result<HashMap<Seq, Posted>, StoreError> {
    let found = tx.all(sql::ENTRIES_BY_SEQ.call().bind(seqs)).await?;
    let entries: Vec<Posted> = found.iter().map(|row| rows::posted(row)).collect::<Result<_, _>>()?;
    let touched: BTreeSet<&Account> =
        entries.iter().flat_map(|p| &p.entry.legs).flat_map(|l| [&l.from, &l.to]).collect();
    let owners: BTreeSet<String> =
        entries.iter().flat_map(|p| users_of(&p.entry)).map(|user| Owner::User(user).code()).collect();
    let owners = serde_json::to_string(&owners).map_err(|e| corrupt("list", e))?;
    let read = sql::WIDER_BALANCES.call().bind(rows::codes_json(touched.into_iter())?).bind(owners);
    for row in tx.all(read).await? {
        balances.insert(rows::account(row.get(0)?, "accounts.code")?, row.get(1)?);
    }
    Ok(entries.into_iter().map(|p| (p.entry.seq, p)).collect())
}

//! One commit of up to a few hundred commands: lock, see, decide, write, commit.

use std::collections::{BTreeSet, HashMap};

use orrery_kernel::{StoreError, Timestamp};
use orrery_ledger::{
    Account, Answer, Batch, Decider, Decision, Needs, Owner, Posted, Seq, Size, View, shown_to, users_of,
};
use orrery_store_rows::ledger as rows;

use crate::call::Call;
use crate::db::Postgres;
use crate::error::corrupt;
use crate::sql::ledger as sql;
use crate::write::{Lock, Tx};

/// [`Needs`] as the parameters of the reading statements.
struct Wanted {
    /// Users, all of whose accounts are read.
    owners: Vec<String>,
    /// Accounts of nobody of them.
    accounts: Vec<String>,
    actors: Vec<String>,
    keys: Vec<String>,
    snapshots: Vec<i64>,
    entries: Vec<i64>,
    orders: Vec<i64>,
    holds: Vec<i64>,
    loans: Vec<i64>,
}

pub(super) async fn commit(db: &Postgres, needs: &Needs, decide: Decider) -> Result<Vec<Answer>, StoreError> {
    let (actors, keys) = needs.keys.iter().map(|(actor, key)| (actor.code(), key.as_str().to_owned())).unzip();
    let users: BTreeSet<_> =
        needs.accounts.iter().map(|a| &a.owner).filter(|owner| matches!(owner, Owner::User(_))).collect();
    let wanted = Wanted {
        accounts: needs.accounts.iter().filter(|a| !users.contains(&a.owner)).map(Account::code).collect(),
        owners: users.into_iter().map(Owner::code).collect(),
        actors,
        keys,
        snapshots: needs.snapshots.iter().map(|s| s.0).collect(),
        entries: needs.entries.iter().copied().collect(),
        orders: needs.orders.iter().copied().collect(),
        holds: needs.holds.iter().copied().collect(),
        loans: needs.loans.iter().map(|user| user.0).collect(),
    };
    db.write(Lock::Ledger, move |tx| Box::pin(decide_and_write(tx, wanted, decide))).await
}

async fn decide_and_write(tx: &mut Tx, wanted: Wanted, decide: Decider) -> Result<Vec<Answer>, StoreError> {
    let view = view(tx, wanted).await?;
    let (head, known) = (view.head, view.balances.clone());
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
    let (call, counts) = write(&batch, &known);
    let row = tx.one(call).await?;
    for (i, (wanted, what)) in counts.into_iter().enumerate() {
        let wrote = row.columns().count(i)?;
        if wrote != wanted {
            return Err(corrupt(what, format!("wrote {wrote} of {wanted} rows")));
        }
    }
    write_deals(tx, &batch).await?;
    Ok(answers)
}

/// The statement that writes a batch decided on the balances `known`, and how many rows of each table it
/// must write.
fn write(batch: &Batch, known: &HashMap<Account, i64>) -> (Call, [(u64, &'static str); 6]) {
    let entries = || batch.entries.iter();
    let legs: Vec<_> = entries().flat_map(|e| (0_i64..).zip(&e.legs).map(move |(n, leg)| (e.seq, n, leg))).collect();
    let lines: Vec<(i64, i64)> =
        entries().flat_map(|e| shown_to(e).into_iter().map(move |user| (user.0, e.seq))).collect();
    let changed: Vec<(&Account, i64, i64)> =
        batch.balances.iter().filter_map(|(a, after)| Some((a, *known.get(a)?, *after))).collect();
    let new: Vec<(&Account, i64)> =
        batch.balances.iter().filter(|(a, _)| !known.contains_key(a)).map(|(a, after)| (a, *after)).collect();
    let counts = [
        (batch.entries.len() as u64, "journal"),
        (legs.len() as u64, "legs"),
        (changed.len() as u64, "changed balances"),
        (new.len() as u64, "new accounts"),
        (lines.len() as u64, "statement"),
        (batch.idem.len() as u64, "idempotency"),
    ];
    let size = |inr: bool| -> Vec<Option<i64>> {
        entries()
            .map(|e| match e.size {
                Some(Size::Inr(paise)) if inr => Some(paise),
                Some(Size::Btc(sat)) if !inr => Some(sat),
                _ => None,
            })
            .collect()
    };
    let call = sql::WRITE_BATCH
        .call()
        .bind(entries().map(|e| e.seq).collect::<Vec<_>>())
        .bind(entries().map(|e| i64::from(e.kind as u8)).collect::<Vec<_>>())
        .bind(entries().map(|e| e.actor.code()).collect::<Vec<_>>())
        .bind(entries().map(|e| e.key.as_str().to_owned()).collect::<Vec<_>>())
        .bind(entries().map(|e| e.snapshot.map(|s| s.0)).collect::<Vec<_>>())
        .bind(size(true))
        .bind(size(false))
        .bind(entries().map(|e| e.refs).collect::<Vec<_>>())
        .bind(entries().map(|e| e.at.micros()).collect::<Vec<_>>())
        .bind(entries().map(|e| e.prev.to_vec()).collect::<Vec<_>>())
        .bind(entries().map(|e| e.hash.to_vec()).collect::<Vec<_>>())
        .bind(entries().map(|e| e.terms.map(|t| t.rate)).collect::<Vec<_>>())
        .bind(entries().map(|e| e.terms.and_then(|t| t.until).map(Timestamp::micros)).collect::<Vec<_>>())
        .bind(legs.iter().map(|(seq, _, _)| *seq).collect::<Vec<_>>())
        .bind(legs.iter().map(|(_, n, _)| *n).collect::<Vec<_>>())
        .bind(legs.iter().map(|(_, _, leg)| leg.from.code()).collect::<Vec<_>>())
        .bind(legs.iter().map(|(_, _, leg)| leg.to.code()).collect::<Vec<_>>())
        .bind(legs.iter().map(|(_, _, leg)| leg.amount).collect::<Vec<_>>())
        .bind(legs.iter().map(|(_, _, leg)| leg.from_after).collect::<Vec<_>>())
        .bind(legs.iter().map(|(_, _, leg)| leg.to_after).collect::<Vec<_>>())
        .bind(changed.iter().map(|(a, ..)| a.code()).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, before, _)| *before).collect::<Vec<_>>())
        .bind(changed.iter().map(|(.., after)| *after).collect::<Vec<_>>())
        .bind(new.iter().map(|(a, _)| a.code()).collect::<Vec<_>>())
        .bind(new.iter().map(|(a, _)| a.owner.code()).collect::<Vec<_>>())
        .bind(new.iter().map(|(a, _)| a.asset.code()).collect::<Vec<_>>())
        .bind(new.iter().map(|(a, _)| a.bucket.name()).collect::<Vec<_>>())
        .bind(new.iter().map(|(_, after)| *after).collect::<Vec<_>>())
        .bind(lines.iter().map(|(user, _)| *user).collect::<Vec<_>>())
        .bind(lines.iter().map(|(_, seq)| *seq).collect::<Vec<_>>())
        .bind(batch.idem.iter().map(|r| r.actor.code()).collect::<Vec<_>>())
        .bind(batch.idem.iter().map(|r| r.key.as_str().to_owned()).collect::<Vec<_>>())
        .bind(batch.idem.iter().map(|r| r.recorded.fingerprint.to_vec()).collect::<Vec<_>>())
        .bind(batch.idem.iter().map(|r| r.recorded.outcome.to_bytes()).collect::<Vec<_>>());
    (call, counts)
}

async fn write_deals(tx: &mut Tx, batch: &Batch) -> Result<(), StoreError> {
    if batch.orders.is_empty() && batch.holds.is_empty() && batch.loans.is_empty() {
        return Ok(());
    }
    let lists = rows::Deals::of(batch)?;
    for (call, wanted, what) in [
        (sql::PUT_ORDERS.call().bind(lists.orders), batch.orders.len() as u64, "orders"),
        (sql::PUT_HOLDS.call().bind(lists.holds), batch.holds.len() as u64, "holds"),
        (sql::PUT_LOANS.call().bind(lists.loans), lists.loans_count, "loans"),
    ] {
        if wanted > 0 {
            let wrote = tx.execute(call).await?;
            if wrote != wanted {
                return Err(corrupt(what, format!("wrote {wrote} of {wanted} rows")));
            }
        }
    }
    let over: Vec<i64> = batch.loans.iter().filter(|(_, loan)| loan.is_none()).map(|(user, _)| user.0).collect();
    if !over.is_empty() {
        // a loan that a batch both opened and ended was never stored
        tx.execute(sql::END_LOANS.call().bind(over)).await?;
    }
    Ok(())
}

async fn view(tx: &mut Tx, wanted: Wanted) -> Result<View, StoreError> {
    let read = sql::VIEW
        .call()
        .bind(wanted.owners)
        .bind(wanted.accounts)
        .bind(wanted.actors)
        .bind(wanted.keys)
        .bind(wanted.snapshots);
    let row = tx.one(read).await?;
    let row = row.columns();
    let mut view = View {
        head: rows::head(row.get(0)?)?,
        balances: rows::balances(row.get(1)?)?.into_iter().collect(),
        recorded: rows::outcomes(row.get(2)?)?.into_iter().map(|r| ((r.actor, r.key), r.recorded)).collect(),
        snapshots: rows::snapshots(row.get(3)?)?.into_iter().map(|s| (s.id, s)).collect(),
        entries: HashMap::new(),
        orders: HashMap::new(),
        holds: HashMap::new(),
        loans: HashMap::new(),
    };
    if !wanted.orders.is_empty() {
        for row in tx.all(sql::ORDERS_BY_ID.call().bind(wanted.orders)).await? {
            let order = rows::order(row.columns().get(0)?)?;
            view.orders.insert(order.id, order);
        }
    }
    if !wanted.holds.is_empty() {
        for row in tx.all(sql::HOLDS_BY_ID.call().bind(wanted.holds)).await? {
            let hold = rows::hold(row.columns().get(0)?)?;
            view.holds.insert(hold.id, hold);
        }
    }
    if !wanted.loans.is_empty() {
        for row in tx.all(sql::LOANS_BY_USER.call().bind(wanted.loans)).await? {
            let loan = rows::loan(row.columns().get(0)?)?;
            view.loans.insert(loan.user, loan);
        }
    }
    if !wanted.entries.is_empty() {
        view.entries = to_reverse(tx, wanted.entries, &mut view.balances).await?;
    }
    Ok(view)
}

/// The entries to be reversed; adds the balances that undoing them needs.
async fn to_reverse(
    tx: &mut Tx,
    seqs: Vec<i64>,
    balances: &mut HashMap<Account, i64>,
) -> Result<HashMap<Seq, Posted>, StoreError> {
    let found = tx.all(sql::ENTRIES_BY_SEQ.call().bind(seqs)).await?;
    let entries: Vec<Posted> = found.iter().map(|row| rows::posted(row)).collect::<Result<_, _>>()?;
    let touched: BTreeSet<String> =
        entries.iter().flat_map(|p| &p.entry.legs).flat_map(|l| [l.from.code(), l.to.code()]).collect();
    let owners: BTreeSet<String> =
        entries.iter().flat_map(|p| users_of(&p.entry)).map(|user| Owner::User(user).code()).collect();
    let (touched, owners): (Vec<_>, Vec<_>) = (touched.into_iter().collect(), owners.into_iter().collect());
    for row in tx.all(sql::WIDER_BALANCES.call().bind(touched).bind(owners)).await? {
        let row = row.columns();
        balances.insert(rows::account(row.get(0)?, "accounts.code")?, row.get(1)?);
    }
    Ok(entries.into_iter().map(|p| (p.entry.seq, p)).collect())
}

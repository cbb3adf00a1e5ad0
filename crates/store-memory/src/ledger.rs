//! The ledger's port in process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_kernel::{Asset, SnapshotId, StoreError, UserId};
use orrery_ledger::{
    Account, Actor, Answer, AuditSink, Bucket, Decider, Entry, Head, IdemKey, IdemRow, LedgerStore, Needs, NewSnapshot,
    Owner, Posted, Recorded, Seq, Sheet, Snapshot, View, genesis, users_of,
};

/// A journal in memory. Lost with the process; otherwise as strict as the others.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    journal: Vec<Entry>,
    reversed: HashMap<Seq, Seq>,
    balances: BTreeMap<Account, i64>,
    recorded: BTreeMap<(Actor, IdemKey), Recorded>,
    snapshots: Vec<NewSnapshot>,
    statements: HashMap<UserId, Vec<Seq>>,
}

impl State {
    fn head(&self) -> Head {
        let none = || Head { seq: 0, hash: genesis(), at: orrery_kernel::Timestamp::default() };
        self.journal.last().map_or_else(none, |e| Head { seq: e.seq, hash: e.hash, at: e.at })
    }

    fn entry(&self, seq: Seq) -> Option<&Entry> {
        self.journal.get(usize::try_from(seq).ok()?.checked_sub(1)?)
    }

    fn snapshot(&self, id: SnapshotId) -> Option<Snapshot> {
        let price = self.snapshots.get(usize::try_from(id.0).ok()?.checked_sub(1)?)?;
        Some(Snapshot { id, price: price.clone() })
    }

    fn posted(&self, entry: &Entry) -> Posted {
        Posted {
            entry: entry.clone(),
            reversed_by: self.reversed.get(&entry.seq).copied(),
            snapshot: entry.snapshot.and_then(|id| self.snapshot(id)),
        }
    }

    fn view(&self, needs: &Needs) -> View {
        let entries: HashMap<Seq, Posted> =
            needs.entries.iter().filter_map(|seq| Some((*seq, self.posted(self.entry(*seq)?)))).collect();
        let mut accounts = needs.accounts.clone();
        for posted in entries.values() {
            accounts.extend(posted.entry.legs.iter().flat_map(|l| [l.from.clone(), l.to.clone()]));
            accounts.extend(users_of(&posted.entry).into_iter().flat_map(Sheet::accounts));
        }
        let found = |account: &Account| self.balances.get(account).map(|b| (account.clone(), *b));
        View {
            head: self.head(),
            balances: accounts.iter().filter_map(found).collect(),
            recorded: self.find(needs.keys.iter()),
            snapshots: needs.snapshots.iter().filter_map(|id| Some((*id, self.snapshot(*id)?))).collect(),
            entries,
        }
    }

    fn find<'a>(&self, keys: impl Iterator<Item = &'a (Actor, IdemKey)>) -> HashMap<(Actor, IdemKey), Recorded> {
        keys.filter_map(|key| Some((key.clone(), self.recorded.get(key)?.clone()))).collect()
    }
}

impl MemoryLedger {
    fn state(&self) -> MutexGuard<'_, State> {
        // a decider that panics does so before anything below is changed
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LedgerStore for MemoryLedger {
    async fn commit(&self, needs: &Needs, decide: Decider) -> Result<Vec<Answer>, StoreError> {
        let mut state = self.state();
        let decision = decide(state.view(needs));
        let batch = decision.batch;
        if batch.expected != state.head() {
            return Err(StoreError::Unavailable("the batch was decided on another head".into()));
        }
        let known: BTreeSet<_> = batch.idem.iter().map(|row| (row.actor, row.key.clone())).collect();
        if known.len() != batch.idem.len() || known.iter().any(|key| state.recorded.contains_key(key)) {
            return Err(StoreError::Unavailable("a key of the batch exists".into()));
        }
        for entry in batch.entries {
            if let Some(refs) = entry.refs {
                state.reversed.insert(refs, entry.seq);
            }
            for user in users_of(&entry) {
                state.statements.entry(user).or_default().push(entry.seq);
            }
            state.journal.push(entry);
        }
        state.balances.extend(batch.balances);
        state.recorded.extend(batch.idem.into_iter().map(|row| ((row.actor, row.key), row.recorded)));
        Ok(decision.answers)
    }

    async fn recorded(&self, keys: &[(Actor, IdemKey)]) -> Result<HashMap<(Actor, IdemKey), Recorded>, StoreError> {
        Ok(self.state().find(keys.iter()))
    }

    async fn put_snapshot(&self, price: &NewSnapshot) -> Result<SnapshotId, StoreError> {
        let mut state = self.state();
        state.snapshots.push(price.clone());
        Ok(SnapshotId(i64::try_from(state.snapshots.len()).unwrap_or(i64::MAX)))
    }

    async fn latest_snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        let state = self.state();
        Ok(state.snapshot(SnapshotId(i64::try_from(state.snapshots.len()).unwrap_or(i64::MAX))))
    }

    async fn head(&self) -> Result<Head, StoreError> {
        Ok(self.state().head())
    }

    async fn sheet(&self, user: UserId) -> Result<(Sheet, Seq), StoreError> {
        let state = self.state();
        let sheet = Sheet::read(user, |account| state.balances.get(account).copied().unwrap_or(0));
        Ok((sheet, state.head().seq))
    }

    async fn balances(&self, owner: &Owner) -> Result<(Vec<(Account, i64)>, Seq), StoreError> {
        let state = self.state();
        let own = state.balances.iter().filter(|(account, _)| account.owner == *owner);
        Ok((own.map(|(account, balance)| (account.clone(), *balance)).collect(), state.head().seq))
    }

    async fn user_totals(&self) -> Result<Vec<(Asset, Bucket, i64)>, StoreError> {
        let mut totals: BTreeMap<(Asset, Bucket), i64> = BTreeMap::new();
        for (account, balance) in &self.state().balances {
            if let Owner::User(_) = account.owner {
                let total = totals.entry((account.asset, account.bucket)).or_default();
                *total = total.saturating_add(*balance);
            }
        }
        Ok(totals.into_iter().map(|((asset, bucket), total)| (asset, bucket, total)).collect())
    }

    async fn statement(&self, user: UserId, offset: u64, limit: u32) -> Result<Vec<Posted>, StoreError> {
        let state = self.state();
        let seqs = state.statements.get(&user).map(Vec::as_slice).unwrap_or_default();
        let skipped = seqs.iter().rev().skip(usize::try_from(offset).unwrap_or(usize::MAX));
        Ok(skipped.take(limit as usize).filter_map(|seq| Some(state.posted(state.entry(*seq)?))).collect())
    }

    async fn entries(&self, after: Seq, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let state = self.state();
        let skip = usize::try_from(after.max(0)).unwrap_or(usize::MAX);
        Ok(state.journal.iter().skip(skip).take(limit as usize).cloned().collect())
    }

    async fn audit(&self, sink: &mut dyn AuditSink) -> Result<(), StoreError> {
        let state = self.state();
        for entry in &state.journal {
            sink.entry(state.posted(entry));
        }
        for (account, balance) in &state.balances {
            sink.balance(account.clone(), *balance);
        }
        for ((actor, key), recorded) in &state.recorded {
            sink.recorded(IdemRow { actor: *actor, key: key.clone(), recorded: recorded.clone() });
        }
        Ok(())
    }
}

//! The ledger's port in process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_kernel::{Asset, SnapshotId, StoreError, Timestamp, UserId};
use orrery_ledger::{
    Account, Actor, Answer, AuditSink, Bucket, Decider, Entry, Head, Hold, HoldStatus, IdemKey, IdemRow, KindTotal,
    LedgerStore, Loan, Needs, NewSnapshot, Order, OrderStatus, Owner, Page, Posted, Recorded, Seq, Sheet, Side,
    Snapshot, View, genesis, shown_to, users_of,
};

/// A journal in memory. Lost with the process; otherwise as strict as the others.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    journal: Vec<Entry>,
    resolved: HashMap<Seq, Seq>,
    balances: BTreeMap<Account, i64>,
    recorded: BTreeMap<(Actor, IdemKey), Recorded>,
    snapshots: Vec<NewSnapshot>,
    statements: HashMap<UserId, Vec<Seq>>,
    orders: BTreeMap<Seq, Order>,
    holds: BTreeMap<Seq, Hold>,
    loans: BTreeMap<UserId, Loan>,
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
            resolved_by: self.resolved.get(&entry.seq).copied(),
            snapshot: entry.snapshot.and_then(|id| self.snapshot(id)),
            order: self.orders.get(&entry.seq).cloned(),
            hold: self.holds.get(&entry.seq).cloned(),
        }
    }

    /// Is the entry a line of a statement, as it stands?
    fn is_line(&self, seq: Seq) -> bool {
        let ended = |o: &Order| matches!(o.status, OrderStatus::Cancelled | OrderStatus::Expired);
        let off = |h: &Hold| matches!(h.status, HoldStatus::Voided | HoldStatus::Expired);
        !self.orders.get(&seq).is_some_and(ended) && !self.holds.get(&seq).is_some_and(off)
    }

    fn page<'a>(&self, newest_first: impl Iterator<Item = &'a Seq>, page: Page) -> Vec<Posted> {
        newest_first
            .filter(|seq| page.before.is_none_or(|before| **seq < before) && self.is_line(**seq))
            .skip(usize::try_from(page.offset).unwrap_or(usize::MAX))
            .take(page.limit as usize)
            .filter_map(|seq| Some(self.posted(self.entry(*seq)?)))
            .collect()
    }

    fn sheet(&self, user: UserId) -> Sheet {
        Sheet::read(user, |account| self.balances.get(account).copied().unwrap_or(0))
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
            orders: needs.orders.iter().filter_map(|id| Some((*id, self.orders.get(id)?.clone()))).collect(),
            holds: needs.holds.iter().filter_map(|id| Some((*id, self.holds.get(id)?.clone()))).collect(),
            loans: needs.loans.iter().filter_map(|user| Some((*user, self.loans.get(user)?.clone()))).collect(),
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
                state.resolved.insert(refs, entry.seq);
            }
            for user in shown_to(&entry) {
                state.statements.entry(user).or_default().push(entry.seq);
            }
            state.journal.push(entry);
        }
        state.balances.extend(batch.balances);
        state.orders.extend(batch.orders);
        state.holds.extend(batch.holds);
        for (user, loan) in batch.loans {
            match loan {
                Some(loan) => state.loans.insert(user, loan),
                None => state.loans.remove(&user),
            };
        }
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
        Ok((state.sheet(user), state.head().seq))
    }

    async fn sheets(&self, users: &[UserId]) -> Result<Vec<Sheet>, StoreError> {
        let state = self.state();
        Ok(users.iter().map(|user| state.sheet(*user)).collect())
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

    async fn statement(&self, user: UserId, page: Page) -> Result<Vec<Posted>, StoreError> {
        let state = self.state();
        let seqs = state.statements.get(&user).map(Vec::as_slice).unwrap_or_default();
        Ok(state.page(seqs.iter().rev(), page))
    }

    async fn recent(&self, page: Page) -> Result<Vec<(UserId, Posted)>, StoreError> {
        let state = self.state();
        let mut lines: Vec<(Seq, UserId)> = state
            .statements
            .iter()
            .flat_map(|(user, seqs)| seqs.iter().map(|seq| (*seq, *user)))
            .filter(|(seq, _)| page.before.is_none_or(|before| *seq < before) && state.is_line(*seq))
            .collect();
        lines.sort_unstable_by_key(|(seq, user)| (std::cmp::Reverse(*seq), *user));
        Ok(lines
            .into_iter()
            .skip(usize::try_from(page.offset).unwrap_or(usize::MAX))
            .take(page.limit as usize)
            .filter_map(|(seq, user)| Some((user, state.posted(state.entry(seq)?))))
            .collect())
    }

    async fn posted(&self, seq: Seq) -> Result<Option<Posted>, StoreError> {
        let state = self.state();
        Ok(state.entry(seq).map(|entry| state.posted(entry)))
    }

    async fn totals(&self) -> Result<Vec<KindTotal>, StoreError> {
        let mut totals: BTreeMap<(u8, u8, Asset), KindTotal> = BTreeMap::new();
        for entry in &self.state().journal {
            for (leg, movement) in (0_u8..2).zip(&entry.legs) {
                let (kind, asset) = (entry.kind, movement.from.asset);
                let none = KindTotal { kind, leg, asset, count: 0, amount: 0 };
                let total = totals.entry((kind as u8, leg, asset)).or_insert(none);
                total.count += 1;
                total.amount += i128::from(movement.amount);
            }
        }
        Ok(totals.into_values().collect())
    }

    async fn crossed_orders(
        &self,
        buy_rate: i64,
        sell_rate: i64,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError> {
        let crossed = |o: &&Order| {
            o.id > after
                && o.status == OrderStatus::Open
                && o.crosses(if o.side == Side::Buy { buy_rate } else { sell_rate })
        };
        Ok(self.state().orders.values().filter(crossed).take(limit as usize).cloned().collect())
    }

    async fn expired_orders(&self, now: Timestamp, limit: u32) -> Result<Vec<Order>, StoreError> {
        let over = |o: &&Order| o.status == OrderStatus::Open && o.is_over(now);
        Ok(self.state().orders.values().filter(over).take(limit as usize).cloned().collect())
    }

    async fn pending_holds(&self, after: Seq, limit: u32) -> Result<Vec<Hold>, StoreError> {
        let pending = |h: &&Hold| h.status == HoldStatus::Pending && h.id > after;
        Ok(self.state().holds.values().filter(pending).take(limit as usize).cloned().collect())
    }

    async fn expired_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<Hold>, StoreError> {
        let over = |h: &&Hold| h.status == HoldStatus::Pending && h.is_over(now);
        Ok(self.state().holds.values().filter(over).take(limit as usize).cloned().collect())
    }

    async fn loan(&self, user: UserId) -> Result<Option<(Loan, Sheet)>, StoreError> {
        let state = self.state();
        Ok(state.loans.get(&user).map(|loan| (loan.clone(), state.sheet(user))))
    }

    async fn open_loans(&self, after: UserId, limit: u32) -> Result<Vec<(Loan, Sheet)>, StoreError> {
        let state = self.state();
        let later = state.loans.iter().filter(|(user, _)| **user > after).take(limit as usize);
        Ok(later.map(|(user, loan)| (loan.clone(), state.sheet(*user))).collect())
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
        for order in state.orders.values() {
            sink.order(order.clone());
        }
        for hold in state.holds.values() {
            sink.hold(hold.clone());
        }
        for loan in state.loans.values() {
            sink.loan(loan.clone());
        }
        for ((actor, key), recorded) in &state.recorded {
            sink.recorded(IdemRow { actor: *actor, key: key.clone(), recorded: recorded.clone() });
        }
        Ok(())
    }
}

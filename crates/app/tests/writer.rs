//! The group-commit pipeline over a store that answers late, loses its answer or fails.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use orrery_app::events::{Event, Events};
use orrery_app::ledger_writer::{LedgerSettings, LedgerWriter, commit_once};
use orrery_app::tasks::Tasks;
use orrery_kernel::{Asset, ErrorCode, SnapshotId, StoreError, Timestamp, UserId};
use orrery_ledger::{
    Account, Actor, Answer, AuditSink, Bucket, Command, Decider, Entry, Head, Hold, IdemKey, KindTotal, LedgerStore,
    Limits, Loan, Needs, NewSnapshot, Operation, Order, Outcome, Owner, Page, Posted, Recorded, Seq, Sheet, Snapshot,
};
use orrery_store_memory::MemoryLedger;
use orrery_testkit::fakes::ManualClock;
use orrery_testkit::ledger::START;
use tokio::sync::Semaphore;

/// A ledger in memory whose commits wait for a permit each and can lose their answer.
struct Faulty {
    inner: MemoryLedger,
    gate: Semaphore,
    /// Commit, then say that the outcome is unknown.
    lose_answers: AtomicBool,
    /// Say that the outcome is unknown without committing.
    lose_commits: AtomicBool,
    commits: AtomicUsize,
    /// Failures that reading what is recorded still has to go through.
    deaf: AtomicUsize,
}

impl Faulty {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryLedger::default(),
            gate: Semaphore::new(permits),
            lose_answers: AtomicBool::new(false),
            lose_commits: AtomicBool::new(false),
            commits: AtomicUsize::new(0),
            deaf: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl LedgerStore for Faulty {
    async fn commit(&self, needs: &Needs, decide: Decider) -> Result<Vec<Answer>, StoreError> {
        self.gate.acquire().await.unwrap().forget();
        self.commits.fetch_add(1, Ordering::SeqCst);
        if self.lose_commits.load(Ordering::SeqCst) {
            return Err(StoreError::Unknown("the connection is gone".into()));
        }
        let answers = self.inner.commit(needs, decide).await?;
        if self.lose_answers.load(Ordering::SeqCst) {
            return Err(StoreError::Unknown("the connection is gone".into()));
        }
        Ok(answers)
    }

    async fn recorded(&self, keys: &[(Actor, IdemKey)]) -> Result<HashMap<(Actor, IdemKey), Recorded>, StoreError> {
        let failures = self.deaf.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if failures.is_ok() {
            return Err(StoreError::Unavailable("not yet".into()));
        }
        self.inner.recorded(keys).await
    }

    async fn put_snapshot(&self, price: &NewSnapshot) -> Result<SnapshotId, StoreError> {
        self.inner.put_snapshot(price).await
    }

    async fn latest_snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        self.inner.latest_snapshot().await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.inner.head().await
    }

    async fn sheet(&self, user: UserId) -> Result<(Sheet, Seq), StoreError> {
        self.inner.sheet(user).await
    }

    async fn balances(&self, owner: &Owner) -> Result<(Vec<(Account, i64)>, Seq), StoreError> {
        self.inner.balances(owner).await
    }

    async fn user_totals(&self) -> Result<Vec<(Asset, Bucket, i64)>, StoreError> {
        self.inner.user_totals().await
    }

    async fn sheets(&self, users: &[UserId]) -> Result<Vec<Sheet>, StoreError> {
        self.inner.sheets(users).await
    }

    async fn statement(&self, user: UserId, page: Page) -> Result<Vec<Posted>, StoreError> {
        self.inner.statement(user, page).await
    }

    async fn recent(&self, page: Page) -> Result<Vec<(UserId, Posted)>, StoreError> {
        self.inner.recent(page).await
    }

    async fn posted(&self, seq: Seq) -> Result<Option<Posted>, StoreError> {
        self.inner.posted(seq).await
    }

    async fn totals(&self) -> Result<Vec<KindTotal>, StoreError> {
        self.inner.totals().await
    }

    async fn crossed_orders(&self, buy: i64, sell: i64, after: Seq, limit: u32) -> Result<Vec<Order>, StoreError> {
        self.inner.crossed_orders(buy, sell, after, limit).await
    }

    async fn expired_orders(&self, now: Timestamp, limit: u32) -> Result<Vec<Order>, StoreError> {
        self.inner.expired_orders(now, limit).await
    }

    async fn pending_holds(&self, after: Seq, limit: u32) -> Result<Vec<Hold>, StoreError> {
        self.inner.pending_holds(after, limit).await
    }

    async fn expired_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<Hold>, StoreError> {
        self.inner.expired_holds(now, limit).await
    }

    async fn loan(&self, user: UserId) -> Result<Option<(Loan, Sheet)>, StoreError> {
        self.inner.loan(user).await
    }

    async fn open_loans(&self, after: UserId, limit: u32) -> Result<Vec<(Loan, Sheet)>, StoreError> {
        self.inner.open_loans(after, limit).await
    }

    async fn entries(&self, after: Seq, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.inner.entries(after, limit).await
    }

    async fn audit(&self, sink: &mut dyn AuditSink) -> Result<(), StoreError> {
        self.inner.audit(sink).await
    }
}

fn deposit(user: i64, amount: i64, key: &str) -> Command {
    let operation = Operation::Deposit { user: UserId(user), asset: Asset::INR, amount };
    Command { actor: Actor::System, key: IdemKey::new(key).unwrap(), operation }
}

struct Bench {
    store: Arc<Faulty>,
    writer: LedgerWriter,
    events: Events,
    tasks: Tasks,
    clock: Arc<ManualClock>,
}

fn start(permits: usize, settings: &LedgerSettings) -> Bench {
    let (store, clock) = (Faulty::new(permits), Arc::new(ManualClock::at(START)));
    let (events, tasks) = (Events::default(), Tasks::new());
    let writer = LedgerWriter::start(store.clone(), clock.clone(), settings, events.clone(), &tasks);
    Bench { store, writer, events, tasks, clock }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(20), async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap_or_else(|_| unreachable!("{what} did not happen"));
}

fn seq(answer: &Answer) -> Option<Seq> {
    match answer {
        Answer::New(Outcome::Posted(r)) | Answer::Replay(Outcome::Posted(r)) => Some(r.seq),
        _ => None,
    }
}

#[tokio::test]
async fn what_waits_is_committed_together_in_order() {
    let bench = start(0, &LedgerSettings { batch: 8, ..LedgerSettings::default() });
    let mut waiting = Vec::new();
    for n in 0..20 {
        let writer = bench.writer.clone();
        waiting.push(tokio::spawn(async move { writer.submit(deposit(1, n + 1, &format!("k{n}"))).await }));
        // one after the other, so that the order of the queue is known
        tokio::task::yield_now().await;
    }
    bench.store.gate.add_permits(20);
    for (n, answer) in waiting.into_iter().enumerate() {
        assert_eq!(seq(&answer.await.unwrap().unwrap()), Some(n as i64 + 1));
    }
    let commits = bench.store.commits.load(Ordering::SeqCst);
    assert!((3..=5).contains(&commits), "20 commands of at most 8 a commit took {commits} commits");
}

#[tokio::test]
async fn a_full_queue_says_so_at_once_and_keeps_what_it_took() {
    let bench = start(0, &LedgerSettings { batch: 1, queue: 4, ..LedgerSettings::default() });
    let mut taken = Vec::new();
    let first = tokio::spawn({
        let writer = bench.writer.clone();
        async move { writer.submit(deposit(1, 1, "first")).await }
    });
    // the writer holds the first; four more fit the queue
    tokio::time::sleep(Duration::from_millis(20)).await;
    for n in 0..4 {
        let writer = bench.writer.clone();
        taken.push(tokio::spawn(async move { writer.submit(deposit(1, 1, &format!("q{n}"))).await }));
        tokio::task::yield_now().await;
    }
    let refused = bench.writer.submit(deposit(1, 1, "late")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable);
    assert!(refused.retry_after.is_some(), "says when to try again");
    bench.store.gate.add_permits(100);
    first.await.unwrap().unwrap();
    for answer in taken {
        assert!(matches!(answer.await.unwrap().unwrap(), Answer::New(_)));
    }
    assert!(matches!(bench.writer.submit(deposit(1, 1, "late")).await.unwrap(), Answer::New(_)), "it was not kept");
    assert_eq!(bench.store.sheet(UserId(1)).await.unwrap().0.available_inr, 6);
}

#[tokio::test]
async fn a_lost_answer_is_found_under_its_key_and_posts_once() {
    let bench = start(100, &LedgerSettings::default());
    bench.store.lose_answers.store(true, Ordering::SeqCst);
    bench.store.deaf.store(2, Ordering::SeqCst);
    let answer = bench.writer.submit(deposit(1, 500, "k")).await.unwrap();
    assert_eq!(seq(&answer), Some(1), "the store remembers it");
    bench.store.lose_answers.store(false, Ordering::SeqCst);
    let again = bench.writer.submit(deposit(1, 500, "k")).await.unwrap();
    assert!(matches!(again, Answer::Replay(_)));
    assert_eq!(bench.store.sheet(UserId(1)).await.unwrap().0.available_inr, 500);
}

#[tokio::test]
async fn a_lost_commit_is_not_claimed_and_can_be_sent_again() {
    let bench = start(100, &LedgerSettings::default());
    bench.store.lose_commits.store(true, Ordering::SeqCst);
    let lost = bench.writer.submit(deposit(1, 500, "k")).await.unwrap_err();
    assert_eq!(lost.code, ErrorCode::Unavailable);
    assert_eq!(bench.store.commits.load(Ordering::SeqCst), 1, "it does not retry behind the caller's back");
    bench.store.lose_commits.store(false, Ordering::SeqCst);
    assert!(matches!(bench.writer.submit(deposit(1, 500, "k")).await.unwrap(), Answer::New(_)));
    assert_eq!(bench.store.sheet(UserId(1)).await.unwrap().0.available_inr, 500);
}

#[tokio::test]
async fn one_key_twice_in_a_batch_posts_once() {
    let bench = start(0, &LedgerSettings::default());
    let submit = |amount| {
        let writer = bench.writer.clone();
        tokio::spawn(async move { writer.submit(deposit(1, amount, "same")).await.unwrap() })
    };
    // the first occupies the writer, so that the others come together
    let (_first, second, third) = (submit(7), submit(7), submit(8));
    tokio::time::sleep(Duration::from_millis(20)).await;
    bench.store.gate.add_permits(100);
    assert!(matches!(second.await.unwrap(), Answer::Replay(_)));
    assert_eq!(third.await.unwrap(), Answer::KeyReused);
    assert_eq!(bench.store.sheet(UserId(1)).await.unwrap().0.available_inr, 7);
}

#[tokio::test]
async fn entries_of_other_processes_are_told_too() {
    let bench = start(100, &LedgerSettings::default());
    let mut heard = bench.events.subscribe();
    bench.writer.submit(deposit(1, 500, "mine")).await.unwrap();
    assert!(matches!(heard.recv().await.unwrap(), Event::Ledger { user: UserId(1), seq: 1 }));
    // the command line writes to the same store
    commit_once(bench.store.as_ref(), bench.clock.as_ref(), Limits::default(), deposit(2, 9, "theirs")).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await.unwrap().unwrap();
    assert!(matches!(told, Event::Ledger { user: UserId(2), seq: 2 }));
    // and when the writer's own entry comes first to notice, the other's is still told before it
    commit_once(bench.store.as_ref(), bench.clock.as_ref(), Limits::default(), deposit(2, 9, "again")).await.unwrap();
    bench.writer.submit(deposit(1, 500, "mine-too")).await.unwrap();
    let mut seqs = Vec::new();
    for _ in 0..2 {
        if let Event::Ledger { seq, .. } =
            tokio::time::timeout(Duration::from_secs(20), heard.recv()).await.unwrap().unwrap()
        {
            seqs.push(seq);
        }
    }
    assert_eq!(seqs, [3, 4]);
}

#[tokio::test]
async fn draining_answers_everybody_and_takes_no_more() {
    let bench = start(0, &LedgerSettings { batch: 2, ..LedgerSettings::default() });
    let answered = Arc::new(AtomicUsize::new(0));
    for n in 0..10 {
        let (writer, answered) = (bench.writer.clone(), answered.clone());
        tokio::spawn(async move {
            writer.submit(deposit(1, 1, &format!("k{n}"))).await.unwrap();
            answered.fetch_add(1, Ordering::SeqCst);
        });
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let draining = tokio::spawn({
        let tasks = bench.tasks.clone();
        async move { tasks.drain().await }
    });
    bench.store.gate.add_permits(100);
    draining.await.unwrap();
    until("everybody is answered", || answered.load(Ordering::SeqCst) == 10).await;
    assert_eq!(bench.store.sheet(UserId(1)).await.unwrap().0.available_inr, 10);
    let late = bench.writer.submit(deposit(1, 1, "late")).await.unwrap_err();
    assert_eq!(late.code, ErrorCode::Unavailable);
}

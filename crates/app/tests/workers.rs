//! Workers over a store that fails for some, and one in which others write at the same time.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use orrery_app::tasks::Tasks;
use orrery_app::workers::Stopped;
use orrery_app::{App, Ctx};
use orrery_feeds::Simulated;
use orrery_kernel::{ErrorCode, StoreError, Timestamp};
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use orrery_wallets::{Account, Session, WalletStore};
use orrery_workers::{Changed, Draft, Spec, Version, Worker, WorkerStore};

const NOW: Timestamp = Timestamp::from_secs(1_760_000_000);

/// Fails for workers whose note is `broken`; for those with the note `busy` somebody else is faster, so many times.
struct Troubled {
    store: Arc<dyn WorkerStore>,
    busy: AtomicU32,
}

#[async_trait]
impl WorkerStore for Troubled {
    async fn add_worker(&self, worker: &Worker, most: u32) -> Result<bool, StoreError> {
        self.store.add_worker(worker, most).await
    }

    async fn change_worker(
        &self,
        owner: &str,
        sid: &str,
        spec: &Spec,
        seen: Option<i64>,
        keep: u32,
        at: Timestamp,
    ) -> Result<Changed, StoreError> {
        let before = |left: u32| left.checked_sub(1);
        match spec.note.as_str() {
            "broken" if !spec.active => return Err(StoreError::Unavailable("gone".into())),
            "busy" if self.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, before).is_ok() => {
                let other = Spec { active: true, ..spec.clone() };
                self.store.change_worker(owner, sid, &other, None, keep, at).await?;
            }
            _ => {}
        }
        self.store.change_worker(owner, sid, spec, seen, keep, at).await
    }

    async fn worker(&self, sid: &str) -> Result<Option<Worker>, StoreError> {
        self.store.worker(sid).await
    }

    async fn workers_of(&self, owner: &str, limit: u32) -> Result<Vec<Worker>, StoreError> {
        self.store.workers_of(owner, limit).await
    }

    async fn count_workers(&self) -> Result<(u64, u64), StoreError> {
        self.store.count_workers().await
    }

    async fn versions(&self, sid: &str) -> Result<Vec<Version>, StoreError> {
        self.store.versions(sid).await
    }
}

struct House {
    app: Arc<App>,
    wallets: Arc<dyn WalletStore>,
    tasks: Tasks,
    session: Session,
    ctx: Ctx,
}

async fn house(busy: u32) -> House {
    let clock = Arc::new(ManualClock::at(NOW));
    let mut ports = ports(clock, Arc::new(SeededEntropy::new(3)), Arc::new(Simulated::new(1, 50_000)));
    ports.workers = Arc::new(Troubled { store: ports.workers, busy: AtomicU32::new(busy) });
    let (tasks, wallets) = (Tasks::new(), ports.wallets.clone());
    let app = App::start(ports, settings(), &tasks).await.unwrap();
    let session = Session {
        token: [1; 32],
        address: "gann".into(),
        public_key: String::new(),
        created_at: NOW,
        expires_at: NOW.plus(std::time::Duration::from_secs(60)),
    };
    let (address, agent, request_id) = (IpAddr::V4(Ipv4Addr::LOCALHOST), "test".into(), "r".into());
    let ctx = Ctx { caller: None, address, agent, request_id, now: NOW };
    House { app, wallets, tasks, session, ctx }
}

fn account(owner: &str, nid: &str) -> Account {
    Account {
        owner: owner.into(),
        nid: nid.into(),
        exchange: "bybit".into(),
        viewers: Vec::new(),
        public: "{}".into(),
        sealed: Vec::new(),
        public_key: String::new(),
        signature: String::new(),
        at: NOW,
    }
}

impl House {
    async fn add(&self, note: &str, active: bool) -> Worker {
        let draft = Draft { note: Some(note.into()), active: Some(active), ..Draft::default() };
        self.app.workers.create(&self.ctx, &self.session, draft).await.unwrap()
    }

    async fn stop_all(&self) -> Vec<(String, Stopped)> {
        let done = self.app.workers.stop_all(&self.ctx, &self.session).await.unwrap();
        done.into_iter().map(|(worker, stopped)| (worker.spec.note, stopped)).collect()
    }
}

#[tokio::test]
async fn what_cannot_be_stopped_keeps_the_others_from_nothing() {
    let house = house(2).await;
    for (note, active) in [("good", true), ("broken", true), ("busy", true), ("asleep", false)] {
        house.add(note, active).await;
    }
    let how = |note: &str, stopped| (note.to_owned(), stopped);
    let all = [
        how("asleep", Stopped::Already),
        how("busy", Stopped::Now),
        how("broken", Stopped::Failed("the database is not available")),
        how("good", Stopped::Now),
    ];
    assert_eq!(house.stop_all().await, all);
    assert_eq!(house.app.workers.count().await.unwrap(), (1, 3));
    house.tasks.drain().await;
}

#[tokio::test]
async fn one_that_is_changed_for_ever_is_given_up() {
    let house = house(u32::MAX).await;
    house.add("busy", true).await;
    assert!(matches!(house.stop_all().await[0].1, Stopped::Failed(_)));
    house.tasks.drain().await;
}

/// A script is checked when it changes, and not to stop it.
#[tokio::test]
async fn what_changes_is_checked() {
    let house = house(0).await;
    let worker = house.add("old", true).await;
    let (workers, session) = (&house.app.workers, &house.session);
    let draft = |active: bool, script: &str| Draft {
        active: Some(active),
        note: Some("old".into()),
        script: Some(script.into()),
        dependencies: Some(worker.spec.dependencies.clone()),
        version: Some(worker.spec.version.clone()),
        execution_mode: Some("parallel".into()),
        priority: Some("normal".into()),
        mode: Some("loop".into()),
        ..Draft::default()
    };
    let bad = draft(true, "let x @@");
    let error = workers.update(&house.ctx, session, &worker.sid, bad, None).await.unwrap_err();
    assert_eq!((error.code, error.field, error.place), (ErrorCode::Invalid, Some("raw.script"), Some((1, 7))));
    let stopped = draft(false, &worker.spec.script);
    assert_eq!(workers.update(&house.ctx, session, &worker.sid, stopped, None).await.unwrap().version, 2);
    let other = Session { address: "gbob".into(), ..session.clone() };
    let error = workers.rollback(&house.ctx, &other, &worker.sid, 1, None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Forbidden);
    house.tasks.drain().await;
}

/// What runs has to have its account, which is the wallet's own; what does not run yet may name one to come.
#[tokio::test]
async fn what_is_to_run_has_its_account() {
    let house = house(0).await;
    let (workers, session) = (&house.app.workers, &house.session);
    let of = |nid: &str, active: bool| Draft { active: Some(active), account_id: Some(nid.into()), ..Draft::default() };
    house.wallets.put_account(&account("gann", "mine"), 10).await.unwrap();
    house.wallets.put_account(&account("gbob", "theirs"), 10).await.unwrap();
    workers.create(&house.ctx, session, of("mine", true)).await.unwrap();
    for nid in ["theirs", "none"] {
        let error = workers.create(&house.ctx, session, of(nid, true)).await.unwrap_err();
        assert_eq!((error.code, error.field), (ErrorCode::Invalid, Some("accountId")), "{nid}");
        workers.create(&house.ctx, session, Draft { dry_run: Some(true), ..of(nid, true) }).await.unwrap();
    }
    let later = workers.create(&house.ctx, session, of("later", false)).await.unwrap();
    let full = |active: bool, note: &str| Draft {
        note: Some(note.into()),
        script: Some(later.spec.script.clone()),
        dependencies: Some(later.spec.dependencies.clone()),
        version: Some(later.spec.version.clone()),
        execution_mode: Some("parallel".into()),
        priority: Some("normal".into()),
        mode: Some("loop".into()),
        ..of("later", active)
    };
    let error = workers.update(&house.ctx, session, &later.sid, full(true, ""), None).await.unwrap_err();
    assert_eq!(error.field, Some("accountId"));
    house.wallets.put_account(&account("gann", "later"), 10).await.unwrap();
    workers.update(&house.ctx, session, &later.sid, full(true, ""), None).await.unwrap();
    workers.update(&house.ctx, session, &later.sid, full(true, "a note"), None).await.unwrap();
    house.tasks.drain().await;
}

//! Plans and interest on a clock that the test moves.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orrery_app::plans::{PlanForm, PlanView};
use orrery_app::tasks::Tasks;
use orrery_app::{App, Ctx, Ports};
use orrery_identity::{Caller, Proof, Role, SessionId};
use orrery_kernel::{Asset, Clock, ONE_BTC, Timestamp, UserId};
use orrery_ledger::{Frequency, LedgerStore, PlanStatus, PlanStore, Side, Size, Verifier};
use orrery_market::{Chart, FeedError, PriceFeed, Sentiment, SentimentFeed, SpotPrice, Timeframe};
use orrery_store_memory::{MemoryLedger, MemoryPlans};
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use orrery_testkit::ledger::START;

const HOUR: Duration = Duration::from_secs(3_600);
const ANN: UserId = UserId(1);

/// A price that the test sets, in cents.
struct Dial(std::sync::atomic::AtomicI64);

#[async_trait]
impl PriceFeed for Dial {
    fn source(&self) -> &'static str {
        "dial"
    }

    async fn latest(&self, now: Timestamp) -> Result<Option<SpotPrice>, FeedError> {
        let usd_cents = self.0.load(std::sync::atomic::Ordering::SeqCst);
        Ok(Some(SpotPrice {
            source: "dial".into(),
            usd_cents,
            market_cap_usd: None,
            volume_24h_usd: None,
            high_24h_usd: None,
            ath_usd: None,
            ath_date: None,
            ath_change_pct: None,
            source_updated_at: None,
            observed_at: now,
        }))
    }

    async fn chart(&self, _: Timeframe, _: Timestamp) -> Result<Option<Chart>, FeedError> {
        Ok(None)
    }
}

#[async_trait]
impl SentimentFeed for Dial {
    fn source(&self) -> &'static str {
        "dial"
    }

    async fn latest(&self, _: Timestamp) -> Result<Option<Sentiment>, FeedError> {
        Ok(None)
    }
}

struct Bench {
    app: Arc<App>,
    tasks: Tasks,
    clock: Arc<ManualClock>,
    ledger: Arc<MemoryLedger>,
    plans: Arc<MemoryPlans>,
    dial: Arc<Dial>,
    ports: Ports,
}

async fn bench() -> Bench {
    let clock = Arc::new(ManualClock::at(START));
    let (ledger, plans) = (Arc::new(MemoryLedger::default()), Arc::new(MemoryPlans::default()));
    let dial = Arc::new(Dial(4_500_000.into()));
    let ports = Ports {
        ledger: ledger.clone(),
        plans: plans.clone(),
        ..ports(clock.clone(), Arc::new(SeededEntropy::new(3)), dial.clone())
    };
    let tasks = Tasks::new();
    let app = App::start(ports.clone(), settings(), &tasks).await.unwrap();
    app.market.poll_price().await.unwrap();
    Bench { app, tasks, clock, ledger, plans, dial, ports }
}

impl Bench {
    fn ctx(&self) -> Ctx {
        let proof = Proof::Session(SessionId::from_bits([7; 16]));
        let caller = Caller { user: ANN, email: "ann@example.com".into(), role: Role::Trader, proof };
        Ctx {
            caller: Some(caller),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            agent: "test".into(),
            request_id: "r".into(),
            now: self.clock.now(),
        }
    }

    async fn deposit(&self, asset: Asset, amount: i64) {
        use orrery_app::ledger_writer::commit_once;
        use orrery_ledger::{Actor, Command, IdemKey, Limits, Operation};
        let key = IdemKey::new(&format!("d{}", self.ledger.head().await.unwrap().seq)).unwrap();
        let operation = Operation::Deposit { user: ANN, asset, amount };
        let command = Command { actor: Actor::Operator, key, operation };
        commit_once(self.ledger.as_ref(), self.clock.as_ref(), Limits::default(), command).await.unwrap();
    }

    /// Moves the clock on, fetches the price and runs what is due.
    async fn pass(&self, by: Duration) -> u64 {
        self.clock.advance(by);
        self.app.market.poll_price().await.unwrap();
        self.app.plans.run(self.clock.now()).await.unwrap()
    }

    async fn only(&self) -> PlanView {
        self.app.plans.list(&self.ctx()).await.unwrap().pop().unwrap()
    }

    async fn verify(&self) {
        let mut verifier = Verifier::default();
        self.ledger.audit(&mut verifier).await.unwrap();
        let report = verifier.finish();
        assert!(report.is_ok(), "{:?}", report.faults);
    }
}

fn form(remaining: Option<i64>) -> PlanForm {
    PlanForm {
        side: Side::Buy,
        size: Size::Inr(100_000),
        frequency: Frequency::Hourly,
        min_rate: None,
        max_rate: None,
        remaining,
    }
}

#[tokio::test]
async fn a_period_has_one_trade_however_often_and_wherever_it_is_tried() {
    let bench = bench().await;
    bench.deposit(Asset::INR, 1_000_000).await;
    bench.app.plans.create(&bench.ctx(), form(Some(3))).await.unwrap();
    assert_eq!(bench.pass(HOUR - Duration::from_secs(1)).await, 0, "not yet");
    // another process on the same stores runs at the same time
    let tasks = Tasks::new();
    let other = App::start(bench.ports.clone(), settings(), &tasks).await.unwrap();
    bench.clock.advance(Duration::from_secs(1));
    bench.app.market.poll_price().await.unwrap();
    other.market.follow().await.unwrap();
    let now = bench.clock.now();
    let (a, b) = tokio::join!(bench.app.plans.run(now), other.plans.run(now));
    assert!(a.unwrap() + b.unwrap() >= 1);
    assert_eq!(bench.app.plans.run(now).await.unwrap(), 0);
    let view = bench.only().await;
    assert_eq!((view.plan.executed, view.plan.plan.remaining, view.recent.len()), (1, Some(2), 1));
    assert_eq!(bench.ledger.sheet(ANN).await.unwrap().0.available_inr, 900_000);
    // five periods without anybody at work: one run, and the grid goes on
    assert_eq!(bench.pass(HOUR * 5 + Duration::from_secs(10)).await, 1);
    assert_eq!(bench.pass(HOUR).await, 1);
    let view = bench.only().await;
    assert_eq!((view.plan.status, view.plan.executed), (PlanStatus::Completed, 3));
    assert_eq!(bench.pass(HOUR * 9).await, 0);
    assert_eq!(bench.ledger.sheet(ANN).await.unwrap().0.available_inr, 700_000);
    bench.verify().await;
    tasks.drain().await;
    bench.tasks.drain().await;
}

#[tokio::test]
async fn a_trade_whose_record_was_lost_is_found_and_not_made_again() {
    let bench = bench().await;
    bench.deposit(Asset::INR, 1_000_000).await;
    let plan = bench.app.plans.create(&bench.ctx(), form(None)).await.unwrap();
    bench.clock.advance(HOUR);
    bench.app.market.poll_price().await.unwrap();
    // the trade was committed, and the process died before the plan was moved on
    use orrery_app::ledger_writer::commit_once;
    use orrery_ledger::{Actor, Command, Limits, Operation};
    let snapshot = bench.app.market.quote().unwrap().snapshot.id;
    let (side, size) = (Side::Buy, Size::Inr(100_000));
    let operation = Operation::Trade { user: ANN, side, size, snapshot, worst_rate: None, plan: true };
    let command = Command { actor: Actor::System, key: plan.run_key(plan.next_due).unwrap(), operation };
    commit_once(bench.ledger.as_ref(), bench.clock.as_ref(), Limits::default(), command).await.unwrap();
    // even at a price that the plan would not pay
    assert_eq!(bench.app.plans.run(bench.clock.now()).await.unwrap(), 1);
    let view = bench.only().await;
    assert_eq!((view.plan.executed, view.plan.inr), (1, 100_000));
    assert_eq!(bench.ledger.sheet(ANN).await.unwrap().0.available_inr, 900_000);
    bench.tasks.drain().await;
}

#[tokio::test]
async fn a_missed_price_skips_the_period_and_missing_money_pauses() {
    let bench = bench().await;
    bench.deposit(Asset::INR, 150_000).await;
    let cheap = PlanForm { max_rate: Some(400_000_000), ..form(None) };
    bench.app.plans.create(&bench.ctx(), cheap).await.unwrap();
    assert_eq!(bench.pass(HOUR).await, 1);
    let view = bench.only().await;
    assert_eq!((view.plan.executed, view.plan.status), (0, PlanStatus::Active));
    assert_eq!(view.plan.next_due, START.plus(HOUR * 2), "the period is gone");
    bench.dial.0.store(4_300_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(bench.pass(Duration::from_secs(60)).await, 0, "it is not tried again within the period");
    assert_eq!(bench.pass(HOUR).await, 1);
    assert_eq!(bench.only().await.plan.executed, 1);
    assert_eq!(bench.pass(HOUR).await, 1);
    let view = bench.only().await;
    assert_eq!(view.plan.status, PlanStatus::Paused);
    assert!(view.plan.notice.as_deref().is_some_and(|n| n.contains("not enough rupees")), "{:?}", view.plan.notice);
    assert_eq!(bench.pass(HOUR * 3).await, 0);
    // without a young price nothing is skipped
    bench.deposit(Asset::INR, 1_000_000).await;
    bench.app.plans.set_active(&bench.ctx(), view.plan.id, true).await.unwrap();
    bench.clock.advance(HOUR);
    assert_eq!(bench.app.plans.run(bench.clock.now()).await.unwrap(), 0);
    assert_eq!(bench.plans.due_plans(bench.clock.now(), 9).await.unwrap().len(), 1, "it waits for a price");
    assert_eq!(bench.pass(Duration::ZERO).await, 1);
    bench.verify().await;
    bench.tasks.drain().await;
}

#[tokio::test]
async fn interest_is_added_once_a_day_and_exactly() {
    let bench = bench().await;
    bench.deposit(Asset::BTC, ONE_BTC).await;
    use orrery_app::ledger_writer::commit_once;
    use orrery_ledger::{Actor, Bucket, Command, IdemKey, Limits, Operation};
    let operation = Operation::FundHouse { asset: Asset::INR, bucket: Bucket::Treasury, amount: 1_000_000_000 };
    let command = Command { actor: Actor::Operator, key: IdemKey::new("fund").unwrap(), operation };
    commit_once(bench.ledger.as_ref(), bench.clock.as_ref(), Limits::default(), command).await.unwrap();
    bench.app.loans.lock(&bench.ctx(), ONE_BTC, None).await.unwrap_or_else(|e| unreachable!("{:?}", e.error));
    bench.app.loans.borrow(&bench.ctx(), 100_000_000, None).await.unwrap_or_else(|e| unreachable!("{:?}", e.error));
    let days = 73;
    for _ in 0..days {
        bench.clock.advance(Duration::from_secs(86_400));
        assert_eq!(bench.app.loans.run_interest(bench.clock.now()).await.unwrap(), 1);
        assert_eq!(bench.app.loans.run_interest(bench.clock.now()).await.unwrap(), 0, "once a day");
    }
    // 15 % of a million rupees for a fifth of a year
    assert_eq!(bench.ledger.sheet(ANN).await.unwrap().0.interest_accrued, 3_000_000);
    bench.verify().await;
    bench.tasks.drain().await;
}

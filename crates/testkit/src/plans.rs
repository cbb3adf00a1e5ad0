//! The contract of the port of plans.

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::{ONE_BTC, Timestamp, UserId};
use orrery_ledger::{
    Frequency, LIVE_PLANS_MAX, LedgerStore, NewPlan, Plan, PlanId, PlanStatus, PlanStore, Run, RunResult, Side, Size,
};

use crate::ledger::{START, commit};

/// A store under test, and the ledger whose entries its runs may name.
pub type Store = (Arc<dyn PlanStore>, Arc<dyn LedgerStore>);

const HOUR: Duration = Duration::from_secs(3_600);

fn new(user: i64) -> NewPlan {
    NewPlan {
        user: UserId(user),
        side: Side::Buy,
        size: Size::Inr(100_000),
        frequency: Frequency::Hourly,
        min_rate: None,
        max_rate: Some(500_000_000),
        remaining: Some(2),
        created_at: START,
    }
}

async fn create(store: &Store, plan: NewPlan) -> Plan {
    store.0.create_plan(&plan).await.expect("the store answers").expect("a plan")
}

async fn stored(store: &Store, id: PlanId) -> Plan {
    store.0.plan(id).await.expect("the store answers").expect("a plan")
}

async fn entry(store: &Store) -> i64 {
    use orrery_ledger::{Actor, Command, IdemKey, Operation};
    let operation = Operation::Deposit { user: UserId(1), asset: orrery_kernel::Asset::BTC, amount: ONE_BTC };
    let key = IdemKey::new("d").expect("a key");
    commit(&store.1, vec![Command { actor: Actor::System, key, operation }], START).await;
    1
}

fn traded(plan: &Plan, seq: i64, at: Timestamp) -> Run {
    Run { due: plan.next_due, at, result: RunResult::Traded { seq, inr: 100_000, btc: 24_420, rate: 409_500_000 } }
}

/// A plan is stored as given, due an hour later, and completes after its last trade.
pub async fn a_plan_runs_to_its_end(store: Store) {
    let seq = entry(&store).await;
    let plan = create(&store, new(1)).await;
    assert_eq!(plan.next_due, START.plus(HOUR));
    assert_eq!(stored(&store, plan.id).await, plan);
    assert_eq!(store.0.due_plans(START, 10).await.expect("plans"), []);
    assert_eq!(store.0.due_plans(START.plus(HOUR), 10).await.expect("plans"), std::slice::from_ref(&plan));

    let late = START.plus(HOUR * 3 + Duration::from_secs(5));
    let run = traded(&plan, seq, late);
    assert!(store.0.settle_run(&plan, &run).await.expect("the store answers"));
    // the same run again, however it is tried, is none
    assert!(!store.0.settle_run(&plan, &run).await.expect("the store answers"));
    let after = stored(&store, plan.id).await;
    assert_eq!(after, plan.after(&run, late));
    assert_eq!((after.next_due, after.plan.remaining, after.executed), (START.plus(HOUR * 4), Some(1), 1));
    let second = traded(&after, seq, START.plus(HOUR * 4));
    assert!(store.0.settle_run(&after, &second).await.expect("the store answers"));
    let done = stored(&store, plan.id).await;
    assert_eq!((done.status, done.inr, done.btc), (PlanStatus::Completed, 200_000, 48_840));
    assert!(done.completed_at.is_some());
    assert_eq!(store.0.due_plans(late.plus(HOUR * 99), 10).await.expect("plans"), []);
    assert!(!store.0.set_plan_status(plan.id, true, late).await.expect("the store answers"), "it is over");
    assert_eq!(store.0.runs(plan.id, 10).await.expect("runs"), [second, run]);
    assert_eq!(store.0.runs(plan.id, 1).await.expect("runs").len(), 1);
}

/// A skipped run moves on; a refused one pauses with its notice; pausing while a run is made holds.
pub async fn runs_that_trade_nothing(store: Store) {
    let plan = create(&store, new(1)).await;
    let at = plan.next_due;
    let skipped = Run { due: at, at, result: RunResult::Skipped("the price".into()) };
    assert!(store.0.settle_run(&plan, &skipped).await.expect("the store answers"));
    let next = stored(&store, plan.id).await;
    assert_eq!((next.status, next.next_due, next.plan.remaining), (PlanStatus::Active, at.plus(HOUR), Some(2)));
    let refused = Run { due: next.next_due, at: next.next_due, result: RunResult::Refused("no money".into()) };
    assert!(store.0.settle_run(&next, &refused).await.expect("the store answers"));
    let paused = stored(&store, plan.id).await;
    assert_eq!((paused.status, paused.notice.as_deref()), (PlanStatus::Paused, Some("no money")));
    assert!(store.0.runs(plan.id, 10).await.expect("runs").is_empty());

    let resumed_at = at.plus(HOUR * 9 + Duration::from_secs(7));
    assert!(store.0.set_plan_status(plan.id, true, resumed_at).await.expect("the store answers"));
    let resumed = stored(&store, plan.id).await;
    assert_eq!((resumed.status, resumed.notice.clone()), (PlanStatus::Active, None));
    assert_eq!(resumed.next_due, resumed_at.plus(HOUR), "the grid starts anew");
    // its owner pauses it while a run is made
    assert!(store.0.set_plan_status(plan.id, false, resumed_at).await.expect("the store answers"));
    let run = Run { due: resumed.next_due, at: resumed.next_due, result: RunResult::Skipped("the price".into()) };
    assert!(store.0.settle_run(&resumed, &run).await.expect("the store answers"));
    assert_eq!(stored(&store, plan.id).await.status, PlanStatus::Paused);
}

/// Lists show a user's own plans in their order; a plan that is dropped is gone.
pub async fn lists(store: Store) {
    let (a, b, c) = (create(&store, new(1)).await, create(&store, new(1)).await, create(&store, new(1)).await);
    let other = create(&store, NewPlan { size: Size::Btc(5), side: Side::Sell, ..new(2) }).await;
    store.0.set_plan_status(b.id, false, START).await.expect("the store answers");
    let ids = |plans: Vec<Plan>| plans.iter().map(|p| p.id).collect::<Vec<_>>();
    assert_eq!(ids(store.0.plans(UserId(1)).await.expect("plans")), [c.id, a.id, b.id]);
    assert_eq!(store.0.plans(UserId(2)).await.expect("plans"), std::slice::from_ref(&other));
    assert_eq!(ids(store.0.all_plans(PlanId(0), 3).await.expect("plans")), [a.id, b.id, c.id]);
    assert_eq!(ids(store.0.all_plans(c.id, 3).await.expect("plans")), [other.id]);
    assert!(store.0.delete_plan(a.id).await.expect("the store answers"));
    assert!(!store.0.delete_plan(a.id).await.expect("the store answers"));
    assert!(store.0.plan(a.id).await.expect("the store answers").is_none());
    let run = Run { due: a.next_due, at: a.next_due, result: RunResult::Skipped("the price".into()) };
    assert!(!store.0.settle_run(&a, &run).await.expect("the store answers"), "a run of a plan that is gone");
    assert!(!store.0.set_plan_status(a.id, true, START).await.expect("the store answers"));
}

/// A user has at most so many plans that are not completed.
pub async fn plans_are_bounded(store: Store) {
    for _ in 0..LIVE_PLANS_MAX {
        create(&store, new(1)).await;
    }
    assert!(store.0.create_plan(&new(1)).await.expect("the store answers").is_none());
    create(&store, new(2)).await;
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! plans_contract {
    ($make:expr) => {
        $crate::plans_contract!(@each $make;
            a_plan_runs_to_its_end runs_that_trade_nothing lists plans_are_bounded);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::plans::$name($make.await).await;
            }
        )*
    };
}

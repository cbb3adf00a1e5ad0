//! Plans and their runs in process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp, UserId};
use orrery_ledger::{LIVE_PLANS_MAX, NewPlan, Plan, PlanId, PlanStatus, PlanStore, Run, RunResult};

/// Plans of a user that a list shows.
const LISTED_MAX: usize = 200;

/// Plans in memory.
#[derive(Debug, Default)]
pub struct MemoryPlans {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: i64,
    plans: BTreeMap<PlanId, Plan>,
    runs: BTreeMap<PlanId, Vec<Run>>,
}

impl MemoryPlans {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PlanStore for MemoryPlans {
    async fn create_plan(&self, plan: &NewPlan) -> Result<Option<Plan>, StoreError> {
        let mut state = self.state();
        let live = |p: &&Plan| p.plan.user == plan.user && p.status != PlanStatus::Completed;
        if state.plans.values().filter(live).count() >= LIVE_PLANS_MAX {
            return Ok(None);
        }
        state.last += 1;
        let made = Plan::new(PlanId(state.last), plan.clone());
        state.plans.insert(made.id, made.clone());
        Ok(Some(made))
    }

    async fn plan(&self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        Ok(self.state().plans.get(&id).cloned())
    }

    async fn plans(&self, user: UserId) -> Result<Vec<Plan>, StoreError> {
        let mut own: Vec<Plan> = self.state().plans.values().filter(|p| p.plan.user == user).cloned().collect();
        let rank = |p: &Plan| PlanStatus::ALL.iter().position(|s| *s == p.status);
        own.sort_by_key(|p| (rank(p), std::cmp::Reverse(p.id)));
        own.truncate(LISTED_MAX);
        Ok(own)
    }

    async fn all_plans(&self, after: PlanId, limit: u32) -> Result<Vec<Plan>, StoreError> {
        Ok(self.state().plans.values().filter(|p| p.id > after).take(limit as usize).cloned().collect())
    }

    async fn set_plan_status(&self, id: PlanId, active: bool, at: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(plan) = state.plans.get_mut(&id).filter(|p| p.status != PlanStatus::Completed) else {
            return Ok(false);
        };
        if active {
            (plan.anchor, plan.next_due) = (at, plan.plan.frequency.next(at, at));
            (plan.status, plan.notice) = (PlanStatus::Active, None);
        } else {
            plan.status = PlanStatus::Paused;
        }
        Ok(true)
    }

    async fn delete_plan(&self, id: PlanId) -> Result<bool, StoreError> {
        let mut state = self.state();
        state.runs.remove(&id);
        Ok(state.plans.remove(&id).is_some())
    }

    async fn due_plans(&self, now: Timestamp, limit: u32) -> Result<Vec<Plan>, StoreError> {
        let due = |p: &&Plan| p.status == PlanStatus::Active && p.next_due <= now;
        let mut due: Vec<Plan> = self.state().plans.values().filter(due).cloned().collect();
        due.sort_by_key(|p| (p.next_due, p.id));
        due.truncate(limit as usize);
        Ok(due)
    }

    async fn settle_run(&self, before: &Plan, run: &Run) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(stored) = state.plans.get_mut(&before.id) else { return Ok(false) };
        if stored.next_due != before.next_due || stored.status == PlanStatus::Completed {
            return Ok(false);
        }
        let mut after = before.after(run, run.at);
        if stored.status == PlanStatus::Paused && after.status == PlanStatus::Active {
            after.status = PlanStatus::Paused;
        }
        *stored = after;
        state.runs.entry(before.id).or_default().push(run.clone());
        Ok(true)
    }

    async fn runs(&self, id: PlanId, limit: u32) -> Result<Vec<Run>, StoreError> {
        let state = self.state();
        let runs = state.runs.get(&id).map(Vec::as_slice).unwrap_or_default();
        let traded = runs.iter().rev().filter(|run| matches!(run.result, RunResult::Traded { .. }));
        Ok(traded.take(limit as usize).cloned().collect())
    }
}

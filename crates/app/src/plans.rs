//! Plans that trade by themselves (dollar-cost averaging).

use std::sync::Arc;

use orrery_identity::Action;
use orrery_kernel::{Asset, Error, ErrorCode, Result, Timestamp, UserId};
use orrery_ledger::{
    Actor, Frequency, NewPlan, Operation, Outcome, Plan, PlanId, PlanStatus, PlanStore, Refusal, Run, RunResult, Side,
    Size,
};

use crate::Ctx;
use crate::desk::{Desk, refusal_error, rupees};
use crate::events::Event;

/// Plans run in one look of the job.
const PAGE: u32 = 256;
/// Runs shown with a plan.
const RUNS_SHOWN: u32 = 10;
/// Trades a plan may be made for.
const REMAINING_MAX: i64 = 1_000_000;

/// A plan as asked.
#[derive(Clone, Copy, Debug)]
pub struct PlanForm {
    /// Buy or sell.
    pub side: Side,
    /// What each run trades.
    pub size: Size,
    /// How often.
    pub frequency: Frequency,
    /// Paise per bitcoin.
    pub min_rate: Option<i64>,
    /// Paise per bitcoin.
    pub max_rate: Option<i64>,
    /// Trades to be made.
    pub remaining: Option<i64>,
}

/// A plan with its last trades.
#[derive(Clone, Debug)]
pub struct PlanView {
    /// The plan.
    pub plan: Plan,
    /// Its last trades, newest first.
    pub recent: Vec<Run>,
}

/// The use cases of plans.
pub struct Plans {
    desk: Desk,
    store: Arc<dyn PlanStore>,
}

fn missing() -> Error {
    Error::new(ErrorCode::NotFound, "Plan not found or unauthorized")
}

impl Plans {
    /// Assembles the use cases.
    pub fn new(desk: Desk, store: Arc<dyn PlanStore>) -> Self {
        Self { desk, store }
    }

    /// The caller's plans: active, paused, completed, the newest of each first.
    pub async fn list(&self, ctx: &Ctx) -> Result<Vec<PlanView>> {
        let user = ctx.authorize(Action::ReadOwn)?.user;
        let mut views = Vec::new();
        for plan in self.store.plans(user).await? {
            let recent = self.store.runs(plan.id, RUNS_SHOWN).await?;
            views.push(PlanView { plan, recent });
        }
        Ok(views)
    }

    /// Makes a plan; its first run is one period from now.
    pub async fn create(&self, ctx: &Ctx, form: PlanForm) -> Result<Plan> {
        let user = ctx.authorize(Action::Trade)?.user;
        let (Size::Inr(amount) | Size::Btc(amount)) = form.size;
        let positive = |field: &'static str, n: Option<i64>| match n {
            Some(n) if n <= 0 => Err(Error::invalid(field, format!("{field} must be more than zero"))),
            _ => Ok(()),
        };
        positive("amount_per_execution", Some(amount))?;
        positive("min_price", form.min_rate)?;
        positive("max_price", form.max_rate)?;
        positive("remaining_executions", form.remaining)?;
        if form.remaining.is_some_and(|n| n > REMAINING_MAX) {
            let text = format!("remaining_executions must be at most {REMAINING_MAX}");
            return Err(Error::invalid("remaining_executions", text));
        }
        if let (Some(min), Some(max)) = (form.min_rate, form.max_rate)
            && min > max
        {
            return Err(Error::invalid("max_price", "max_price must not be below min_price"));
        }
        let PlanForm { side, size, frequency, min_rate, max_rate, remaining } = form;
        let new = NewPlan { user, side, size, frequency, min_rate, max_rate, remaining, created_at: ctx.now };
        let text = format!("There are {} plans already; delete one first", orrery_ledger::LIVE_PLANS_MAX);
        let plan = self.store.create_plan(&new).await?.ok_or_else(|| Error::new(ErrorCode::Conflict, text))?;
        self.desk.events.send(Event::Plans { user });
        Ok(plan)
    }

    /// Pauses or resumes a plan of the caller's; resuming starts its grid anew.
    pub async fn set_active(&self, ctx: &Ctx, id: PlanId, active: bool) -> Result<()> {
        let user = ctx.authorize(Action::Trade)?.user;
        let plan = self.own(user, id).await?;
        if plan.status == PlanStatus::Completed {
            return Err(Error::new(ErrorCode::Conflict, "The plan is completed"));
        }
        if !self.store.set_plan_status(id, active, ctx.now).await? {
            return Err(missing());
        }
        self.desk.events.send(Event::Plans { user });
        Ok(())
    }

    /// Drops a plan of the caller's; its trades stay. Gives what it was and how many trades it made.
    pub async fn delete(&self, ctx: &Ctx, id: PlanId) -> Result<Plan> {
        let user = ctx.authorize(Action::Trade)?.user;
        let plan = self.own(user, id).await?;
        if !self.store.delete_plan(id).await? {
            return Err(missing());
        }
        self.desk.events.send(Event::Plans { user });
        Ok(plan)
    }

    /// All plans, for administrators; after the plan `after`.
    pub async fn all(&self, ctx: &Ctx, after: PlanId, limit: u32) -> Result<Vec<Plan>> {
        ctx.authorize(Action::Administer)?;
        Ok(self.store.all_plans(after, limit).await?)
    }

    /// Drops every plan of a user who goes away; gives how many there were.
    pub(crate) async fn delete_all(&self, user: UserId) -> Result<u64> {
        let mut dropped = 0;
        for plan in self.store.plans(user).await? {
            dropped += u64::from(self.store.delete_plan(plan.id).await?);
        }
        Ok(dropped)
    }

    async fn own(&self, user: UserId, id: PlanId) -> Result<Plan> {
        self.store.plan(id).await?.filter(|p| p.plan.user == user).ok_or_else(missing)
    }

    /// Runs every plan that is due. However often and wherever this runs, a period has one trade at
    /// most: the ledger remembers its key.
    pub async fn run(&self, now: Timestamp) -> Result<u64> {
        let mut ran = 0;
        loop {
            let due = self.store.due_plans(now, PAGE).await?;
            let whole = due.len() == PAGE as usize;
            let before = ran;
            for plan in due {
                ran += u64::from(self.run_one(&plan, now).await?);
            }
            if !whole || ran == before {
                return Ok(ran);
            }
        }
    }

    /// `false`: it waits for a price.
    async fn run_one(&self, plan: &Plan, now: Timestamp) -> Result<bool> {
        let key = plan.run_key(plan.next_due).map_err(Error::internal)?;
        let known = self.desk.store.recorded(&[(Actor::System, key.clone())]).await?;
        let result = match known.into_values().next() {
            // made before, and not recorded with the plan
            Some(recorded) => result_of(&recorded.outcome),
            None => {
                let Ok(quote) = self.desk.market.fresh_quote(now) else { return Ok(false) };
                let NewPlan { user, side, size, .. } = plan.plan;
                let price = &quote.snapshot.price;
                let rate = if side == Side::Buy { price.buy_rate } else { price.sell_rate };
                if plan.allows(rate) {
                    let snapshot = quote.snapshot.id;
                    let operation = Operation::Trade { user, side, size, snapshot, worst_rate: None, plan: true };
                    result_of(&self.desk.post_once(key.as_str(), operation).await?)
                } else {
                    RunResult::Skipped(format!("the price was ₹{}", rupees(rate)))
                }
            }
        };
        let run = Run { due: plan.next_due, at: now, result };
        if self.store.settle_run(plan, &run).await? {
            self.desk.events.send(Event::Plans { user: plan.plan.user });
        }
        Ok(true)
    }
}

fn result_of(outcome: &Outcome) -> RunResult {
    match outcome {
        Outcome::Posted(r) => RunResult::Traded { seq: r.seq, inr: r.inr, btc: r.btc, rate: r.rate },
        Outcome::Refused(refusal @ Refusal::Insufficient { asset, .. }) => {
            let what = if *asset == Asset::INR { "rupees" } else { "bitcoin" };
            RunResult::Refused(format!("Paused: not enough {what}. {}", refusal_error(refusal).public))
        }
        Outcome::Refused(refusal) => RunResult::Skipped(refusal_error(refusal).public.into_owned()),
    }
}

//! The port of plans.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp, UserId};
use orrery_ledger::{LIVE_PLANS_MAX, NewPlan, Plan, PlanId, PlanStore, Run, RunResult, Side};

use crate::db::Postgres;
use crate::sql::plans as sql;
use crate::write::Lock;
use orrery_store_rows::plans::{plan, run, sizes};

#[async_trait]
impl PlanStore for Postgres {
    async fn create_plan(&self, new: &NewPlan) -> Result<Option<Plan>, StoreError> {
        let new = new.clone();
        self.write(Lock::User(new.user.0), move |tx| {
            Box::pin(async move {
                let live = tx.one(sql::COUNT_LIVE_PLANS.call().bind(new.user.0)).await?.columns().count(0)?;
                if live >= LIVE_PLANS_MAX as u64 {
                    tx.nothing_to_keep();
                    return Ok(None);
                }
                let made = Plan::new(PlanId(0), new);
                let new = &made.plan;
                let (inr, btc) = sizes(new.size);
                let insert = sql::INSERT_PLAN
                    .call()
                    .bind(new.user.0)
                    .bind(if new.side == Side::Buy { 1_i64 } else { 2 })
                    .bind(inr)
                    .bind(btc)
                    .bind(new.frequency.name())
                    .bind(new.min_rate)
                    .bind(new.max_rate)
                    .bind(new.remaining)
                    .bind(new.created_at.micros())
                    .bind(made.anchor.micros())
                    .bind(made.next_due.micros())
                    .bind(made.status.name())
                    .bind(made.executed);
                let id = PlanId(tx.one(insert).await?.columns().get(0)?);
                Ok(Some(Plan { id, ..made }))
            })
        })
        .await
    }

    async fn plan(&self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        self.optional(sql::PLAN.call().bind(id.0)).await?.as_ref().map(|row| plan(row)).transpose()
    }

    async fn plans(&self, user: UserId) -> Result<Vec<Plan>, StoreError> {
        self.all(sql::PLANS.call().bind(user.0)).await?.iter().map(|row| plan(row)).collect()
    }

    async fn all_plans(&self, after: PlanId, limit: u32) -> Result<Vec<Plan>, StoreError> {
        self.all(sql::ALL_PLANS.call().bind(after.0).bind(i64::from(limit)))
            .await?
            .iter()
            .map(|row| plan(row))
            .collect()
    }

    async fn set_plan_status(&self, id: PlanId, active: bool, at: Timestamp) -> Result<bool, StoreError> {
        self.write(Lock::User(id.0), move |tx| {
            Box::pin(async move {
                let Some(row) = tx.optional(sql::PLAN.call().bind(id.0)).await? else { return Ok(false) };
                let stored = plan(&row)?;
                let update = if active {
                    let next = stored.plan.frequency.next(at, at);
                    sql::RESUME_PLAN.call().bind(id.0).bind(at.micros()).bind(next.micros())
                } else {
                    sql::PAUSE_PLAN.call().bind(id.0)
                };
                Ok(tx.execute(update).await? == 1)
            })
        })
        .await
    }

    async fn delete_plan(&self, id: PlanId) -> Result<bool, StoreError> {
        self.write(Lock::User(id.0), move |tx| {
            Box::pin(async move {
                tx.execute(sql::DELETE_RUNS.call().bind(id.0)).await?;
                Ok(tx.execute(sql::DELETE_PLAN.call().bind(id.0)).await? == 1)
            })
        })
        .await
    }

    async fn due_plans(&self, now: Timestamp, limit: u32) -> Result<Vec<Plan>, StoreError> {
        self.all(sql::DUE_PLANS.call().bind(now.micros()).bind(i64::from(limit)))
            .await?
            .iter()
            .map(|row| plan(row))
            .collect()
    }

    async fn settle_run(&self, before: &Plan, made: &Run) -> Result<bool, StoreError> {
        let after = before.after(made, made.at);
        let user = before.plan.user;
        let (id, due, made) = (before.id.0, before.next_due.micros(), made.clone());
        self.write(Lock::User(user.0), move |tx| {
            Box::pin(async move {
                let update = sql::SETTLE_PLAN
                    .call()
                    .bind(id)
                    .bind(due)
                    .bind(after.next_due.micros())
                    .bind(after.plan.remaining)
                    .bind(after.notice.clone())
                    .bind(after.executed)
                    .bind(after.inr)
                    .bind(after.btc)
                    .bind(after.completed_at.map(Timestamp::micros))
                    .bind(after.status.name());
                if tx.execute(update).await? == 0 {
                    tx.nothing_to_keep();
                    return Ok(false);
                }
                let insert = sql::INSERT_RUN.call().bind(id).bind(made.due.micros()).bind(made.at.micros());
                let insert = match made.result {
                    RunResult::Traded { seq, inr, btc, rate } => {
                        insert.bind(Some(seq)).bind(Some(inr)).bind(Some(btc)).bind(Some(rate)).bind(None::<String>)
                    }
                    RunResult::Skipped(why) | RunResult::Refused(why) => {
                        let none = None::<i64>;
                        insert.bind(none).bind(none).bind(none).bind(none).bind(Some(why))
                    }
                };
                tx.execute(insert).await?;
                Ok(true)
            })
        })
        .await
    }

    async fn runs(&self, id: PlanId, limit: u32) -> Result<Vec<Run>, StoreError> {
        self.all(sql::RUNS.call().bind(id.0).bind(i64::from(limit))).await?.iter().map(|row| run(row)).collect()
    }
}

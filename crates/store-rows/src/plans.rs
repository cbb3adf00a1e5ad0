//! Plans and their runs.

use orrery_kernel::{StoreError, Timestamp, UserId};
use orrery_ledger::{Frequency, NewPlan, Plan, PlanId, PlanStatus, Run, RunResult, Side, Size};

use crate::{Columns, corrupt};

/// The 18 columns of a plan.
pub fn plan(row: &dyn Columns) -> Result<Plan, StoreError> {
    let side: i64 = row.get(2)?;
    let (frequency, status): (&str, &str) = (row.get(5)?, row.get(12)?);
    Ok(Plan {
        id: PlanId(row.get(0)?),
        plan: NewPlan {
            user: UserId(row.get(1)?),
            side: if side == 1 { Side::Buy } else { Side::Sell },
            size: match (row.get(3)?, row.get(4)?) {
                (Some(paise), None) => Size::Inr(paise),
                (None, Some(sat)) => Size::Btc(sat),
                _ => return Err(corrupt("plans.size", "not one size")),
            },
            frequency: Frequency::parse(frequency).ok_or_else(|| corrupt("plans.frequency", frequency))?,
            min_rate: row.get(6)?,
            max_rate: row.get(7)?,
            remaining: row.get(8)?,
            created_at: row.time(9)?,
        },
        anchor: row.time(10)?,
        next_due: row.time(11)?,
        status: PlanStatus::parse(status).ok_or_else(|| corrupt("plans.status", status))?,
        notice: row.get(13)?,
        executed: row.get(14)?,
        inr: row.get(15)?,
        btc: row.get(16)?,
        completed_at: row.get::<Option<i64>>(17)?.map(Timestamp::from_micros),
    })
}

/// The six columns of a run that traded.
pub fn run(row: &dyn Columns) -> Result<Run, StoreError> {
    let result = RunResult::Traded { seq: row.get(2)?, inr: row.get(3)?, btc: row.get(4)?, rate: row.get(5)? };
    Ok(Run { due: row.time(0)?, at: row.time(1)?, result })
}

/// The two columns of a size: paise, satoshis.
pub fn sizes(size: Size) -> (Option<i64>, Option<i64>) {
    match size {
        Size::Inr(paise) => (Some(paise), None),
        Size::Btc(sat) => (None, Some(sat)),
    }
}

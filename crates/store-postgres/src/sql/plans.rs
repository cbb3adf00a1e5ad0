//! Plans and their runs.

use super::Sql;

/// Columns of a plan.
macro_rules! plan {
    () => {
        "p.id, p.user_id, p.side, p.size_inr, p.size_btc, p.frequency, p.min_rate, p.max_rate, p.remaining, \
         p.created_at, p.anchor, p.next_due, p.status, p.notice, p.executed, p.inr, p.btc, p.completed_at"
    };
}

pub(crate) const COUNT_LIVE_PLANS: Sql =
    Sql::new("count_live_plans", 1, 1, "SELECT count(*) FROM plans WHERE user_id = $1 AND status <> 'COMPLETED'");
pub(crate) const INSERT_PLAN: Sql = Sql::new(
    "insert_plan",
    13,
    1,
    "INSERT INTO plans (user_id, side, size_inr, size_btc, frequency, min_rate, max_rate, remaining, created_at,
                        anchor, next_due, status, executed, inr, btc)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, 0) RETURNING id",
);
pub(crate) const PLAN: Sql = Sql::new("plan", 1, 18, concat!("SELECT ", plan!(), " FROM plans p WHERE p.id = $1"));
pub(crate) const PLANS: Sql = Sql::new(
    "plans",
    1,
    18,
    concat!(
        "SELECT ",
        plan!(),
        " FROM plans p WHERE p.user_id = $1
          ORDER BY CASE p.status WHEN 'ACTIVE' THEN 1 WHEN 'PAUSED' THEN 2 ELSE 3 END, p.id DESC LIMIT 200"
    ),
);
pub(crate) const ALL_PLANS: Sql =
    Sql::new("all_plans", 2, 18, concat!("SELECT ", plan!(), " FROM plans p WHERE p.id > $1 ORDER BY p.id LIMIT $2"));
pub(crate) const DUE_PLANS: Sql = Sql::new(
    "due_plans",
    2,
    18,
    concat!(
        "SELECT ",
        plan!(),
        " FROM plans p WHERE p.status = 'ACTIVE' AND p.next_due <= $1 ORDER BY p.next_due, p.id LIMIT $2"
    ),
);
pub(crate) const PAUSE_PLAN: Sql =
    Sql::new("pause_plan", 1, 0, "UPDATE plans SET status = 'PAUSED' WHERE id = $1 AND status <> 'COMPLETED'");
pub(crate) const RESUME_PLAN: Sql = Sql::new(
    "resume_plan",
    3,
    0,
    "UPDATE plans SET status = 'ACTIVE', notice = NULL, anchor = $2, next_due = $3
     WHERE id = $1 AND status <> 'COMPLETED'",
);
pub(crate) const DELETE_RUNS: Sql = Sql::new("delete_runs", 1, 0, "DELETE FROM plan_runs WHERE plan_id = $1");
pub(crate) const DELETE_PLAN: Sql = Sql::new("delete_plan", 1, 0, "DELETE FROM plans WHERE id = $1");
/// The plan `$1` after its run due at `$2`; one paused meanwhile stays so.
pub(crate) const SETTLE_PLAN: Sql = Sql::new(
    "settle_plan",
    10,
    0,
    "UPDATE plans SET next_due = $3, remaining = $4, notice = $5, executed = $6, inr = $7, btc = $8,
                      completed_at = $9, status = CASE WHEN status = 'PAUSED' AND $10::text = 'ACTIVE' THEN status ELSE $10::text END
     WHERE id = $1 AND next_due = $2 AND status <> 'COMPLETED'",
);
pub(crate) const INSERT_RUN: Sql = Sql::new(
    "insert_run",
    8,
    0,
    "INSERT INTO plan_runs (plan_id, due, at, seq, inr, btc, rate, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
);
pub(crate) const RUNS: Sql = Sql::new(
    "runs",
    2,
    6,
    "SELECT due, at, seq, inr, btc, rate FROM plan_runs
     WHERE plan_id = $1 AND seq IS NOT NULL ORDER BY due DESC LIMIT $2",
);

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &COUNT_LIVE_PLANS,
    &INSERT_PLAN,
    &PLAN,
    &PLANS,
    &ALL_PLANS,
    &DUE_PLANS,
    &PAUSE_PLAN,
    &RESUME_PLAN,
    &DELETE_RUNS,
    &DELETE_PLAN,
    &SETTLE_PLAN,
    &INSERT_RUN,
    &RUNS,
];

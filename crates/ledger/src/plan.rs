//! Plans that trade a fixed size at fixed times (dollar-cost averaging), and where they are kept.
//!
//! A plan's runs lie on a grid of its own: `anchor + k × period`. A run is made under a key of its
//! plan and its place on the grid, so that however often it is tried there is one trade a period.

use async_trait::async_trait;
use chrono::{DateTime, Months};
use orrery_kernel::{StoreError, Timestamp, UserId};

use crate::{IdemKey, KeyError, Seq, Side, Size};

/// Plans of a user that are not completed, at most.
pub const LIVE_PLANS_MAX: usize = 50;

/// Number of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(pub i64);

/// How often a plan runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Frequency {
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
    /// Every seven days.
    Weekly,
    /// On the same day of each month, or its last if it has no such day.
    Monthly,
}

impl Frequency {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly];

    /// The name on the wire and in stores: `HOURLY`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hourly => "HOURLY",
            Self::Daily => "DAILY",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
        }
    }

    /// The frequency of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// The first point of the grid from `anchor` that lies after `now` (and after the anchor itself).
    ///
    /// ```
    /// # use orrery_kernel::Timestamp;
    /// # use orrery_ledger::Frequency;
    /// let anchor = Timestamp::from_secs(1_706_659_200); // 2024-01-31
    /// let leap = Frequency::Monthly.next(anchor, anchor);
    /// assert_eq!(leap.date(), "2024-02-29");
    /// // the grid does not drift
    /// assert_eq!(Frequency::Monthly.next(anchor, leap).date(), "2024-03-31");
    /// ```
    pub fn next(self, anchor: Timestamp, now: Timestamp) -> Timestamp {
        let hours = match self {
            Self::Hourly => 1,
            Self::Daily => 24,
            Self::Weekly => 168,
            Self::Monthly => return next_month(anchor, now),
        };
        let period = hours * 3_600_000_000_i64;
        let passed = (now.micros() - anchor.micros()).max(0) / period;
        Timestamp::from_micros(anchor.micros().saturating_add((passed + 1).saturating_mul(period)))
    }

    /// Runs a day, for averages, × 210 (so that it is whole).
    pub fn per_day_x210(self) -> i64 {
        match self {
            Self::Hourly => 24 * 210,
            Self::Daily => 210,
            Self::Weekly => 30,
            Self::Monthly => 7,
        }
    }
}

fn next_month(anchor: Timestamp, now: Timestamp) -> Timestamp {
    let days = (now.secs() - anchor.secs()).max(0) / 86_400;
    // a month has at most 31 days: not past the one looked for
    let mut months = u32::try_from(days / 31).unwrap_or(0);
    loop {
        months += 1;
        let at =
            DateTime::from_timestamp_micros(anchor.micros()).and_then(|a| a.checked_add_months(Months::new(months)));
        match at {
            Some(at) if at.timestamp_micros() <= now.micros() => {}
            Some(at) => return Timestamp::from_micros(at.timestamp_micros()),
            // beyond the calendar: never
            None => return Timestamp::from_micros(i64::MAX),
        }
    }
}

/// Where a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlanStatus {
    /// Runs.
    Active,
    /// Waits for its owner.
    Paused,
    /// All runs made.
    Completed,
}

impl PlanStatus {
    /// All of them, in the order that lists show them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Completed];

    /// The name on the wire and in stores: `ACTIVE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Paused => "PAUSED",
            Self::Completed => "COMPLETED",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// A plan to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPlan {
    /// Whose.
    pub user: UserId,
    /// Buy or sell.
    pub side: Side,
    /// What each run trades.
    pub size: Size,
    /// How often.
    pub frequency: Frequency,
    /// A run below this rate (paise per bitcoin) is skipped.
    pub min_rate: Option<i64>,
    /// A run above this rate is skipped.
    pub max_rate: Option<i64>,
    /// Trades still to be made; `None`: without end.
    pub remaining: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A stored plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Number.
    pub id: PlanId,
    /// Content; `remaining` falls with each trade.
    pub plan: NewPlan,
    /// Where its grid begins: when it was made or last resumed.
    pub anchor: Timestamp,
    /// The next run.
    pub next_due: Timestamp,
    /// Where it stands.
    pub status: PlanStatus,
    /// Why it was paused, if not by its owner.
    pub notice: Option<String>,
    /// Trades made.
    pub executed: i64,
    /// Paise of all its trades.
    pub inr: i64,
    /// Satoshis of all its trades.
    pub btc: i64,
    /// When its last trade was made.
    pub completed_at: Option<Timestamp>,
}

impl Plan {
    /// A new plan as stored.
    pub fn new(id: PlanId, plan: NewPlan) -> Self {
        let anchor = plan.created_at;
        Self {
            id,
            anchor,
            next_due: plan.frequency.next(anchor, anchor),
            status: PlanStatus::Active,
            notice: None,
            executed: 0,
            inr: 0,
            btc: 0,
            completed_at: None,
            plan,
        }
    }

    /// The key of the run that is due at `due`.
    pub fn run_key(&self, due: Timestamp) -> Result<IdemKey, KeyError> {
        IdemKey::new(&format!("dca-{}-{}", self.id.0, due.micros()))
    }

    /// May it trade at `rate`?
    pub fn allows(&self, rate: i64) -> bool {
        self.plan.min_rate.is_none_or(|min| rate >= min) && self.plan.max_rate.is_none_or(|max| rate <= max)
    }

    /// The plan after `run`, which was due at [`Plan::next_due`] and made at `now`.
    #[must_use]
    pub fn after(&self, run: &Run, now: Timestamp) -> Self {
        let mut next = Self { next_due: self.plan.frequency.next(self.anchor, now), ..self.clone() };
        match &run.result {
            RunResult::Traded { inr, btc, .. } => {
                next.executed += 1;
                next.inr = next.inr.saturating_add(*inr);
                next.btc = next.btc.saturating_add(*btc);
                next.plan.remaining = next.plan.remaining.map(|n| n - 1);
                if next.plan.remaining.is_some_and(|n| n <= 0) {
                    (next.status, next.completed_at) = (PlanStatus::Completed, Some(now));
                }
            }
            RunResult::Skipped(_) => {}
            RunResult::Refused(why) => (next.status, next.notice) = (PlanStatus::Paused, Some(why.clone())),
        }
        next
    }
}

/// What a run led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunResult {
    /// A trade.
    Traded {
        /// Its entry.
        seq: Seq,
        /// Paise.
        inr: i64,
        /// Satoshis.
        btc: i64,
        /// Paise per bitcoin.
        rate: i64,
    },
    /// Nothing, for this period only.
    Skipped(String),
    /// Nothing, and the plan is paused.
    Refused(String),
}

/// A run of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its place on the plan's grid.
    pub due: Timestamp,
    /// When it was made.
    pub at: Timestamp,
    /// What it led to.
    pub result: RunResult,
}

/// Keeps plans and their runs. Passes the contract suite in `orrery-testkit`.
#[async_trait]
pub trait PlanStore: Send + Sync {
    /// Stores a plan under a new number; `None`: the user has [`LIVE_PLANS_MAX`] live ones.
    async fn create_plan(&self, plan: &NewPlan) -> Result<Option<Plan>, StoreError>;
    /// A plan.
    async fn plan(&self, id: PlanId) -> Result<Option<Plan>, StoreError>;
    /// A user's plans: active, paused, completed, the newest of each first; at most 200.
    async fn plans(&self, user: UserId) -> Result<Vec<Plan>, StoreError>;
    /// All plans after `after`, at most `limit`.
    async fn all_plans(&self, after: PlanId, limit: u32) -> Result<Vec<Plan>, StoreError>;
    /// Makes an active plan paused, or a paused one active with its grid starting anew at `at`.
    /// `false`: there is none that is not completed.
    async fn set_plan_status(&self, id: PlanId, active: bool, at: Timestamp) -> Result<bool, StoreError>;
    /// Drops a plan and its runs; `false`: there is none. Its trades stay.
    async fn delete_plan(&self, id: PlanId) -> Result<bool, StoreError>;
    /// Active plans whose next run is due at `now`, the longest waiting first, at most `limit`.
    async fn due_plans(&self, now: Timestamp, limit: u32) -> Result<Vec<Plan>, StoreError>;
    /// Records the run of `before` and makes the plan what [`Plan::after`] says, in one step. `false`,
    /// and nothing changed: the plan is gone, or that run was recorded already. A plan paused
    /// meanwhile stays paused.
    async fn settle_run(&self, before: &Plan, run: &Run) -> Result<bool, StoreError>;
    /// The last runs of a plan that traded, newest first, at most `limit`.
    async fn runs(&self, id: PlanId, limit: u32) -> Result<Vec<Run>, StoreError>;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_run_is_the_first_on_the_grid_after_now(
            anchor in 0..4_000_000_000_i64,
            wait in 0..400_000_000_i64,
            which in 0..4_usize,
        ) {
            let frequency = Frequency::ALL[which];
            let (anchor, now) = (Timestamp::from_secs(anchor), Timestamp::from_secs(anchor + wait));
            let next = frequency.next(anchor, now);
            prop_assert!(next > now);
            // walking the grid from its start leads to the same point
            let mut at = anchor;
            while at <= now {
                at = frequency.next(anchor, at);
            }
            if frequency != Frequency::Hourly || wait < 40_000_000 {
                prop_assert_eq!(at, next);
            }
        }
    }

    #[test]
    fn months_keep_their_day() {
        let anchor = Timestamp::from_secs(1_706_659_200);
        let mut at = anchor;
        let dates: Vec<_> = (0..5)
            .map(|_| {
                at = Frequency::Monthly.next(anchor, at);
                at.date()
            })
            .collect();
        assert_eq!(dates, ["2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31", "2024-06-30"]);
    }
}

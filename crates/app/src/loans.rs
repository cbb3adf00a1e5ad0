//! Loans of rupees against bitcoin.

use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result, SnapshotId, Timestamp, UserId};
use orrery_ledger::{
    Actor, IdemKey, Kind, LIQUIDATION_LTV_BPS, Line, Loan, Operation, Page, Position, Sheet, WARNING_LTV_BPS,
};

use crate::Ctx;
use crate::desk::{Desk, Posting};

/// Loans looked at in one read of the jobs.
const PAGE: u32 = 256;
const DAY_US: i64 = 86_400_000_000;
/// Lines of a loan's history.
const HISTORY_MAX: usize = 200;

/// How near a loan is to its liquidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// Below the warning.
    Healthy,
    /// From 85 %.
    Warning,
    /// From 90 %.
    Liquidate,
}

impl Risk {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Warning => "WARNING",
            Self::Liquidate => "LIQUIDATE",
        }
    }
}

/// A loan as it stands.
#[derive(Clone, Debug)]
pub struct LoanStatus {
    /// The loan.
    pub loan: Loan,
    /// Its amounts, with the interest due now.
    pub position: Position,
    /// The rate it is judged by, paise per bitcoin; 0 without a price.
    pub sell_rate: i64,
    /// How near to its liquidation.
    pub risk: Risk,
}

/// The use cases of loans.
pub struct Loans {
    desk: Desk,
}

impl Loans {
    /// Assembles the use cases.
    pub fn new(desk: Desk) -> Self {
        Self { desk }
    }

    /// Locks satoshis against the caller's loan; the first lock opens it at the interest set now.
    pub async fn lock(&self, ctx: &Ctx, amount: i64, key: Option<IdemKey>) -> Posting {
        let user = ctx.authorize(Action::Trade)?.user;
        let rate_bps = self.desk.market.loan_rate_bps();
        self.post(ctx, key, Operation::LockCollateral { user, amount, rate_bps }).await
    }

    /// Locks more satoshis against the loan that the caller has.
    pub async fn add(&self, ctx: &Ctx, amount: i64, key: Option<IdemKey>) -> Posting {
        let user = ctx.authorize(Action::Trade)?.user;
        if self.desk.store.loan(user).await.map_err(Error::from)?.is_none() {
            return Err(Error::new(ErrorCode::NotFound, "No active loan found").into());
        }
        self.lock(ctx, amount, key).await
    }

    /// Gives satoshis of collateral back, as far as the debt allows.
    pub async fn release(&self, ctx: &Ctx, amount: i64, key: Option<IdemKey>) -> Posting {
        let user = ctx.authorize(Action::Trade)?.user;
        let snapshot = self.snapshot();
        self.post(ctx, key, Operation::ReleaseCollateral { user, amount, snapshot }).await
    }

    /// Lends paise.
    pub async fn borrow(&self, ctx: &Ctx, amount: i64, key: Option<IdemKey>) -> Posting {
        let user = ctx.authorize(Action::Trade)?.user;
        let snapshot = self.snapshot();
        self.post(ctx, key, Operation::Borrow { user, amount, snapshot }).await
    }

    /// Pays paise back, at most the debt.
    pub async fn repay(&self, ctx: &Ctx, amount: i64, key: Option<IdemKey>) -> Posting {
        let user = ctx.authorize(Action::Trade)?.user;
        self.post(ctx, key, Operation::Repay { user, amount }).await
    }

    /// Sells collateral of the caller's own loan, which must be due for it.
    pub async fn liquidate(&self, ctx: &Ctx, full: bool, key: Option<IdemKey>) -> Posting {
        let user = ctx.authorize(Action::Trade)?.user;
        let snapshot = self.snapshot();
        self.post(ctx, key, Operation::Liquidate { user, full, snapshot }).await
    }

    /// Gives the debt of a user up whose collateral is gone.
    pub async fn write_off(&self, ctx: &Ctx, user: UserId, key: Option<IdemKey>) -> Posting {
        let admin = ctx.authorize(Action::Administer)?.user;
        let posting = self.desk.post(ctx.now, Actor::User(admin), key, Operation::WriteOff { user }).await;
        self.desk.audited(ctx, "loan_write_off", format!("user:{user}"), posting).await
    }

    /// The caller's loan.
    pub async fn status(&self, ctx: &Ctx) -> Result<LoanStatus> {
        let user = ctx.authorize(Action::ReadOwn)?.user;
        let found = self.desk.store.loan(user).await?;
        let (loan, sheet) = found.ok_or_else(|| Error::new(ErrorCode::NotFound, "No active loan found"))?;
        Ok(self.judge(loan, &sheet, ctx.now))
    }

    /// The caller's transactions that concern loans, newest first, at most 200.
    pub async fn history(&self, ctx: &Ctx) -> Result<Vec<Line>> {
        let user = ctx.authorize(Action::ReadOwn)?.user;
        let (mut lines, mut page) = (Vec::new(), Page::newest(200));
        loop {
            let posted = self.desk.store.statement(user, page).await?;
            let Some(last) = posted.last() else { return Ok(lines) };
            page.before = Some(last.entry.seq);
            for line in posted.iter().filter(|p| is_loan(p.entry.kind)).map(|p| orrery_ledger::line(p, user)) {
                if lines.len() == HISTORY_MAX {
                    return Ok(lines);
                }
                lines.push(line);
            }
        }
    }

    /// Every loan that is at its warning or beyond, for administrators.
    pub async fn at_risk(&self, ctx: &Ctx) -> Result<Vec<LoanStatus>> {
        ctx.authorize(Action::ReadHouse)?;
        let (mut found, mut after) = (Vec::new(), UserId(0));
        loop {
            let page = self.page(after, ctx.now).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.loan.user;
            found.extend(page.into_iter().filter(|status| status.risk != Risk::Healthy));
        }
    }

    /// Liquidates every loan that is due for it at the current price, each once a price.
    pub async fn run_liquidations(&self, now: Timestamp) -> Result<u64> {
        let Ok(quote) = self.desk.market.fresh_quote(now) else { return Ok(0) };
        let (snapshot, mut done, mut after) = (quote.snapshot.id, 0, UserId(0));
        loop {
            let page = self.page(after, now).await?;
            let Some(last) = page.last() else { return Ok(done) };
            after = last.loan.user;
            for status in page.iter().filter(|s| s.risk == Risk::Liquidate && s.position.collateral > 0) {
                let user = status.loan.user;
                let operation = Operation::Liquidate { user, full: false, snapshot };
                let outcome = self.desk.post_once(&format!("liquidate-{user}-{}", snapshot.0), operation).await?;
                tracing::info!(%user, ?outcome, "liquidation");
                done += 1;
            }
        }
    }

    /// Adds the interest due to every loan, once a day. How often makes no difference to the sum.
    pub async fn run_interest(&self, now: Timestamp) -> Result<u64> {
        let (day, mut done, mut after) = (now.micros().div_euclid(DAY_US), 0, UserId(0));
        loop {
            let page = self.page(after, now).await?;
            let Some(last) = page.last() else { return Ok(done) };
            after = last.loan.user;
            for LoanStatus { loan, position, .. } in page {
                if loan.accrued_to.micros().div_euclid(DAY_US) < day && position.principal > 0 {
                    let user = loan.user;
                    self.desk.post_once(&format!("interest-{user}-{day}"), Operation::Accrue { user }).await?;
                    done += 1;
                }
            }
        }
    }

    async fn post(&self, ctx: &Ctx, key: Option<IdemKey>, operation: Operation) -> Posting {
        let user = ctx.authorize(Action::Trade)?.user;
        self.desk.post(ctx.now, Actor::User(user), key, operation).await
    }

    /// The last price, however old: the ledger judges its age.
    fn snapshot(&self) -> SnapshotId {
        self.desk.market.quote().map_or(SnapshotId(0), |q| q.snapshot.id)
    }

    fn judge(&self, loan: Loan, sheet: &Sheet, now: Timestamp) -> LoanStatus {
        let position = Position::at(sheet, &loan, now);
        let sell_rate = self.desk.market.quote().map_or(0, |q| q.snapshot.price.sell_rate);
        let risk = if sell_rate == 0 {
            Risk::Healthy
        } else if position.reaches(LIQUIDATION_LTV_BPS, sell_rate) {
            Risk::Liquidate
        } else if position.reaches(WARNING_LTV_BPS, sell_rate) {
            Risk::Warning
        } else {
            Risk::Healthy
        };
        LoanStatus { loan, position, sell_rate, risk }
    }

    /// Loans of users after `after`, as they stand.
    async fn page(&self, after: UserId, now: Timestamp) -> Result<Vec<LoanStatus>> {
        let loans = self.desk.store.open_loans(after, PAGE).await?;
        Ok(loans.into_iter().map(|(loan, sheet)| self.judge(loan, &sheet, now)).collect())
    }
}

fn is_loan(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::LockCollateral
            | Kind::ReleaseCollateral
            | Kind::Borrow
            | Kind::Repay
            | Kind::Accrue
            | Kind::LiquidatePartial
            | Kind::LiquidateFull
            | Kind::WriteOff
    )
}

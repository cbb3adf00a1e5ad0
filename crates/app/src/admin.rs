//! What administrators see and do beside corrections of the ledger: users, totals, metrics, settings,
//! the audit log.

use std::sync::Arc;

use orrery_identity::{Action, AuditRecord, Role, User};
use orrery_kernel::{Asset, Error, ErrorCode, Result, Secret, UserId};
use orrery_ledger::{Bucket, Frequency, Kind, KindTotal, Line, Page, PlanId, PlanStatus, Sheet, Side, Size};
use orrery_market::{Multipliers, Setting};

use crate::Ctx;
use crate::auth::Auth;
use crate::desk::Desk;
use crate::exec::Exec;
use crate::files::Leaving;
use crate::plans::Plans;
use crate::transfers::Transfers;

/// Rows that the documented server's lists hold at most.
pub const ROWS_MAX: u32 = 1_000;
/// The name of the interest on loans, per cent a year.
pub const LOAN_INTEREST_RATE: &str = "loan_interest_rate";
/// The names of the multipliers.
pub const BUY_MULTIPLIER: &str = "buy_multiplier";
/// See [`BUY_MULTIPLIER`].
pub const SELL_MULTIPLIER: &str = "sell_multiplier";
/// Interest of a loan at most, × 10⁴ per cent.
const INTEREST_MAX_E4: i64 = 1_000_000;

/// A user with what they hold.
#[derive(Clone, Debug)]
pub struct UserRow {
    /// The user.
    pub user: User,
    /// Their balances.
    pub sheet: Sheet,
}

/// What administrators change; absent stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettingsChange {
    /// Rupees a dollar when users buy, × 10⁴.
    pub buy_e4: Option<i64>,
    /// Rupees a dollar when users sell, × 10⁴.
    pub sell_e4: Option<i64>,
    /// Per cent a year, × 10⁴.
    pub interest_e4: Option<i64>,
}

/// Figures of the whole house.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Trades of every kind and deposits, as the documented server counts.
    pub total_trades: i64,
    /// Paise bought for.
    pub buy_volume: i128,
    /// Paise sold for.
    pub sell_volume: i128,
    /// Plans that run.
    pub active_plans: i64,
    /// Paise that active plans to buy spend a day.
    pub daily_plans_inr: i64,
    /// Paise.
    pub cash_in: i128,
    /// Paise.
    pub cash_out: i128,
    /// Satoshis.
    pub bitcoin_in: i128,
    /// Satoshis.
    pub bitcoin_out: i128,
}

/// What became of a user who was deleted.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The user.
    pub user: User,
    /// Plans dropped.
    pub plans: u64,
}

/// The administrators' use cases.
pub struct Admin {
    desk: Desk,
    auth: Arc<Auth>,
    plans: Arc<Plans>,
    transfers: Arc<Transfers>,
    exec: Option<Arc<Exec>>,
    leaving: Leaving,
}

impl Admin {
    /// Assembles the use cases.
    pub fn new(
        desk: Desk,
        auth: Arc<Auth>,
        (plans, transfers): (Arc<Plans>, Arc<Transfers>),
        exec: Option<Arc<Exec>>,
        leaving: Leaving,
    ) -> Self {
        Self { desk, auth, plans, transfers, exec, leaving }
    }

    /// Users after `after` with their balances, by number, at most [`ROWS_MAX`].
    pub async fn users(&self, ctx: &Ctx, after: UserId) -> Result<Vec<UserRow>> {
        ctx.authorize(Action::Administer)?;
        let users = self.desk.identity.users(after, ROWS_MAX).await?;
        let ids: Vec<UserId> = users.iter().map(|u| u.id).collect();
        let sheets = self.desk.store.sheets(&ids).await?;
        Ok(users.into_iter().zip(sheets).map(|(user, sheet)| UserRow { user, sheet }).collect())
    }

    /// Newest transactions of all users but administrators, with whose they are.
    pub async fn transactions(&self, ctx: &Ctx, limit: u32) -> Result<Vec<(User, Line)>> {
        ctx.authorize(Action::Administer)?;
        let mut users = std::collections::HashMap::new();
        let mut found = Vec::new();
        for (id, posted) in self.desk.store.recent(Page::newest(limit.min(ROWS_MAX))).await? {
            let user = match users.entry(id) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(new) => new.insert(self.desk.identity.user(id).await?),
            };
            if let Some(user) = user.as_ref().filter(|u| u.role != Role::Admin) {
                found.push((user.clone(), orrery_ledger::line(&posted, id)));
            }
        }
        Ok(found)
    }

    /// What all users hold: available and reserved of both.
    pub async fn total_balance(&self, ctx: &Ctx) -> Result<Sheet> {
        ctx.authorize(Action::Administer)?;
        let totals = self.desk.store.user_totals().await?;
        let of =
            |asset, bucket| totals.iter().find(|(a, b, _)| (*a, *b) == (asset, bucket)).map_or(0, |(_, _, sum)| *sum);
        Ok(Sheet {
            available_inr: of(Asset::INR, Bucket::Available),
            available_btc: of(Asset::BTC, Bucket::Available),
            reserved_inr: of(Asset::INR, Bucket::Reserved),
            reserved_btc: of(Asset::BTC, Bucket::Reserved),
            collateral_btc: of(Asset::BTC, Bucket::Collateral),
            borrowed_inr: -of(Asset::INR, Bucket::Borrowed),
            interest_accrued: -of(Asset::INR, Bucket::Interest),
        })
    }

    /// Figures of the whole house.
    pub async fn metrics(&self, ctx: &Ctx) -> Result<Metrics> {
        ctx.authorize(Action::Administer)?;
        let totals = self.desk.store.totals().await?;
        let sum = |kinds: &[Kind], asset: Asset, leg: u8| -> i128 {
            let counts = |t: &&KindTotal| kinds.contains(&t.kind) && t.asset == asset && t.leg == leg;
            totals.iter().filter(counts).map(|t| t.amount).sum()
        };
        let count = |kinds: &[Kind]| -> i64 {
            totals.iter().filter(|t| kinds.contains(&t.kind) && t.leg == 0).map(|t| t.count).sum()
        };
        let buys = [Kind::MarketBuy, Kind::PlanBuy, Kind::FillBuy];
        let sells = [Kind::MarketSell, Kind::PlanSell, Kind::FillSell];
        let out = [Kind::Withdraw, Kind::PostHold];
        let mut metrics = Metrics {
            total_trades: count(&buys) + count(&sells) + count(&[Kind::Deposit]) + count(&out),
            // a buy's first leg is what is paid, a sell's second what is got
            buy_volume: sum(&buys, Asset::INR, 0),
            sell_volume: sum(&sells, Asset::INR, 1),
            cash_in: sum(&[Kind::Deposit], Asset::INR, 0),
            cash_out: sum(&out, Asset::INR, 0),
            bitcoin_in: sum(&[Kind::Deposit], Asset::BTC, 0),
            bitcoin_out: sum(&out, Asset::BTC, 0),
            ..Metrics::default()
        };
        let mut daily_x210 = 0_i128;
        let mut after = PlanId(0);
        loop {
            let plans = self.plans.all(ctx, after, ROWS_MAX).await?;
            let Some(last) = plans.last() else { break };
            after = last.id;
            for plan in plans.iter().filter(|p| p.status == PlanStatus::Active) {
                metrics.active_plans += 1;
                if let (Side::Buy, Size::Inr(paise)) = (plan.plan.side, plan.plan.size) {
                    daily_x210 += i128::from(paise) * i128::from(Frequency::per_day_x210(plan.plan.frequency));
                }
            }
        }
        metrics.daily_plans_inr = i64::try_from(daily_x210 / 210).unwrap_or(i64::MAX);
        Ok(metrics)
    }

    /// The settings as they are in force.
    pub async fn settings(&self, ctx: &Ctx) -> Result<Vec<Setting>> {
        ctx.authorize(Action::Administer)?;
        Ok(self.desk.market.settings())
    }

    /// Changes settings: all or none; the rates follow at once.
    pub async fn change_settings(&self, ctx: &Ctx, change: SettingsChange) -> Result<Vec<Setting>> {
        ctx.authorize(Action::Administer)?;
        if change.buy_e4.is_none() && change.sell_e4.is_none() && change.interest_e4.is_none() {
            return Err(Error::invalid("settings", "settings must name at least one setting"));
        }
        let now = self.desk.market.multipliers();
        let (buy, sell) = (change.buy_e4.unwrap_or(now.buy_e4()), change.sell_e4.unwrap_or(now.sell_e4()));
        let field = if change.buy_e4.is_some() { BUY_MULTIPLIER } else { SELL_MULTIPLIER };
        let multipliers = Multipliers::from_e4(buy, sell).map_err(|e| Error::invalid(field, e.to_string()))?;
        if change.interest_e4.is_some_and(|i| !(0..=INTEREST_MAX_E4).contains(&i)) {
            return Err(Error::invalid(LOAN_INTEREST_RATE, "loan_interest_rate must be between 0 and 100"));
        }
        let changed: Vec<Setting> = [
            (BUY_MULTIPLIER, change.buy_e4),
            (SELL_MULTIPLIER, change.sell_e4),
            (LOAN_INTEREST_RATE, change.interest_e4),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(Setting { name: name.into(), value_e4: value?, updated_at: ctx.now }))
        .collect();
        self.desk.market.apply_settings(&changed, multipliers).await?;
        let told: Vec<String> = changed.iter().map(|s| format!("{}={}e-4", s.name, s.value_e4)).collect();
        self.desk.audit(ctx, "settings_change", told.join(" "), "ok").await;
        Ok(self.desk.market.settings())
    }

    /// Deletes a user: what they run ends, their plans, documents, files, programs and the directory of their commands
    /// go, what is reserved is freed, their entries stay. The last administrator stays.
    pub async fn delete_user(&self, ctx: &Ctx, id: UserId) -> Result<Deleted> {
        ctx.authorize(Action::Administer)?;
        let user = self.auth.delete_user(ctx, id).await?;
        let plans = self.plans.delete_all(id).await?;
        self.transfers.release_all(ctx.now, id).await?;
        // first what runs, for it may use the rest
        let ran = match &self.exec {
            Some(exec) => exec.forget(id).await,
            None => Ok(()),
        };
        for left in [ran, self.leaving.forget(id).await] {
            if let Err(error) = left {
                // the user is gone; the sweeps drop the rest
                tracing::warn!(%error, cause = ?error.internal, "what a deleted user kept stays for now");
            }
        }
        Ok(Deleted { user, plans })
    }

    /// Sets a user's password and ends their sessions and keys.
    pub async fn set_password(&self, ctx: &Ctx, id: UserId, password: &Secret<String>) -> Result<User> {
        ctx.authorize(Action::Administer)?;
        self.auth.set_password_of(ctx, id, password).await
    }

    /// Audit events after `after` in order, and whether the chain of those that are given holds.
    pub async fn audit_trail(&self, ctx: &Ctx, after: i64) -> Result<(Vec<AuditRecord>, bool)> {
        ctx.authorize(Action::ReadHouse)?;
        let records = self.desk.identity.audit_trail(after, ROWS_MAX).await?;
        let holds = records.windows(2).all(|pair| match pair {
            [before, next] => next.hash == next.event.link(before.hash),
            _ => true,
        });
        Ok((records, holds))
    }

    /// A user, for answers.
    pub async fn user(&self, ctx: &Ctx, id: UserId) -> Result<User> {
        ctx.authorize(Action::Administer)?;
        let found = self.desk.identity.user(id).await?;
        found.ok_or_else(|| Error::new(ErrorCode::NotFound, "User not found"))
    }
}

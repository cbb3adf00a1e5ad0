//! `/api/admin/*`: users, their money, the treasury, figures, settings, the audit log.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use orrery_app::admin::{
    BUY_MULTIPLIER, LOAN_INTEREST_RATE, Metrics, ROWS_MAX, SELL_MULTIPLIER, SettingsChange as Change, UserRow,
};
use orrery_app::{App, Ctx};
use orrery_http_kit::{Auth, Fail, Json, Query, Segment};
use orrery_identity::{Action, Role, User};
use orrery_kernel::{Asset, Error, ErrorCode, Secret, Timestamp, UserId};
use orrery_ledger::{PlanId, PlanStatus};
use orrery_market::Setting;
use orrery_protocol::Rupees;
use orrery_protocol::bittrade::ErrorBody;
use orrery_protocol::desk::{
    AdjustReply, AdminAmountRequest, AdminPasswordRequest, AdminPlanBody, AdminPlansReply, AdminRoleRequest,
    AdminTransactionBody, AdminTransactionsReply, AdminUserBody, AdminUsersReply, AuditBody, AuditReply, DeletedData,
    DoneReply, FundReply, MetricsReply, Party, SettingBody, SettingsBody, SettingsChanged, SettingsReply,
    SettingsRequest, TotalBalanceReply, TreasuryReply, UserDeleted, WithdrawalBody, WithdrawalReply, WithdrawalsReply,
};
use serde::Deserialize;

use crate::admin::{exposure, only};
use crate::trading::{idempotency_key, refused, replayed};
use crate::{BitTrade, fields, render};

fn user_id(segment: &str) -> Result<UserId, Error> {
    fields::number(segment).map(UserId).ok_or_else(|| Error::new(ErrorCode::NotFound, "User not found"))
}

fn admin(ctx: &Ctx) -> Result<(), Error> {
    only(ctx, Action::Administer)
}

fn user_row(row: &UserRow) -> AdminUserBody {
    let sheet = &row.sheet;
    AdminUserBody {
        id: row.user.id.0,
        name: row.user.name.clone(),
        email: row.user.email.clone(),
        inr_balance: Rupees(sheet.available_inr.saturating_add(sheet.reserved_inr)),
        btc_balance: sheet.available_btc.saturating_add(sheet.reserved_btc),
        is_admin: u8::from(row.user.role == Role::Admin),
        role: row.user.role.name().into(),
        created_at: row.user.created_at.iso(),
    }
}

/// Users with their balances, as the list and the event show them.
pub async fn users_reply(app: &App, ctx: &Ctx, after: UserId) -> Result<AdminUsersReply, Error> {
    let users: Vec<_> = app.admin.users(ctx, after).await?.iter().map(user_row).collect();
    let admins = users.iter().filter(|u| u.is_admin == 1).count();
    Ok(AdminUsersReply { total_count: users.len(), admin_count: admins, regular_count: users.len() - admins, users })
}

/// Newest transactions of all users, as the list and the event show them.
pub async fn transactions_reply(app: &App, ctx: &Ctx, limit: u32) -> Result<AdminTransactionsReply, Error> {
    let found = app.admin.transactions(ctx, limit).await?;
    let row = |(user, line): &(User, orrery_ledger::Line)| AdminTransactionBody {
        transaction: render::transaction(line),
        user_id: user.id.0,
        user_name: user.name.clone(),
        user_email: user.email.clone(),
    };
    Ok(AdminTransactionsReply { transactions: found.iter().map(row).collect() })
}

/// All plans, as the list and the event show them; at most 1,000.
pub async fn plans_reply(app: &App, ctx: &Ctx) -> Result<AdminPlansReply, Error> {
    let plans = app.plans.all(ctx, PlanId(0), ROWS_MAX).await?;
    let mut owners: HashMap<UserId, (String, String)> = HashMap::new();
    for plan in &plans {
        if let std::collections::hash_map::Entry::Vacant(new) = owners.entry(plan.plan.user) {
            // a user who was deleted has no plans, unless they go at this moment
            let owner = app.admin.user(ctx, plan.plan.user).await.map(|u| (u.name, u.email)).unwrap_or_default();
            new.insert(owner);
        }
    }
    let count = |status| plans.iter().filter(|p| p.status == status).count();
    Ok(AdminPlansReply {
        total_count: plans.len(),
        active_count: count(PlanStatus::Active),
        paused_count: count(PlanStatus::Paused),
        completed_count: count(PlanStatus::Completed),
        plans: plans
            .iter()
            .map(|plan| {
                let (user_name, user_email) = owners.get(&plan.plan.user).cloned().unwrap_or_default();
                AdminPlanBody { plan: render::plan(plan, &[]), user_id: plan.plan.user.0, user_name, user_email }
            })
            .collect(),
    })
}

fn setting(settings: &[Setting], name: &str) -> SettingBody {
    let found = settings.iter().find(|s| s.name == name);
    SettingBody {
        value: found.map_or(0.0, |s| s.value_e4 as f64 / 10_000.0),
        updated_at: found.map(|s| s.updated_at).filter(|at| *at != Timestamp::default()).map(Timestamp::iso),
    }
}

/// The settings by name.
pub fn settings_body(settings: &[Setting]) -> SettingsBody {
    SettingsBody {
        buy_multiplier: setting(settings, BUY_MULTIPLIER),
        sell_multiplier: setting(settings, SELL_MULTIPLIER),
        loan_interest_rate: setting(settings, LOAN_INTEREST_RATE),
    }
}

/// Figures of the house.
pub fn metrics_body(metrics: &Metrics) -> MetricsReply {
    let money = |amount: i128| Rupees(i64::try_from(amount).unwrap_or(i64::MAX));
    let sat = |amount: i128| i64::try_from(amount).unwrap_or(i64::MAX);
    MetricsReply {
        total_trades: metrics.total_trades,
        total_volume: money(metrics.buy_volume + metrics.sell_volume),
        buy_volume: money(metrics.buy_volume),
        sell_volume: money(metrics.sell_volume),
        active_dca_plans: metrics.active_plans,
        avg_daily_dca_amount: Rupees(metrics.daily_plans_inr),
        total_cash_deposits: money(metrics.cash_in),
        total_cash_withdrawals: money(metrics.cash_out),
        total_bitcoin_deposits: sat(metrics.bitcoin_in),
        total_bitcoin_withdrawals: sat(metrics.bitcoin_out),
        cached: false,
    }
}

#[derive(Deserialize)]
pub(crate) struct AfterQuery {
    after: Option<String>,
}

fn after(query: &AfterQuery) -> Result<i64, Error> {
    match query.after.as_deref() {
        None | Some("0") => Ok(0),
        Some(text) => {
            fields::number(text).ok_or_else(|| Error::invalid("after", "after must be a whole number from 0"))
        }
    }
}

/// Users and what they hold
///
/// By number, at most 1,000; the next ones with `after`.
#[utoipa::path(get, path = "/api/admin/users", tag = "admin", security(("bearer" = [])),
    params(("after" = Option<i64>, Query, description = "number of the last user seen")),
    responses((status = 200, body = AdminUsersReply), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn users(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Query(query, _): Query<BitTrade, AfterQuery>,
) -> Result<Reply<AdminUsersReply>, Fail<BitTrade>> {
    admin(&ctx)?;
    Ok(Reply(users_reply(&app, &ctx, UserId(after(&query)?)).await?))
}

/// Delete a user
///
/// Their plans go, what is reserved is freed, their sessions and keys end; their transactions stay. The
/// last administrator cannot be deleted.
#[utoipa::path(delete, path = "/api/admin/users/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Number of the user")), responses((status = 200, body = UserDeleted),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
pub(crate) async fn delete_user(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(id, _): Segment<BitTrade>,
) -> Result<Reply<UserDeleted>, Fail<BitTrade>> {
    admin(&ctx)?;
    let deleted = app.admin.delete_user(&ctx, user_id(&id)?).await?;
    Ok(Reply(UserDeleted {
        success: true,
        message: format!("User {} deleted successfully", deleted.user.email),
        deleted_data: DeletedData { plans: deleted.plans, transactions: 0, user_action: "deleted".into() },
    }))
}

/// Set a user's password
#[utoipa::path(put, path = "/api/admin/users/{id}/password", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Number of the user")), request_body = AdminPasswordRequest,
    responses((status = 200, body = DoneReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn set_password(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(id, _): Segment<BitTrade>,
    Json(request, _): Json<BitTrade, AdminPasswordRequest>,
) -> Result<Reply<DoneReply>, Fail<BitTrade>> {
    admin(&ctx)?;
    let password = Secret::new(request.password.unwrap_or_default());
    let user = app.admin.set_password(&ctx, user_id(&id)?, &password).await?;
    Ok(Reply(DoneReply { success: true, message: format!("Password of {} updated successfully", user.email) }))
}

/// Set a user's role
///
/// The last administrator cannot be demoted.
#[utoipa::path(put, path = "/api/admin/users/{id}/role", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Number of the user")), request_body = AdminRoleRequest,
    responses((status = 200, body = DoneReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody)))]
pub(crate) async fn set_role(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(id, _): Segment<BitTrade>,
    Json(request, _): Json<BitTrade, AdminRoleRequest>,
) -> Result<Reply<DoneReply>, Fail<BitTrade>> {
    admin(&ctx)?;
    let unknown = || Error::invalid("role", "role must be viewer, trader, operator or admin");
    let role = request.role.as_deref().and_then(Role::parse).ok_or_else(unknown)?;
    let user = app.auth.set_role_of(&ctx, user_id(&id)?, role).await?;
    Ok(Reply(DoneReply { success: true, message: format!("{} is now {}", user.email, role.name()) }))
}

async fn adjust(
    app: &App,
    ctx: &Ctx,
    id: &str,
    headers: &HeaderMap,
    request: &AdminAmountRequest,
    (asset, deposit): (Asset, bool),
) -> Result<Response, Fail<BitTrade>> {
    admin(ctx)?;
    let user = app.admin.user(ctx, user_id(id)?).await?;
    // rupees, or satoshis
    let decimals = if asset == Asset::INR { asset.decimals() } else { 0 };
    let amount = fields::positive("amount", request.amount.as_ref(), decimals, "Invalid amount")?;
    let done = match app.transfers.adjust(ctx, user.id, asset, amount, deposit, idempotency_key(headers)?).await {
        Ok(done) => done,
        Err(mut e) => {
            if e.error.code == ErrorCode::InsufficientFunds {
                let text =
                    if asset == Asset::INR { "Insufficient cash balance" } else { "Insufficient Bitcoin balance" };
                e.error = Error::new(ErrorCode::InsufficientFunds, text);
            }
            return Ok(refused(e));
        }
    };
    let sheet = &done.receipt.sheet;
    let now = if asset == Asset::INR { sheet.available_inr } else { sheet.available_btc };
    let what = if asset == Asset::INR { "Cash" } else { "Bitcoin" };
    let how = if deposit { "deposited" } else { "withdrawn" };
    let moved = Some(fields::shown(asset, amount));
    let reply = AdjustReply {
        success: true,
        message: format!("{what} {how} successfully"),
        user: Party { name: user.name, email: user.email },
        deposited_amount: if deposit { moved.clone() } else { None },
        withdrawn_amount: if deposit { None } else { moved },
        new_balance: fields::shown(asset, now),
        transaction_id: done.receipt.seq,
    };
    Ok(replayed(Reply(reply).into_response(), done.replay))
}

macro_rules! booking {
    ($name:ident, $path:literal, $asset:expr, $deposit:literal, $doc:literal) => {
        #[doc = $doc]
        #[utoipa::path(post, path = $path, tag = "admin", security(("bearer" = [])),
            params(("id" = i64, Path, description = "Number of the user"),
            ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
            request_body = AdminAmountRequest, responses((status = 200, body = AdjustReply),
            (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
            (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody)))]
        pub(crate) async fn $name(
            State(app): State<Arc<App>>,
            Auth(ctx, _): Auth<BitTrade>,
            Segment(id, _): Segment<BitTrade>,
            headers: HeaderMap,
            Json(request, _): Json<BitTrade, AdminAmountRequest>,
        ) -> Result<Response, Fail<BitTrade>> {
            adjust(&app, &ctx, &id, &headers, &request, ($asset, $deposit)).await
        }
    };
}

booking!(deposit_cash, "/api/admin/users/{id}/deposit-cash", Asset::INR, true, "Book rupees in");
booking!(deposit_bitcoin, "/api/admin/users/{id}/deposit-bitcoin", Asset::BTC, true, "Book satoshis in");
booking!(withdraw_cash, "/api/admin/users/{id}/withdraw-cash", Asset::INR, false, "Book rupees out");
booking!(withdraw_bitcoin, "/api/admin/users/{id}/withdraw-bitcoin", Asset::BTC, false, "Book satoshis out");

/// Newest transactions of all users but administrators
#[utoipa::path(get, path = "/api/admin/transactions", tag = "admin", security(("bearer" = [])), responses(
    (status = 200, body = AdminTransactionsReply), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody)))]
pub(crate) async fn transactions(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<AdminTransactionsReply>, Fail<BitTrade>> {
    admin(&ctx)?;
    Ok(Reply(transactions_reply(&app, &ctx, ROWS_MAX).await?))
}

/// Plans of all users
#[utoipa::path(get, path = "/api/admin/dca-plans", tag = "admin", security(("bearer" = [])), responses(
    (status = 200, body = AdminPlansReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn plans(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<AdminPlansReply>, Fail<BitTrade>> {
    admin(&ctx)?;
    Ok(Reply(plans_reply(&app, &ctx).await?))
}

/// What all users hold
#[utoipa::path(get, path = "/api/admin/total-balance", tag = "admin", security(("bearer" = [])), responses(
    (status = 200, body = TotalBalanceReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn total_balance(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<TotalBalanceReply>, Fail<BitTrade>> {
    admin(&ctx)?;
    let total = app.admin.total_balance(&ctx).await?;
    Ok(Reply(TotalBalanceReply {
        total_available_inr: Rupees(total.available_inr),
        total_available_btc: total.available_btc,
        total_reserved_inr: Rupees(total.reserved_inr),
        total_reserved_btc: total.reserved_btc,
    }))
}

/// Figures of the house
#[utoipa::path(get, path = "/api/admin/metrics", tag = "admin", security(("bearer" = [])), responses(
    (status = 200, body = MetricsReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn metrics(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<MetricsReply>, Fail<BitTrade>> {
    admin(&ctx)?;
    Ok(Reply(metrics_body(&app.admin.metrics(&ctx).await?)))
}

/// The settings in force
#[utoipa::path(get, path = "/api/admin/settings", tag = "admin", security(("bearer" = [])), responses(
    (status = 200, body = SettingsReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn settings(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<SettingsReply>, Fail<BitTrade>> {
    admin(&ctx)?;
    let settings = settings_body(&app.admin.settings(&ctx).await?);
    Ok(Reply(SettingsReply { flat: settings.clone(), settings }))
}

/// Change settings
///
/// All or none. The rates follow at once; selling may not pay more than buying costs.
#[utoipa::path(put, path = "/api/admin/settings", tag = "admin", security(("bearer" = [])),
    request_body = SettingsRequest, responses((status = 200, body = SettingsChanged), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 413, body = ErrorBody)))]
pub(crate) async fn change_settings(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Json(request, _): Json<BitTrade, SettingsRequest>,
) -> Result<Reply<SettingsChanged>, Fail<BitTrade>> {
    admin(&ctx)?;
    let asked = request.settings.unwrap_or_default();
    let change = Change {
        buy_e4: fields::decimal(BUY_MULTIPLIER, asked.buy_multiplier.as_ref(), 4)?,
        sell_e4: fields::decimal(SELL_MULTIPLIER, asked.sell_multiplier.as_ref(), 4)?,
        interest_e4: fields::decimal(LOAN_INTEREST_RATE, asked.loan_interest_rate.as_ref(), 4)?,
    };
    let settings = app.admin.change_settings(&ctx, change).await?;
    Ok(Reply(SettingsChanged {
        success: true,
        message: "Settings updated successfully".into(),
        updated_settings: settings_body(&settings),
    }))
}

/// What the house holds, owes and is owed
#[utoipa::path(get, path = "/api/admin/treasury", tag = "admin", security(("bearer" = [])), responses(
    (status = 200, body = TreasuryReply), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn treasury(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
) -> Result<Reply<TreasuryReply>, Fail<BitTrade>> {
    let (house, users) = exposure(&app.trading.exposure(&ctx).await?);
    Ok(Reply(TreasuryReply { house, users }))
}

/// Put rupees into the treasury, from which loans are paid
#[utoipa::path(post, path = "/api/admin/treasury/fund", tag = "admin", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    request_body = AdminAmountRequest, responses((status = 200, body = FundReply), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody)))]
pub(crate) async fn fund_treasury(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, AdminAmountRequest>,
) -> Result<Response, Fail<BitTrade>> {
    admin(&ctx)?;
    let amount = fields::positive("amount", request.amount.as_ref(), Asset::INR.decimals(), "Invalid amount")?;
    match app.transfers.fund_treasury(&ctx, amount, idempotency_key(&headers)?).await {
        Err(e) => Ok(refused(e)),
        Ok(done) => {
            let reply = FundReply {
                success: true,
                message: "Treasury funded successfully".into(),
                amount: Rupees(amount),
                transaction_id: done.receipt.seq,
            };
            Ok(replayed(Reply(reply).into_response(), done.replay))
        }
    }
}

/// Give a debt up whose collateral is gone
#[utoipa::path(post, path = "/api/admin/users/{id}/loan/write-off", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Number of the user"),
    ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = FundReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn write_off(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(id, _): Segment<BitTrade>,
    headers: HeaderMap,
) -> Result<Response, Fail<BitTrade>> {
    admin(&ctx)?;
    match app.loans.write_off(&ctx, user_id(&id)?, idempotency_key(&headers)?).await {
        Err(e) => Ok(refused(e)),
        Ok(done) => {
            let reply = FundReply {
                success: true,
                message: "Debt written off".into(),
                amount: Rupees(done.receipt.inr),
                transaction_id: done.receipt.seq,
            };
            Ok(replayed(Reply(reply).into_response(), done.replay))
        }
    }
}

/// Withdrawals that wait for a decision
#[utoipa::path(get, path = "/api/admin/withdrawals", tag = "admin", security(("bearer" = [])),
    params(("after" = Option<i64>, Query, description = "number of the last one seen")),
    responses((status = 200, body = WithdrawalsReply), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn withdrawals(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Query(query, _): Query<BitTrade, AfterQuery>,
) -> Result<Reply<WithdrawalsReply>, Fail<BitTrade>> {
    admin(&ctx)?;
    let pending = app.transfers.pending(&ctx, after(&query)?).await?;
    let withdrawals = pending
        .iter()
        .map(|hold| WithdrawalBody {
            id: hold.id,
            user_id: hold.user.0,
            asset: hold.asset.code().into(),
            amount: hold.amount,
            expires_at: hold.expires_at.map(Timestamp::iso),
        })
        .collect();
    Ok(Reply(WithdrawalsReply { withdrawals }))
}

async fn decide(
    app: &App,
    ctx: &Ctx,
    id: &str,
    headers: &HeaderMap,
    pay: Option<Option<i64>>,
) -> Result<Response, Fail<BitTrade>> {
    let hold = fields::number(id).ok_or_else(|| Error::new(ErrorCode::NotFound, "Withdrawal not found"))?;
    let key = idempotency_key(headers)?;
    match app.transfers.decide(ctx, hold, pay.is_some(), pay.flatten(), key).await {
        Err(e) => Ok(refused(e)),
        Ok(done) => {
            let (message, status) = match pay {
                Some(_) => ("Withdrawal paid", "EXECUTED"),
                None => ("Withdrawal called off", "CANCELLED"),
            };
            let reply = WithdrawalReply {
                message: message.into(),
                transaction_id: hold,
                status: status.into(),
                updated_balance: render::balance(&done.receipt.sheet),
            };
            Ok(replayed(Reply(reply).into_response(), done.replay))
        }
    }
}

/// Pay a withdrawal out
///
/// All of it, or `amount` (paise or satoshis) of it; the rest is free again.
#[utoipa::path(post, path = "/api/admin/withdrawals/{id}/pay", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Transaction"),
    ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    request_body = AdminAmountRequest, responses((status = 200, body = WithdrawalReply),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody)))]
pub(crate) async fn pay_withdrawal(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(id, _): Segment<BitTrade>,
    headers: HeaderMap,
    Json(request, _): Json<BitTrade, AdminAmountRequest>,
) -> Result<Response, Fail<BitTrade>> {
    admin(&ctx)?;
    let amount = fields::decimal("amount", request.amount.as_ref(), 0)?;
    decide(&app, &ctx, &id, &headers, Some(amount)).await
}

/// Call a withdrawal off
#[utoipa::path(post, path = "/api/admin/withdrawals/{id}/reject", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Transaction"),
    ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    responses((status = 200, body = WithdrawalReply), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
pub(crate) async fn reject_withdrawal(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Segment(id, _): Segment<BitTrade>,
    headers: HeaderMap,
) -> Result<Response, Fail<BitTrade>> {
    admin(&ctx)?;
    decide(&app, &ctx, &id, &headers, None).await
}

/// The audit log
///
/// In order, at most 1,000 events; the next ones with `after`. Each is linked to the one before it.
#[utoipa::path(get, path = "/api/admin/audit", tag = "admin", security(("bearer" = [])),
    params(("after" = Option<i64>, Query, description = "number of the last event seen")),
    responses((status = 200, body = AuditReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody)))]
pub(crate) async fn audit(
    State(app): State<Arc<App>>,
    Auth(ctx, _): Auth<BitTrade>,
    Query(query, _): Query<BitTrade, AfterQuery>,
) -> Result<Reply<AuditReply>, Fail<BitTrade>> {
    only(&ctx, Action::ReadHouse)?;
    let (records, chain_ok) = app.admin.audit_trail(&ctx, after(&query)?).await?;
    let events = records
        .into_iter()
        .map(|record| AuditBody {
            id: record.id,
            at: record.event.at.iso(),
            actor: record.event.actor,
            action: record.event.action,
            target: record.event.target,
            outcome: record.event.outcome,
            address: record.event.address,
            hash: record.hash.iter().map(|b| format!("{b:02x}")).collect(),
        })
        .collect();
    Ok(Reply(AuditReply { events, chain_ok }))
}

//! Domain values as the document's bodies.

use orrery_app::market::Quote;
use orrery_app::plans::PlanView;
use orrery_identity::{Role, User};
use orrery_kernel::Timestamp;
use orrery_ledger::{Line, LineStatus, Plan, PlanStatus, Run, RunResult, Sheet, Side, Size};
use orrery_protocol::Rupees;
use orrery_protocol::bittrade::{BalanceBody, TransactionBody, UserBody};
use orrery_protocol::desk::{Performance, PlanBody, PlansReply, RunBody};
use orrery_protocol::socketio::PriceUpdate;

/// A user as shown to themselves.
pub(crate) fn user(user: &User) -> UserBody {
    UserBody {
        id: user.id.0,
        email: user.email.clone(),
        name: user.name.clone(),
        is_admin: u8::from(user.role == Role::Admin),
        role: user.role.name().into(),
    }
}

/// Balances.
pub fn balance(sheet: &Sheet) -> BalanceBody {
    BalanceBody {
        available_inr: Rupees(sheet.available_inr),
        available_btc: sheet.available_btc,
        reserved_inr: Rupees(sheet.reserved_inr),
        reserved_btc: sheet.reserved_btc,
        collateral_btc: sheet.collateral_btc,
        borrowed_inr: Rupees(sheet.borrowed_inr),
        interest_accrued: Rupees(sheet.interest_accrued),
        available_inr_paise: sheet.available_inr,
        reserved_inr_paise: sheet.reserved_inr,
        borrowed_inr_paise: sheet.borrowed_inr,
        interest_accrued_paise: sheet.interest_accrued,
    }
}

/// A line of the transaction history.
pub fn transaction(line: &Line) -> TransactionBody {
    TransactionBody {
        id: line.id,
        kind: line.kind.into(),
        status: match line.status {
            LineStatus::Executed if line.reversed => "REVERSED",
            LineStatus::Executed => "EXECUTED",
            LineStatus::Pending => "PENDING",
            LineStatus::Cancelled => "CANCELLED",
            LineStatus::Expired => "EXPIRED",
        }
        .into(),
        btc_amount: line.btc,
        inr_amount: Rupees(line.inr),
        inr_amount_paise: line.inr,
        execution_price: Rupees(line.rate),
        execution_price_paise: line.rate,
        created_at: line.at.iso(),
        executed_at: line.executed_at.map(Timestamp::iso),
        expires_at: line.expires_at.map(Timestamp::iso),
        cached: false,
    }
}

/// The price event.
pub fn price_update(quote: &Quote, now: Timestamp) -> PriceUpdate {
    let price = &quote.snapshot.price;
    PriceUpdate {
        btc_usd_price: price.btc_usd_cents / 100,
        buy_rate_inr: price.buy_rate / 100,
        sell_rate_inr: price.sell_rate / 100,
        timestamp: now.iso(),
        source: price.source.clone(),
    }
}

/// A plan with its last trades.
pub(crate) fn plan(plan: &Plan, recent: &[Run]) -> PlanBody {
    let new = &plan.plan;
    let (inr, btc) = match new.size {
        Size::Inr(paise) => (Some(Rupees(paise)), None),
        Size::Btc(sat) => (None, Some(sat)),
    };
    let average = (i128::from(plan.inr) * i128::from(orrery_kernel::ONE_BTC)).checked_div(i128::from(plan.btc));
    PlanBody {
        id: plan.id.0,
        plan_type: plan_type(new.side).into(),
        status: plan.status.name().into(),
        frequency: new.frequency.name().into(),
        amount_per_execution_inr: inr,
        amount_per_execution_btc: btc,
        next_execution_at: (plan.status == PlanStatus::Active).then(|| plan.next_due.iso()),
        total_executions: plan.executed,
        remaining_executions: new.remaining,
        max_price: new.max_rate.map(Rupees),
        min_price: new.min_rate.map(Rupees),
        created_at: new.created_at.iso(),
        completed_at: plan.completed_at.map(Timestamp::iso),
        notice: plan.notice.clone(),
        recent_executions: recent.iter().filter_map(run).collect(),
        performance: Performance {
            total_executed: plan.executed,
            total_executions: plan.executed,
            total_invested: Rupees(plan.inr),
            total_btc: plan.btc,
            avg_price: Rupees(average.and_then(|a| i64::try_from(a).ok()).unwrap_or(0)),
        },
    }
}

/// The name of plans of that side.
pub(crate) fn plan_type(side: Side) -> &'static str {
    if side == Side::Buy { "DCA_BUY" } else { "DCA_SELL" }
}

fn run(run: &Run) -> Option<RunBody> {
    let RunResult::Traded { seq, inr, btc, rate } = run.result else { return None };
    Some(RunBody {
        id: seq,
        btc_amount: btc,
        inr_amount: Rupees(inr),
        execution_price: Rupees(rate),
        status: "EXECUTED".into(),
        executed_at: run.at.iso(),
    })
}

/// A user's plans.
pub fn plans(views: &[PlanView]) -> PlansReply {
    let count = |status| views.iter().filter(|v| v.plan.status == status).count();
    PlansReply {
        total_plans: views.len(),
        active_plans: count(PlanStatus::Active),
        paused_plans: count(PlanStatus::Paused),
        plans: views.iter().map(|v| plan(&v.plan, &v.recent)).collect(),
    }
}

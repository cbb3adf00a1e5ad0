//! Domain values as the document's bodies.

use orrery_app::market::Quote;
use orrery_identity::{Role, User};
use orrery_kernel::Timestamp;
use orrery_ledger::{Line, Sheet};
use orrery_protocol::Rupees;
use orrery_protocol::bittrade::{BalanceBody, TransactionBody, UserBody};
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
    let at = line.at.iso();
    TransactionBody {
        id: line.id,
        kind: line.kind.into(),
        status: if line.reversed { "REVERSED" } else { "EXECUTED" }.into(),
        btc_amount: line.btc,
        inr_amount: Rupees(line.inr),
        inr_amount_paise: line.inr,
        execution_price: Rupees(line.rate),
        execution_price_paise: line.rate,
        created_at: at.clone(),
        executed_at: at,
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

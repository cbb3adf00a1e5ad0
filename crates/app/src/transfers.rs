//! Money from one user to another, and out of the house.

use std::time::Duration;

use orrery_identity::{Action, Email, User};
use orrery_kernel::{Asset, Error, ErrorCode, Result, Timestamp, UserId};
use orrery_ledger::{Actor, Hold, IdemKey, Operation, Outcome, Seq};

use crate::Ctx;
use crate::desk::{Declined, Desk, Done, Posting, refusal_error};

/// A withdrawal that nobody decided on goes back after this.
const HOLD_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// Withdrawals listed at a time.
const PAGE: u32 = 200;

/// A transfer that was made.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The entry.
    pub done: Done,
    /// To whom.
    pub recipient: User,
}

/// The use cases of transfers and withdrawals.
pub struct Transfers {
    desk: Desk,
}

impl Transfers {
    /// Assembles the use cases.
    pub fn new(desk: Desk) -> Self {
        Self { desk }
    }

    /// Sends money to the user of that address.
    pub async fn send(
        &self,
        ctx: &Ctx,
        recipient: &str,
        asset: Asset,
        amount: i64,
        key: Option<IdemKey>,
    ) -> std::result::Result<Sent, Declined> {
        let from = ctx.authorize(Action::Trade)?.user;
        let email = Email::parse(recipient).map_err(|e| Error::invalid("recipientEmail", e.to_string()))?;
        let found = self.desk.identity.credential(&email).await.map_err(Error::from)?;
        let missing = || {
            let text = "Recipient email not found. Please check the email address and try again.";
            Error::new(ErrorCode::NotFound, text)
        };
        let (recipient, _) = found.ok_or_else(missing)?;
        if recipient.id == from {
            return Err(Error::invalid("recipientEmail", "Cannot send funds to yourself").into());
        }
        let operation = Operation::Transfer { from, to: recipient.id, asset, amount };
        let done = self.desk.post(ctx.now, Actor::User(from), key, operation).await?;
        Ok(Sent { done, recipient })
    }

    /// Asks for money to be paid out; it is reserved until an administrator decides.
    pub async fn request(&self, ctx: &Ctx, asset: Asset, amount: i64, key: Option<IdemKey>) -> Posting {
        let user = ctx.authorize(Action::Trade)?.user;
        let expires_at = Some(ctx.now.plus(HOLD_LIFE));
        self.desk.post(ctx.now, Actor::User(user), key, Operation::Hold { user, asset, amount, expires_at }).await
    }

    /// Withdrawals that wait for a decision, oldest first.
    pub async fn pending(&self, ctx: &Ctx, after: Seq) -> Result<Vec<Hold>> {
        ctx.authorize(Action::Administer)?;
        Ok(self.desk.store.pending_holds(after, PAGE).await?)
    }

    /// Pays a withdrawal out (all of it where no amount is named), or calls it off.
    pub async fn decide(&self, ctx: &Ctx, hold: Seq, pay: bool, amount: Option<i64>, key: Option<IdemKey>) -> Posting {
        let admin = ctx.authorize(Action::Administer)?.user;
        let missing = || Error::new(ErrorCode::NotFound, "Withdrawal not found");
        let posted = self.desk.store.posted(hold).await.map_err(Error::from)?;
        let user = posted.and_then(|p| p.hold).ok_or_else(missing)?.user;
        let (action, operation) = match pay {
            true => ("withdrawal_pay", Operation::PostHold { user, hold, amount }),
            false => ("withdrawal_reject", Operation::VoidHold { user, hold }),
        };
        let posting = self.desk.post(ctx.now, Actor::User(admin), key, operation).await;
        self.desk.audited(ctx, action, format!("entry:{hold}"), posting).await
    }

    /// Books money of a user in or out, by an administrator.
    pub async fn adjust(
        &self,
        ctx: &Ctx,
        user: UserId,
        asset: Asset,
        amount: i64,
        deposit: bool,
        key: Option<IdemKey>,
    ) -> Posting {
        let admin = ctx.authorize(Action::Administer)?.user;
        if self.desk.identity.user(user).await.map_err(Error::from)?.is_none() {
            return Err(Error::new(ErrorCode::NotFound, "User not found").into());
        }
        let (action, operation) = match deposit {
            true => ("deposit", Operation::Deposit { user, asset, amount }),
            false => ("withdraw", Operation::Withdraw { user, asset, amount }),
        };
        let posting = self.desk.post(ctx.now, Actor::User(admin), key, operation).await;
        self.desk.audited(ctx, action, format!("user:{user} {asset} {amount}"), posting).await
    }

    /// Puts money into the treasury, from which loans are paid.
    pub async fn fund_treasury(&self, ctx: &Ctx, amount: i64, key: Option<IdemKey>) -> Posting {
        let admin = ctx.authorize(Action::Administer)?.user;
        let bucket = orrery_ledger::Bucket::Treasury;
        let operation = Operation::FundHouse { asset: Asset::INR, bucket, amount };
        let posting = self.desk.post(ctx.now, Actor::User(admin), key, operation).await;
        self.desk.audited(ctx, "treasury_fund", format!("INR {amount}"), posting).await
    }

    /// Ends what an account that goes away still holds open: its orders' and withdrawals' reservations.
    pub(crate) async fn release_all(&self, now: Timestamp, user: UserId) -> Result<()> {
        let mut page = orrery_ledger::Page::newest(200);
        loop {
            let lines = self.desk.store.statement(user, page).await?;
            let Some(last) = lines.last() else { return Ok(()) };
            page.before = Some(last.entry.seq);
            for posted in lines {
                let id = posted.entry.seq;
                let operation = match (&posted.order, &posted.hold) {
                    (Some(order), _) if order.status == orrery_ledger::OrderStatus::Open => {
                        Operation::CancelOrder { user, order: id }
                    }
                    (_, Some(hold)) if hold.status == orrery_ledger::HoldStatus::Pending => {
                        Operation::VoidHold { user, hold: id }
                    }
                    _ => continue,
                };
                let key = self.desk.fresh_key(now);
                if let Outcome::Refused(refusal) = self.desk.post_once(key.as_str(), operation).await? {
                    tracing::debug!(entry = id, error = %refusal_error(&refusal), "not released");
                }
            }
        }
    }
}

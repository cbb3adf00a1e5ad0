//! What every use case that moves money stands on.

use std::sync::Arc;

use orrery_identity::{AuditEvent, IdentityStore};
use orrery_kernel::{Asset, Entropy, Error, ErrorCode, Result, Timestamp, format_minor};
use orrery_ledger::{Actor, Answer, Command, IdemKey, LedgerStore, Operation, Outcome, Receipt, Refusal};

use crate::Ctx;
use crate::events::Events;
use crate::ledger_writer::{LedgerWriter, refused_shape};
use crate::market::Market;

/// A committed answer and whether it was given before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The entry.
    pub receipt: Receipt,
    /// Given before, under the same key.
    pub replay: bool,
}

/// Why nothing was posted: by a rule of business under a key (remembered), or before that.
#[derive(Debug)]
pub struct Declined {
    /// What to answer.
    pub error: Error,
    /// Given before, under the same key.
    pub replay: bool,
}

impl From<Error> for Declined {
    fn from(error: Error) -> Self {
        Self { error, replay: false }
    }
}

impl From<Declined> for Error {
    fn from(declined: Declined) -> Self {
        declined.error
    }
}

/// What a use case that posts answers.
pub type Posting = std::result::Result<Done, Declined>;

/// The ports that money use cases share. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub(crate) writer: LedgerWriter,
    pub(crate) store: Arc<dyn LedgerStore>,
    pub(crate) identity: Arc<dyn IdentityStore>,
    pub(crate) market: Arc<Market>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) events: Events,
}

impl Desk {
    /// Posts one operation under `key`, or under a key of its own.
    pub(crate) async fn post(
        &self,
        now: Timestamp,
        actor: Actor,
        key: Option<IdemKey>,
        operation: Operation,
    ) -> Posting {
        let key = key.unwrap_or_else(|| self.fresh_key(now));
        settle(self.writer.submit(Command { actor, key, operation }).await?)
    }

    /// Posts an operation of a job of ours under a key that makes it happen once. A refusal is an
    /// outcome too.
    pub(crate) async fn post_once(&self, key: &str, operation: Operation) -> Result<Outcome> {
        let key = IdemKey::new(key).map_err(Error::internal)?;
        match self.writer.submit(Command { actor: Actor::System, key, operation }).await? {
            Answer::New(outcome) | Answer::Replay(outcome) => Ok(outcome),
            Answer::KeyReused => Err(Error::internal("a job's key was used for something else")),
            Answer::Invalid(field) => Err(Error::internal(format!("a job's operation has a bad {field}"))),
        }
    }

    /// Writes an administrator's act into the audit log.
    pub(crate) async fn audit(&self, ctx: &Ctx, action: &'static str, target: String, outcome: &str) {
        let actor = ctx.caller.as_ref().map_or_else(|| "anonymous".into(), |c| format!("user:{}", c.user));
        let (action, outcome, address) = (action.into(), outcome.into(), ctx.address.to_string());
        let event = AuditEvent { at: ctx.now, actor, action, target, outcome, address };
        if let Err(error) = self.identity.audit(&event).await {
            // the entry itself names its actor, so nothing is lost but this line
            tracing::error!(%error, "could not write the audit log");
        }
    }

    /// Audits a posting by how it ended.
    pub(crate) async fn audited(&self, ctx: &Ctx, action: &'static str, target: String, posting: Posting) -> Posting {
        let outcome = match &posting {
            Ok(done) => format!("entry:{}", done.receipt.seq),
            Err(declined) => declined.error.public.to_string(),
        };
        self.audit(ctx, action, target, &outcome).await;
        posting
    }

    /// A key for a caller that gave none. It begins with the time, so that keys of one moment lie
    /// together in a store's index.
    pub(crate) fn fresh_key(&self, now: Timestamp) -> IdemKey {
        let mut bits = [0; 16];
        self.entropy.fill(&mut bits[8..]);
        bits[..8].copy_from_slice(&now.micros().to_be_bytes());
        IdemKey::from_bits(bits)
    }
}

/// An answer of the ledger as a posting.
pub(crate) fn settle(answer: Answer) -> Posting {
    if let Some(error) = refused_shape(&answer) {
        return Err(error.into());
    }
    let (outcome, replay) = match answer {
        Answer::Replay(outcome) => (outcome, true),
        Answer::New(outcome) => (outcome, false),
        Answer::KeyReused | Answer::Invalid(_) => return Err(Error::internal("answer was checked above").into()),
    };
    match outcome {
        Outcome::Posted(receipt) => Ok(Done { receipt, replay }),
        Outcome::Refused(refusal) => Err(Declined { error: refusal_error(&refusal), replay }),
    }
}

/// The sentence for a refusal, in the documented server's words where it has any.
pub fn refusal_error(refusal: &Refusal) -> Error {
    let bad = |text: &'static str| Error::new(ErrorCode::Invalid, text);
    match refusal {
        Refusal::Insufficient { asset: Asset::INR, required, available } => Error::new(
            ErrorCode::InsufficientFunds,
            format!("Insufficient INR balance. Required: ₹{}, Available: ₹{}", rupees(*required), rupees(*available)),
        ),
        Refusal::Insufficient { asset, required, available } => Error::new(
            ErrorCode::InsufficientFunds,
            format!("Insufficient {asset} balance. Required: {required} satoshis, Available: {available} satoshis"),
        ),
        Refusal::Bound { account } if account.code() == "house/INR/treasury" => {
            bad("The treasury does not hold that much")
        }
        Refusal::Bound { .. } => bad("The house cannot take the other side of this"),
        Refusal::Dust => bad("Amount is too small: one side of the trade rounds to nothing"),
        Refusal::StalePrice => {
            Error::unavailable("The Bitcoin price is out of date; trading is paused", std::time::Duration::from_secs(5))
        }
        Refusal::Slippage => bad("The price has moved beyond the limit given"),
        Refusal::NoSuchEntry => Error::new(ErrorCode::NotFound, "Transaction not found"),
        Refusal::NotReversible => {
            Error::new(ErrorCode::Conflict, "The transaction cannot be reversed, or has been already")
        }
        Refusal::NoSuchOrder => Error::new(ErrorCode::NotFound, "Transaction not found or unauthorized"),
        Refusal::NoSuchHold => Error::new(ErrorCode::NotFound, "Withdrawal not found"),
        Refusal::NotOpen => bad("Only pending transactions can be cancelled"),
        Refusal::NotCrossed => bad("The price does not cross the order's limit"),
        Refusal::NoLoan => Error::new(ErrorCode::NotFound, "No active loan found"),
        Refusal::NoDebt => bad("There is no debt"),
        Refusal::Undersecured { allowed, debt } => Error::new(
            ErrorCode::Invalid,
            format!("The collateral allows a debt of ₹{} at most; it would be ₹{}", rupees(*allowed), rupees(*debt)),
        ),
        Refusal::Healthy => bad("The loan is healthy; only a loan at 90 % of its collateral's value is liquidated"),
        Refusal::Secured => bad("The loan still has collateral; liquidate it first"),
    }
}

/// Paise as rupees for people: whole where they are.
pub(crate) fn rupees(paise: i64) -> String {
    if paise % 100 == 0 { (paise / 100).to_string() } else { format_minor(paise, 2) }
}

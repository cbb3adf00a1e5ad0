//! Trades, balances, transactions, and the operator's entries.

use std::sync::Arc;

use orrery_identity::{Action, AuditEvent, IdentityStore};
use orrery_kernel::{Asset, Entropy, Error, ErrorCode, Result, Timestamp, UserId, format_minor};
use orrery_ledger::{
    Account, Actor, Answer, Bucket, Command, IdemKey, LedgerStore, Line, Operation, Outcome, Owner, Receipt, Refusal,
    Report, Seq, Sheet, Side, Size, Verifier,
};

use crate::Ctx;
use crate::ledger_writer::{LedgerWriter, refused_shape};
use crate::market::Market;

/// What a new user of the demo starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Paise.
    pub inr: i64,
    /// Satoshis.
    pub btc: i64,
}

/// A committed answer and whether it was given before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traded {
    /// The entry.
    pub receipt: Receipt,
    /// Given before, under the same key.
    pub replay: bool,
}

/// Why a trade was not made: by a rule of business under a key (remembered), or before that.
#[derive(Debug)]
pub struct TradeError {
    /// What to answer.
    pub error: Error,
    /// Given before, under the same key.
    pub replay: bool,
}

impl From<Error> for TradeError {
    fn from(error: Error) -> Self {
        Self { error, replay: false }
    }
}

/// A page of a user's transactions, newest first.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The lines.
    pub lines: Vec<Line>,
    /// Is there more after them?
    pub more: bool,
}

/// What the house holds and owes.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// The house's balances, minor units; inventory below 0 is a short position.
    pub house: Vec<(Account, i64)>,
    /// Sums over all users.
    pub users: Vec<(Asset, Bucket, i64)>,
}

/// The ledger's use cases.
pub struct Trading {
    writer: LedgerWriter,
    store: Arc<dyn LedgerStore>,
    identity: Arc<dyn IdentityStore>,
    market: Arc<Market>,
    entropy: Arc<dyn Entropy>,
    welcome: Option<Welcome>,
}

impl Trading {
    /// Largest page of [`Trading::transactions`].
    pub const LIMIT_MAX: u32 = 200;
    /// Largest page number; together with the limit it bounds how far a query can skip.
    pub const PAGE_MAX: u32 = 100_000;

    /// Assembles the use cases.
    pub fn new(
        writer: LedgerWriter,
        store: Arc<dyn LedgerStore>,
        identity: Arc<dyn IdentityStore>,
        market: Arc<Market>,
        entropy: Arc<dyn Entropy>,
        welcome: Option<Welcome>,
    ) -> Self {
        Self { writer, store, identity, market, entropy, welcome }
    }

    /// A market trade at the current price. Under a key that was used before, the first outcome is
    /// given again, even while the price is out of date.
    pub async fn trade(
        &self,
        ctx: &Ctx,
        side: Side,
        size: Size,
        key: Option<IdemKey>,
    ) -> std::result::Result<Traded, TradeError> {
        let user = ctx.authorize(Action::Trade)?.user;
        let actor = Actor::User(user);
        let operation = |snapshot| Operation::Trade { user, side, size, snapshot, worst_rate: None };
        let quote = match (self.market.fresh_quote(ctx.now), &key) {
            (Ok(quote), _) => quote,
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(key)) => {
                let known = self.store.recorded(&[(actor, key.clone())]).await.map_err(Error::from)?;
                let Some(recorded) = known.into_values().next() else {
                    return Err(error.into());
                };
                // the snapshot is not part of the fingerprint
                let same = operation(orrery_kernel::SnapshotId(0)).fingerprint() == recorded.fingerprint;
                return settle(if same { Answer::Replay(recorded.outcome) } else { Answer::KeyReused });
            }
        };
        let key = key.unwrap_or_else(|| self.fresh_key(ctx.now));
        settle(self.writer.submit(Command { actor, key, operation: operation(quote.snapshot.id) }).await?)
    }

    /// The caller's balances and the journal position they are exact at.
    pub async fn balance(&self, ctx: &Ctx) -> Result<(Sheet, Seq)> {
        let user = ctx.authorize(Action::ReadOwn)?.user;
        Ok(self.store.sheet(user).await?)
    }

    /// A page of the caller's transactions; `page` from 1.
    pub async fn transactions(&self, ctx: &Ctx, page: u32, limit: u32) -> Result<Statement> {
        let user = ctx.authorize(Action::ReadOwn)?.user;
        if !(1..=Self::LIMIT_MAX).contains(&limit) {
            return Err(Error::invalid("limit", format!("limit must be between 1 and {}", Self::LIMIT_MAX)));
        }
        if !(1..=Self::PAGE_MAX).contains(&page) {
            return Err(Error::invalid("page", format!("page must be between 1 and {}", Self::PAGE_MAX)));
        }
        let offset = u64::from(page - 1) * u64::from(limit);
        let mut posted = self.store.statement(user, offset, limit + 1).await?;
        let more = posted.len() > limit as usize;
        posted.truncate(limit as usize);
        Ok(Statement { lines: posted.iter().map(|p| orrery_ledger::line(p, user)).collect(), more })
    }

    /// Gives a new user the demo's starting money, once.
    pub async fn welcome(&self, user: UserId) -> Result<()> {
        let Some(welcome) = self.welcome else { return Ok(()) };
        for (asset, amount) in [(Asset::INR, welcome.inr), (Asset::BTC, welcome.btc)] {
            if amount > 0 {
                let key = IdemKey::new(&format!("welcome-{user}-{asset}")).map_err(Error::internal)?;
                let operation = Operation::Deposit { user, asset, amount };
                self.writer.submit(Command { actor: Actor::System, key, operation }).await?;
            }
        }
        Ok(())
    }

    /// Undoes an entry by a new one with every leg swapped; under a key used before, gives the first
    /// outcome again.
    pub async fn reverse(&self, ctx: &Ctx, seq: Seq, key: Option<IdemKey>) -> std::result::Result<Traded, TradeError> {
        let user = ctx.authorize(Action::Administer)?.user;
        let key = key.unwrap_or_else(|| self.fresh_key(ctx.now));
        let command = Command { actor: Actor::User(user), key, operation: Operation::Reverse { seq } };
        let settled = settle(self.writer.submit(command).await?);
        let outcome = match &settled {
            Ok(_) => "ok".to_owned(),
            Err(e) => e.error.public.to_string(),
        };
        let event = AuditEvent {
            at: ctx.now,
            actor: format!("user:{user}"),
            action: "reverse".into(),
            target: format!("entry:{seq}"),
            outcome,
            address: ctx.address.to_string(),
        };
        if let Err(error) = self.identity.audit(&event).await {
            // the entry itself names its actor, so nothing is lost but this line
            tracing::error!(%error, "could not write the audit log");
        }
        settled
    }

    /// What the house holds and owes.
    pub async fn exposure(&self, ctx: &Ctx) -> Result<Exposure> {
        ctx.authorize(Action::ReadHouse)?;
        let (house, _) = self.store.balances(&Owner::House).await?;
        Ok(Exposure { house, users: self.store.user_totals().await? })
    }

    /// Replays the whole journal against what is stored.
    pub async fn reconcile(&self, ctx: &Ctx) -> Result<Report> {
        ctx.authorize(Action::ReadHouse)?;
        let mut verifier = Verifier::default();
        self.store.audit(&mut verifier).await?;
        Ok(verifier.finish())
    }

    /// A key for a caller that gave none. It begins with the time, so that keys of one moment lie
    /// together in a store's index.
    fn fresh_key(&self, now: Timestamp) -> IdemKey {
        let mut bits = [0; 16];
        self.entropy.fill(&mut bits[8..]);
        bits[..8].copy_from_slice(&now.micros().to_be_bytes());
        IdemKey::from_bits(bits)
    }
}

fn settle(answer: Answer) -> std::result::Result<Traded, TradeError> {
    if let Some(error) = refused_shape(&answer) {
        return Err(error.into());
    }
    let (outcome, replay) = match answer {
        Answer::Replay(outcome) => (outcome, true),
        Answer::New(outcome) => (outcome, false),
        Answer::KeyReused | Answer::Invalid(_) => return Err(Error::internal("answer was checked above").into()),
    };
    match outcome {
        Outcome::Posted(receipt) => Ok(Traded { receipt, replay }),
        Outcome::Refused(refusal) => Err(TradeError { error: refusal_error(&refusal), replay }),
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
        Refusal::Bound { .. } => bad("The house cannot take the other side of this trade"),
        Refusal::Dust => bad("Amount is too small: one side of the trade rounds to nothing"),
        Refusal::StalePrice => {
            Error::unavailable("The Bitcoin price is out of date; trading is paused", std::time::Duration::from_secs(5))
        }
        Refusal::Slippage => bad("The price has moved beyond the limit given"),
        Refusal::NoSuchEntry => Error::new(ErrorCode::NotFound, "Transaction not found"),
        Refusal::NotReversible => Error::new(ErrorCode::Conflict, "The transaction is a reversal or has been reversed"),
    }
}

fn rupees(paise: i64) -> String {
    if paise % 100 == 0 { (paise / 100).to_string() } else { format_minor(paise, 2) }
}

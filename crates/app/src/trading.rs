//! Trades, balances, transactions, and the operator's entries.

use orrery_identity::Action;
use orrery_kernel::{Asset, Error, Result, UserId};
use orrery_ledger::{
    Account, Actor, Answer, Bucket, Command, IdemKey, Line, Operation, Owner, Page, Report, Seq, Sheet, Side, Size,
    Verifier,
};

use crate::Ctx;
use crate::desk::{Desk, Posting, settle};

/// What a new user of the demo starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Paise.
    pub inr: i64,
    /// Satoshis.
    pub btc: i64,
}

/// A page of a user's transactions, newest first.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The lines.
    pub lines: Vec<Line>,
    /// Is there more after them?
    pub more: bool,
}

/// A transaction that was reversed.
#[derive(Clone, Debug)]
pub struct Undone {
    /// As it is now.
    pub line: Line,
    /// Paise that the user has more now; less than 0 if fewer.
    pub inr: i64,
    /// Satoshis that the user has more now; less than 0 if fewer.
    pub btc: i64,
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
    desk: Desk,
    welcome: Option<Welcome>,
}

impl Trading {
    /// Largest page of [`Trading::transactions`].
    pub const LIMIT_MAX: u32 = 200;
    /// Largest page number; together with the limit it bounds how far a query can skip.
    pub const PAGE_MAX: u32 = 100_000;
    /// Lines of one read of [`Trading::export`].
    pub const EXPORT_PAGE: u32 = 1_000;

    /// Assembles the use cases.
    pub fn new(desk: Desk, welcome: Option<Welcome>) -> Self {
        Self { desk, welcome }
    }

    /// A market trade at the current price. Under a key that was used before, the first outcome is
    /// given again, even while the price is out of date.
    pub async fn trade(&self, ctx: &Ctx, side: Side, size: Size, key: Option<IdemKey>) -> Posting {
        let user = ctx.authorize(Action::Trade)?.user;
        let actor = Actor::User(user);
        let operation = |snapshot| Operation::Trade { user, side, size, snapshot, worst_rate: None, plan: false };
        let quote = match (self.desk.market.fresh_quote(ctx.now), &key) {
            (Ok(quote), _) => quote,
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(key)) => {
                let known = self.desk.store.recorded(&[(actor, key.clone())]).await.map_err(Error::from)?;
                let Some(recorded) = known.into_values().next() else {
                    return Err(error.into());
                };
                // the snapshot is not part of the fingerprint
                let same = operation(orrery_kernel::SnapshotId(0)).fingerprint() == recorded.fingerprint;
                return settle(if same { Answer::Replay(recorded.outcome) } else { Answer::KeyReused });
            }
        };
        self.desk.post(ctx.now, actor, key, operation(quote.snapshot.id)).await
    }

    /// The caller's balances and the journal position they are exact at.
    pub async fn balance(&self, ctx: &Ctx) -> Result<(Sheet, Seq)> {
        let user = ctx.authorize(Action::ReadOwn)?.user;
        Ok(self.desk.store.sheet(user).await?)
    }

    /// A page of the caller's transactions; `page` from 1, before the entry `before` where one is
    /// named.
    pub async fn transactions(&self, ctx: &Ctx, page: u32, limit: u32, before: Option<Seq>) -> Result<Statement> {
        let user = ctx.authorize(Action::ReadOwn)?.user;
        if !(1..=Self::LIMIT_MAX).contains(&limit) {
            return Err(Error::invalid("limit", format!("limit must be between 1 and {}", Self::LIMIT_MAX)));
        }
        if !(1..=Self::PAGE_MAX).contains(&page) {
            return Err(Error::invalid("page", format!("page must be between 1 and {}", Self::PAGE_MAX)));
        }
        let offset = u64::from(page - 1) * u64::from(limit);
        let mut posted = self.desk.store.statement(user, Page { before, offset, limit: limit + 1 }).await?;
        let more = posted.len() > limit as usize;
        posted.truncate(limit as usize);
        Ok(Statement { lines: posted.iter().map(|p| orrery_ledger::line(p, user)).collect(), more })
    }

    /// The caller's transactions before `before`, newest first, at most [`Trading::EXPORT_PAGE`]; for
    /// exports, which ask until none are left.
    pub async fn export(&self, ctx: &Ctx, before: Option<Seq>) -> Result<Vec<Line>> {
        let user = ctx.authorize(Action::ReadOwn)?.user;
        let page = Page { before, offset: 0, limit: Self::EXPORT_PAGE };
        let posted = self.desk.store.statement(user, page).await?;
        Ok(posted.iter().map(|p| orrery_ledger::line(p, user)).collect())
    }

    /// An order of the caller's that was placed by entry `seq`, as a line.
    pub async fn transaction(&self, ctx: &Ctx, seq: Seq) -> Result<Option<Line>> {
        let user = ctx.authorize(Action::ReadOwn)?.user;
        let posted = self.desk.store.posted(seq).await?;
        let own = posted.filter(|p| orrery_ledger::shown_to(&p.entry).contains(&user));
        Ok(own.map(|p| orrery_ledger::line(&p, user)))
    }

    /// Gives a new user the demo's starting money, once.
    pub async fn welcome(&self, user: UserId) -> Result<()> {
        let Some(welcome) = self.welcome else { return Ok(()) };
        for (asset, amount) in [(Asset::INR, welcome.inr), (Asset::BTC, welcome.btc)] {
            if amount > 0 {
                let key = IdemKey::new(&format!("welcome-{user}-{asset}")).map_err(Error::internal)?;
                let operation = Operation::Deposit { user, asset, amount };
                self.desk.writer.submit(Command { actor: Actor::System, key, operation }).await?;
            }
        }
        Ok(())
    }

    /// Undoes an entry by a new one with every leg swapped; under a key used before, gives the first
    /// outcome again.
    pub async fn reverse(&self, ctx: &Ctx, seq: Seq, key: Option<IdemKey>) -> Posting {
        let user = ctx.authorize(Action::Administer)?.user;
        let posting = self.desk.post(ctx.now, Actor::User(user), key, Operation::Reverse { seq }).await;
        self.desk.audited(ctx, "reverse", format!("entry:{seq}"), posting).await
    }

    /// What the reversal of entry `seq` did to its user (of several the first); `None` for one of the
    /// house's own.
    pub async fn undone(&self, ctx: &Ctx, seq: Seq) -> Result<Option<Undone>> {
        ctx.authorize(Action::Administer)?;
        let Some(posted) = self.desk.store.posted(seq).await? else { return Ok(None) };
        let user = orrery_ledger::shown_to(&posted.entry).first().copied();
        Ok(user.map(|user| {
            let back = |asset| orrery_ledger::owned_change(&posted.entry, user, asset).saturating_neg();
            Undone { line: orrery_ledger::line(&posted, user), inr: back(Asset::INR), btc: back(Asset::BTC) }
        }))
    }

    /// What the house holds and owes.
    pub async fn exposure(&self, ctx: &Ctx) -> Result<Exposure> {
        ctx.authorize(Action::ReadHouse)?;
        let (house, _) = self.desk.store.balances(&Owner::House).await?;
        Ok(Exposure { house, users: self.desk.store.user_totals().await? })
    }

    /// Replays the whole journal against what is stored.
    pub async fn reconcile(&self, ctx: &Ctx) -> Result<Report> {
        ctx.authorize(Action::ReadHouse)?;
        let mut verifier = Verifier::default();
        self.desk.store.audit(&mut verifier).await?;
        Ok(verifier.finish())
    }
}

//! Limit orders: placing, cancelling, and the job that fills and expires them.

use std::time::Duration;

use futures_util::future::join_all;
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, ONE_BTC, Result, Timestamp};
use orrery_ledger::{Actor, IdemKey, Kind, LineStatus, Operation, Order, Outcome, Seq, Side, Size};

use crate::Ctx;
use crate::desk::{Desk, Done, Posting};

/// Orders looked at in one read of the job.
const PAGE: u32 = 256;
/// How far from the market a limit may be: beyond it is taken for a slip.
const FAR: i64 = 20;
/// A buy's limit may be at most this part of the market above it, and a sell's below, in hundredths
/// (BitTrade contract, section 11: buy ≤ 1.5 × market, sell ≥ 0.5 × market).
const WORSE: (i64, i64) = (150, 50);
/// An order lives at most a year.
const LIFE_MAX: Duration = Duration::from_secs(365 * 86_400);

/// A limit order as asked.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Buy or sell.
    pub side: Side,
    /// Paise, if named.
    pub inr: Option<i64>,
    /// Satoshis, if named.
    pub btc: Option<i64>,
    /// Paise per bitcoin.
    pub limit: i64,
    /// How long it lives; `None`: until it is filled or cancelled.
    pub life: Option<Duration>,
}

/// What cancelling gave back.
#[derive(Clone, Debug)]
pub struct Cancelled {
    /// The entry that ended it.
    pub done: Done,
    /// `LIMIT_BUY`, `LIMIT_SELL`, `WITHDRAW_INR`, `WITHDRAW_BTC`.
    pub kind: &'static str,
}

/// The use cases of limit orders.
pub struct Orders {
    desk: Desk,
}

impl Orders {
    /// Assembles the use cases.
    pub fn new(desk: Desk) -> Self {
        Self { desk }
    }

    /// Places a limit order. A buy is exact in rupees and a sell in bitcoin, where both are named.
    pub async fn place(&self, ctx: &Ctx, ask: Ask, key: Option<IdemKey>) -> Posting {
        let user = ctx.authorize(Action::Trade)?.user;
        if ask.limit <= 0 {
            return Err(Error::invalid("execution_price", "execution_price must be more than zero").into());
        }
        let size = match (ask.side, ask.inr, ask.btc) {
            (_, None, None) => {
                return Err(Error::invalid("inr_amount", "inr_amount or btc_amount must be given").into());
            }
            (Side::Buy, Some(inr), _) | (Side::Sell, Some(inr), None) => Size::Inr(inr),
            (Side::Sell, _, Some(btc)) | (Side::Buy, None, Some(btc)) => Size::Btc(btc),
        };
        if let (Some(inr), Some(btc)) = (ask.inr, ask.btc) {
            agree(inr, btc, ask.limit)?;
        }
        let quote = self
            .desk
            .market
            .quote()
            .ok_or_else(|| Error::unavailable("Unable to fetch current Bitcoin price", Duration::from_secs(5)))?;
        near(ask.side, ask.limit, quote.snapshot.price.buy_rate, quote.snapshot.price.sell_rate)?;
        if ask.life.is_some_and(|life| life.is_zero() || life > LIFE_MAX) {
            return Err(Error::invalid("expires_in_s", "expires_in_s must be between 1 and 31536000").into());
        }
        let expires_at = ask.life.map(|life| ctx.now.plus(life));
        let operation = Operation::PlaceOrder { user, side: ask.side, size, limit: ask.limit, expires_at };
        self.desk.post(ctx.now, Actor::User(user), key, operation).await
    }

    /// Cancels a pending order or withdrawal of the caller's.
    pub async fn cancel(
        &self,
        ctx: &Ctx,
        seq: Seq,
        key: Option<IdemKey>,
    ) -> std::result::Result<Cancelled, crate::desk::Declined> {
        let user = ctx.authorize(Action::Trade)?.user;
        let missing = || Error::new(ErrorCode::NotFound, "Transaction not found or unauthorized");
        let posted = self.desk.store.posted(seq).await.map_err(Error::from)?.ok_or_else(missing)?;
        if !orrery_ledger::shown_to(&posted.entry).contains(&user) {
            return Err(missing().into());
        }
        let line = orrery_ledger::line(&posted, user);
        let operation = match posted.entry.kind {
            Kind::PlaceBuy | Kind::PlaceSell => Operation::CancelOrder { user, order: seq },
            Kind::Hold => Operation::VoidHold { user, hold: seq },
            _ if line.status == LineStatus::Executed => {
                return Err(Error::new(ErrorCode::Invalid, "Only pending transactions can be cancelled").into());
            }
            _ => return Err(Error::new(ErrorCode::Invalid, "Only limit orders can be cancelled").into()),
        };
        let done = self.desk.post(ctx.now, Actor::User(user), key, operation).await?;
        Ok(Cancelled { done, kind: line.kind })
    }

    /// Fills every order that the current price crosses and ends those whose time is over. Each is
    /// tried once a price, under a key that makes it happen once, whoever runs this.
    pub async fn run(&self, now: Timestamp) -> Result<u64> {
        let mut ended = self.expire(now).await?;
        let Ok(quote) = self.desk.market.fresh_quote(now) else { return Ok(ended) };
        let (snapshot, price) = (quote.snapshot.id, &quote.snapshot.price);
        let mut after = 0;
        loop {
            let crossed = self.desk.store.crossed_orders(price.buy_rate, price.sell_rate, after, PAGE).await?;
            let Some(last) = crossed.last() else { return Ok(ended) };
            after = last.id;
            let fills = crossed.iter().map(|order| async move {
                let key = format!("fill-{}-{}", order.id, snapshot.0);
                let operation = Operation::FillOrder { user: order.user, order: order.id, snapshot };
                told(order, self.desk.post_once(&key, operation).await)
            });
            ended += sum(join_all(fills).await)?;
        }
    }

    async fn expire(&self, now: Timestamp) -> Result<u64> {
        let mut ended = 0;
        let orders = self.desk.store.expired_orders(now, PAGE).await?;
        let endings = orders.iter().map(|order| async move {
            let operation = Operation::ExpireOrder { user: order.user, order: order.id };
            told(order, self.desk.post_once(&format!("expire-{}", order.id), operation).await)
        });
        ended += sum(join_all(endings).await)?;
        for hold in self.desk.store.expired_holds(now, PAGE).await? {
            let operation = Operation::ExpireHold { user: hold.user, hold: hold.id };
            self.desk.post_once(&format!("expire-{}", hold.id), operation).await?;
            ended += 1;
        }
        Ok(ended)
    }
}

fn told(order: &Order, outcome: Result<Outcome>) -> Result<u64> {
    match outcome? {
        Outcome::Posted(_) => Ok(1),
        Outcome::Refused(refusal) => {
            tracing::debug!(order = order.id, ?refusal, "order not ended");
            Ok(0)
        }
    }
}

fn sum(results: Vec<Result<u64>>) -> Result<u64> {
    results.into_iter().sum()
}

/// Do amount, price and total agree? To within a rupee, which is what clients round to.
fn agree(inr: i64, btc: i64, limit: i64) -> Result<()> {
    let (total, product) = (i128::from(inr) * i128::from(ONE_BTC), i128::from(btc) * i128::from(limit));
    let slack = 100 * i128::from(ONE_BTC) + i128::from(limit);
    if (total - product).abs() <= slack {
        return Ok(());
    }
    Err(Error::invalid("inr_amount", "inr_amount, btc_amount and execution_price do not agree"))
}

/// Is the limit one that somebody can mean?
fn near(side: Side, limit: i64, buy_rate: i64, sell_rate: i64) -> Result<()> {
    let far = |text: String| Err(Error::invalid("execution_price", text));
    let (market, worst) = match side {
        Side::Buy => (buy_rate, WORSE.0),
        Side::Sell => (sell_rate, WORSE.1),
    };
    let bound = i128::from(market) * i128::from(worst);
    let worse = match side {
        Side::Buy => i128::from(limit) * 100 > bound,
        Side::Sell => i128::from(limit) * 100 < bound,
    };
    if worse {
        return match side {
            Side::Buy => far("A buy limit may be at most 1.5 times the market rate".into()),
            Side::Sell => far("A sell limit must be at least half the market rate".into()),
        };
    }
    let (limit, market) = (i128::from(limit), i128::from(market));
    if limit * i128::from(FAR) < market || limit > market * i128::from(FAR) {
        return far(format!("execution_price is more than {FAR} times away from the market rate"));
    }
    Ok(())
}

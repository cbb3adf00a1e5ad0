//! Entries as a user sees them, and as lines of an export that anybody can verify.

use orrery_kernel::{Asset, SnapshotId, Timestamp, UserId};

use crate::draft::rate as rate_of;
use crate::{
    Account, Actor, Bucket, Entry, HoldStatus, IdemKey, Kind, Leg, OrderStatus, Owner, Posted, Seq, Side, Size, Terms,
    canon,
};

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineStatus {
    /// An order or withdrawal that waits.
    Pending,
    /// Done.
    Executed,
    /// Withdrawn by the user.
    Cancelled,
    /// Its time was over.
    Expired,
}

/// A line of a user's transaction history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The entry.
    pub id: Seq,
    /// `MARKET_BUY`, `LIMIT_SELL`, `DCA_BUY`, `DEPOSIT_INR`, `WITHDRAW_BTC`, `LOAN_BORROW`, … (see [`line()`]).
    pub kind: &'static str,
    /// Where it stands.
    pub status: LineStatus,
    /// Paise moved to or from the user, ≥ 0.
    pub inr: i64,
    /// Satoshis moved to or from the user, ≥ 0.
    pub btc: i64,
    /// Rate of a trade (an open order's limit), paise per bitcoin; 0 where there was none.
    pub rate: i64,
    /// When it was asked.
    pub at: Timestamp,
    /// When it was done.
    pub executed_at: Option<Timestamp>,
    /// When it runs out.
    pub expires_at: Option<Timestamp>,
    /// Undone by a later entry?
    pub reversed: bool,
}

/// What an entry changed in what a user owns, free or reserved, in minor units: less than 0 if it left.
pub fn owned_change(entry: &Entry, user: UserId, asset: Asset) -> i64 {
    let own = |account: &Account| {
        account.owner == Owner::User(user)
            && account.asset == asset
            && matches!(account.bucket, Bucket::Available | Bucket::Reserved)
    };
    let change = entry.legs.iter().fold(0_i128, |sum, leg| {
        sum + i128::from(leg.amount) * (i128::from(own(&leg.to)) - i128::from(own(&leg.from)))
    });
    i64::try_from(change).unwrap_or(if change < 0 { i64::MIN } else { i64::MAX })
}

/// An entry from a user's side. Transfers are a withdrawal to the sender and a deposit to the
/// receiver, as the documented server shows them.
pub fn line(posted: &Posted, user: UserId) -> Line {
    let entry = &posted.entry;
    // what leaves or reaches the user's free money
    let net = |asset: Asset| {
        let own = |account: &Account| *account == Account::user(user, asset, Bucket::Available);
        let change = entry.legs.iter().fold(0_i128, |sum, leg| {
            sum + i128::from(leg.amount) * (i128::from(own(&leg.to)) - i128::from(own(&leg.from)))
        });
        i64::try_from(change.abs()).unwrap_or(i64::MAX)
    };
    let moved = |bucket: Bucket, asset: Asset| {
        let own = Account::user(user, asset, bucket);
        let legs = entry.legs.iter().filter(|leg| leg.from == own);
        legs.fold(0_i64, |sum, leg| sum.saturating_add(leg.amount))
    };
    let receives = entry.legs.iter().any(|leg| leg.to.owner == Owner::User(user) && leg.from.owner != leg.to.owner);
    let btc = entry.legs.first().is_some_and(|leg| leg.from.asset == Asset::BTC);
    let money = |inr, sat| if btc { sat } else { inr };
    let kind = match entry.kind {
        Kind::MarketBuy => "MARKET_BUY",
        Kind::MarketSell => "MARKET_SELL",
        Kind::PlanBuy => "DCA_BUY",
        Kind::PlanSell => "DCA_SELL",
        Kind::PlaceBuy | Kind::FillBuy => "LIMIT_BUY",
        Kind::PlaceSell | Kind::FillSell => "LIMIT_SELL",
        Kind::CancelOrder => "CANCEL",
        Kind::ExpireOrder => "EXPIRE",
        Kind::Deposit => money("DEPOSIT_INR", "DEPOSIT_BTC"),
        Kind::Transfer if receives => money("DEPOSIT_INR", "DEPOSIT_BTC"),
        Kind::Transfer | Kind::Withdraw | Kind::Hold | Kind::PostHold => money("WITHDRAW_INR", "WITHDRAW_BTC"),
        Kind::VoidHold | Kind::ExpireHold => "WITHDRAW_CANCEL",
        Kind::FundHouse => "FUND",
        Kind::Reverse => "REVERSAL",
        Kind::LockCollateral if entry.terms.is_some() => "LOAN_CREATE",
        Kind::LockCollateral => "LOAN_ADD_COLLATERAL",
        Kind::ReleaseCollateral => "LOAN_RELEASE_COLLATERAL",
        Kind::Borrow => "LOAN_BORROW",
        Kind::Repay => "LOAN_REPAY",
        Kind::Accrue => "INTEREST_ACCRUAL",
        Kind::LiquidatePartial => "PARTIAL_LIQUIDATION",
        Kind::LiquidateFull => "FULL_LIQUIDATION",
        Kind::WriteOff => "LOAN_WRITE_OFF",
        Kind::Grant => "GRANT",
        Kind::WalletTransaction => "WALLET_TRANSACTION",
        Kind::PaperGrant => "PAPER_GRANT",
        Kind::PaperHold => "PAPER_HOLD",
        Kind::PaperRelease => "PAPER_RELEASE",
        Kind::PaperFill => "PAPER_FILL",
    };
    let rate = entry.kind.side().or(match entry.kind {
        Kind::LiquidatePartial | Kind::LiquidateFull => Some(Side::Sell),
        _ => None,
    });
    let rate = rate.zip(posted.snapshot.as_ref()).map_or(0, |(side, snapshot)| rate_of(&snapshot.price, side));
    let (inr, sat) = match entry.kind {
        Kind::Accrue => (moved(Bucket::Interest, Asset::INR), 0),
        Kind::LiquidatePartial | Kind::LiquidateFull => {
            let sold = entry.legs.iter().find(|leg| leg.from.bucket == Bucket::Inventory);
            let to_house = entry.legs.iter().find(|leg| leg.to.bucket == Bucket::Inventory);
            (sold.map_or(0, |leg| leg.amount), to_house.map_or(0, |leg| leg.amount))
        }
        Kind::WriteOff => {
            (entry.legs.iter().filter(|leg| leg.to.owner == Owner::User(user)).map(|leg| leg.amount).sum(), 0)
        }
        _ => (net(Asset::INR), net(Asset::BTC)),
    };
    let done = Line {
        id: entry.seq,
        kind,
        status: LineStatus::Executed,
        inr,
        btc: sat,
        rate,
        at: entry.at,
        executed_at: Some(entry.at),
        expires_at: None,
        reversed: entry.kind.is_reversible() && posted.resolved_by.is_some(),
    };
    match (&posted.order, &posted.hold) {
        (Some(o), _) => {
            let (status, executed_at) = match o.status {
                OrderStatus::Open => (LineStatus::Pending, None),
                OrderStatus::Filled => (LineStatus::Executed, o.closed_at),
                OrderStatus::Cancelled => (LineStatus::Cancelled, None),
                OrderStatus::Expired => (LineStatus::Expired, None),
            };
            let (inr, btc, rate, expires_at) = (o.inr, o.btc, o.rate, o.expires_at);
            Line { status, executed_at, inr, btc, rate, expires_at, ..done }
        }
        (None, Some(h)) => {
            let (status, executed_at, amount) = match h.status {
                HoldStatus::Pending => (LineStatus::Pending, None, h.amount),
                HoldStatus::Posted => (LineStatus::Executed, h.closed_at, h.paid),
                HoldStatus::Voided => (LineStatus::Cancelled, None, h.amount),
                HoldStatus::Expired => (LineStatus::Expired, None, h.amount),
            };
            let (inr, btc) = if h.asset == Asset::INR { (amount, 0) } else { (0, amount) };
            Line { status, executed_at, inr, btc, expires_at: h.expires_at, ..done }
        }
        (None, None) => done,
    }
}

/// Why a line is not what [`export_line`] writes, or does not follow its predecessor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Not eleven fields (twelve with terms) of the right kinds.
    #[error("line {0} is not an exported entry")]
    Syntax(usize),
    /// Its number is not one more than its predecessor's.
    #[error("line {0} is out of order")]
    Order(usize),
    /// Its hash is not that of its content and predecessor.
    #[error("line {0} does not continue the chain")]
    Chain(usize),
}

/// One entry as one line of tab-separated fields: seq, kind (number), actor, key, snapshot (0: none),
/// size (`-`, `INR:n`, `BTC:n`), refs (0: none), time (microseconds), legs
/// (`from>to:amount`, comma-separated), prev (hex), hash (hex), and, where it has any, terms
/// (`rate:until`, until in microseconds or 0). Nothing else is needed to recompute the hash.
pub fn export_line(entry: &Entry) -> String {
    let size = match entry.size {
        None => "-".to_owned(),
        Some(Size::Inr(n)) => format!("INR:{n}"),
        Some(Size::Btc(n)) => format!("BTC:{n}"),
    };
    let legs: Vec<_> = entry.legs.iter().map(|l| format!("{}>{}:{}", l.from.code(), l.to.code(), l.amount)).collect();
    let terms =
        entry.terms.map_or_else(String::new, |t| format!("\t{}:{}", t.rate, t.until.map_or(0, Timestamp::micros)));
    format!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}{}",
        entry.seq,
        entry.kind as u8,
        entry.actor.code(),
        entry.key.as_str(),
        entry.snapshot.map_or(0, |s| s.0),
        size,
        entry.refs.unwrap_or(0),
        entry.at.micros(),
        legs.join(","),
        hex::encode(entry.prev),
        hex::encode(entry.hash),
        terms,
    )
}

/// Recomputes the chain of an export, line by line from the first entry, and gives its head.
/// Lines that start with `#` are skipped.
pub fn verify_export<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<(Seq, [u8; 32]), ExportError> {
    let (mut seq, mut head) = (0, canon::genesis());
    for (i, text) in lines.into_iter().enumerate().filter(|(_, text)| !text.starts_with('#')) {
        let entry = parse_line(text).ok_or(ExportError::Syntax(i + 1))?;
        if entry.seq != seq + 1 {
            return Err(ExportError::Order(i + 1));
        }
        if entry.prev != head || entry.hash != entry.digest() {
            return Err(ExportError::Chain(i + 1));
        }
        (seq, head) = (entry.seq, entry.hash);
    }
    Ok((seq, head))
}

fn parse_line(text: &str) -> Option<Entry> {
    let mut fields = text.split('\t');
    let mut next = || fields.next();
    let positive = |n: i64| (n > 0).then_some(n);
    let seq = next()?.parse().ok()?;
    let kind = Kind::from_number(next()?.parse().ok()?)?;
    let actor = Actor::parse(next()?)?;
    let key = IdemKey::new(next()?).ok()?;
    let snapshot = positive(next()?.parse().ok()?).map(SnapshotId);
    let size = match next()? {
        "-" => None,
        text => match text.split_once(':')? {
            ("INR", n) => Some(Size::Inr(n.parse().ok()?)),
            ("BTC", n) => Some(Size::Btc(n.parse().ok()?)),
            _ => return None,
        },
    };
    let refs = positive(next()?.parse().ok()?);
    let at = Timestamp::from_micros(next()?.parse().ok()?);
    let legs = next()?
        .split(',')
        .map(|leg| {
            let (from, rest) = leg.split_once('>')?;
            let (to, amount) = rest.rsplit_once(':')?;
            Some(Leg {
                from: Account::parse(from)?,
                to: Account::parse(to)?,
                amount: amount.parse().ok()?,
                from_after: 0,
                to_after: 0,
            })
        })
        .collect::<Option<Vec<_>>>()?;
    let mut digest = || hex::decode(next()?).ok()?.try_into().ok();
    let (prev, hash) = (digest()?, digest()?);
    let terms = match next() {
        None => None,
        Some(text) => {
            let (rate, until) = text.split_once(':')?;
            let until = positive(until.parse().ok()?).map(Timestamp::from_micros);
            Some(Terms { rate: rate.parse().ok()?, until })
        }
    };
    next().is_none().then_some(Entry { seq, kind, actor, key, snapshot, size, refs, terms, legs, at, prev, hash })
}

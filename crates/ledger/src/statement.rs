//! Entries as a user sees them, and as lines of an export that anybody can verify.

use orrery_kernel::{Asset, SnapshotId, Timestamp, UserId};

use crate::decide::rate;
use crate::{Account, Actor, Entry, IdemKey, Kind, Leg, Owner, Posted, Seq, Side, Size, canon};

/// A line of a user's transaction history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The entry.
    pub id: Seq,
    /// `MARKET_BUY`, `MARKET_SELL`, `DEPOSIT_INR`, `DEPOSIT_BTC`, `FUND`, `REVERSAL`.
    pub kind: &'static str,
    /// Paise moved to or from the user, ≥ 0.
    pub inr: i64,
    /// Satoshis moved to or from the user, ≥ 0.
    pub btc: i64,
    /// Rate of a trade, paise per bitcoin; 0 where there was none.
    pub rate: i64,
    /// When.
    pub at: Timestamp,
    /// Undone by a later entry?
    pub reversed: bool,
}

/// An entry from a user's side.
pub fn line(posted: &Posted, user: UserId) -> Line {
    let entry = &posted.entry;
    let net = |asset: Asset| {
        let own = |account: &Account| account.asset == asset && account.owner == Owner::User(user);
        let change = entry.legs.iter().fold(0_i128, |sum, leg| {
            sum + i128::from(leg.amount) * (i128::from(own(&leg.to)) - i128::from(own(&leg.from)))
        });
        i64::try_from(change.abs()).unwrap_or(i64::MAX)
    };
    let (inr, btc) = (net(Asset::INR), net(Asset::BTC));
    let side = match entry.kind {
        Kind::MarketBuy => Some(Side::Buy),
        Kind::MarketSell => Some(Side::Sell),
        _ => None,
    };
    Line {
        id: entry.seq,
        kind: match entry.kind {
            Kind::MarketBuy => "MARKET_BUY",
            Kind::MarketSell => "MARKET_SELL",
            Kind::Deposit if btc > 0 => "DEPOSIT_BTC",
            Kind::Deposit => "DEPOSIT_INR",
            Kind::FundHouse => "FUND",
            Kind::Reverse => "REVERSAL",
        },
        inr,
        btc,
        rate: side.zip(posted.snapshot.as_ref()).map_or(0, |(side, snapshot)| rate(&snapshot.price, side)),
        at: entry.at,
        reversed: posted.reversed_by.is_some(),
    }
}

/// Why a line is not what [`export_line`] writes, or does not follow its predecessor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Not eleven fields of the right kinds.
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
/// (`from>to:amount`, comma-separated), prev (hex), hash (hex). Nothing else is needed to recompute
/// the hash.
pub fn export_line(entry: &Entry) -> String {
    let size = match entry.size {
        None => "-".to_owned(),
        Some(Size::Inr(n)) => format!("INR:{n}"),
        Some(Size::Btc(n)) => format!("BTC:{n}"),
    };
    let legs: Vec<_> = entry.legs.iter().map(|l| format!("{}>{}:{}", l.from.code(), l.to.code(), l.amount)).collect();
    format!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
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
    next().is_none().then_some(Entry { seq, kind, actor, key, snapshot, size, refs, legs, at, prev, hash })
}

//! Accounts: an owner, an asset and a bucket, with the bounds that every commit keeps.

use orrery_kernel::{AMOUNT_MAX, Asset, UserId};

use crate::Limits;

/// Whose money it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A registered user.
    User(UserId),
    /// The operator's own books.
    House,
    /// Everything outside, negated: what ever entered came from here.
    World,
    /// A wallet, by its address.
    Wallet(Box<str>),
    /// A paper-trading account, by its name.
    Paper(Box<str>),
}

/// What the money is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// Free to use.
    Available,
    /// Held for open orders and withdrawals.
    Reserved,
    /// Locked against a loan.
    Collateral,
    /// Owed, negative.
    Borrowed,
    /// Interest owed, negative.
    Interest,
    /// The house's stock that users trade against.
    Inventory,
    /// The house's money to lend.
    Treasury,
    /// Mirror of all users' `Borrowed`.
    Receivable,
    /// Mirror of all users' `Interest`.
    InterestReceivable,
    /// Interest received.
    Income,
    /// The world's only bucket.
    Outside,
}

/// `(owner, asset, bucket)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// Whose.
    pub owner: Owner,
    /// Which money.
    pub asset: Asset,
    /// What for.
    pub bucket: Bucket,
}

const BUCKETS: [(Bucket, &str); 11] = [
    (Bucket::Available, "available"),
    (Bucket::Reserved, "reserved"),
    (Bucket::Collateral, "collateral"),
    (Bucket::Borrowed, "borrowed"),
    (Bucket::Interest, "interest"),
    (Bucket::Inventory, "inventory"),
    (Bucket::Treasury, "treasury"),
    (Bucket::Receivable, "receivable"),
    (Bucket::InterestReceivable, "int_receivable"),
    (Bucket::Income, "income"),
    (Bucket::Outside, "outside"),
];

impl Bucket {
    /// The name used in account codes.
    pub fn name(self) -> &'static str {
        BUCKETS.iter().find(|(b, _)| *b == self).map_or("", |(_, n)| n)
    }

    /// The bucket of that name.
    pub fn parse(name: &str) -> Option<Self> {
        BUCKETS.iter().find(|(_, n)| *n == name).map(|(b, _)| *b)
    }
}

impl Owner {
    /// The text form used in account codes: `user:7`, `house`, `world`, `wallet:ADDRESS`,
    /// `paper:NAME`. Names hold no `/`.
    pub fn code(&self) -> String {
        match self {
            Self::User(u) => format!("user:{u}"),
            Self::House => "house".into(),
            Self::World => "world".into(),
            Self::Wallet(a) => format!("wallet:{a}"),
            Self::Paper(n) => format!("paper:{n}"),
        }
    }

    /// The inverse of [`Owner::code`].
    pub fn parse(code: &str) -> Option<Self> {
        let named = |n: &str| (!n.is_empty() && !n.contains('/')).then(|| n.into());
        match code.split_once(':') {
            None if code == "house" => Some(Self::House),
            None if code == "world" => Some(Self::World),
            Some(("user", id)) => id.parse().ok().filter(|id| *id > 0).map(|id| Self::User(UserId(id))),
            Some(("wallet", a)) => named(a).map(Self::Wallet),
            Some(("paper", n)) => named(n).map(Self::Paper),
            _ => None,
        }
    }
}

impl Account {
    /// A user's account.
    pub const fn user(user: UserId, asset: Asset, bucket: Bucket) -> Self {
        Self { owner: Owner::User(user), asset, bucket }
    }

    /// An account of the house.
    pub const fn house(asset: Asset, bucket: Bucket) -> Self {
        Self { owner: Owner::House, asset, bucket }
    }

    /// A wallet's free TST.
    pub fn wallet(address: &str) -> Self {
        Self { owner: Owner::Wallet(address.into()), asset: Asset::TST, bucket: Bucket::Available }
    }

    /// An account of a paper trader.
    pub fn paper(name: &str, asset: Asset, bucket: Bucket) -> Self {
        Self { owner: Owner::Paper(name.into()), asset, bucket }
    }

    /// The world's account in an asset.
    pub const fn world(asset: Asset) -> Self {
        Self { owner: Owner::World, asset, bucket: Bucket::Outside }
    }

    /// The canonical text form, which stores keep and the hash chain covers:
    /// `user:7/INR/available`.
    pub fn code(&self) -> String {
        format!("{}/{}/{}", self.owner.code(), self.asset.code(), self.bucket.name())
    }

    /// The inverse of [`Account::code`].
    pub fn parse(code: &str) -> Option<Self> {
        let mut parts = code.split('/');
        let owner = Owner::parse(parts.next()?)?;
        let asset = Asset::parse(parts.next()?)?;
        let bucket = Bucket::parse(parts.next()?)?;
        parts.next().is_none().then_some(Self { owner, asset, bucket })
    }

    /// The bounds a balance must keep at every commit, inclusive.
    pub fn bounds(&self, limits: &Limits) -> (i64, i64) {
        match (&self.owner, self.bucket) {
            (Owner::World, _) => (-AMOUNT_MAX, 0),
            (_, Bucket::Borrowed | Bucket::Interest) => (-AMOUNT_MAX, 0),
            (Owner::House, Bucket::Inventory) => (limits.inventory_floor(self.asset), AMOUNT_MAX),
            _ => (0, AMOUNT_MAX),
        }
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.code())
    }
}

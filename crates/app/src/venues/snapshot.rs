//! What an account was seen to hold.

use orrery_storage::CacheKey;
use orrery_venues::Number;
use orrery_wallets::Account;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::open::version;
use super::{Venues, place_of};

/// A number that is kept as its digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digits(pub Number);

impl std::fmt::Display for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Number::parse(&text).map(Self).ok_or_else(|| de::Error::custom("not a number"))
    }
}

/// What an account has of one currency, over all its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coin {
    /// Which.
    pub code: String,
    /// With the profit of open positions that is settled in it.
    pub equity: Digits,
    /// Without.
    pub balance: Digits,
    /// What can be spent.
    pub free: Digits,
    /// What orders and positions hold.
    pub used: Digits,
    /// What is borrowed.
    pub debt: Digits,
    /// Profit of open positions.
    pub profit: Digits,
    /// What the equity is worth in the currency of the valuation; none: the exchange has no price for it.
    pub value: Option<Digits>,
}

/// What an account holds, in the currency of the valuation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// All it is worth, as the exchange counts debts: most have them taken off.
    pub equity: Digits,
    /// Without the profit of open positions.
    pub balance: Digits,
    /// What can be spent.
    pub available: Digits,
    /// Profit of open positions.
    pub profit: Digits,
    /// What positions took to be made.
    pub initial: Digits,
    /// What it takes to keep them.
    pub maintenance: Digits,
    /// What is borrowed.
    pub debt: Digits,
    /// By currency, the most valuable first.
    pub coins: Vec<Coin>,
}

/// What an account was seen to hold when it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What the account was opened with; a snapshot of anything else is of no use.
    pub version: String,
    /// When it was seen, milliseconds; 0: it never was.
    pub at: i64,
    /// When it was tried last, milliseconds.
    pub tried: i64,
    /// CCXT's class of what went wrong then.
    pub error: Option<String>,
    /// Money.
    pub holdings: Holdings,
    /// CCXT's structures without `info`.
    pub positions: Vec<Value>,
    /// CCXT's structures without `info`.
    pub orders: Vec<Value>,
}

pub(super) fn key(account: &Account) -> CacheKey {
    let (owner, nid) = place_of(account);
    CacheKey::account(&owner, &nid)
}

impl Venues {
    /// What the account was seen to hold last, by this server or another that shares the cache; none while it was
    /// not looked at since it was set.
    pub async fn snapshot(&self, account: &Account) -> Option<Snapshot> {
        let kept = self.ports.cache.get(&key(account), self.ports.clock.now()).await;
        let bytes = kept.inspect_err(|error| tracing::warn!(%error, "a snapshot could not be read")).ok()??;
        // another program's version of it counts as absent
        let snapshot: Snapshot = serde_json::from_slice(&bytes).ok()?;
        (snapshot.version == version(account)).then_some(snapshot)
    }

    pub(super) async fn keep(&self, account: &Account, snapshot: &Snapshot) {
        let Ok(bytes) = serde_json::to_vec(snapshot) else { return };
        if let Err(error) = self.ports.cache.put(&key(account), bytes.into(), self.ports.clock.now()).await {
            tracing::warn!(%error, "a snapshot could not be kept");
        }
    }
}

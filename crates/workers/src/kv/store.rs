//! The port of the scripts' store.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::StoreError;
use orrery_storage::Lease;

use super::key::Key;

/// Most bytes of a value, as JSON.
pub const VALUE_BYTES_MAX: usize = 65_536;
/// Most checks and mutations of one commit.
pub const COMMIT_MAX: usize = 100;

/// Whose keys. Spaces don't see each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Space(String);

impl Space {
    /// An owner's on the network: `Stels.net`.
    pub fn net(owner: &str) -> Self {
        Self(format!("net/{owner}"))
    }

    /// An owner's on a node: `Stels.local`.
    pub fn local(node: &str, owner: &str) -> Self {
        Self(format!("local/{node}/{owner}"))
    }

    /// As stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Says which of two commits of a space was later. Shown as 20 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Versionstamp(pub i64);

impl fmt::Display for Versionstamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}0000", self.0)
    }
}

impl Versionstamp {
    /// Reads what `Display` shows.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_suffix("0000").filter(|digits| digits.len() == 16)?;
        if !digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return None;
        }
        i64::from_str_radix(digits, 16).ok().map(Self)
    }
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value, as JSON.
    pub value: String,
    /// The commit that set it.
    pub stamp: Versionstamp,
}

/// Keys from one on and before another, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub start: Vec<u8>,
    /// Before this.
    pub end: Vec<u8>,
    /// Most entries.
    pub limit: u32,
    /// The last ones first.
    pub reverse: bool,
}

impl Range {
    /// All keys that begin with `prefix` and have more parts.
    pub fn of(prefix: &Key, limit: u32) -> Self {
        let mut start = prefix.as_bytes().to_vec();
        start.push(0);
        Self { start, end: prefix.end(), limit, reverse: false }
    }
}

/// What a commit does to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Sets its value.
    Set {
        /// The key.
        key: Key,
        /// JSON, at most [`VALUE_BYTES_MAX`].
        value: String,
        /// It is gone after this, by the store's clock; none: never.
        expire_in: Option<Duration>,
    },
    /// Takes it away.
    Delete(Key),
}

/// What a space may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Keys.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

impl Default for Quota {
    /// 100,000 keys and 256 MiB.
    fn default() -> Self {
        Self { keys: 100_000, bytes: 256 * 1_024 * 1_024 }
    }
}

/// Changes that are made all or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Keys that must still be of these commits; none: that must not be there.
    pub checks: Vec<(Key, Option<Versionstamp>)>,
    /// What is done, in order.
    pub mutations: Vec<Mutation>,
    /// A worker's lease (its key being the worker's id) that must be held.
    pub fence: Option<Lease>,
    /// What the space may hold.
    pub quota: Quota,
}

/// How a commit went. Unless it was done nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Done, as this.
    Done(Versionstamp),
    /// A key is of another commit by now.
    Conflict,
    /// The lease is over or somebody else's.
    Fenced,
    /// There is no room.
    Full,
}

/// Ordered keys with values. Reads see every commit that was answered before; a commit and its checks, its fence and
/// its quota are one transaction. Passes the contract suite in `orrery-testkit`.
///
/// To watch a key is to look again once the bus says that its space changed, and from time to time: the
/// versionstamp tells whether it did.
#[async_trait]
pub trait KvStore: Send + Sync {
    /// The entries of these keys, in their order.
    async fn get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError>;
    /// The entries of a range, in the order of their keys.
    async fn list(&self, space: &Space, range: &Range) -> Result<Vec<Entry>, StoreError>;
    /// Makes changes, at most [`COMMIT_MAX`].
    async fn commit(&self, space: &Space, commit: &Commit) -> Result<Committed, StoreError>;
    /// Takes away what has expired, at most `limit` entries; says how many. Expired entries are not seen before
    /// that either, but they take room.
    async fn prune(&self, limit: u32) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versionstamps_are_twenty_digits_in_order() {
        let (a, b) = (Versionstamp(9), Versionstamp(16));
        assert_eq!(b.to_string(), "00000000000000100000");
        assert!(a < b && a.to_string() < b.to_string());
        assert_eq!(Versionstamp::parse(&b.to_string()), Some(b));
        for text in ["", "0000", "+0000000000000010000", "0000000000000010000g", "00000000000000100001"] {
            assert_eq!(Versionstamp::parse(text), None, "{text}");
        }
    }
}

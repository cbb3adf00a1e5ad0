//! The store of scripts, `Stels.net` and `Stels.local`: ordered keys ([`Key`]), values under versionstamps, commits
//! that check what they saw ([`KvStore`]).

mod key;
mod store;

pub use key::{KEY_BYTES_MAX, Key, KeyError, Part};
pub use store::{
    COMMIT_MAX, Commit, Committed, Entry, KvStore, Mutation, Quota, Range, Space, VALUE_BYTES_MAX, Versionstamp,
};

//! The port that keeps what belongs to wallets.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp, UserId};

use crate::{Account, State, Token, Totals, Transaction};

/// Live sessions of one wallet; beyond that the oldest end.
pub const SESSIONS_MAX: u32 = 50;

/// A wallet's session. The token itself is known to the client alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the token.
    pub token: [u8; 32],
    /// The wallet.
    pub address: String,
    /// Its public key, compressed.
    pub public_key: String,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// How opening a session went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    New {
        /// Had this wallet never logged in before?
        first: bool,
    },
    /// The login was used before; nothing changed.
    Replayed,
}

/// Was it new?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It was stored.
    New,
    /// It was there already; nothing changed.
    Known,
    /// There is no room for more; nothing changed.
    Full,
}

/// Which transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionQuery {
    /// Those that concern this address; `None`: all.
    pub address: Option<String>,
    /// Those of this token; `None`: all.
    pub token: Option<String>,
    /// Only confirmed, or only pending ones; `None`: both.
    pub confirmed: Option<bool>,
    /// Newest first; so many are left out.
    pub offset: u32,
    /// So many at most.
    pub limit: u32,
}

/// Keeps sessions, links, exchange accounts, transactions and tokens. Passes the contract suite in
/// `orrery-testkit`.
#[async_trait]
pub trait WalletStore: Send + Sync {
    /// Opens a session for the login whose hash is `login`, which is good once; both or nothing. At most
    /// [`SESSIONS_MAX`] a wallet: beyond that the oldest are removed.
    async fn open_session(&self, session: &Session, login: &str) -> Result<Opened, StoreError>;
    /// A session by its token's digest; expiry is the caller's to judge.
    async fn session(&self, token: &[u8; 32]) -> Result<Option<Session>, StoreError>;
    /// Which of these tokens still have a session.
    async fn live_sessions(&self, tokens: &[[u8; 32]], now: Timestamp) -> Result<Vec<[u8; 32]>, StoreError>;
    /// Ends a session. `false`: there is none.
    async fn end_session(&self, token: &[u8; 32]) -> Result<bool, StoreError>;
    /// Ends every session of a wallet; gives how many.
    async fn end_sessions(&self, address: &str) -> Result<u64, StoreError>;
    /// Drops sessions that ended before `now`, and forgets logins from before `logins`; at most 10,000 of each.
    async fn prune_sessions(&self, now: Timestamp, logins: Timestamp) -> Result<u64, StoreError>;

    /// Links a wallet to a user, or to nobody; a wallet has one at most. `false`: it has another already.
    async fn link(&self, address: &str, user: UserId, at: Timestamp) -> Result<bool, StoreError>;
    /// Unlinks it. `false`: it was not that user's.
    async fn unlink(&self, address: &str, user: UserId) -> Result<bool, StoreError>;
    /// The user a wallet is linked to.
    async fn linked(&self, address: &str) -> Result<Option<UserId>, StoreError>;
    /// The wallets linked to a user, by address.
    async fn wallets_of(&self, user: UserId) -> Result<Vec<String>, StoreError>;

    /// Creates or replaces an account by owner and name; at most `most` an owner.
    async fn put_account(&self, account: &Account, most: u32) -> Result<Stored, StoreError>;
    /// An account.
    async fn account(&self, owner: &str, nid: &str) -> Result<Option<Account>, StoreError>;
    /// Accounts that `address` owns or may look at, by owner and name, at most `limit`.
    async fn accounts_seen_by(&self, address: &str, limit: u32) -> Result<Vec<Account>, StoreError>;
    /// All accounts after (`owner`, `nid`) in that order, at most `limit`.
    async fn accounts_after(&self, owner: &str, nid: &str, limit: u32) -> Result<Vec<Account>, StoreError>;
    /// Replaces an account's sealed secrets if they are still `from`. `false`: they are not.
    async fn reseal(&self, owner: &str, nid: &str, from: &[u8], to: &[u8]) -> Result<bool, StoreError>;

    /// Writes a transaction down. [`Stored::Known`]: its hash is there.
    async fn put_transaction(&self, transaction: &Transaction) -> Result<Stored, StoreError>;
    /// Says how far it is. `false`: there is no such transaction.
    async fn settle_transaction(&self, hash: &str, state: State) -> Result<bool, StoreError>;
    /// Forgets a transaction that is still pending. `false`: it is not.
    async fn forget_transaction(&self, hash: &str) -> Result<bool, StoreError>;
    /// A transaction by its hash.
    async fn transaction(&self, hash: &str) -> Result<Option<Transaction>, StoreError>;
    /// Transactions, newest first, and how many there are without offset and limit.
    async fn transactions(&self, query: &TransactionQuery) -> Result<(Vec<Transaction>, u64), StoreError>;
    /// What confirmed transactions changed for an address.
    async fn totals(&self, address: &str) -> Result<Totals, StoreError>;
    /// Transactions of `sender` (or of all) that are pending, oldest first, at most `limit`.
    async fn pending_transactions(&self, sender: Option<&str>, limit: u32) -> Result<Vec<Transaction>, StoreError>;
    /// The hash of the sender's last confirmed smart transaction.
    async fn last_smart(&self, sender: &str) -> Result<Option<String>, StoreError>;

    /// Stores a token. At most `most` of one issuer.
    async fn put_token(&self, token: &Token, most: u32) -> Result<Stored, StoreError>;
    /// Tokens by when they came, at most `limit`.
    async fn tokens(&self, limit: u32) -> Result<Vec<Token>, StoreError>;
}

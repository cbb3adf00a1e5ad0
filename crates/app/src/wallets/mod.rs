//! What holders of wallets do: log in with a signature, keep exchange accounts, submit transactions.

mod accounts;
mod sessions;
mod submit;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use orrery_crypto::seal::Keyring;
use orrery_identity::{AuditEvent, IdentityStore};
use orrery_kernel::{Asset, Clock, Entropy, Error, ErrorCode, Result, format_minor};
use orrery_ledger::{LedgerStore, Owner};
use orrery_wallets::{Transaction, TransactionQuery, WalletStore};

pub use accounts::{MASK, View};
pub use sessions::LoggedIn;
pub use submit::{Event, Submitted};
pub use tokens::{CHAIN_ID, native};

use crate::Ctx;
use crate::ledger_writer::LedgerWriter;

/// Exchange accounts of one wallet.
pub const ACCOUNTS_MAX: u32 = 100;
/// Tokens of one issuer.
const TOKENS_MAX: u32 = 100;
/// Transactions of one page.
pub const PAGE_MAX: u32 = 500;
/// Bytes of one page, after which it ends.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Transactions read at once: each may carry 2 MiB.
const STEP: u32 = 20;

/// What wallets are configured with.
#[derive(Clone, Debug)]
pub struct WalletSettings {
    /// Name of the network, as channels begin with it and logins name it.
    pub network: String,
    /// Name of this node.
    pub node: String,
    /// How long a session lasts.
    pub session_lifetime: Duration,
    /// Wallets that may log in; empty: all.
    pub allowed: Vec<String>,
    /// Millionths of TST given at the first login; `demo` sets it.
    pub grant: Option<i64>,
    /// May anybody read the accounts behind an address? Secrets are never shown.
    pub public_info: bool,
    /// Seals exchange keys.
    pub keys: Arc<dyn MasterKeys>,
}

impl WalletSettings {
    /// A test network where every wallet may log in for 30 days and nothing is given.
    pub fn new(keys: Arc<dyn MasterKeys>) -> Self {
        Self {
            network: "testnet".into(),
            node: "s-0001".into(),
            session_lifetime: Duration::from_secs(30 * 86_400),
            allowed: Vec::new(),
            grant: None,
            public_info: false,
            keys,
        }
    }
}

/// Where the keys are that seal exchange keys at rest.
pub trait MasterKeys: Send + Sync + std::fmt::Debug {
    /// Those at hand.
    fn ring(&self) -> Arc<Keyring>;
    /// Those there are now: a record may be sealed with a key that is newer than this process.
    fn refreshed(&self) -> Arc<Keyring>;
}

/// Keys that do not change.
impl MasterKeys for Arc<Keyring> {
    fn ring(&self) -> Arc<Keyring> {
        self.clone()
    }

    fn refreshed(&self) -> Arc<Keyring> {
        self.clone()
    }
}

/// What wallets stand on.
pub(crate) struct WalletPorts {
    pub store: Arc<dyn WalletStore>,
    pub ledger: Arc<dyn LedgerStore>,
    pub identity: Arc<dyn IdentityStore>,
    pub writer: LedgerWriter,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// The use cases of wallets.
pub struct Wallets {
    ports: WalletPorts,
    settings: WalletSettings,
    native: tokens::Native,
}

/// Six decimals, as TST is written.
pub fn tst(minor: i64) -> String {
    format_minor(minor, Asset::TST.decimals())
}

/// What an address holds and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Millionths of TST held.
    pub held: i64,
    /// What its confirmed transactions changed.
    pub totals: orrery_wallets::Totals,
}

impl Wallets {
    pub(crate) fn new(ports: WalletPorts, settings: WalletSettings) -> Self {
        let native = tokens::Native::of(&settings.network);
        Self { ports, settings, native }
    }

    /// Name of the network.
    pub fn network(&self) -> &str {
        &self.settings.network
    }

    /// May anybody read what is behind an address?
    pub fn shows_info_to_all(&self) -> bool {
        self.settings.public_info
    }

    /// Name of this node.
    pub fn node(&self) -> &str {
        &self.settings.node
    }

    /// The token of the network's own currency.
    pub fn token(&self) -> &str {
        &self.native.id
    }

    /// What an address holds, and what it sent, received and paid.
    pub async fn balance(&self, address: &str) -> Result<Balance> {
        checked_address(address, "address")?;
        let (balances, _) = self.ports.ledger.balances(&Owner::Wallet(address.into())).await?;
        let held = balances.iter().filter(|(account, _)| account.asset == Asset::TST).map(|(_, n)| n).sum();
        Ok(Balance { held, totals: self.ports.store.totals(address).await? })
    }

    /// Transactions, newest first, and how many there are. A page ends early when it is larger than 8 MiB.
    pub async fn transactions(&self, query: &TransactionQuery) -> Result<(Vec<Transaction>, u64)> {
        if let Some(address) = &query.address {
            checked_address(address, "address")?;
        }
        let most = query.limit.min(PAGE_MAX);
        let (mut found, mut bytes) = (Vec::new(), 0);
        loop {
            let read = u32::try_from(found.len()).unwrap_or(u32::MAX);
            let offset = query.offset.saturating_add(read);
            let step = TransactionQuery { offset, limit: STEP.min(most - read), ..query.clone() };
            let (next, total) = self.ports.store.transactions(&step).await?;
            bytes += next.iter().map(|t| t.body.len()).sum::<usize>();
            let last = next.len() < step.limit as usize;
            found.extend(next);
            if last || found.len() >= most as usize || bytes > PAGE_BYTES_MAX {
                return Ok((found, total));
            }
        }
    }

    /// A transaction by its hash.
    pub async fn transaction(&self, hash: &str) -> Result<Transaction> {
        let found = self.ports.store.transaction(hash).await?;
        found.ok_or_else(|| Error::new(ErrorCode::NotFound, "Transaction not found"))
    }

    async fn audit(&self, ctx: &Ctx, address: &str, action: &str, target: String, outcome: &str) {
        let event = AuditEvent {
            at: ctx.now,
            actor: format!("wallet:{address}"),
            action: action.into(),
            target,
            outcome: outcome.into(),
            address: ctx.address.to_string(),
        };
        if let Err(error) = self.ports.identity.audit(&event).await {
            tracing::error!(%error, "could not write the audit log");
        }
    }
}

/// An address, or which field is none.
pub(crate) fn checked_address(address: &str, field: &'static str) -> Result<()> {
    if orrery_crypto::is_address(address) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("{field} is not an address")))
}

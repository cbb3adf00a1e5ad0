//! Transactions that wallets submitted, and the tokens they may be about.

use orrery_kernel::Timestamp;

/// Which of the three forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionKind {
    /// One amount to one address.
    Basic,
    /// Several operations; each names the one before it.
    Smart,
    /// A token's transfer.
    Asset,
}

impl TransactionKind {
    /// As stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Smart => "smart",
            Self::Asset => "asset",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Basic, Self::Smart, Self::Asset].into_iter().find(|kind| kind.name() == name)
    }
}

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Written down; whether the ledger has it is to be found out.
    Pending,
    /// In the ledger, as this entry.
    Confirmed(i64),
}

impl State {
    /// As clients see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed(_) => "confirmed",
        }
    }
}

/// Somebody whom a transaction concerns, and what it changes for them, millionths of TST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// Who.
    pub address: String,
    /// What reaches them.
    pub received: i64,
    /// What leaves them, without the fee.
    pub sent: i64,
    /// The fee they pay.
    pub fee: i64,
}

/// What all confirmed transactions changed for an address, millionths of TST.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// What reached it.
    pub received: i64,
    /// What left it, without fees.
    pub sent: i64,
    /// Fees it paid.
    pub fees: i64,
    /// How many there were.
    pub count: u64,
}

/// A submitted transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// SHA-256 of the signed text, hex.
    pub hash: String,
    /// Form.
    pub kind: TransactionKind,
    /// Who pays.
    pub sender: String,
    /// Everybody it concerns, the sender too, each once.
    pub parties: Vec<Party>,
    /// `token:sha256:…`.
    pub token: String,
    /// The sender's smart transaction before this one, for smart ones.
    pub prev_hash: Option<String>,
    /// As it was sent, JSON.
    pub body: String,
    /// How far it is.
    pub state: State,
    /// When it was submitted.
    pub at: Timestamp,
}

impl Transaction {
    /// The ledger's idempotency key: for smart ones their place in the sender's chain, which only one can take;
    /// for the others the hash.
    pub fn ledger_key(&self) -> String {
        match self.kind {
            TransactionKind::Smart => {
                format!("smart:{}:{}", self.sender, self.prev_hash.as_deref().unwrap_or("first"))
            }
            kind => format!("{}:{}", kind.name(), self.hash),
        }
    }
}

/// A token that somebody founded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `token:sha256:…`.
    pub id: String,
    /// Its issuer's address.
    pub issuer: String,
    /// The certificate, JSON.
    pub genesis: String,
    /// The issuer's public key as it was sent.
    pub public_key: String,
    /// The issuer's signature.
    pub signature: String,
    /// When it came.
    pub at: Timestamp,
}

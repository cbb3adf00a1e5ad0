//! What the server keeps of wallets: sessions, exchange accounts, transactions and tokens, and the port that
//! keeps them.
//!
//! Invariants: no I/O, no clock. Session tokens are known by their digest alone; exchange keys are sealed before
//! they come here.

mod account;
mod login;
mod ports;
mod transaction;

pub use account::{Account, AccountError, NewAccount, SECRETS, Status, TEXT_MAX, VIEWERS_MAX};
pub use login::{Action, LOGIN_AGE_MAX, Login, LoginError};
pub use ports::{Opened, SESSIONS_MAX, Session, Stored, TransactionQuery, WalletStore};
pub use transaction::{Party, State, Token, Totals, Transaction, TransactionKind};

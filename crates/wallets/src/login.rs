//! Logging in with a signature (contract of the STELS client, "connectionNode").

use std::time::Duration;

use orrery_crypto::json::{Duplicates, JsValue, parse};
use orrery_crypto::transaction::BasicTransaction;
use orrery_crypto::{compressed, is_address};
use orrery_kernel::Timestamp;

/// How old a signed login may be, and how far ahead of this clock.
pub const LOGIN_AGE_MAX: Duration = Duration::from_secs(3_600);

/// What the signed data says its maker wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A session.
    Login,
    /// A session that may write workers.
    Developer,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Login => "LOGIN_REQUEST",
            Self::Developer => "DEVELOPER_REQUEST",
        }
    }
}

/// Why a login is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The request is not one.
    #[error("{field} {problem}")]
    Invalid {
        /// The field at fault.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// It is one, but proves nothing: of another wallet or network, too old, or ahead of time.
    #[error("{0}")]
    Refused(&'static str),
}

/// A login that proves whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The wallet.
    pub address: String,
    /// Its public key, compressed.
    pub public_key: String,
    /// Hash of the signed transaction, hex: it is good once.
    pub hash: String,
}

fn invalid(field: &'static str, problem: impl Into<String>) -> LoginError {
    LoginError::Invalid { field, problem: problem.into() }
}

impl Login {
    /// Checks `body` (`transaction`, `walletAddress`, `publicKey`) at `now`: a signed transaction of amount 0 from
    /// the wallet to itself, whose data says what is wanted, where, by whom and when.
    pub fn verify(body: &JsValue, action: Action, network: &str, now: Timestamp) -> Result<Self, LoginError> {
        let transaction = body.get("transaction").ok_or_else(|| invalid("transaction", "is missing"))?;
        let address = body.get("walletAddress").and_then(JsValue::as_str).filter(|a| is_address(a));
        let address = address.ok_or_else(|| invalid("walletAddress", "is not an address"))?;
        let key = body.get("publicKey").and_then(JsValue::as_str).and_then(compressed);
        let key = key.ok_or_else(|| invalid("publicKey", "is not a public key"))?;
        let sent = BasicTransaction::verify(transaction).map_err(|e| invalid(e.field, e.problem))?;
        if sent.from != address || sent.to != address {
            return Err(LoginError::Refused("The transaction is not of the wallet to itself"));
        }
        if compressed(&sent.public_key).as_deref() != Some(&key) {
            return Err(LoginError::Refused("publicKey is not the key of the transaction"));
        }
        if sent.amount != 0 {
            return Err(invalid("transaction.amount", "has to be 0"));
        }
        let data = sent.data.as_deref().unwrap_or_default();
        let data = parse(data, Duplicates::Refused).map_err(|e| invalid("transaction.data", e.to_string()))?;
        let says = |key: &str, wanted: &str| data.get(key).and_then(JsValue::as_str) == Some(wanted);
        if !says("action", action.name()) {
            return Err(invalid("transaction.data", format!("has to have the action {}", action.name())));
        }
        if !says("walletAddress", address) {
            return Err(LoginError::Refused("The data names another wallet"));
        }
        if !says("network", network) {
            return Err(LoginError::Refused("The data names another network"));
        }
        let signed_at = data.get("timestamp").and_then(JsValue::as_i64);
        let signed_at = signed_at.ok_or_else(|| invalid("transaction.data", "has to have a timestamp"))?;
        for at in [signed_at, sent.timestamp] {
            let off = now.millis().abs_diff(at);
            if u128::from(off) > LOGIN_AGE_MAX.as_millis() {
                return Err(LoginError::Refused("The login is too old, or ahead of time; sign a new one"));
            }
        }
        Ok(Self { address: address.to_owned(), public_key: key, hash: sent.hash })
    }
}

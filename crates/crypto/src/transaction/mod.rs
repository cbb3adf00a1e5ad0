//! Transactions of the STELS document: made, checked as the client checks them, and verified as a server must.
//!
//! Each kind has three doors. `create` makes what the client makes, `validate…` answers as the client does
//! (whose checks let much through), and `verify` is the server's: it takes a value off the wire and gives a
//! typed transaction only if every field and signature is good.

mod asset;
mod basic;
mod check;
mod cosign;
mod fee;
mod operation;
mod smart;

pub use asset::{AssetTransfer, TOKEN_DOMAIN, Token, genesis_text};
pub use basic::{BasicTransaction, DATA_BYTES_MAX, NewBasic, PublicKeyForm, Validity, create_basic, validate_basic};
pub use check::{is_amount, is_event_data, is_event_kind, is_fee, is_memo, is_raw};
pub use cosign::{cosign, cosign_text, is_cosign_method, is_cosignature};
pub use fee::{FeeError, smart_fee};
pub use operation::{Cmp, OPERATIONS_MAX, Operation, is_operation};
pub use smart::{
    Era, NewSmart, SIGNATURES_MAX, SmartTransaction, create_smart, is_signature, is_smart_transaction, signed_text,
};

use crate::json::JsValue;
use crate::signature::SignatureError;

/// The signature algorithm that transactions name.
pub const ALGORITHM: &str = "ecdsa-secp256k1";

/// Why a transaction cannot be made; the texts are the client's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// Sender's or receiver's.
    #[error("Invalid address")]
    Address,
    /// Not a whole number from 0.
    #[error("Invalid amount")]
    Amount,
    /// Not a whole number from 1.
    #[error("Invalid fee")]
    Fee,
    /// More than [`DATA_BYTES_MAX`].
    #[error("Data size exceeds limit")]
    DataSize,
    /// A smart transaction's fee is digits, a point, six digits.
    #[error("Invalid fee format")]
    FeeFormat,
    /// An operation of that name.
    #[error("Invalid operation: {0}")]
    Operation(String),
}

/// Why a transaction is refused, and for which field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct TransactionError {
    /// The field at fault, `from.address`.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl TransactionError {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }

    fn signature(field: &'static str, error: SignatureError) -> Self {
        Self::new(field, error.to_string())
    }
}

fn wrong(field: &'static str, problem: impl Into<String>) -> TransactionError {
    TransactionError::new(field, problem)
}

/// A text that has to be there.
fn text<'a>(object: &'a JsValue, key: &str, field: &'static str) -> Result<&'a str, TransactionError> {
    object.get(key).and_then(JsValue::as_str).ok_or_else(|| TransactionError::new(field, "has to be a text"))
}

/// A whole number from `least`.
fn whole(object: &JsValue, key: &str, field: &'static str, least: i64) -> Result<i64, TransactionError> {
    let number = object.get(key).and_then(JsValue::as_i64).filter(|n| *n >= least);
    number.ok_or_else(|| TransactionError::new(field, format!("has to be a whole number from {least}")))
}

/// An address that has to be one.
fn address<'a>(object: &'a JsValue, key: &str, field: &'static str) -> Result<&'a str, TransactionError> {
    let found = text(object, key, field)?;
    if crate::is_address(found) { Ok(found) } else { Err(TransactionError::new(field, "is not an address")) }
}

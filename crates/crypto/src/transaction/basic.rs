//! Basic transactions: one amount from one address to another, in whole units of the smallest kind.

use sha2::{Digest, Sha256};

use super::{CreateError, TransactionError, address, text, whole, wrong};
use crate::json::JsValue;
use crate::{Wallet, address_of, is_address_like, verify, verify_strict};

/// Largest `data`, bytes of UTF-8.
pub const DATA_BYTES_MAX: usize = 2_097_152;

/// In which form the sender's public key is written: the two generations of the client differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKeyForm {
    /// 66 digits.
    Compressed,
    /// 130 digits.
    Uncompressed,
}

/// What to put into a basic transaction.
#[derive(Clone, Debug)]
pub struct NewBasic<'a> {
    /// Sender's address; the wallet's own, unless a caller tests what happens otherwise.
    pub from: &'a str,
    /// Receiver's address.
    pub to: &'a str,
    /// Whole, from 0.
    pub amount: f64,
    /// Whole, from 1.
    pub fee: f64,
    /// Whatever; `None` is signed as null and sent as nothing.
    pub data: Option<&'a str>,
    /// Milliseconds since 1970.
    pub timestamp: f64,
    /// How the public key is written.
    pub key: PublicKeyForm,
}

/// Makes and signs one; the value is what goes over the wire.
///
/// ```
/// use orrery_crypto::Wallet;
/// use orrery_crypto::transaction::{BasicTransaction, NewBasic, PublicKeyForm, create_basic};
/// let wallet = Wallet::import("938d3cba356408d58e4e03ee2e7143364b3100904c3351b7ad77a8e2e34353a5")?;
/// let sent = create_basic(&wallet, &NewBasic {
///     from: wallet.address(), to: "gf7iTTmSPnEwKUTb1X3TLACS9DUCmEegNx", amount: 100.0, fee: 1.0, data: None,
///     timestamp: 1_760_000_000_000.0, key: PublicKeyForm::Compressed,
/// })?;
/// let received = BasicTransaction::verify(&sent)?;
/// assert_eq!((received.amount, received.fee), (100, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn create_basic(wallet: &Wallet, new: &NewBasic<'_>) -> Result<JsValue, CreateError> {
    let whole = |n: f64| n.is_finite() && n.fract() == 0.0;
    if !is_address_like(new.from) || !is_address_like(new.to) {
        return Err(CreateError::Address);
    }
    if !whole(new.amount) || new.amount < 0.0 {
        return Err(CreateError::Amount);
    }
    if !whole(new.fee) || new.fee <= 0.0 {
        return Err(CreateError::Fee);
    }
    if new.data.is_some_and(|data| data.len() > DATA_BYTES_MAX) {
        return Err(CreateError::DataSize);
    }
    let public_key = match new.key {
        PublicKeyForm::Compressed => wallet.public_key(),
        PublicKeyForm::Uncompressed => wallet.uncompressed(),
    };
    let unsigned = JsValue::from([
        (
            "from",
            JsValue::from([
                ("publicKey", public_key.into()),
                ("address", new.from.into()),
                ("number", wallet.number().into()),
            ]),
        ),
        ("to", new.to.into()),
        ("amount", new.amount.into()),
        ("fee", new.fee.into()),
        ("verified", JsValue::Bool(false)),
        ("validators", JsValue::Array(Vec::new())),
        ("timestamp", new.timestamp.into()),
        ("data", new.data.map_or(JsValue::Undefined, JsValue::from)),
    ]);
    let signed = signed_text(&unsigned);
    let signature = wallet.sign(&signed);
    let hash = hash(&signed);
    let JsValue::Object(members) = unsigned else { return Ok(unsigned) };
    // what is undefined does not travel
    let members = if new.data.is_none() { members.without(&["data"]) } else { members };
    Ok(JsValue::Object(members.with("hash", hash.as_str().into()).with("signature", signature.as_str().into())))
}

/// What the client's own check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// The signature is good.
    Valid,
    /// It is not.
    Invalid,
    /// It throws "Transaction hash mismatch".
    HashMismatch,
    /// It throws "Missing signature".
    MissingSignature,
}

/// The client's check: hash and signature, nothing about addresses or amounts.
pub fn validate_basic(transaction: &JsValue) -> Validity {
    let text = signed_text(transaction);
    let field = |key: &str| transaction.get(key).and_then(JsValue::as_str);
    if field("hash") != Some(hash(&text).as_str()) {
        return Validity::HashMismatch;
    }
    let Some(signature) = field("signature").filter(|s| !s.is_empty()) else { return Validity::MissingSignature };
    let key = transaction.get("from").and_then(|from| from.get("publicKey")).and_then(JsValue::as_str);
    if verify(&text, signature, key.unwrap_or_default()) { Validity::Valid } else { Validity::Invalid }
}

/// The text that is hashed and signed: everything but hash and signature.
fn signed_text(transaction: &JsValue) -> String {
    let unsigned = transaction.as_object().map(|members| JsValue::Object(members.without(&["hash", "signature"])));
    unsigned.and_then(|value| value.canonical()).unwrap_or_default()
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// A basic transaction whose every part is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicTransaction {
    /// Sender.
    pub from: String,
    /// The sender's public key as it was sent.
    pub public_key: String,
    /// Receiver.
    pub to: String,
    /// In the smallest unit, from 0.
    pub amount: i64,
    /// In the smallest unit, from 1.
    pub fee: i64,
    /// Whatever the sender attached.
    pub data: Option<String>,
    /// When it was made, milliseconds since 1970.
    pub timestamp: i64,
    /// SHA-256 of the signed text, hex.
    pub hash: String,
}

impl BasicTransaction {
    /// Reads and checks one from the wire: shape, addresses, that the key belongs to the sender, hash,
    /// signature (a high `s` is refused).
    pub fn verify(transaction: &JsValue) -> Result<Self, TransactionError> {
        let from = transaction.get("from").ok_or_else(|| wrong("from", "is missing"))?;
        let public_key = text(from, "publicKey", "from.publicKey")?;
        let sender = address(from, "address", "from.address")?;
        if address_of(public_key).as_deref() != Some(sender) {
            return Err(wrong("from.address", "does not belong to from.publicKey"));
        }
        let to = address(transaction, "to", "to")?;
        let amount = whole(transaction, "amount", "amount", 0)?;
        let fee = whole(transaction, "fee", "fee", 1)?;
        let timestamp = whole(transaction, "timestamp", "timestamp", 0)?;
        let data = match transaction.get("data") {
            None | Some(JsValue::Null | JsValue::Undefined) => None,
            Some(JsValue::String(data)) => Some(data.to_text()),
            Some(_) => return Err(wrong("data", "has to be a text")),
        };
        if data.is_some_and(|data| data.len() > DATA_BYTES_MAX) {
            return Err(wrong("data", "is larger than 2 MiB"));
        }
        let given = text(transaction, "hash", "hash")?;
        let signature = text(transaction, "signature", "signature")?;
        // a signer without data signed null and sent nothing
        let as_null = || {
            let members = transaction.as_object()?.clone();
            Some(signed_text(&JsValue::Object(members.with("data", JsValue::Null))))
        };
        let mut signed = signed_text(transaction);
        if hash(&signed) != given && transaction.get("data").is_none() {
            signed = as_null().unwrap_or(signed);
        }
        if hash(&signed) != given {
            return Err(wrong("hash", "is not the hash of the transaction"));
        }
        verify_strict(&signed, signature, public_key).map_err(|e| TransactionError::signature("signature", e))?;
        Ok(Self {
            from: sender.to_owned(),
            public_key: public_key.to_owned(),
            to: to.to_owned(),
            amount,
            fee,
            data: data.map(str::to_owned),
            timestamp,
            hash: given.to_owned(),
        })
    }
}

//! The signature under an exchange account (document, "Create/Update Account").

use crate::json::{JsObject, JsValue};
use crate::transaction::TransactionError;
use crate::{address_of, is_address, verify_strict};

/// Keys that a signer may have had as `undefined`: null in the signed text, absent on the wire.
const OPTIONAL: [&str; 4] = ["password", "protocol", "viewers", "workers"];

/// Has the holder of `address` signed `account` as it was sent?
pub fn verify_account(
    account: &JsValue,
    public_key: &str,
    address: &str,
    signature: &str,
) -> Result<(), TransactionError> {
    let members = account.as_object().ok_or_else(|| TransactionError::new("account", "has to be an object"))?;
    if !is_address(address) {
        return Err(TransactionError::new("address", "is not an address"));
    }
    if address_of(public_key).as_deref() != Some(address) {
        return Err(TransactionError::new("publicKey", "does not belong to address"));
    }
    let missing: Vec<&str> = OPTIONAL.into_iter().filter(|key| members.get(key).is_none()).collect();
    // every choice of those that are missing, none of them first
    for choice in 0..1_u32 << missing.len() {
        let chosen = missing.iter().enumerate().filter(|(i, _)| choice >> i & 1 == 1);
        let filled = chosen.fold(members.clone(), |m: JsObject, (_, key)| m.with(key, JsValue::Null));
        let text = JsValue::Object(filled).canonical().unwrap_or_default();
        match verify_strict(&text, signature, public_key) {
            Ok(()) => return Ok(()),
            Err(crate::SignatureError::Wrong) => {}
            Err(other) => return Err(TransactionError::new("signature", other.to_string())),
        }
    }
    Err(TransactionError::new("signature", "does not match"))
}

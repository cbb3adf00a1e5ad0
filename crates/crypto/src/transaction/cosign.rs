//! Cosigning: others have to agree before a smart transaction counts.

use super::{ALGORITHM, smart};
use crate::json::{JsString, JsValue};
use crate::{Wallet, compressed, verify_strict};

/// What the client takes for a cosign method at `now_ms`.
pub fn is_cosign_method(method: &JsValue, now_ms: f64) -> bool {
    let width = |value: Option<&JsValue>| value.and_then(JsValue::as_js_string).map_or(0, JsString::utf16_len);
    let id = width(method.get("id"));
    let threshold = |key: &str| method.get("threshold").and_then(|t| t.get(key)).and_then(JsValue::as_f64);
    let approvers = method.get("approvers").and_then(JsValue::as_array).unwrap_or_default();
    method.get("type").and_then(JsValue::as_str) == Some("cosign")
        && (1..=64).contains(&id)
        && matches!((threshold("k"), threshold("n")), (Some(k), Some(n)) if k > 0.0 && k <= n)
        && !approvers.is_empty()
        && approvers.iter().all(|key| width(Some(key)) == 66)
        && method.get("deadline_ms").and_then(JsValue::as_f64).is_some_and(|deadline| deadline > now_ms)
}

/// What the client takes for a cosignature; it wants 128 digits, though it writes DER.
pub fn is_cosignature(cosignature: &JsValue) -> bool {
    let id = cosignature.get("method_id").and_then(JsValue::as_js_string).map_or(0, JsString::utf16_len);
    (1..=64).contains(&id) && smart::is_signature(cosignature)
}

/// The text that a cosigner signs: the transaction without its place in the chain.
pub fn cosign_text(method_id: &str, transaction: &JsValue) -> String {
    let inner = smart::unsigned(transaction, &["args", "currency", "fee", "from", "method", "timestamp", "type"]);
    let whole = JsValue::from([("method_id", method_id.into()), ("transaction", smart::with_memo(inner))]);
    whole.canonical().unwrap_or_default()
}

/// Agrees to a transaction.
pub fn cosign(wallet: &Wallet, method_id: &str, transaction: &JsValue) -> JsValue {
    JsValue::from([
        ("method_id", method_id.into()),
        ("kid", wallet.public_key().into()),
        ("alg", ALGORITHM.into()),
        ("sig", wallet.sign(&cosign_text(method_id, transaction)).as_str().into()),
    ])
}

/// How many of `approvers` (compressed keys) have agreed. Cosignatures of others and of the same twice do
/// not count; one that is wrong is an error.
pub(super) fn agreed(
    transaction: &JsValue,
    method_id: &str,
    approvers: &[String],
    cosignatures: &[JsValue],
) -> Result<usize, String> {
    let text = cosign_text(method_id, transaction);
    let mut agreed: Vec<String> = Vec::new();
    for cosignature in cosignatures {
        let field = |key: &str| cosignature.get(key).and_then(JsValue::as_str).unwrap_or_default();
        if field("method_id") != method_id {
            continue;
        }
        let key = compressed(field("kid")).ok_or("has a kid that is not a public key")?;
        verify_strict(&text, field("sig"), &key).map_err(|why| format!("has a signature that {why}"))?;
        if approvers.contains(&key) && !agreed.contains(&key) {
            agreed.push(key);
        }
    }
    Ok(agreed.len())
}

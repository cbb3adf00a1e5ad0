//! Smart transactions: several operations that happen together or not at all.

use orrery_kernel::{Asset, parse_minor};
use sha2::{Digest, Sha256};

use super::check::{is_fee, is_memo, is_raw};
use super::operation::{OPERATIONS_MAX, Operation, is_operation};
use super::{ALGORITHM, CreateError, TransactionError, address, cosign, text, whole, wrong};
use crate::json::{JsObject, JsString, JsValue};
use crate::{Wallet, address_of, compressed, verify_strict};

/// Signatures, cosign methods and cosignatures that a transaction may have of each.
pub const SIGNATURES_MAX: usize = 16;

const SIGNED: [&str; 8] = ["args", "currency", "fee", "from", "method", "prev_hash", "timestamp", "type"];

/// Which client's check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// The one of the document: the currency has to be TST.
    Seed,
    /// The newer one: any currency.
    Head,
}

/// What to put into a smart transaction.
#[derive(Clone, Debug)]
pub struct NewSmart<'a> {
    /// What to do, as in the document.
    pub operations: Vec<JsValue>,
    /// Digits, a point, six digits.
    pub fee: &'a str,
    /// For whoever reads it; `None` is signed as null and sent as nothing.
    pub memo: Option<&'a str>,
    /// The sender's last smart transaction.
    pub prev_hash: Option<&'a str>,
    /// Data beside it, which is not signed.
    pub raw: Option<&'a str>,
    /// Milliseconds since 1970.
    pub timestamp: f64,
}

/// Makes and signs one; the value is what goes over the wire.
pub fn create_smart(wallet: &Wallet, new: &NewSmart<'_>) -> Result<JsValue, CreateError> {
    if !is_fee(new.fee) {
        return Err(CreateError::FeeFormat);
    }
    if let Some(bad) = new.operations.iter().find(|op| !is_operation(op)) {
        let name = bad.get("op").and_then(JsValue::as_str).unwrap_or("undefined");
        return Err(CreateError::Operation(name.to_owned()));
    }
    let mut args = vec![("ops".into(), JsValue::Array(new.operations.clone()))];
    args.extend(new.memo.map(|memo| (JsString::from("memo"), memo.into())));
    let unsigned = JsValue::from([
        ("type", "smart".into()),
        ("method", "smart.exec".into()),
        ("args", JsValue::Object(JsObject::new(args))),
        ("from", wallet.address().into()),
        ("fee", new.fee.into()),
        ("currency", Asset::TST.code().into()),
        ("prev_hash", new.prev_hash.map_or(JsValue::Null, JsValue::from)),
        ("timestamp", new.timestamp.into()),
    ]);
    let signature = JsValue::from([
        ("kid", wallet.public_key().into()),
        ("alg", ALGORITHM.into()),
        ("sig", wallet.sign(&signed_text(&unsigned)).as_str().into()),
    ]);
    let JsValue::Object(mut made) = unsigned else { return Ok(unsigned) };
    made = made.with("signatures", JsValue::Array(vec![signature]));
    // the client takes an empty text for none
    if let Some(raw) = new.raw.filter(|raw| !raw.is_empty()) {
        let digest = hex::encode(Sha256::digest(raw.as_bytes()));
        made =
            made.with("raw", raw.into()).with("raw_encoding", "utf8".into()).with("raw_sha256", digest.as_str().into());
    }
    Ok(JsValue::Object(made))
}

/// The text that its maker signs. A memo that is absent was `undefined` and is null here.
pub fn signed_text(transaction: &JsValue) -> String {
    with_memo(unsigned(transaction, &SIGNED)).canonical().unwrap_or_default()
}

/// Those members of the transaction alone.
pub(super) fn unsigned(transaction: &JsValue, keys: &[&str]) -> JsValue {
    let member = |key: &&str| transaction.get(key).map(|value| (JsString::from(*key), value.clone()));
    JsValue::Object(JsObject::new(keys.iter().filter_map(member)))
}

pub(super) fn with_memo(transaction: JsValue) -> JsValue {
    let args = match transaction.get("args").and_then(JsValue::as_object) {
        Some(args) if args.get("memo").is_none() => args.clone().with("memo", JsValue::Null),
        _ => return transaction,
    };
    match transaction {
        JsValue::Object(members) => JsValue::Object(members.with("args", JsValue::Object(args))),
        other => other,
    }
}

/// The texts that may have been signed: what was `undefined` left no trace on the wire.
fn signed_texts(transaction: &JsValue) -> impl Iterator<Item = String> {
    let wire = unsigned(transaction, &SIGNED);
    let memo = with_memo(wire.clone());
    let all = with_undefined_operations(&memo);
    [Some(memo), Some(wire), all].into_iter().flatten().filter_map(|value| value.canonical())
}

fn with_undefined_operations(transaction: &JsValue) -> Option<JsValue> {
    let (JsValue::Object(members), JsValue::Object(args)) = (transaction, transaction.get("args")?) else {
        return None;
    };
    let fill = |op: &JsValue| match op {
        JsValue::Object(fields) => {
            let missing = Operation::optional_keys(op).iter().filter(|key| fields.get(key).is_none());
            JsValue::Object(missing.fold(fields.clone(), |fields, key| fields.with(key, JsValue::Null)))
        }
        other => other.clone(),
    };
    let ops: Vec<JsValue> = args.get("ops")?.as_array()?.iter().map(fill).collect();
    let args = args.clone().with("ops", JsValue::Array(ops));
    Some(JsValue::Object(members.clone().with("args", JsValue::Object(args))))
}

/// What the client takes for a signature; it wants 128 digits, though it writes DER.
pub fn is_signature(signature: &JsValue) -> bool {
    let width = |key: &str| signature.get(key).and_then(JsValue::as_js_string).map_or(0, JsString::utf16_len);
    width("kid") == 66 && width("sig") == 128 && signature.get("alg").and_then(JsValue::as_str) == Some(ALGORITHM)
}

/// What the client takes for a smart transaction: its shape, no signature.
pub fn is_smart_transaction(transaction: &JsValue, era: Era, now_ms: f64) -> bool {
    let is = |key: &str, wanted: &str| transaction.get(key).and_then(JsValue::as_str) == Some(wanted);
    let string = |key: &str| transaction.get(key).and_then(JsValue::as_js_string);
    let list = |key: &str| transaction.get(key).and_then(JsValue::as_array);
    let currency = match era {
        Era::Seed => is("currency", Asset::TST.code()),
        Era::Head => string("currency").is_some_and(|c| c.utf16_len() > 0),
    };
    let operations = transaction.get("args").and_then(|args| args.get("ops")).and_then(JsValue::as_array);
    let filled = |items: Option<&[JsValue]>, good: &dyn Fn(&JsValue) -> bool| {
        items.is_some_and(|items| !items.is_empty() && items.iter().all(good))
    };
    let optional = |key: &str, good: &dyn Fn(&JsValue) -> bool| match transaction.get(key) {
        None | Some(JsValue::Undefined | JsValue::Null) => true,
        Some(value) => value.as_array().is_some_and(|items| items.iter().all(good)),
    };
    is("type", "smart")
        && is("method", "smart.exec")
        && string("from").is_some_and(|from| from.utf16_len() == 34)
        && transaction.get("fee").and_then(JsValue::as_str).is_some_and(is_fee)
        && currency
        && filled(operations, &is_operation)
        && filled(list("signatures"), &is_signature)
        && optional("methods", &|method| cosign::is_cosign_method(method, now_ms))
        && optional("cosigs", &cosign::is_cosignature)
}

/// A smart transaction whose every part is good.
#[derive(Clone, Debug, PartialEq)]
pub struct SmartTransaction {
    /// Sender.
    pub from: String,
    /// What to do, in order.
    pub operations: Vec<Operation>,
    /// For whoever reads it.
    pub memo: Option<String>,
    /// Millionths of TST.
    pub fee: i64,
    /// The sender's transaction before this one.
    pub prev_hash: Option<String>,
    /// When it was made, milliseconds since 1970.
    pub timestamp: i64,
    /// SHA-256 of the signed text, hex.
    pub hash: String,
}

impl SmartTransaction {
    /// Reads and checks one from the wire at `now_ms`: shape, bounds, every signature (one has to be the
    /// sender's; a high `s` is refused), raw data against its digest, and that enough have agreed in time
    /// where it asks for cosigners. Whether its assertions hold is for the ledger to say.
    pub fn verify(transaction: &JsValue, now_ms: i64) -> Result<Self, TransactionError> {
        let exactly = |key: &'static str, wanted: &str| match transaction.get(key).and_then(JsValue::as_str) {
            Some(found) if found == wanted => Ok(()),
            _ => Err(wrong(key, format!("has to be {wanted}"))),
        };
        exactly("type", "smart")?;
        exactly("method", "smart.exec")?;
        exactly("currency", Asset::TST.code())?;
        let from = address(transaction, "from", "from")?;
        let fee = text(transaction, "fee", "fee")?;
        if !is_fee(fee) {
            return Err(wrong("fee", "has to be digits, a point and six digits"));
        }
        let fee = parse_minor(fee, Asset::TST.decimals()).map_err(|why| wrong("fee", why.to_string()))?;
        let prev_hash = match transaction.get("prev_hash") {
            Some(JsValue::Null) => None,
            Some(JsValue::String(hash)) if is_hash(hash.to_text()) => Some(hash.to_text().to_owned()),
            _ => return Err(wrong("prev_hash", "has to be a hash or null")),
        };
        let timestamp = whole(transaction, "timestamp", "timestamp", 0)?;
        let args = transaction.get("args").ok_or_else(|| wrong("args", "is missing"))?;
        let memo = match args.get("memo") {
            None | Some(JsValue::Null) => None,
            Some(JsValue::String(memo)) if is_memo(memo) => Some(memo.to_text().to_owned()),
            Some(_) => return Err(wrong("args.memo", "has to be 1 to 256 characters")),
        };
        let operations = args.get("ops").and_then(JsValue::as_array).unwrap_or_default();
        if !(1..=OPERATIONS_MAX).contains(&operations.len()) {
            return Err(wrong("args.ops", format!("has to be a list of 1 to {OPERATIONS_MAX} operations")));
        }
        let operations = operations.iter().map(Operation::verify).collect::<Result<Vec<_>, _>>()?;
        check_raw(transaction)?;
        let signed = check_signatures(transaction, from)?;
        check_cosigners(transaction, now_ms)?;
        Ok(Self {
            from: from.to_owned(),
            operations,
            memo,
            fee,
            prev_hash,
            timestamp,
            hash: hex::encode(Sha256::digest(signed.as_bytes())),
        })
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A bounded list; absent is empty.
fn bounded<'a>(transaction: &'a JsValue, field: &'static str) -> Result<&'a [JsValue], TransactionError> {
    match transaction.get(field) {
        None | Some(JsValue::Null | JsValue::Undefined) => Ok(&[]),
        Some(JsValue::Array(items)) if items.len() <= SIGNATURES_MAX => Ok(items),
        Some(_) => Err(TransactionError::new(field, format!("has to be a list of at most {SIGNATURES_MAX}"))),
    }
}

/// The text that all of them sign.
fn check_signatures(transaction: &JsValue, from: &str) -> Result<String, TransactionError> {
    const FIELD: &str = "signatures";
    let wrong = |what: &str| wrong(FIELD, what);
    let signatures = bounded(transaction, FIELD)?;
    let mut own = false;
    let mut parts = Vec::with_capacity(signatures.len());
    for signature in signatures {
        let field = |key: &str| signature.get(key).and_then(JsValue::as_str).unwrap_or_default();
        if field("alg") != ALGORITHM {
            return Err(wrong("have an unknown alg"));
        }
        let key = compressed(field("kid")).ok_or_else(|| wrong("have a kid that is not a public key"))?;
        own |= address_of(&key).as_deref() == Some(from);
        parts.push((field("sig"), key));
    }
    if !own {
        return Err(wrong("have none of the sender"));
    }
    let mut why = None;
    for text in signed_texts(transaction) {
        match parts.iter().try_for_each(|(sig, key)| verify_strict(&text, sig, key)) {
            Ok(()) => return Ok(text),
            Err(error) => why = why.or(Some(error)),
        }
    }
    Err(TransactionError::new(FIELD, format!("have one that {}", why.map_or_else(String::new, |e| e.to_string()))))
}

fn check_raw(transaction: &JsValue) -> Result<(), TransactionError> {
    let raw = match transaction.get("raw") {
        None | Some(JsValue::Null | JsValue::Undefined) => return Ok(()),
        Some(JsValue::String(raw)) if is_raw(raw) => raw,
        Some(_) => return Err(wrong("raw", "has to be 1 to 10000 characters")),
    };
    if transaction.get("raw_encoding").is_some_and(|e| e.as_str() != Some("utf8")) {
        return Err(wrong("raw_encoding", "has to be utf8"));
    }
    let digest = hex::encode(Sha256::digest(raw.to_text().as_bytes()));
    match transaction.get("raw_sha256") {
        None => Ok(()),
        Some(given) if given.as_str() == Some(&digest) => Ok(()),
        Some(_) => Err(wrong("raw_sha256", "is not the digest of raw")),
    }
}

fn check_cosigners(transaction: &JsValue, now_ms: i64) -> Result<(), TransactionError> {
    let methods = bounded(transaction, "methods")?;
    let cosignatures = bounded(transaction, "cosigs")?;
    let mut ids = Vec::new();
    for method in methods {
        // milliseconds of any year that matters are exact in a double
        if !cosign::is_cosign_method(method, now_ms as f64) {
            return Err(wrong("methods", "has one that is malformed or past its deadline"));
        }
        let id = text(method, "id", "methods")?;
        if ids.contains(&id) {
            return Err(wrong("methods", "has an id twice"));
        }
        ids.push(id);
        let keys = method.get("approvers").and_then(JsValue::as_array).unwrap_or_default();
        let approvers: Option<Vec<String>> =
            keys.iter().take(SIGNATURES_MAX + 1).map(|key| compressed(key.as_str()?)).collect();
        let mut approvers = approvers.ok_or_else(|| wrong("methods", "has an approver that is not a public key"))?;
        approvers.sort();
        approvers.dedup();
        let threshold = |key: &str| method.get("threshold").and_then(|t| t.get(key)).and_then(JsValue::as_i64);
        let (Some(k), Some(n)) = (threshold("k"), threshold("n")) else {
            return Err(wrong("methods", "has a threshold that is not of whole numbers"));
        };
        if keys.len() > SIGNATURES_MAX || usize::try_from(n) != Ok(approvers.len()) {
            return Err(wrong("methods", "has a threshold that does not fit its approvers"));
        }
        let agreed = cosign::agreed(transaction, id, &approvers, cosignatures).map_err(|why| wrong("cosigs", why))?;
        if i64::try_from(agreed).is_ok_and(|agreed| agreed < k) {
            return Err(wrong("cosigs", format!("has {agreed} of the {k} that agree which {id} asks for")));
        }
    }
    let known = |c: &JsValue| c.get("method_id").and_then(JsValue::as_str).is_some_and(|id| ids.contains(&id));
    if cosignatures.iter().all(known) { Ok(()) } else { Err(wrong("cosigs", "has one for no method")) }
}

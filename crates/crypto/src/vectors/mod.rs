//! Runs files of test vectors in the layout of `testdata/gliesereum.json`: groups of cases, each of which
//! says what the documented client's own code answered.

mod script;

use sha2::{Digest, Sha256};

use crate::json::{Duplicates, JsString, JsValue, JsonError, parse};
use crate::transaction::{self as tx, CreateError, Era, NewBasic, NewSmart, PublicKeyForm, Validity};
use crate::wallet::in_domain;
use crate::{Wallet, address, card, compressed, verify, verify_account, verify_strict};

/// How a group did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name in the file.
    pub id: String,
    /// Names, or numbers from 0, of the cases that failed.
    pub failed: Vec<String>,
    /// Cases in it.
    pub total: usize,
}

impl Group {
    /// Cases that came out right.
    pub fn passed(&self) -> usize {
        self.total - self.failed.len()
    }
}

/// The file is none of vectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorsError {
    /// Not JSON.
    #[error("the file {0}")]
    Json(#[from] JsonError),
    /// JSON of another layout.
    #[error("the file has no {0}")]
    Layout(&'static str),
}

type Check = fn(&JsValue, &Context) -> Option<bool>;

struct Context {
    /// The time at which the vectors were made.
    now: f64,
    /// Address of the wallet that many cases are about.
    wallet0: String,
}

/// Runs every case of `file`. A group that nobody knows here fails whole: nothing is passed over.
pub fn check_vectors(file: &str) -> Result<Vec<Group>, VectorsError> {
    let file = parse(file, Duplicates::Refused)?;
    let groups = file.get("groups").and_then(JsValue::as_array).ok_or(VectorsError::Layout("groups"))?;
    let now = file.get("clock_ms").and_then(JsValue::as_f64).ok_or(VectorsError::Layout("clock_ms"))?;
    let seed = hex::encode(Sha256::digest("stels-vector-0"));
    let wallet0 = Wallet::import(&seed).map(|w| w.address().to_owned()).unwrap_or_default();
    let context = Context { now, wallet0 };
    groups
        .iter()
        .map(|group| {
            let id = text(group, "id").ok_or(VectorsError::Layout("id of a group"))?;
            let cases =
                group.get("cases").and_then(JsValue::as_array).ok_or(VectorsError::Layout("cases of a group"))?;
            let known = CHECKS.iter().find(|(name, _)| *name == id).map(|(_, check)| check);
            let good = |case: &JsValue| known.and_then(|check| check(case, &context)).unwrap_or(false);
            let failed = cases.iter().enumerate().filter(|(_, case)| !good(case));
            let name = |(i, case): (usize, &JsValue)| text(case, "name").map_or_else(|| i.to_string(), str::to_owned);
            Ok(Group { id: id.to_owned(), failed: failed.map(name).collect(), total: cases.len() })
        })
        .collect()
}

const CHECKS: [(&str, Check); 33] = [
    ("wallets", wallets),
    ("wallet_import_edge", wallet_import_edge),
    ("validate_address", |case, _| Some(address::is_address_like(&string(case, "address")?) == flag(case, "valid")?)),
    ("public_key_to_address", public_key_to_address),
    ("card_number", |case, _| {
        let (prefix, key) = (text(case, "prefix").unwrap_or("0"), text(case, "secret_key"));
        Some(card::card_number(&string(case, "input")?, prefix, key) == text(case, "number")?)
    }),
    ("luhn_checksum", |case, _| Some(card::check_digit(text(case, "base")?).to_string() == text(case, "check")?)),
    ("deterministic_stringify_json", stringify_json),
    ("deterministic_stringify_js", stringify_js),
    ("sign", sign),
    ("verify", |case, _| {
        let good = verify(&string(case, "message")?, text(case, "signature")?, text(case, "public_key")?);
        Some(good == flag(case, "valid")?)
    }),
    ("sign_with_domain", sign_with_domain),
    ("basic_transaction_head", |case, context| basic_transaction(case, context, PublicKeyForm::Uncompressed)),
    ("basic_transaction_seed", |case, context| basic_transaction(case, context, PublicKeyForm::Compressed)),
    ("basic_transaction_reject", basic_transaction_reject),
    ("validate_transaction", |case, _| Some(same_validity(tx::validate_basic(case.get("transaction")?), case))),
    ("smart_transaction", smart_transaction),
    ("smart_transaction_reject", smart_transaction_reject),
    ("validate_smart_transaction", |case, context| {
        let is = |era| tx::is_smart_transaction(case.get("transaction").unwrap_or(&JsValue::Null), era, context.now);
        Some(is(Era::Head) == flag(case, "valid")? && is(Era::Seed) == flag(case, "valid_seed_era")?)
    }),
    ("smart_fee", smart_fee),
    ("cosign_signature", cosign_signature),
    ("validate_cosign_method", |case, context| {
        Some(tx::is_cosign_method(case.get("method")?, context.now) == flag(case, "valid")?)
    }),
    ("validate_cosign_signature", |case, _| Some(tx::is_cosignature(case.get("cosignature")?) == flag(case, "valid")?)),
    ("validate_transaction_signature", |case, _| {
        Some(tx::is_signature(case.get("signature")?) == flag(case, "valid")?)
    }),
    ("validate_fee_format", |case, _| {
        Some(case.get("input")?.as_str().is_some_and(tx::is_fee) == flag(case, "valid")?)
    }),
    ("validate_amount_format", |case, _| {
        Some(case.get("input")?.as_str().is_some_and(tx::is_amount) == flag(case, "valid")?)
    }),
    ("validate_raw_data", |case, _| Some(tx::is_raw(&repeated(case)?) == flag(case, "valid")?)),
    ("validate_memo", |case, _| Some(tx::is_memo(&repeated(case)?) == flag(case, "valid")?)),
    ("validate_event_kind", |case, _| {
        Some(case.get("input")?.as_str().is_some_and(tx::is_event_kind) == flag(case, "valid")?)
    }),
    ("validate_event_data", validate_event_data),
    ("validate_smart_operation", |case, _| Some(tx::is_operation(case.get("op")?) == flag(case, "valid")?)),
    ("requests", requests),
    ("asset_transaction", asset_transaction),
    ("token_genesis", token_genesis),
];

fn text<'a>(case: &'a JsValue, key: &str) -> Option<&'a str> {
    case.get(key).and_then(JsValue::as_str)
}

fn flag(case: &JsValue, key: &str) -> Option<bool> {
    case.get(key).and_then(JsValue::as_bool)
}

/// A text as it is encoded to UTF-8; where it is none, the file has its UTF-16 units beside it.
fn string(case: &JsValue, key: &str) -> Option<String> {
    js_string(case, key).map(|s| s.to_text().to_owned())
}

fn js_string(case: &JsValue, key: &str) -> Option<JsString> {
    if let Some(string) = case.get(key).and_then(JsValue::as_js_string) {
        return Some(string.clone());
    }
    let bytes = hex::decode(text(case, &format!("{key}_utf16be_hex"))?).ok()?;
    Some(JsString::from_units(bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))))
}

fn repeated(case: &JsValue) -> Option<JsString> {
    if let Some(input) = js_string(case, "input") {
        return Some(input);
    }
    let count = usize::try_from(case.get("repeat")?.as_i64()?).ok().filter(|count| *count <= 1_000_000)?;
    Some(js_string(case, "character")?.to_text().repeat(count).as_str().into())
}

fn same_text(wire: &str, value: &JsValue) -> bool {
    parse(wire, Duplicates::Refused).is_ok_and(|wire| wire.canonical() == value.canonical())
}

fn wallets(case: &JsValue, _: &Context) -> Option<bool> {
    let wallet = Wallet::import(text(case, "private_key")?).ok()?;
    let compressed = hex::decode(wallet.public_key()).ok()?;
    Some(
        text(case, "public_key")? == wallet.public_key()
            && text(case, "uncompressed")? == wallet.uncompressed()
            && text(case, "public_key_hash160")? == hex::encode(address::hash160(&compressed))
            && text(case, "address")? == wallet.address()
            && text(case, "number")? == wallet.number()
            && text(case, "wallet_private_key_field")? == wallet.private_key(),
    )
}

fn wallet_import_edge(case: &JsValue, _: &Context) -> Option<bool> {
    let made = Wallet::import(&string(case, "private_key")?);
    if let Some(throws) = text(case, "throws") {
        // what the client's library says of a key that is zero is its own affair
        return Some(match made {
            Ok(_) => false,
            Err(crate::WalletKeyError::Format) => throws == crate::WalletKeyError::Format.to_string(),
            Err(crate::WalletKeyError::Zero) => throws != crate::WalletKeyError::Format.to_string(),
        });
    }
    let wallet = made.ok()?;
    let same = |key: &str, is: &str| text(case, key).is_none_or(|wanted| wanted == is);
    Some(
        same("public_key", wallet.public_key()) && same("address", wallet.address()) && same("number", wallet.number()),
    )
}

fn public_key_to_address(case: &JsValue, context: &Context) -> Option<bool> {
    let found = address::address_of(&string(case, "public_key")?);
    let matches = found.as_deref() == Some(&context.wallet0);
    Some(found.as_deref() == text(case, "address") && matches == flag(case, "matches_wallet0")?)
}

fn stringify_json(case: &JsValue, _: &Context) -> Option<bool> {
    let made = parse(&string(case, "input_json")?, Duplicates::LastWins).ok()?.canonical()?;
    let digest = hex::encode(Sha256::digest(&made));
    Some(made == string(case, "output")? && digest == text(case, "output_utf8_sha256")?)
}

fn stringify_js(case: &JsValue, _: &Context) -> Option<bool> {
    let described = script::read(text(case, "value")?);
    if text(case, "throws").is_some() {
        return Some(described == Err(script::Unreadable::BigInt));
    }
    let made = described.ok()?.canonical();
    Some(made == string(case, "output"))
}

fn sign(case: &JsValue, _: &Context) -> Option<bool> {
    let message = string(case, "message")?;
    let wallet = Wallet::import(text(case, "private_key")?).ok()?;
    let signature = wallet.sign(&message);
    Some(
        signature == text(case, "signature")?
            && hex::encode(Sha256::digest(&message)) == text(case, "message_hash")?
            && wallet.public_key() == text(case, "public_key")?
            && case.get("hex_length")?.as_i64() == i64::try_from(signature.len()).ok()
            && verify(&message, &signature, wallet.public_key()) == flag(case, "verifies")?
            && verify(&message, &signature, wallet.uncompressed()) == flag(case, "verifies_uncompressed")?,
    )
}

fn sign_with_domain(case: &JsValue, _: &Context) -> Option<bool> {
    let wallet = Wallet::import(text(case, "private_key")?).ok()?;
    let domain: Vec<&str> = case.get("domain")?.as_array()?.iter().map(JsValue::as_str).collect::<Option<_>>()?;
    let data = string(case, "data")?;
    let message = in_domain(&data, &domain);
    let signature = wallet.sign_with_domain(&data, &domain);
    Some(
        message == string(case, "signed_message")?
            && signature == text(case, "signature")?
            && verify(&message, &signature, wallet.public_key()) == flag(case, "verifies")?,
    )
}

fn same_validity(validity: Validity, wanted: &JsValue) -> bool {
    match wanted.get("throws").and_then(JsValue::as_str) {
        Some("Transaction hash mismatch") => validity == Validity::HashMismatch,
        Some("Missing signature") => validity == Validity::MissingSignature,
        Some(_) => false,
        None => {
            flag(wanted, "valid").is_some_and(|valid| (validity == Validity::Valid) == valid)
                && matches!(validity, Validity::Valid | Validity::Invalid)
        }
    }
}

fn basic_transaction(case: &JsValue, context: &Context, key: PublicKeyForm) -> Option<bool> {
    let wallet = Wallet::import(text(case, "private_key")?).ok()?;
    let given = flag(case, "data_given")?;
    let data = if given { Some(string(case, "data")?) } else { None };
    let made = tx::create_basic(
        &wallet,
        &NewBasic {
            from: wallet.address(),
            to: text(case, "to")?,
            amount: case.get("amount")?.as_f64()?,
            fee: case.get("fee")?.as_f64()?,
            data: data.as_deref(),
            timestamp: context.now,
            key,
        },
    );
    let made = made.ok()?;
    let unsigned = made.as_object()?.without(&["hash", "signature"]);
    let signed = if given { unsigned } else { unsigned.with("data", JsValue::Null) };
    let wire = parse(text(case, "wire_json")?, Duplicates::Refused).ok()?;
    let wanted = match case.get("wire_validates")? {
        JsValue::Bool(valid) => JsValue::from([("valid", JsValue::Bool(*valid))]),
        throws => throws.clone(),
    };
    // the amounts of some cases are beyond what a ledger holds
    let fits = made.get("amount").is_some_and(|amount| amount.as_i64().is_some());
    Some(
        JsValue::Object(signed).canonical() == string(case, "canonical")
            && text(&made, "hash") == text(case, "hash")
            && text(&made, "signature") == text(case, "signature")
            && same_text(text(case, "wire_json")?, &made)
            && same_validity(tx::validate_basic(&wire), &wanted)
            && tx::BasicTransaction::verify(&wire).is_ok() == fits,
    )
}

/// These cases say in words what is wrong with the arguments.
fn basic_transaction_reject(case: &JsValue, context: &Context) -> Option<bool> {
    let name = text(case, "name")?.to_lowercase();
    let wallet = Wallet::import(&hex::encode(Sha256::digest("stels-vector-0"))).ok()?;
    let number = |what: &str, otherwise: f64| {
        if !name.contains(what) {
            return otherwise;
        }
        let said = [
            ("negative", -1.0),
            ("nan", f64::NAN),
            ("-infinity", f64::NEG_INFINITY),
            ("infinit", f64::INFINITY),
            ("frac", 1.5),
            ("decimal", 1.5),
            ("non-integer", 1.5),
            ("float", 1.5),
            ("1.5", 1.5),
            ("0.5", 0.5),
            ("zero", 0.0),
            ("string", f64::NAN),
        ];
        said.iter().find(|(word, _)| name.contains(word)).map_or(otherwise, |(_, number)| *number)
    };
    let data = name.contains("data").then(|| {
        let over = name.contains('+') || name.contains("over") || name.contains("more");
        "é".repeat(1_048_576 + usize::from(over))
    });
    let bad = |what: &str| name.contains("bad") && name.contains(what);
    let own = bad("own") || bad("from") || bad("sender");
    let made = tx::create_basic(
        &wallet,
        &NewBasic {
            from: if own { "nobody" } else { wallet.address() },
            to: if !own && bad("to") { "nobody" } else { wallet.address() },
            amount: number("amount", 1.0),
            fee: number("fee", 1.0),
            data: data.as_deref(),
            timestamp: context.now,
            key: PublicKeyForm::Uncompressed,
        },
    );
    Some(same_outcome(&made, case))
}

fn same_outcome(made: &Result<JsValue, CreateError>, case: &JsValue) -> bool {
    match (made, text(case, "throws")) {
        (Err(error), Some(throws)) => error.to_string() == throws,
        (Ok(_), None) => flag(case, "accepted") == Some(true),
        _ => false,
    }
}

fn smart_transaction(case: &JsValue, context: &Context) -> Option<bool> {
    let wallet = Wallet::import(text(case, "private_key")?).ok()?;
    let memo = if flag(case, "memo_given")? { Some(string(case, "memo")?) } else { None };
    let raw = string(case, "raw");
    let new = NewSmart {
        operations: case.get("ops")?.as_array()?.to_vec(),
        fee: text(case, "fee").unwrap_or("0.000100"),
        memo: memo.as_deref(),
        prev_hash: text(case, "prev_hash"),
        raw: raw.as_deref(),
        timestamp: context.now,
    };
    let made = tx::create_smart(&wallet, &new).ok()?;
    let signed = tx::signed_text(&made);
    let signature = text(made.get("signatures")?.as_array()?.first()?, "sig")?.to_owned();
    let verifies = verify(&signed, &signature, wallet.public_key());
    Some(
        signed == string(case, "signed_string")?
            && signature == text(case, "signature")?
            && verifies == flag(case, "verifies")?
            && same_text(text(case, "wire_json")?, &made)
            && tx::is_smart_transaction(&made, Era::Head, context.now) == flag(case, "client_validates")?,
    )
}

fn smart_transaction_reject(case: &JsValue, context: &Context) -> Option<bool> {
    let wallet = Wallet::import(&hex::encode(Sha256::digest("stels-vector-0"))).ok()?;
    let new = NewSmart {
        operations: case.get("ops")?.as_array()?.to_vec(),
        fee: text(case, "fee")?,
        memo: None,
        prev_hash: None,
        raw: None,
        timestamp: context.now,
    };
    Some(same_outcome(&tx::create_smart(&wallet, &new), case))
}

fn smart_fee(case: &JsValue, _: &Context) -> Option<bool> {
    let count = usize::try_from(case.get("op_count")?.as_i64()?).ok()?;
    let names: Vec<&str> = match case.get("ops")? {
        JsValue::Array(names) => names.iter().map(JsValue::as_str).collect::<Option<_>>()?,
        _ => vec![text(case, "op_name")?; count.min(100_000)],
    };
    // left out, the client's default does not pass its own check
    let base = text(case, "base_fee").unwrap_or("0.00005");
    let made = tx::smart_fee(names, case.get("raw_bytes")?.as_f64()?, base);
    Some(match text(case, "throws") {
        Some(throws) => made.is_err_and(|error| error.to_string() == throws),
        None => made.ok().as_deref() == text(case, "fee"),
    })
}

fn cosign_signature(case: &JsValue, _: &Context) -> Option<bool> {
    let wallet = Wallet::import(text(case, "private_key")?).ok()?;
    let (id, transaction) = (text(case, "method_id")?, case.get("transaction")?);
    let signed = tx::cosign_text(id, transaction);
    let made = tx::cosign(&wallet, id, transaction);
    let verifies = verify(&signed, text(&made, "sig")?, wallet.public_key());
    Some(
        signed == string(case, "signed_string")?
            && made.canonical() == case.get("cosignature")?.canonical()
            && verifies == flag(case, "verifies")?
            && tx::is_cosignature(&made) == flag(case, "client_validates")?,
    )
}

fn validate_event_data(case: &JsValue, _: &Context) -> Option<bool> {
    let value = match case.get("pad").and_then(JsValue::as_i64) {
        Some(pad) => {
            let pad = usize::try_from(pad).ok().filter(|pad| *pad <= 1_000_000)?;
            JsValue::from([("k", "x".repeat(pad).as_str().into())])
        }
        None => match parse(&string(case, "input")?, Duplicates::LastWins) {
            Ok(value) => value,
            // words for what JSON cannot say, such as `undefined`
            Err(_) => JsValue::Undefined,
        },
    };
    Some(tx::is_event_data(&value) == flag(case, "valid")?)
}

fn requests(case: &JsValue, _: &Context) -> Option<bool> {
    let request = parse(text(case, "body_json")?, Duplicates::Refused).ok()?;
    let body = request.get("body")?;
    let signed = string(case, "signed_string")?;
    match text(&request, "method")? {
        "setAccount" => {
            let account = body.get("account")?;
            let (key, signature) = (text(body, "publicKey")?, text(body, "signature")?);
            let good = verify_account(account, key, text(body, "address")?, signature).is_ok();
            Some(
                good == flag(case, "verifies")?
                    && verify(&signed, signature, key) == good
                    && text(case, "signature").is_none_or(|wanted| wanted == signature),
            )
        }
        "connectionNode" => {
            let inner = body.get("payload")?.get("body")?;
            let login = tx::BasicTransaction::verify(inner.get("transaction")?).ok()?;
            Some(
                login.hash == text(case, "hash")?
                    && hex::encode(Sha256::digest(&signed)) == login.hash
                    && flag(case, "hash_ok")?
                    && flag(case, "verifies")?
                    && text(inner, "walletAddress")? == login.from
                    && compressed(text(inner, "publicKey")?) == compressed(&login.public_key),
            )
        }
        // a developer's request is a login with another action
        "requestDeveloperAccess" => {
            let login = tx::BasicTransaction::verify(body.get("transaction")?).ok()?;
            Some(hex::encode(Sha256::digest(&signed)) == login.hash)
        }
        _ => None,
    }
}

fn asset_transaction(case: &JsValue, _: &Context) -> Option<bool> {
    let transaction = case.get("transaction")?;
    let unsigned = JsValue::Object(transaction.as_object()?.without(&["signatures"]));
    let hash = hex::encode(Sha256::digest(unsigned.canonical()?));
    let message = string(case, "signed_message")?;
    let domain: Vec<&str> = message.strip_suffix(&format!(":{hash}"))?.split(':').collect();
    let verified = tx::AssetTransfer::verify(transaction, &domain);
    Some(
        unsigned.canonical() == string(case, "canonical")
            && hash == text(case, "hash")?
            && verified.is_ok() == flag(case, "verifies")?,
    )
}

fn token_genesis(case: &JsValue, _: &Context) -> Option<bool> {
    let certificate = case.get("certificate")?;
    let signed = tx::genesis_text(certificate)?;
    let signer = certificate.get("signatures")?.get("signers")?.as_array()?.first()?;
    let domains = certificate.get("protocol")?.get("sign_domains")?.get("token")?.as_array()?;
    let domain: Vec<&str> = domains.iter().map(JsValue::as_str).collect::<Option<_>>()?;
    let wallet = Wallet::import(text(case, "private_key")?).ok()?;
    let (kid, signature) = (text(signer, "kid")?, text(signer, "sig")?);
    Some(
        Some(&signed) == string(case, "canonical").as_ref()
            && wallet.sign_with_domain(&signed, &domain) == signature
            && verify_strict(&in_domain(&signed, &domain), signature, kid).is_ok() == flag(case, "verifies")?
            && tx::Token::verify(certificate, kid, signature, &domain).is_ok(),
    )
}

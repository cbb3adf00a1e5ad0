//! Transfers of tokens and the certificates that found them, beyond the document (the newer client).

use orrery_kernel::parse_minor;
use sha2::{Digest, Sha256};

use super::check::{is_amount, is_fee, is_memo};
use super::{TransactionError, address, text, whole, wrong};
use crate::json::{JsObject, JsValue};
use crate::wallet::in_domain;
use crate::{address_of, compressed, verify_strict};

/// The domain that tokens of the test network are signed in.
pub const TOKEN_DOMAIN: [&str; 4] = ["STELS-TOKEN-GENESIS", "2", "v1", "chain:2"];

/// A transfer of a token whose every part is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetTransfer {
    /// Name of the network it is for.
    pub network: String,
    /// Which token, `token:sha256:…`.
    pub token: String,
    /// Sender.
    pub from: String,
    /// Receiver.
    pub to: String,
    /// Digits, a point, six digits.
    pub amount: String,
    /// Millionths of the fee's currency.
    pub fee: i64,
    /// The fee's currency.
    pub currency: String,
    /// The sender's transaction before this one, as the client claims.
    pub prev_hash: Option<String>,
    /// When it was made, milliseconds since 1970.
    pub timestamp: i64,
    /// For whoever reads it.
    pub memo: Option<String>,
    /// SHA-256 of the text without signatures, hex.
    pub hash: String,
}

/// The text whose SHA-256 an asset transfer's signature covers, and that hash.
pub(crate) fn transfer_text(transaction: &JsValue) -> Option<(String, String)> {
    let text = JsValue::Object(transaction.as_object()?.without(&["signatures"])).canonical()?;
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    Some((text, hash))
}

impl AssetTransfer {
    /// Reads and checks one from the wire, signed in `domain`.
    pub fn verify(transaction: &JsValue, domain: &[&str]) -> Result<Self, TransactionError> {
        const SIGNATURES: &str = "signatures";
        if text(transaction, "type", "type")? != "asset.transfer" {
            return Err(wrong("type", "has to be asset.transfer"));
        }
        let network = transaction.get("network").ok_or_else(|| wrong("network", "is missing"))?;
        let from = address(transaction, "from", "from")?;
        let amount = text(transaction, "amount", "amount")?;
        if !is_amount(amount) {
            return Err(wrong("amount", "has to be digits, a point and six digits, and more than zero"));
        }
        let fee = text(transaction, "fee", "fee")?;
        if !is_fee(fee) {
            return Err(wrong("fee", "has to be digits, a point and six digits"));
        }
        let fee = parse_minor(fee, 6).map_err(|why| wrong("fee", why.to_string()))?;
        let optional = |key: &str, field: &'static str| match transaction.get(key) {
            None | Some(JsValue::Null) => Ok(None),
            Some(value) => {
                value.as_js_string().map(|s| Some(s.clone())).ok_or_else(|| wrong(field, "has to be a text"))
            }
        };
        let memo = optional("memo", "memo")?;
        if memo.as_ref().is_some_and(|memo| !is_memo(memo)) {
            return Err(wrong("memo", "has to be 1 to 256 characters"));
        }
        let (_, hash) = transfer_text(transaction).ok_or_else(|| wrong("transaction", "has to be an object"))?;
        let signatures = transaction.get(SIGNATURES).and_then(JsValue::as_array).unwrap_or_default();
        let [signature] = signatures else { return Err(wrong(SIGNATURES, "has to be a list of one")) };
        let kid = compressed(text(signature, "kid", SIGNATURES)?).ok_or_else(|| wrong(SIGNATURES, "have a bad kid"))?;
        if address_of(&kid).as_deref() != Some(from) {
            return Err(wrong(SIGNATURES, "have none of the sender"));
        }
        verify_strict(&in_domain(&hash, domain), text(signature, "sig", SIGNATURES)?, &kid)
            .map_err(|why| TransactionError::signature(SIGNATURES, why))?;
        Ok(Self {
            network: text(network, "id", "network.id")?.to_owned(),
            token: text(transaction, "token_id", "token_id")?.to_owned(),
            from: from.to_owned(),
            to: address(transaction, "to", "to")?.to_owned(),
            amount: amount.to_owned(),
            fee,
            currency: text(transaction, "currency", "currency")?.to_owned(),
            prev_hash: optional("prev_hash", "prev_hash")?.map(|hash| hash.to_text().to_owned()),
            timestamp: whole(transaction, "timestamp", "timestamp", 0)?,
            memo: memo.map(|memo| memo.to_text().to_owned()),
            hash,
        })
    }
}

/// The text of a certificate that its issuer signs, in the token's domain: without signatures, and without
/// what is null or undefined at any depth.
pub fn genesis_text(certificate: &JsValue) -> Option<String> {
    let members = certificate.as_object()?.without(&["signatures"]);
    without_nothing(&JsValue::Object(members)).canonical()
}

fn without_nothing(value: &JsValue) -> JsValue {
    let nothing = |value: &JsValue| matches!(value, JsValue::Null | JsValue::Undefined);
    match value {
        JsValue::Array(items) => JsValue::Array(items.iter().filter(|i| !nothing(i)).map(without_nothing).collect()),
        JsValue::Object(members) => {
            let kept = members.iter().filter(|(_, v)| !nothing(v)).map(|(k, v)| (k.clone(), without_nothing(v)));
            JsValue::Object(JsObject::new(kept))
        }
        other => other.clone(),
    }
}

/// A token as its certificate founds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `token:sha256:…`.
    pub id: String,
    /// Who founded it.
    pub issuer: String,
    /// Its name.
    pub name: String,
    /// Its symbol.
    pub symbol: String,
    /// Decimals.
    pub decimals: u32,
    /// What there was at first, in whole tokens.
    pub initial: String,
}

impl Token {
    /// Reads and checks a certificate and its signature by `public_key` in `domain`.
    pub fn verify(
        certificate: &JsValue,
        public_key: &str,
        signature: &str,
        domain: &[&str],
    ) -> Result<Self, TransactionError> {
        let signed = genesis_text(certificate).ok_or_else(|| wrong("genesis", "has to be an object"))?;
        verify_strict(&in_domain(&signed, domain), signature, public_key)
            .map_err(|why| TransactionError::signature("signature", why))?;
        let token = certificate.get("token").ok_or_else(|| wrong("genesis.token", "is missing"))?;
        let issuer = token.get("issuer").ok_or_else(|| wrong("genesis.token.issuer", "is missing"))?;
        let issuer = address(issuer, "address", "genesis.token.issuer.address")?;
        if address_of(public_key).as_deref() != Some(issuer) {
            return Err(wrong("publicKey", "is not the issuer's"));
        }
        let id = text(token, "id", "genesis.token.id")?;
        let digest =
            id.strip_prefix("token:sha256:").filter(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        if digest.is_none() {
            return Err(wrong("genesis.token.id", "has to be token:sha256: and 64 digits"));
        }
        let about = token.get("metadata").ok_or_else(|| wrong("genesis.token.metadata", "is missing"))?;
        let supply = token.get("economics").and_then(|e| e.get("supply"));
        let decimals = whole(about, "decimals", "genesis.token.metadata.decimals", 0)?;
        let decimals = u32::try_from(decimals).ok().filter(|d| *d <= 18);
        Ok(Self {
            id: id.to_owned(),
            issuer: issuer.to_owned(),
            name: text(about, "name", "genesis.token.metadata.name")?.to_owned(),
            symbol: text(about, "symbol", "genesis.token.metadata.symbol")?.to_owned(),
            decimals: decimals.ok_or_else(|| wrong("genesis.token.metadata.decimals", "has to be at most 18"))?,
            initial: supply.and_then(|s| s.get("initial")).and_then(JsValue::as_str).unwrap_or("0").to_owned(),
        })
    }
}

//! ECDSA over secp256k1, of the SHA-256 of a text.

use secp256k1::ecdsa::Signature;
use secp256k1::{Message, PublicKey, SecretKey};
use sha2::{Digest, Sha256};

/// Hex digits of a signature that is `r` and `s` one after the other.
const RAW_DIGITS: usize = 128;

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No public key of the curve.
    #[error("is not a public key")]
    Key,
    /// Neither strict DER nor `r` and `s` in 128 digits.
    #[error("is not a DER signature in hex")]
    Form,
    /// Its twin with the small `s` is the one that counts: two would make one act look like two.
    #[error("has a high S")]
    HighS,
    /// Not of this text by this key.
    #[error("does not match")]
    Wrong,
}

fn message(text: &str) -> Message {
    Message::from_digest(Sha256::digest(text.as_bytes()).into())
}

/// Nonce by RFC 6979, small `s`, DER, hex in small letters.
pub(crate) fn sign(text: &str, secret: &SecretKey) -> String {
    hex::encode(secp256k1::ecdsa::sign(message(text), secret).serialize_der())
}

/// Does `signature` (strict DER in hex of either case) belong to `text` and the key (compressed, uncompressed or
/// hybrid, hex)? As the documented client answers: a high `s` is good, whatever cannot be read is not.
pub fn verify(text: &str, signature: &str, public_key: &str) -> bool {
    let Some(key) = read_key(public_key) else { return false };
    let Some(mut signature) = read_der(signature) else { return false };
    signature.normalize_s();
    signature.verify(message(text), &key).is_ok()
}

/// The same for servers: `r` and `s` in 128 digits are good too, a high `s` is not.
pub fn verify_strict(text: &str, signature: &str, public_key: &str) -> Result<(), SignatureError> {
    let key = read_key(public_key).ok_or(SignatureError::Key)?;
    let raw = || {
        let bytes = (signature.len() == RAW_DIGITS).then(|| hex::decode(signature).ok()).flatten()?;
        Signature::from_compact(&bytes).ok()
    };
    let signature = read_der(signature).or_else(raw).ok_or(SignatureError::Form)?;
    let mut low = signature;
    low.normalize_s();
    if low != signature {
        return Err(SignatureError::HighS);
    }
    signature.verify(message(text), &key).map_err(|_| SignatureError::Wrong)
}

/// The compressed form, 66 small hex digits, of a public key in any form.
pub fn compressed(public_key: &str) -> Option<String> {
    read_key(public_key).map(|key| hex::encode(key.serialize()))
}

fn read_key(digits: &str) -> Option<PublicKey> {
    PublicKey::from_slice(&hex::decode(digits).ok()?).ok()
}

fn read_der(digits: &str) -> Option<Signature> {
    Signature::from_der(&hex::decode(digits).ok()?).ok()
}

//! Random tokens and what is kept of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How API keys begin.
pub const API_KEY_PREFIX: &str = "ok_";

/// A token of 256 random bits: 43 characters that need no escaping in URLs.
pub fn token(bits: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(bits)
}

/// The inverse of [`token`].
pub fn token_bits(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// An API key of 256 random bits: `ok_` and 43 characters.
pub fn api_key(bits: [u8; 32]) -> String {
    format!("{API_KEY_PREFIX}{}", token(bits))
}

/// What is stored of a token: its SHA-256. Enough for tokens that cannot be guessed; passwords need
/// more.
pub fn digest(token: &str) -> [u8; 32] {
    sha256(token.as_bytes())
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// HMAC-SHA256 over the parts one after the other; the caller sees to it that they cannot be cut differently.
pub fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // keys of any length are taken
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Equal? In a time that does not tell where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

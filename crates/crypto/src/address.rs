//! Addresses of wallets.

use ripemd::Ripemd160;
use sha2::{Digest, Sha256};

/// First byte of what an address encodes; makes it begin with `g`.
const VERSION: u8 = 0x62;
const CHECKSUM_BYTES: usize = 4;
const HASH_BYTES: usize = 20;
/// Longest text that is looked at: base58 takes the square of its length.
const TEXT_MAX: usize = 128;

/// Is it a wallet's address: base58, version, checksum, and a hash of 20 bytes?
///
/// ```
/// use orrery_crypto::{is_address, is_address_like};
/// assert!(is_address("gkVcmZanoMEk3LWHpJYC24pZte8FgW5mBy"));
/// // the client does not count the bytes, and takes this for one
/// assert!(is_address_like("A1LdCTQy9EeYxMjS7BmgCa3Aic9RFSWEK") && !is_address("A1LdCTQy9EeYxMjS7BmgCa3Aic9RFSWEK"));
/// ```
pub fn is_address(text: &str) -> bool {
    payload(text).is_some_and(|payload| payload.len() == HASH_BYTES)
}

/// What the documented client takes for an address: the length of the hash is not looked at.
pub fn is_address_like(text: &str) -> bool {
    payload(text).is_some()
}

fn payload(text: &str) -> Option<Vec<u8>> {
    if text.len() > TEXT_MAX {
        return None;
    }
    let mut bytes = bs58::decode(text).into_vec().ok()?;
    let body = bytes.len().checked_sub(CHECKSUM_BYTES)?;
    let checksum = bytes.split_off(body);
    let good = bytes.first() == Some(&VERSION) && checksum == Sha256::digest(&bytes)[..CHECKSUM_BYTES];
    good.then(|| bytes.split_off(1))
}

/// The address of a public key in hex, as the client makes it: a key of 65 bytes that begins with 04 is
/// compressed first (without a look at the curve), anything else is hashed as it is. `None` if it is not hex.
pub fn address_of(public_key: &str) -> Option<String> {
    let digits = public_key.strip_prefix("0x").unwrap_or(public_key);
    let padded = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
    Some(address_of_bytes(&hex::decode(padded).ok()?))
}

pub(crate) fn address_of_bytes(key: &[u8]) -> String {
    match key {
        [0x04, point @ ..] if point.len() == 64 => {
            let mut compressed = vec![0x02 | (point[63] & 1)];
            compressed.extend(&point[..32]);
            encode(&hash160(&compressed))
        }
        key => encode(&hash160(key)),
    }
}

/// RIPEMD-160 of the SHA-256.
pub(crate) fn hash160(bytes: &[u8]) -> [u8; HASH_BYTES] {
    Ripemd160::digest(Sha256::digest(bytes)).into()
}

fn encode(hash: &[u8; HASH_BYTES]) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend(hash);
    let checksum = Sha256::digest(&bytes);
    bytes.extend(&checksum[..CHECKSUM_BYTES]);
    bs58::encode(bytes).into_string()
}

//! The card number that a wallet shows beside its address.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Digits before the check digit.
const BASE_DIGITS: usize = 15;

/// The 16 digits for `data` (an address): `prefix`, digits of its SHA-256 (of its HMAC under `key`, if that
/// is given and not empty), a check digit.
pub fn card_number(data: &str, prefix: &str, key: Option<&str>) -> String {
    let digest: [u8; 32] = match key.filter(|key| !key.is_empty()) {
        None => Sha256::digest(data.as_bytes()).into(),
        // HMAC takes keys of any length, so that the other case does not happen
        Some(key) => match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
            Ok(mac) => mac.chain_update(data.as_bytes()).finalize().into_bytes().into(),
            Err(_) => Sha256::digest(data.as_bytes()).into(),
        },
    };
    let wanted = BASE_DIGITS.saturating_sub(prefix.chars().count());
    let digits = format!("{:0>wanted$}", decimal(digest));
    let base: String = prefix.chars().chain(digits.chars().take(wanted)).collect();
    let check = check_digit(&base);
    format!("{base}{check}")
}

/// The digit that the client appends to `base`: like Luhn's, but the rightmost digit of the base is the
/// first that is **not** doubled, so that most of its numbers fail Luhn's own check.
pub fn check_digit(base: &str) -> u32 {
    let digits = base.chars().rev().filter_map(|c| c.to_digit(10));
    let sum: u32 = digits
        .enumerate()
        .map(|(i, digit)| match digit * 2 {
            _ if i % 2 == 0 => digit,
            doubled if doubled > 9 => doubled - 9,
            doubled => doubled,
        })
        .sum();
    (10 - sum % 10) % 10
}

/// A big-endian number in decimal digits.
fn decimal(mut number: [u8; 32]) -> String {
    let mut digits = Vec::with_capacity(78);
    while number.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u16;
        for byte in &mut number {
            let value = rest << 8 | u16::from(*byte);
            *byte = (value / 10) as u8; // below 256, for the rest is below 10
            rest = value % 10;
        }
        digits.push(b'0' + rest as u8);
    }
    if digits.is_empty() {
        digits.push(b'0');
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

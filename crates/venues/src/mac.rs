//! What exchanges want a request to be signed with, as bytes.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Sha256, Sha512};

use crate::exchange::Result;
use crate::{ErrorClass, VenueError};

/// Bytes as hexadecimal digits in lower case.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for half in [byte >> 4, byte & 0xf] {
            digits.push(char::from(if half < 10 { b'0' + half } else { b'a' - 10 + half }));
        }
    }
    digits
}

fn refused(error: impl std::fmt::Display) -> VenueError {
    VenueError::new(ErrorClass::AuthenticationError, &format!("the secret: {error}"))
}

/// HMAC-SHA256 (RFC 2104) of the parts one after another.
pub(crate) fn sha256(secret: &[u8], parts: &[&[u8]]) -> Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(refused)?;
    parts.iter().for_each(|part| mac.update(part));
    Ok(mac.finalize().into_bytes().into())
}

/// HMAC-SHA512 of the parts one after another.
pub(crate) fn sha512(secret: &[u8], parts: &[&[u8]]) -> Result<[u8; 64]> {
    let mut mac = Hmac::<Sha512>::new_from_slice(secret).map_err(refused)?;
    parts.iter().for_each(|part| mac.update(part));
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(super::hex([0, 9, 10, 0x7f, 0xff]), hex::encode([0, 9, 10, 0x7f, 0xff]));
    }
}

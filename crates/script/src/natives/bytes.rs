//! Bytes: random ones, digests, texts and base64.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rquickjs::{ArrayBuffer, Exception, Result, TypedArray, Value};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::Given;

/// Most random bytes at once, as the web has it.
const RANDOM_MAX: f64 = 65_536.0;

/// `random(length)`
pub(super) fn random<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let length = given.number(0);
    if !(0.0..=RANDOM_MAX).contains(&length) {
        return Err(given.error("QuotaExceededError", "at most 65,536 random bytes can be had at once"));
    }
    let mut bytes = vec![0; length as usize];
    given.around.state.entropy.fill(&mut bytes);
    Ok(TypedArray::<u8>::new_copy(given.ctx.clone(), bytes)?.into_value())
}

/// `digest(algorithm, bytes)`: a buffer; `undefined` for an algorithm that is not known.
pub(super) fn digest<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let bytes = given.bytes(1)?;
    let digest = match given.text(0)?.to_ascii_uppercase().as_str() {
        "SHA-1" => Sha1::digest(&bytes).to_vec(),
        "SHA-256" => Sha256::digest(&bytes).to_vec(),
        "SHA-384" => Sha384::digest(&bytes).to_vec(),
        "SHA-512" => Sha512::digest(&bytes).to_vec(),
        _ => return given.undefined(),
    };
    Ok(ArrayBuffer::new_copy(given.ctx.clone(), digest)?.into_value())
}

/// `hmac(algorithm, key, bytes)`: as [`digest`].
pub(super) fn hmac<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let (key, bytes) = (given.bytes(1)?, given.bytes(2)?);
    macro_rules! code {
        ($digest:ty) => {
            // a key may have any length
            Hmac::<$digest>::new_from_slice(&key).map(|mac| mac.chain_update(&bytes).finalize().into_bytes().to_vec())
        };
    }
    let code = match given.text(0)?.to_ascii_uppercase().as_str() {
        "SHA-1" => code!(Sha1),
        "SHA-256" => code!(Sha256),
        "SHA-384" => code!(Sha384),
        "SHA-512" => code!(Sha512),
        _ => return given.undefined(),
    };
    let code = code.map_err(|_| given.type_error("this is no key"))?;
    Ok(ArrayBuffer::new_copy(given.ctx.clone(), code)?.into_value())
}

/// `utf8(text)`: its bytes.
pub(super) fn utf8<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    Ok(TypedArray::<u8>::new_copy(given.ctx.clone(), given.text(0)?)?.into_value())
}

/// `text(bytes, fatal)`: what they say in UTF-8.
pub(super) fn text<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let bytes = given.bytes(0)?;
    if given.flag(1) && std::str::from_utf8(&bytes).is_err() {
        return Err(given.type_error("the bytes are not UTF-8"));
    }
    given.give(String::from_utf8_lossy(&bytes).as_ref())
}

/// `base64(bytes)`
pub(super) fn base64<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    given.give(STANDARD.encode(given.bytes(0)?))
}

/// `unbase64(text)`: bytes; `undefined` if it is no base64.
pub(super) fn unbase64<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let text: String = given.text(0)?.split_ascii_whitespace().collect();
    let bytes = STANDARD_NO_PAD.decode(text.trim_end_matches('='));
    match bytes {
        Ok(bytes) if text.len() - text.trim_end_matches('=').len() <= 2 => {
            Ok(TypedArray::<u8>::new_copy(given.ctx.clone(), bytes)?.into_value())
        }
        Ok(_) => Err(Exception::throw_range(given.ctx, "too much padding")),
        Err(_) => given.undefined(),
    }
}

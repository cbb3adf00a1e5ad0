//! Sealing of small secrets at rest: XChaCha20-Poly1305 with a data key of their own, itself sealed by a
//! master key that can be changed without opening what it protects.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use orrery_kernel::Entropy;
use zeroize::Zeroizing;

/// Bytes of a master key.
pub const MASTER_KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const DATA_KEY_BYTES: usize = 32;
/// Format, key id, nonce and sealed data key.
const HEAD_BYTES: usize = 1 + 4 + NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES;
const FORMAT: u8 = 1;

/// Why something cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not something this sealed.
    #[error("is not a sealed record")]
    Form,
    /// The master key of that number is not at hand.
    #[error("was sealed with master key {0}, which is not in the key file")]
    UnknownKey(u32),
    /// Altered, of another place, or sealed with another key of the same number.
    #[error("does not open: it was altered, moved, or sealed with another key")]
    Broken,
    /// A key ring without a key, or with a number twice.
    #[error("a key ring needs keys with numbers of their own")]
    Ring,
}

/// Master keys by number. The highest seals; all of them open.
pub struct Keyring(Vec<(u32, Zeroizing<[u8; MASTER_KEY_BYTES]>)>);

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

impl Keyring {
    /// From keys with their numbers.
    pub fn new(keys: impl IntoIterator<Item = (u32, Zeroizing<[u8; MASTER_KEY_BYTES]>)>) -> Result<Self, SealError> {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by_key(|(id, _)| *id);
        let distinct = keys.windows(2).all(|pair| pair[0].0 != pair[1].0);
        if keys.is_empty() || !distinct { Err(SealError::Ring) } else { Ok(Self(keys)) }
    }

    /// The number of the key that seals.
    pub fn current(&self) -> u32 {
        self.0.last().map_or(0, |(id, _)| *id)
    }

    fn cipher(&self, id: u32) -> Result<XChaCha20Poly1305, SealError> {
        let found = self.0.iter().find(|(known, _)| *known == id).ok_or(SealError::UnknownKey(id))?;
        Ok(XChaCha20Poly1305::new(&Key::from(*found.1)))
    }

    /// Seals `secret` for `place` (whose record, which field): it opens nowhere else.
    pub fn seal(&self, secret: &[u8], place: &str, entropy: &dyn Entropy) -> Result<Vec<u8>, SealError> {
        let mut data_key = Zeroizing::new([0_u8; DATA_KEY_BYTES]);
        entropy.fill(data_key.as_mut());
        let mut sealed = self.wrap(&data_key, place, entropy)?;
        let mut nonce = [0_u8; NONCE_BYTES];
        entropy.fill(&mut nonce);
        let cipher = XChaCha20Poly1305::new(&Key::from(*data_key));
        let payload = Payload { msg: secret, aad: place.as_bytes() };
        sealed.extend(nonce);
        sealed.extend(cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Broken)?);
        Ok(sealed)
    }

    fn wrap(&self, data_key: &[u8; DATA_KEY_BYTES], place: &str, entropy: &dyn Entropy) -> Result<Vec<u8>, SealError> {
        let id = self.current();
        let mut nonce = [0_u8; NONCE_BYTES];
        entropy.fill(&mut nonce);
        let payload = Payload { msg: data_key, aad: place.as_bytes() };
        let wrapped = self.cipher(id)?.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Broken)?;
        let mut head = vec![FORMAT];
        head.extend(id.to_be_bytes());
        head.extend(nonce);
        head.extend(wrapped);
        Ok(head)
    }

    fn unwrap_key(&self, sealed: &[u8], place: &str) -> Result<Zeroizing<[u8; DATA_KEY_BYTES]>, SealError> {
        let id = key_of(sealed)?;
        let nonce: [u8; NONCE_BYTES] = sealed.get(5..29).and_then(|b| b.try_into().ok()).ok_or(SealError::Form)?;
        let wrapped = sealed.get(29..HEAD_BYTES).ok_or(SealError::Form)?;
        let payload = Payload { msg: wrapped, aad: place.as_bytes() };
        let key = self.cipher(id)?.decrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Broken)?;
        let key = Zeroizing::new(key);
        key.as_slice().try_into().map(Zeroizing::new).map_err(|_| SealError::Form)
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, sealed: &[u8], place: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key = self.unwrap_key(sealed, place)?;
        let body = sealed.get(HEAD_BYTES..).unwrap_or_default();
        let (nonce, text) = body.split_at_checked(NONCE_BYTES).ok_or(SealError::Form)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Form)?;
        let payload = Payload { msg: text, aad: place.as_bytes() };
        let opened = XChaCha20Poly1305::new(&Key::from(*key)).decrypt(&XNonce::from(nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| SealError::Broken)
    }

    /// The same record under the current master key; the secret itself is not touched.
    pub fn rewrap(&self, sealed: &[u8], place: &str, entropy: &dyn Entropy) -> Result<Vec<u8>, SealError> {
        let key = self.unwrap_key(sealed, place)?;
        let mut again = self.wrap(&key, place, entropy)?;
        again.extend(sealed.get(HEAD_BYTES..).unwrap_or_default());
        Ok(again)
    }
}

/// The number of the master key that a record was sealed with.
pub fn key_of(sealed: &[u8]) -> Result<u32, SealError> {
    match sealed {
        [FORMAT, a, b, c, d, ..] if sealed.len() >= HEAD_BYTES + NONCE_BYTES + TAG_BYTES => {
            Ok(u32::from_be_bytes([*a, *b, *c, *d]))
        }
        _ => Err(SealError::Form),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, out: &mut [u8]) {
            out.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn key(byte: u8) -> Zeroizing<[u8; MASTER_KEY_BYTES]> {
        Zeroizing::new([byte; MASTER_KEY_BYTES])
    }

    #[test]
    fn opens_only_where_it_was_sealed_and_unaltered() {
        let entropy = Counting(AtomicU8::new(0));
        let ring = Keyring::new([(1, key(1))]).unwrap();
        let sealed = ring.seal(b"api secret", "a/1", &entropy).unwrap();
        assert_eq!(ring.open(&sealed, "a/1").unwrap().as_slice(), b"api secret");
        assert_eq!(ring.open(&sealed, "a/2"), Err(SealError::Broken));
        for i in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[i] ^= 1;
            assert!(ring.open(&bent, "a/1").is_err(), "byte {i}");
            assert!(ring.open(&sealed[..i], "a/1").is_err(), "first {i}");
        }
        assert!(!sealed.windows(3).any(|w| w == b"api"));
        let other = Keyring::new([(1, key(2))]).unwrap();
        assert_eq!(other.open(&sealed, "a/1"), Err(SealError::Broken));
    }

    #[test]
    fn a_new_master_key_takes_over_and_the_old_one_can_go() {
        let entropy = Counting(AtomicU8::new(0));
        let old = Keyring::new([(1, key(1))]).unwrap();
        let sealed = old.seal(b"s", "p", &entropy).unwrap();
        let both = Keyring::new([(2, key(2)), (1, key(1))]).unwrap();
        assert_eq!(both.open(&sealed, "p").unwrap().as_slice(), b"s");
        let again = both.rewrap(&sealed, "p", &entropy).unwrap();
        assert_eq!((key_of(&sealed), key_of(&again)), (Ok(1), Ok(2)));
        let new = Keyring::new([(2, key(2))]).unwrap();
        assert_eq!(new.open(&again, "p").unwrap().as_slice(), b"s");
        assert_eq!(new.open(&sealed, "p"), Err(SealError::UnknownKey(1)));
        assert!(Keyring::new([]).is_err() && Keyring::new([(1, key(1)), (1, key(2))]).is_err());
    }
}

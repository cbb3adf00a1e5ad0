//! Keys of a wallet.

use orrery_kernel::Entropy;
use secp256k1::{PublicKey, SecretKey};
use zeroize::{Zeroize, Zeroizing};

use crate::address::address_of_bytes;
use crate::card::card_number;

/// The order of secp256k1, big-endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc,
    0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// Why a text is no private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 64 hex digits.
    #[error("Invalid private key format")]
    Format,
    /// Zero or the order of the curve: no point belongs to it.
    #[error("the private key is zero")]
    Zero,
}

/// A private key, with what follows from it. `Debug` shows the address alone; the key is wiped when dropped.
///
/// ```
/// use orrery_crypto::{Wallet, verify};
/// let wallet = Wallet::import("938d3cba356408d58e4e03ee2e7143364b3100904c3351b7ad77a8e2e34353a5")?;
/// assert_eq!(wallet.address(), "gkVcmZanoMEk3LWHpJYC24pZte8FgW5mBy");
/// let signature = wallet.sign("hello");
/// assert!(verify("hello", &signature, wallet.public_key()));
/// assert!(!verify("hallo", &signature, wallet.public_key()));
/// # Ok::<(), orrery_crypto::WalletKeyError>(())
/// ```
pub struct Wallet {
    secret: SecretKey,
    /// As it was given; the client keeps the case of its digits.
    private_key: Zeroizing<String>,
    public_key: String,
    uncompressed: String,
    address: String,
    number: String,
}

impl Wallet {
    /// A new one from 32 random bytes.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        loop {
            entropy.fill(bytes.as_mut());
            // all but 2^-127 of the bytes are a key
            if let Ok(secret) = SecretKey::from_secret_bytes(*bytes) {
                return Self::of(secret, Zeroizing::new(hex::encode(*bytes)));
            }
        }
    }

    /// From 64 hex digits in either case. A number beyond the curve's order is taken modulo it, as the
    /// client's library does.
    pub fn import(private_key: &str) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        hex::decode_to_slice(private_key, bytes.as_mut()).map_err(|_| KeyError::Format)?;
        if *bytes >= ORDER {
            subtract_order(&mut bytes);
        }
        let secret = SecretKey::from_secret_bytes(*bytes).map_err(|_| KeyError::Zero)?;
        Ok(Self::of(secret, Zeroizing::new(private_key.to_owned())))
    }

    fn of(secret: SecretKey, private_key: Zeroizing<String>) -> Self {
        let public = PublicKey::from_secret_key(&secret);
        let address = address_of_bytes(&public.serialize());
        Self {
            secret,
            private_key,
            public_key: hex::encode(public.serialize()),
            uncompressed: hex::encode(public.serialize_uncompressed()),
            number: card_number(&address, "0", None),
            address,
        }
    }

    /// The private key as it was given. Whoever calls this has to keep it secret.
    pub fn private_key(&self) -> &str {
        &self.private_key
    }

    /// Compressed, 66 hex digits.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Uncompressed, 130 hex digits.
    pub fn uncompressed(&self) -> &str {
        &self.uncompressed
    }

    /// The address, 34 characters.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The card number, 16 digits.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// The signature of `text`: see [`crate::verify`] for its form.
    pub fn sign(&self, text: &str) -> String {
        crate::signature::sign(text, &self.secret)
    }

    /// The signature of `text` in a domain: of the parts and the text joined by colons.
    pub fn sign_with_domain(&self, text: &str, domain: &[&str]) -> String {
        self.sign(&in_domain(text, domain))
    }
}

impl Drop for Wallet {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
        self.private_key.zeroize();
    }
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wallet").field("address", &self.address).finish_non_exhaustive()
    }
}

/// `text` with its domain in front, as it is signed.
pub fn in_domain(text: &str, domain: &[&str]) -> String {
    format!("{}:{text}", domain.join(":"))
}

fn subtract_order(number: &mut [u8; 32]) {
    let mut borrow = 0_i16;
    for (digit, order) in number.iter_mut().zip(ORDER).rev() {
        let value = i16::from(*digit) - i16::from(order) - borrow;
        borrow = i16::from(value < 0);
        *digit = (value & 0xff) as u8;
    }
}

//! Passwords, tokens and their digests; wallets, deterministic JSON, signatures and transactions.
//!
//! Invariants: no I/O, no clock, no system randomness (salts and tokens take their bits as
//! arguments). Secrets are compared in constant time.
//!
//! ```
//! use orrery_crypto::{Algorithm, Claims, JwtKey};
//! let key = JwtKey::new(b"thirty-two bytes or more of random secret", Algorithm::Hs256)?;
//! let claims = Claims { id: 1, email: "user@example.com".into(), name: "User".into(), sid: "s".into(), iat: 10, exp: 20 };
//! let token = key.issue(&claims)?;
//! assert_eq!(key.verify(&token, 19)?, claims);
//! assert!(key.verify(&token, 20).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A wallet is a key of secp256k1; what it signs, any holder of its public key can check:
//!
//! ```
//! use orrery_crypto::json::{Duplicates, parse};
//! use orrery_crypto::{Wallet, verify};
//! # struct Dice;
//! # impl orrery_kernel::Entropy for Dice { fn fill(&self, out: &mut [u8]) { out.fill(7) } }
//! let wallet = Wallet::generate(&Dice);
//! let value = parse(r#"{"b": 2, "a": 1.0}"#, Duplicates::Refused)?;
//! let text = value.canonical().unwrap_or_default();
//! assert_eq!(text, r#"{"a":1,"b":2}"#);
//! let signature = wallet.sign(&text);
//! assert!(verify(&text, &signature, wallet.public_key()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod address;
mod card;
mod checksum;
pub mod json;
mod jwt;
mod password;
pub mod seal;
mod signature;
mod token;
pub mod transaction;
pub mod vectors;
mod wallet;

pub use account::verify_account;
pub use address::{address_of, is_address, is_address_like};
pub use card::{card_number, check_digit};
pub use checksum::Checksum;
pub use signature::{SignatureError, compressed, verify, verify_strict};
pub use wallet::{KeyError as WalletKeyError, Wallet, in_domain};

pub use jwt::{Algorithm, Claims, JwtError, JwtKey, TOKEN_BYTES_MAX, WeakSecret, check_secret};
pub use password::{
    PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, PasswordError, check_password, hash_password, verify_nothing,
    verify_password,
};
pub use token::{API_KEY_PREFIX, api_key, digest, hmac_sha256, same, sha256, token, token_bits};

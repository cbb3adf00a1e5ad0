//! Passwords, tokens and their digests.
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

mod jwt;
mod password;
mod token;

pub use jwt::{Algorithm, Claims, JwtError, JwtKey, TOKEN_BYTES_MAX, WeakSecret, check_secret};
pub use password::{
    PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, PasswordError, check_password, hash_password, verify_nothing,
    verify_password,
};
pub use token::{API_KEY_PREFIX, api_key, digest, same, sha256, token};

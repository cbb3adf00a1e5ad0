//! JSON Web Tokens with one HMAC and nothing else (RFC 7519, RFC 7515, RFC 7518 §3.2).
//!
//! The token library is linked without any algorithm; the provider below knows HMAC with SHA-2 only, and
//! a key takes the one of them that it was made for: a token that asks for another algorithm, `none`
//! included, cannot be verified by anything.

use std::sync::Once;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm as Jws, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Sha256, Sha384, Sha512};

/// Longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 4_096;

/// What a session's token says (BitTrade document, "JWT Implementation", and the session it belongs
/// to).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// User.
    pub id: i64,
    /// Address at login.
    pub email: String,
    /// Display name at login.
    pub name: String,
    /// Session.
    pub sid: String,
    /// Issued, seconds since the epoch.
    pub iat: i64,
    /// Ends, seconds since the epoch.
    pub exp: i64,
}

/// Why a token is not good. The texts are those of the documented server's token library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Not three parts of base64 with JSON inside, or too long.
    #[error("jwt malformed")]
    Malformed,
    /// Another algorithm.
    #[error("invalid algorithm")]
    Algorithm,
    /// Made with another key, or changed.
    #[error("invalid signature")]
    Signature,
    /// Was good once.
    #[error("jwt expired")]
    Expired,
    /// The key cannot be used.
    #[error("the signing key cannot be used")]
    Key,
}

/// A secret that must not sign tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Fewer than 32 bytes.
    #[error("has fewer than 32 bytes")]
    Short,
    /// Printed in a public document.
    #[error("is published in documentation")]
    Published,
    /// The same few bytes over and over.
    #[error("is too regular to be random")]
    Regular,
}

/// Secrets that documents and samples of the documented systems print.
const PUBLISHED: [&str; 8] = [
    "bittrade_secret_key_2024",
    "your_super_secure_jwt_secret_key_here",
    "super_secure_production_jwt_secret_256_bit",
    "your-secret-key",
    "your_jwt_secret_key_here",
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "dev-secret-key-change-in-production",
];

/// Refuses secrets that others know or can guess.
pub fn check_secret(secret: &[u8]) -> Result<(), WeakSecret> {
    if PUBLISHED.iter().any(|p| secret.trim_ascii().eq_ignore_ascii_case(p.as_bytes())) {
        return Err(WeakSecret::Published);
    }
    if secret.len() < 32 {
        return Err(WeakSecret::Short);
    }
    let distinct = secret.iter().collect::<std::collections::BTreeSet<_>>().len();
    if distinct < 8 { Err(WeakSecret::Regular) } else { Ok(()) }
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    #[default]
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// The algorithm of a registered name: `HS256`.
    pub fn parse(name: &str) -> Option<Self> {
        [("HS256", Self::Hs256), ("HS384", Self::Hs384), ("HS512", Self::Hs512)]
            .into_iter()
            .find_map(|(known, algorithm)| (known == name).then_some(algorithm))
    }

    fn jws(self) -> Jws {
        match self {
            Self::Hs256 => Jws::HS256,
            Self::Hs384 => Jws::HS384,
            Self::Hs512 => Jws::HS512,
        }
    }
}

/// Signs and verifies.
pub struct JwtKey {
    algorithm: Jws,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl JwtKey {
    /// A key of at least 32 bytes.
    pub fn new(secret: &[u8], algorithm: Algorithm) -> Result<Self, WeakSecret> {
        check_secret(secret)?;
        install();
        let algorithm = algorithm.jws();
        let mut validation = Validation::new(algorithm);
        // the library would ask the system's clock; expiry is judged below, against the caller's
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp"]);
        let (signing, verifying) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Ok(Self { algorithm, signing, verifying, validation })
    }

    /// A signed token.
    pub fn issue(&self, claims: &Claims) -> Result<String, JwtError> {
        jsonwebtoken::encode(&Header::new(self.algorithm), claims, &self.signing).map_err(|_| JwtError::Key)
    }

    /// The claims of a good token at `now` (seconds since the epoch).
    pub fn verify(&self, token: &str, now: i64) -> Result<Claims, JwtError> {
        if token.len() > TOKEN_BYTES_MAX || token.split('.').count() != 3 {
            return Err(JwtError::Malformed);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation)
            .map_err(|e| match e.kind() {
                ErrorKind::InvalidSignature => JwtError::Signature,
                ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::MissingAlgorithm => {
                    JwtError::Algorithm
                }
                _ => JwtError::Malformed,
            })?
            .claims;
        if now >= claims.exp { Err(JwtError::Expired) } else { Ok(claims) }
    }
}

impl std::fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JwtKey([redacted])")
    }
}

macro_rules! hmac_of {
    ($name:ident, $digest:ty, $algorithm:expr) => {
        struct $name(Hmac<$digest>);

        impl $name {
            fn new(key: &[u8]) -> jsonwebtoken::errors::Result<Self> {
                Hmac::new_from_slice(key).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
            }
        }

        impl Signer<Vec<u8>> for $name {
            fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
                Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
            }
        }

        impl Verifier<Vec<u8>> for $name {
            fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
                // constant time
                self.0.clone().chain_update(message).verify_slice(signature).map_err(signature::Error::from_source)
            }
        }

        impl JwtSigner for $name {
            fn algorithm(&self) -> Jws {
                $algorithm
            }
        }

        impl JwtVerifier for $name {
            fn algorithm(&self) -> Jws {
                $algorithm
            }
        }
    };
}

hmac_of!(Hs256, Sha256, Jws::HS256);
hmac_of!(Hs384, Sha384, Jws::HS384);
hmac_of!(Hs512, Sha512, Jws::HS512);

fn signer(algorithm: &Jws, key: &EncodingKey) -> jsonwebtoken::errors::Result<Box<dyn JwtSigner>> {
    match algorithm {
        Jws::HS256 => Ok(Box::new(Hs256::new(key.as_bytes())?)),
        Jws::HS384 => Ok(Box::new(Hs384::new(key.as_bytes())?)),
        Jws::HS512 => Ok(Box::new(Hs512::new(key.as_bytes())?)),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn verifier(algorithm: &Jws, key: &DecodingKey) -> jsonwebtoken::errors::Result<Box<dyn JwtVerifier>> {
    match algorithm {
        Jws::HS256 => Ok(Box::new(Hs256::new(key.try_get_as_bytes()?)?)),
        Jws::HS384 => Ok(Box::new(Hs384::new(key.try_get_as_bytes()?)?)),
        Jws::HS512 => Ok(Box::new(Hs512::new(key.try_get_as_bytes()?)?)),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn install() {
    static PROVIDER: CryptoProvider =
        CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // an error says that the embedding program installed its own first; ours is then not used
        let _ = PROVIDER.install_default();
    });
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn claims() -> Claims {
        Claims { id: 7, email: "a@b.c".into(), name: "A".into(), sid: "s".into(), iat: 0, exp: 100 }
    }

    fn forge(header: &str, payload: &str, secret: &[u8]) -> String {
        let part = |s: &str| URL_SAFE_NO_PAD.encode(s);
        let message = format!("{}.{}", part(header), part(payload));
        let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(message.as_bytes()).finalize();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
    }

    #[test]
    fn forged_tokens_are_refused() {
        let key = JwtKey::new(SECRET, Algorithm::Hs256).unwrap();
        let good = serde_json::to_string(&claims()).unwrap();
        let hs256 = r#"{"alg":"HS256","typ":"JWT"}"#;
        assert_eq!(key.verify(&forge(hs256, &good, SECRET), 0), Ok(claims()));
        assert_eq!(key.verify(&forge(hs256, &good, SECRET), 100), Err(JwtError::Expired));
        let other = b"another secret of thirty-two bytes";
        assert_eq!(key.verify(&forge(hs256, &good, other), 0), Err(JwtError::Signature));
        for (header, what) in
            [(r#"{"alg":"none"}"#, "none"), (r#"{"alg":"HS384"}"#, "384"), (r#"{"alg":"RS256"}"#, "rsa")]
        {
            assert!(key.verify(&forge(header, &good, SECRET), 0).is_err(), "{what}");
        }
        let none = forge(r#"{"alg":"none"}"#, &good, SECRET);
        let unsigned = format!("{}.", none.rsplit_once('.').unwrap().0);
        assert!(key.verify(&unsigned, 0).is_err());
        let endless = r#"{"id":7,"email":"a@b.c","name":"A","sid":"s","iat":0}"#;
        assert_eq!(key.verify(&forge(hs256, endless, SECRET), 0), Err(JwtError::Malformed));
        for text in ["", "a", "a.b", "a.b.c", "a.b.c.d", &"x".repeat(5_000)] {
            assert_eq!(key.verify(text, 0), Err(JwtError::Malformed), "{text:.10}");
        }
    }

    #[test]
    fn each_algorithm_takes_its_own_tokens_only() {
        let all = ["HS256", "HS384", "HS512"].map(|name| Algorithm::parse(name).unwrap());
        for mine in all {
            let token = JwtKey::new(SECRET, mine).unwrap().issue(&claims()).unwrap();
            for other in all {
                let verified = JwtKey::new(SECRET, other).unwrap().verify(&token, 0);
                assert_eq!(verified.is_ok(), mine == other, "{mine:?} {other:?} {verified:?}");
            }
        }
        for name in ["none", "RS256", "hs256", ""] {
            assert_eq!(Algorithm::parse(name), None);
        }
    }

    #[test]
    fn every_changed_character_is_refused() {
        let key = JwtKey::new(SECRET, Algorithm::Hs256).unwrap();
        let token = key.issue(&claims()).unwrap();
        for i in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[i] = if bytes[i] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // the last character of a part may hold unused bits, which strict base64 refuses too
            assert!(key.verify(&changed, 0).is_err(), "{i}");
        }
    }

    #[test]
    fn known_and_short_secrets_are_refused() {
        assert_eq!(check_secret(b"bittrade_secret_key_2024"), Err(WeakSecret::Published));
        assert_eq!(check_secret(b"super_secure_production_jwt_secret_256_bit"), Err(WeakSecret::Published));
        assert_eq!(check_secret(b"short"), Err(WeakSecret::Short));
        assert_eq!(check_secret(&[b'x'; 64]), Err(WeakSecret::Regular));
        assert_eq!(check_secret(SECRET), Ok(()));
    }
}

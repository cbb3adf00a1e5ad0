//! Users, sessions, API keys and audit events as stored.

use orrery_kernel::{Timestamp, UserId};
use unicode_normalization::UnicodeNormalization;

use crate::{Role, Scope};

/// A checked e-mail address: as typed, and as compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email {
    typed: String,
    key: String,
}

/// The text is no e-mail address: not `x@y.z` without white space, or beyond 100 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid email format")]
pub struct EmailError;

impl Email {
    /// Most characters.
    pub const CHARS_MAX: usize = 100;

    /// Accepts what the documented server accepts: non-space `@` non-space `.` non-space, one `@`.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let bad = |c: char| c.is_whitespace() || c.is_control();
        let (local, domain) = text.split_once('@').ok_or(EmailError)?;
        let dotted = domain.rsplit_once('.').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        if local.is_empty()
            || !dotted
            || domain.contains('@')
            || text.chars().any(bad)
            || text.chars().count() > Self::CHARS_MAX
        {
            return Err(EmailError);
        }
        Ok(Self { typed: text.to_owned(), key: text.nfkc().flat_map(char::to_lowercase).collect() })
    }

    /// As typed at registration.
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// Lower case, NFKC: two addresses with one key are the same account.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// A bcrypt hash. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A user to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// Address.
    pub email: Email,
    /// Display name, 1 to 100 characters.
    pub name: String,
    /// Hash of the password.
    pub password: PasswordHash,
    /// Role.
    pub role: Role,
    /// When.
    pub at: Timestamp,
}

/// A stored user that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// Address as typed.
    pub email: String,
    /// Display name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// When registered.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
}

/// A session's public id, which its JWT carries as `sid`: 32 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// From 128 random bits.
    pub fn from_bits(bits: [u8; 16]) -> Self {
        use std::fmt::Write;
        Self(bits.iter().fold(String::with_capacity(32), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        }))
    }

    /// The inverse of [`SessionId::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        let good = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        good.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A login. Live until it expires or is revoked; revoked ones are not returned by stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Id.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// When opened.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Address it was opened from, for the user's own list.
    pub address: String,
    /// Client program it was opened with, at most 200 characters.
    pub agent: String,
}

/// Number of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId(pub i64);

/// An API key to be stored; the key itself is never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    /// Whose.
    pub user: UserId,
    /// Label, 1 to 100 characters.
    pub name: String,
    /// First characters of the key, to recognise it by.
    pub prefix: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// What it may do, within its owner's role.
    pub scopes: Vec<Scope>,
    /// When made.
    pub created_at: Timestamp,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
}

/// A stored, unrevoked API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Number.
    pub id: ApiKeyId,
    /// Content.
    pub key: NewApiKey,
}

/// Something worth remembering about access: logins good and bad, denials, keys, operator's acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// Who, as `user:7`, `operator`, `system`, `anonymous`.
    pub actor: String,
    /// What: `login`, `logout`, `register`, `password_change`, `role_change`, …
    pub action: String,
    /// On what or whom; no secrets.
    pub target: String,
    /// `ok`, or why not.
    pub outcome: String,
    /// Client address, or empty.
    pub address: String,
}

impl AuditEvent {
    /// The hash of an event that follows one with the hash `prev` (zeros: the first): SHA-256 over
    /// `prev`, the time in microseconds and the five texts, each with its length (4 bytes); numbers
    /// little-endian.
    pub fn link(&self, prev: [u8; 32]) -> [u8; 32] {
        let mut bytes = prev.to_vec();
        bytes.extend_from_slice(&self.at.micros().to_le_bytes());
        for text in [&self.actor, &self.action, &self.target, &self.outcome, &self.address] {
            bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        orrery_crypto::sha256(&bytes)
    }
}

/// An event as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its place.
    pub id: i64,
    /// Content.
    pub event: AuditEvent,
    /// [`AuditEvent::link`] to the one before it.
    pub hash: [u8; 32],
}

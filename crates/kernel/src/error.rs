//! One error for all surfaces: a small code that each surface renders in its own documented
//! shape, a sentence that may be shown, and a cause that may not.

use std::borrow::Cow;
use std::time::Duration;

/// What went wrong, as seen by the caller. Surfaces derive status and shape from this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The input is malformed or out of range.
    Invalid,
    /// No proof of identity came with the request.
    UnauthenticatedMissing,
    /// The proof is malformed, forged or revoked.
    UnauthenticatedInvalid,
    /// The proof was good once.
    UnauthenticatedExpired,
    /// A wrong password (or an unknown account: the answer is the same).
    BadCredentials,
    /// Known, but not allowed.
    Forbidden,
    /// There is no such thing, or not for this caller.
    NotFound,
    /// It clashes with what exists.
    Conflict,
    /// A body or field beyond its bound.
    TooLarge,
    /// Too many in a time; carries a delay.
    RateLimited,
    /// The account does not hold what the operation needs.
    InsufficientFunds,
    /// It took longer than allowed.
    Timeout,
    /// Cannot be served now, may be later; carries a delay where one is known.
    Unavailable,
    /// A server we depend on failed.
    Upstream,
    /// A fault of ours.
    Internal,
}

/// An error with an outside sentence and an inside cause, which never mix: `Display` prints the
/// outside sentence only.
#[derive(Debug)]
pub struct Error {
    /// The class.
    pub code: ErrorCode,
    /// A sentence that any client may read.
    pub public: Cow<'static, str>,
    /// The input field at fault, where there is one.
    pub field: Option<&'static str>,
    /// Where in a field that is a text of many lines: line and column, both from 1.
    pub place: Option<(u32, u32)>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// For the log; never sent.
    pub internal: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// `Result` with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `code` with an outside sentence.
    pub fn new(code: ErrorCode, public: impl Into<Cow<'static, str>>) -> Self {
        Self { code, public: public.into(), field: None, place: None, retry_after: None, internal: None }
    }

    /// Bad input in `field`.
    pub fn invalid(field: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field), ..Self::new(ErrorCode::Invalid, public) }
    }

    /// A fault of ours; `cause` goes to the log.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { internal: Some(cause.into()), ..Self::new(ErrorCode::Internal, "Internal server error") }
    }

    /// Cannot be served now.
    pub fn unavailable(public: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(ErrorCode::Unavailable, public) }
    }

    /// Too many; try again after `retry_after`.
    pub fn rate_limited(public: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(ErrorCode::RateLimited, public) }
    }

    /// Adds a cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.internal = Some(cause.into());
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.public)
    }
}

impl std::error::Error for Error {}

/// What a store may answer instead of data. Absence is `None`, not an error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, or too busy; nothing is known to have changed.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The answer to a write was lost: it may or may not have happened.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// A stored value is not what this program writes.
    #[error("corrupt {what}: {detail}")]
    Corrupt {
        /// Table and column, or the like.
        what: &'static str,
        /// The row and what is wrong with it; no secrets.
        detail: String,
    },
}

impl From<StoreError> for Error {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Unavailable(_) | StoreError::Unknown(_) => {
                Self::unavailable("The database is not available", Duration::from_secs(1)).because(e)
            }
            StoreError::Corrupt { .. } => Self::internal(e),
        }
    }
}

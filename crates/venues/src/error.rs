//! What can go wrong with an exchange, by CCXT's tree of class names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// Longest part of an exchange's answer that an error's message repeats, in bytes.
const QUOTED_MAX: usize = 512;

macro_rules! classes {
    ($($name:ident: $parent:ident,)*) => {
        /// A class of error; scripts see its name as the `name` and the constructor of what is thrown.
        ///
        /// Source: CCXT manual, section "Error handling" (hierarchy of 4.5.84).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names are CCXT's and speak for themselves")]
        pub enum ErrorClass { BaseError, $($name,)* }

        impl ErrorClass {
            /// Every class, parents before their children.
            pub const ALL: &[Self] = &[Self::BaseError, $(Self::$name,)*];

            /// The class' name.
            pub const fn name(self) -> &'static str {
                match self { Self::BaseError => "BaseError", $(Self::$name => stringify!($name),)* }
            }

            /// The class this one is a special case of; none for the root.
            pub const fn parent(self) -> Option<Self> {
                match self { Self::BaseError => None, $(Self::$name => Some(Self::$parent),)* }
            }
        }
    };
}

classes! {
    ExchangeError: BaseError,
    ArgumentsRequired: ExchangeError,
    AuthenticationError: ExchangeError,
    AccountSuspended: AuthenticationError,
    PermissionDenied: AuthenticationError,
    AccountNotEnabled: PermissionDenied,
    BadRequest: ExchangeError,
    BadSymbol: BadRequest,
    ExchangeClosedByUser: ExchangeError,
    InsufficientFunds: ExchangeError,
    InvalidAddress: ExchangeError,
    AddressPending: InvalidAddress,
    InvalidOrder: ExchangeError,
    ContractUnavailable: InvalidOrder,
    DuplicateOrderId: InvalidOrder,
    OrderImmediatelyFillable: InvalidOrder,
    OrderNotCached: InvalidOrder,
    OrderNotFillable: InvalidOrder,
    OrderNotFound: InvalidOrder,
    InvalidProxySettings: ExchangeError,
    NotSupported: ExchangeError,
    OperationRejected: ExchangeError,
    ManualInteractionNeeded: OperationRejected,
    MarketClosed: OperationRejected,
    NoChange: OperationRejected,
    MarginModeAlreadySet: NoChange,
    RestrictedLocation: OperationRejected,
    OperationFailed: BaseError,
    BadResponse: OperationFailed,
    NullResponse: BadResponse,
    CancelPending: OperationFailed,
    NetworkError: OperationFailed,
    DDoSProtection: NetworkError,
    ExchangeNotAvailable: NetworkError,
    OnMaintenance: ExchangeNotAvailable,
    InvalidNonce: NetworkError,
    ChecksumError: InvalidNonce,
    RateLimitExceeded: NetworkError,
    RequestTimeout: NetworkError,
    UnsubscribeError: BaseError,
}

impl ErrorClass {
    /// Whether this class is `other` or a special case of it.
    pub fn is_a(self, other: Self) -> bool {
        self.chain().any(|class| class == other)
    }

    /// The class and all it is a special case of, the root last.
    pub fn chain(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |class| class.parent())
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no class of error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no class of error")]
pub struct UnknownClass(String);

impl FromStr for ErrorClass {
    type Err = UnknownClass;

    fn from_str(name: &str) -> Result<Self, UnknownClass> {
        let found = Self::ALL.iter().find(|class| class.name() == name);
        found.copied().ok_or_else(|| UnknownClass(name.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ErrorClass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A call of an exchange that failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct VenueError {
    class: ErrorClass,
    message: String,
    status: Option<u16>,
}

impl VenueError {
    /// An error of `class`; what is longer than 512 bytes is cut. The message must hold no secret: an address
    /// with its query, which may be signed, does not belong in it.
    pub fn new(class: ErrorClass, message: &str) -> Self {
        let mut end = message.len().min(QUOTED_MAX);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let cut = if end < message.len() { "…" } else { "" };
        Self { class, message: format!("{}{cut}", message.get(..end).unwrap_or_default()), status: None }
    }

    /// With the HTTP status that it came with.
    #[must_use]
    pub const fn of_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The HTTP status that it came with, if an answer came.
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// The class scripts tell errors apart by.
    pub const fn class(&self) -> ErrorClass {
        self.class
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_all_its_parents() {
        let chain: Vec<_> = ErrorClass::OnMaintenance.chain().map(ErrorClass::name).collect();
        assert_eq!(chain, ["OnMaintenance", "ExchangeNotAvailable", "NetworkError", "OperationFailed", "BaseError"]);
        assert!(!ErrorClass::NetworkError.is_a(ErrorClass::OnMaintenance));
    }

    #[test]
    fn the_tree_is_the_documented_one() {
        fn walk(tree: &serde_json::Value, parent: Option<ErrorClass>, seen: &mut usize) {
            for (name, below) in tree.as_object().unwrap() {
                let class: ErrorClass = name.parse().unwrap();
                assert_eq!(class.parent(), parent, "{name}");
                *seen += 1;
                walk(below, Some(class), seen);
            }
        }
        let tree = include_str!("../../../testdata/venues/errors/_hierarchy.json");
        let mut seen = 0;
        walk(&serde_json::from_str(tree).unwrap(), None, &mut seen);
        assert_eq!(seen, ErrorClass::ALL.len());
    }

    #[test]
    fn long_answers_are_cut_between_letters() {
        let error = VenueError::new(ErrorClass::BadResponse, &"é".repeat(400));
        assert_eq!(error.to_string().chars().count(), 257);
        assert!("nothing".parse::<ErrorClass>().is_err());
    }
}

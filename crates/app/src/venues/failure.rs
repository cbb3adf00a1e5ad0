//! Why an account could not do what was asked.

use orrery_venues::{ErrorClass, VenueError};

/// Why an account could not do what was asked, beginning with CCXT's class of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It was not done.
    #[error("{class}: {0}", class = .0.class())]
    Refused(VenueError),
    /// Whether it was done is unknown, until the exchange says so.
    #[error("{class}: the outcome of order {order} is unknown: {cause}", class = .cause.class())]
    Unknown {
        /// The account's name of the order, or the exchange's where it was named by that.
        order: String,
        /// Why.
        cause: VenueError,
    },
}

impl Failure {
    /// CCXT's class of it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Refused(error) | Self::Unknown { cause: error, .. } => error.class(),
        }
    }
}

impl From<VenueError> for Failure {
    fn from(error: VenueError) -> Self {
        Self::Refused(error)
    }
}

/// Did the way to the exchange fail, so that it may be asked again at once?
pub(super) fn passes(class: ErrorClass) -> bool {
    let waits = [ErrorClass::RateLimitExceeded, ErrorClass::DDoSProtection, ErrorClass::InvalidNonce];
    class.is_a(ErrorClass::NetworkError) && !waits.iter().any(|waits| class.is_a(*waits))
}

/// Does an answer of this kind leave open whether it was done?
pub(crate) fn leaves_open(error: &VenueError) -> bool {
    let class = error.class();
    passes(class)
        || error.status().is_some_and(|status| status >= 500)
        || class.is_a(ErrorClass::BadResponse)
        || matches!(class, ErrorClass::OperationFailed | ErrorClass::BaseError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_comes_first() {
        let error = VenueError::new(ErrorClass::InsufficientFunds, "binance has not that much");
        assert_eq!(Failure::from(error.clone()).to_string(), "InsufficientFunds: binance has not that much");
        let unknown = Failure::Unknown { order: "mine".into(), cause: error };
        assert!(unknown.to_string().starts_with("InsufficientFunds: the outcome of order mine is unknown"));
    }

    #[test]
    fn what_may_be_asked_again() {
        for class in [ErrorClass::RequestTimeout, ErrorClass::OnMaintenance, ErrorClass::NetworkError] {
            assert!(passes(class), "{class}");
        }
        for class in [ErrorClass::RateLimitExceeded, ErrorClass::InvalidNonce, ErrorClass::ExchangeError] {
            assert!(!passes(class), "{class}");
        }
        assert!(leaves_open(&VenueError::new(ErrorClass::InvalidOrder, "x").of_status(502)));
        assert!(!leaves_open(&VenueError::new(ErrorClass::InvalidOrder, "x").of_status(400)));
    }
}

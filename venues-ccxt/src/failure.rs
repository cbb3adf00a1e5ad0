//! CCXT's errors as those of the port.

use orrery_venues::{ErrorClass, VenueError};

/// An error of CCXT's. One without a class of the tree is a panic of the engine's own: what became of the call is not
/// known then.
pub(crate) fn of(id: &str, error: &ccxt::ExchangeError) -> VenueError {
    // a panic without a class comes as an `ExchangeError` too, but none of CCXT's own begins with its exchange's name
    let own = error.kind == "ExchangeError" && !error.message.starts_with(id);
    match error.kind.parse::<ErrorClass>() {
        Ok(class) if !own => VenueError::new(class, &error.message),
        _ => VenueError::new(ErrorClass::BadResponse, &format!("{id} {}", error.message)),
    }
}

/// The engine did not say what became of it.
pub(crate) fn unreadable(id: &str, method: &str) -> VenueError {
    VenueError::new(ErrorClass::BadResponse, &format!("{id} {method}: CCXT's engine failed"))
}

/// An error of what comes before a call: nothing of the call was sent, so that an order is refused and not unknown.
pub(crate) fn before(error: VenueError) -> VenueError {
    let known = !matches!(error.class(), ErrorClass::BadResponse);
    if known { error } else { VenueError::new(ErrorClass::ExchangeError, &error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ccxt_s_and_what_has_none_is_not_known() {
        let of = |kind: &str, text: &str| of("bitvavo", &ccxt::ExchangeError::new(kind, text)).class();
        assert_eq!(of("InsufficientFunds", "bitvavo {}"), ErrorClass::InsufficientFunds);
        assert_eq!(of("ExchangeError", "bitvavo {}"), ErrorClass::ExchangeError);
        assert_eq!(of("ExchangeError", "index out of bounds"), ErrorClass::BadResponse);
        assert_eq!(of("0", "of [0]"), ErrorClass::BadResponse);
    }
}

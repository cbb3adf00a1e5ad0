//! The way to an exchange and back, as a port: what is sent, what came, and who carries it.

use async_trait::async_trait;
use orrery_kernel::Secret;

use crate::{Permit, Venue, VenueError, withheld};

/// What is done with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are HTTP's")]
pub enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    /// As HTTP writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request that is ready to be sent. Its address and headers may hold a signature: neither belongs in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// What is done.
    pub verb: Verb,
    /// The whole address.
    pub url: String,
    /// Headers beyond those of every request.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Option<String>,
}

impl Request {
    /// May it be sent now, under that permit? Questions (`GET`) always may: they change nothing.
    ///
    /// Errors: [`withheld`].
    pub fn check(&self, permit: &Permit, venue: Venue) -> Result<(), VenueError> {
        if self.verb == Verb::Get || permit.holds() { Ok(()) } else { Err(withheld(venue)) }
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = self.url.split('?').next().unwrap_or_default();
        write!(f, "{} {address}", self.verb.name())
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: String,
}

/// Carries requests. Implementations bound the time and the size of an answer.
///
/// Errors: [`crate::ErrorClass::RequestTimeout`] or [`crate::ErrorClass::NetworkError`] if no whole answer came;
/// the exchange may have done what was asked all the same. [`crate::withheld`] if nothing was sent.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request, once, unless [`Request::check`] says no when its bytes would go out: whatever is waited for
    /// before (a turn, a connection), the permit is asked after it.
    async fn send(&self, request: Request, permit: &Permit) -> Result<Answer, VenueError>;
}

/// What an exchange knows an account by.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The key's name; it is sent with each signed request.
    pub api_key: Secret<String>,
    /// What requests are signed with.
    pub secret: Secret<String>,
    /// The passphrase of exchanges that have one.
    pub password: Option<Secret<String>>,
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use orrery_kernel::{Clock, Entropy, Timestamp};

    use super::*;
    use crate::{ErrorClass, Exchange};

    struct Nowhere;

    #[async_trait]
    impl Transport for Nowhere {
        async fn send(&self, request: Request, permit: &Permit) -> Result<Answer, VenueError> {
            request.check(permit, Venue::Binance)?;
            Err(VenueError::new(ErrorClass::NetworkError, "sent"))
        }
    }

    impl Clock for Nowhere {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_700_000_000_000)
        }
    }

    impl Entropy for Nowhere {
        fn fill(&self, out: &mut [u8]) {
            out.fill(1);
        }
    }

    /// An exchange that cannot be reached, at a standing time.
    pub(crate) fn nowhere(venue: Venue, key: &str, secret: &str) -> Exchange {
        let (api_key, secret) = (Secret::new(key.to_owned()), Secret::new(secret.to_owned()));
        let account = Credentials { api_key, secret, password: None };
        let nowhere = Arc::new(Nowhere);
        Exchange::new(venue, Some(account), nowhere.clone(), nowhere.clone(), nowhere)
    }
}

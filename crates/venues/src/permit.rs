//! The right to change something at an exchange, asked for again when it is used.

use std::sync::Arc;

use crate::{ErrorClass, VenueError};

/// A right that can end while a request is being made ready. A process can be stopped at any instruction and go on
/// after somebody else has the right; so transports ask as late as they can, when the bytes go out.
///
/// ```
/// # use std::sync::Arc;
/// # use std::sync::atomic::{AtomicBool, Ordering};
/// # use orrery_venues::Permit;
/// let leads = Arc::new(AtomicBool::new(true));
/// let permit = Permit::during({
///     let leads = leads.clone();
///     move || leads.load(Ordering::SeqCst)
/// });
/// assert!(permit.holds());
/// leads.store(false, Ordering::SeqCst);
/// assert!(!permit.holds());
/// assert!(Permit::default().holds(), "the default never ends");
/// ```
#[derive(Clone, Default)]
pub struct Permit(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Permit {
    /// One that holds as long as `holds` says so. It is asked often, and must not wait for anything.
    pub fn during(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(holds)))
    }

    /// Does it hold now?
    pub fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|holds| holds())
    }

    /// Can it end?
    pub const fn ends(&self) -> bool {
        self.0.is_some()
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.ends() { "Permit(during)" } else { "Permit(always)" })
    }
}

/// What is said of a request that was not sent because its permit had ended: [`ErrorClass::OperationRejected`].
pub fn withheld(exchange: impl std::fmt::Display) -> VenueError {
    let message = format!("{exchange}: not sent, because the right to send it has ended");
    VenueError::new(ErrorClass::OperationRejected, &message)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::transport::tests::nowhere;
    use crate::{Exchange, Request, Venue, Verb};

    #[tokio::test]
    async fn what_changes_something_is_withheld_once_it_ended() {
        let holds = Arc::new(AtomicBool::new(true));
        let asked = holds.clone();
        let plain = nowhere(Venue::Binance, "key", "secret");
        let under = plain.under(Permit::during(move || asked.load(Ordering::SeqCst)));
        let class = async |exchange: &Exchange, verb| {
            let request =
                Request { verb, url: "https://api.binance.com/api/v3/order".into(), headers: vec![], body: None };
            exchange.ask(request, |_| ()).await.unwrap_err().class()
        };
        assert_eq!(class(&under, Verb::Post).await, ErrorClass::NetworkError, "it was sent, to nowhere");
        holds.store(false, Ordering::SeqCst);
        for verb in [Verb::Post, Verb::Put, Verb::Patch, Verb::Delete] {
            assert_eq!(class(&under, verb).await, ErrorClass::OperationRejected);
        }
        assert_eq!(class(&under, Verb::Get).await, ErrorClass::NetworkError);
        assert_eq!(class(&plain, Verb::Post).await, ErrorClass::NetworkError);
        assert!(matches!(crate::Outcome::of(withheld(Venue::Binance)), crate::Outcome::Rejected(_)));
    }
}

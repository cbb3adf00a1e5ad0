//! Calls of an exchange's methods.

use std::time::Duration;

use orrery_venues::json::{self, Access as _};
use orrery_venues::{Desk, ErrorClass, Found, Venue, VenueError};
use serde::Serialize;
use serde_json::Value;

use super::Venues;
use super::failure::passes;

/// Longest time for a question with all its repetitions.
const READ_TIME: Duration = Duration::from_secs(20);
/// The waits before a question is asked again.
const WAITS: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(1_000)];

/// Calls a method with a list of arguments as JSON.
///
/// Errors: those of [`Desk::call`].
pub async fn call(desk: &dyn Desk, method: &str, arguments: &Value) -> Result<Value, VenueError> {
    let text = arguments.to_string();
    let parsed = json::parse(&text);
    desk.call(method, parsed.as_ref().list().unwrap_or_default()).await
}

/// A structure as JSON, its numbers as doubles.
pub(crate) fn as_value<T: Serialize>(of: &T) -> Value {
    // by its text: what the exchange said is in it as text
    let text = serde_json::to_string(of).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

impl Venues {
    /// Asks an exchange. A question whose way failed is asked again up to twice, one that was refused for its time
    /// once more after the clocks agree; one that was refused for the rate is not. It takes 20 s at most.
    ///
    /// Errors: those of [`Desk::call`].
    pub async fn read(&self, desk: &dyn Desk, method: &str, arguments: &Value) -> Result<Value, VenueError> {
        let late = || VenueError::new(ErrorClass::RequestTimeout, &format!("{} {method}() took too long", desk.id()));
        tokio::time::timeout(READ_TIME, self.ask(desk, method, arguments)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn ask(&self, desk: &dyn Desk, method: &str, arguments: &Value) -> Result<Value, VenueError> {
        let text = arguments.to_string();
        let parsed = json::parse(&text);
        let arguments = parsed.as_ref().list().unwrap_or_default();
        self.again(desk, || desk.call(method, arguments)).await
    }

    /// Asks after an order by the account's name of it, with the same repetitions.
    pub(crate) async fn find(&self, desk: &dyn Desk, name: &str, symbol: &str) -> Result<Found, VenueError> {
        self.again(desk, || desk.find(name, symbol)).await
    }

    async fn again<T, F>(&self, desk: &dyn Desk, one: impl Fn() -> F) -> Result<T, VenueError>
    where
        F: Future<Output = Result<T, VenueError>>,
    {
        let (mut waits, mut synchronised) = (WAITS.iter(), false);
        loop {
            let error = match one().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if error.class() == ErrorClass::InvalidNonce && !synchronised {
                synchronised = true;
                self.synchronise(desk).await.map_err(|_| error)?;
                continue;
            }
            let wait = waits.next().filter(|_| passes(error.class()));
            let Some(wait) = wait else { return Err(error) };
            tokio::time::sleep(self.jittered(*wait)).await;
        }
    }

    /// Makes the exchange's clock agree with it; a simulated one has none of its own.
    pub(crate) async fn synchronise(&self, desk: &dyn Desk) -> Result<(), VenueError> {
        match desk.id().parse::<Venue>() {
            Ok(venue) => self.ports.exchanges.synchronise(venue).await,
            Err(_) => Ok(()),
        }
    }
}

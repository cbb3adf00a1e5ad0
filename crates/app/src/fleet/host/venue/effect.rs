//! What changes an account without making an order: taking orders back, changing them, settings.

use orrery_venues::json::{self, Access as _};
use orrery_venues::{Desk, ErrorClass, VenueError};
use orrery_workers::script::HostError;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::super::{Result, WorkerHost, lost};
use super::{Seat, permit, refused};
use crate::venues::{Venues, call, leaves_open};

/// What scripts may not do by any key: money does not leave by them.
const NEVER: [&str; 1] = ["withdraw"];

/// CCXT's short forms, as the method that they stand for with its arguments.
fn whole(method: &str, arguments: Value) -> (String, Value) {
    let Value::Array(mut given) = arguments else { return (method.to_owned(), arguments) };
    match method {
        "editLimitOrder" if given.len() >= 2 => {
            given.insert(2, json!("limit"));
            ("editOrder".into(), given.into())
        }
        "editLimitBuyOrder" | "editLimitSellOrder" if given.len() >= 2 => {
            let side = if method == "editLimitBuyOrder" { "buy" } else { "sell" };
            given.splice(2..2, [json!("limit"), json!(side)]);
            ("editOrder".into(), given.into())
        }
        "cancelOrderWithClientOrderId" => {
            let name = given.first().cloned().unwrap_or_default();
            given.resize(3, Value::Null);
            if let Some(params) = given.get_mut(2) {
                if !params.is_object() {
                    *params = json!({});
                }
                if let Value::Object(params) = params {
                    params.insert("clientOrderId".into(), name);
                }
            }
            ("cancelOrder".into(), given.into())
        }
        _ => (method.to_owned(), given.into()),
    }
}

impl WorkerHost {
    /// Does it, in a task that the script's end does not end.
    pub(super) async fn change(&self, seat: Seat, method: &str, text: &str) -> Result<Value> {
        if NEVER.contains(&method) {
            return Err(HostError::new("PermissionDenied", format!("scripts may not call {method}()")));
        }
        let arguments = serde_json::from_str(text).unwrap_or_default();
        let (method, arguments) = whole(method, arguments);
        self.may_act().await?;
        self.holds().await?;
        let (shared, running) = (self.shared.clone(), self.running.clone());
        let (sender, done) = oneshot::channel();
        self.shared.tasks.spawn_connection("worker-effect", async move {
            let venues = &shared.ports.venues;
            let permit = permit(&shared, &running);
            let result = send(venues, &*seat.desk.under(permit.clone()), &method, &arguments).await;
            if let Some(account) = &seat.account {
                venues.look_soon(account);
            }
            let result = result.map_err(|error| if permit.holds() { refused(&error) } else { lost(&running) });
            // an error says that the run is over
            let _ = sender.send(result);
        });
        done.await.unwrap_or_else(|_| Err(HostError::new("ExchangeError", "the node failed while it was done")))
    }
}

/// Sends it, again only if it was refused for its time. An order that was to be taken back and is seen not to be open
/// any more is answered although no answer came.
async fn send(venues: &Venues, desk: &dyn Desk, method: &str, arguments: &Value) -> Result<Value, VenueError> {
    let mut result = call(desk, method, arguments).await;
    if matches!(&result, Err(error) if error.class() == ErrorClass::InvalidNonce)
        && venues.synchronise(desk).await.is_ok()
    {
        result = call(desk, method, arguments).await;
    }
    let cause = match result {
        Err(error) if method == "cancelOrder" && leaves_open(&error) => error,
        result => return result,
    };
    let text = arguments.to_string();
    let parsed = json::parse(&text);
    let given = parsed.as_ref().list().unwrap_or_default();
    let (id, symbol) = (given.first().text(), given.get(1).text());
    let seen = venues.read(desk, "fetchOrder", &json!([id, symbol])).await;
    seen.ok().filter(|order| order.get("status").and_then(Value::as_str) != Some("open")).ok_or(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_written_out() {
        let of = |method: &str, given: Value| whole(method, given);
        assert_eq!(
            of("editLimitOrder", json!(["1", "BTC/USDT", "buy", 1, 2])),
            ("editOrder".into(), json!(["1", "BTC/USDT", "limit", "buy", 1, 2]))
        );
        assert_eq!(
            of("editLimitBuyOrder", json!(["1", "BTC/USDT", 1, 2])),
            ("editOrder".into(), json!(["1", "BTC/USDT", "limit", "buy", 1, 2]))
        );
        assert_eq!(
            of("cancelOrderWithClientOrderId", json!(["mine", "BTC/USDT"])),
            ("cancelOrder".into(), json!(["mine", "BTC/USDT", { "clientOrderId": "mine" }]))
        );
        assert_eq!(of("cancelOrder", json!(["1"])), ("cancelOrder".into(), json!(["1"])));
    }
}

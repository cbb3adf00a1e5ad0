//! Orders that were meant: what is written down of one before it is sent.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use orrery_venues::NewOrder;
use orrery_workers::fleet::{Intent, IntentState};
use serde::{Deserialize, Serialize};

use super::super::{Shared, WorkerHost};
use super::Seat;
use crate::venues::NAMES;

/// What an intent says beside its columns. Nothing of the script's parameters is in it but the order's name.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meant {
    pub client_order_id: String,
    /// [`Seat::name`].
    pub desk: String,
    pub symbol: String,
    #[serde(rename = "type")]
    pub order_type: String,
    pub side: String,
    pub amount: Option<String>,
    pub price: Option<String>,
}

/// An order that is on its way; dropping it says that it no longer is.
pub(super) struct OnItsWay<'s>(pub &'s Shared, pub String);

impl<'s> OnItsWay<'s> {
    /// None if it is on its way already.
    pub(super) fn begin(shared: &'s Shared, key: &str) -> Option<Self> {
        let mut sending = shared.sending.lock().unwrap_or_else(PoisonError::into_inner);
        sending.insert(key.to_owned()).then(|| Self(shared, key.to_owned()))
    }

    pub(super) fn is(shared: &Shared, key: &str) -> bool {
        shared.sending.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.0.sending.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// A name for an order that has none, as the exchange takes names. It is made of the worker, the epoch, this process
/// and the number of the order in it, so that no other order of the fleet has it.
fn name(host: &WorkerHost, venue: &str, contract: bool) -> String {
    let number = host.shared.orders.fetch_add(1, Ordering::Relaxed);
    let running = &host.running;
    let told = format!("{}\n{}\n{}\n{number}", running.sid, running.right.epoch(), hex::encode(host.shared.life));
    formed(venue, contract, &hex::encode(orrery_crypto::sha256(told.as_bytes())))
}

/// An order that a process sends when it wakes is refused by its time. Where orders hold for longer than `most`, and
/// say for how long, they say less.
fn shorten(venue: &str, order: &mut NewOrder, most: Duration) {
    if ["binance", "okx", "gate"].contains(&venue) {
        let most = i64::try_from(most.as_millis()).unwrap_or(i64::MAX);
        let asked = order.params.text(&["recvWindow"]).and_then(|text| text.parse().ok());
        order.params.set("recvWindow", asked.unwrap_or(most).min(most));
    }
}

/// Digits in the form that an exchange takes.
fn formed(venue: &str, contract: bool, digits: &str) -> String {
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    match venue {
        "kraken" => part(0, 32).to_owned(),
        "coinbase" => [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"),
        "htx" if contract => u64::from_str_radix(part(0, 15), 16).unwrap_or_default().max(1).to_string(),
        _ => part(0, 24).to_owned(),
    }
}

impl WorkerHost {
    /// The intent of an order, which gets a name if it has none; and whether the script gave it one.
    pub(super) fn intent(&self, seat: &Seat, order: &mut NewOrder) -> (Intent, Meant, bool) {
        let (running, venue) = (&self.running, seat.desk.id());
        shorten(venue, order, self.shared.settings.order_window);
        let given = order.params.text(&NAMES).map(str::to_owned);
        let name = given.clone().unwrap_or_else(|| name(self, venue, order.symbol.contains(':')));
        if given.is_none() {
            order.params.set("clientOrderId", name.as_str());
        }
        // a name that a script chose is unique at its desk alone
        let key = if given.is_some() { format!("{}/{}/{name}", running.sid, seat.name) } else { name.clone() };
        let meant = Meant {
            client_order_id: name,
            desk: seat.name.clone(),
            symbol: order.symbol.clone(),
            order_type: order.order_type.clone(),
            side: format!("{:?}", order.side).to_lowercase(),
            amount: order.amount.map(|amount| amount.to_string()),
            price: order.price.map(|price| price.to_string()),
        };
        let intent = Intent {
            client_order_id: key,
            sid: running.sid.clone(),
            epoch: running.right.epoch(),
            venue: venue.to_owned(),
            account: seat.account.as_ref().map(|account| account.nid.clone()),
            // it is made of texts alone
            body: serde_json::to_string(&meant).unwrap_or_default(),
            state: IntentState::Open,
            order_id: None,
            at: self.shared.ports.wall.now(),
        };
        (intent, meant, given.is_some())
    }
}

#[cfg(test)]
mod tests {
    use orrery_venues::Fields;
    use orrery_venues::unified::Side;

    use super::*;

    #[test]
    fn orders_hold_no_longer_than_a_new_leader_waits() {
        let order = |params: Fields| NewOrder {
            symbol: "BTC/USDT".into(),
            order_type: "market".into(),
            side: Side::Buy,
            amount: None,
            price: None,
            params,
        };
        for (given, window) in [(None, "5000"), (Some(60_000), "5000"), (Some(2_000), "2000")] {
            let mut order = order(Fields::new().with_some("recvWindow", given));
            shorten("binance", &mut order, Duration::from_secs(5));
            assert_eq!(order.params.text(&["recvWindow"]), Some(window));
        }
        let mut other = order(Fields::new());
        shorten("kraken", &mut other, Duration::from_secs(5));
        assert!(other.params.is_empty());
    }

    #[test]
    fn names_are_as_exchanges_take_them() {
        let digits = "0123456789abcdef0123456789abcdef0123456789abcdef";
        assert_eq!(formed("binance", false, digits), "0123456789abcdef01234567");
        assert_eq!(formed("coinbase", false, digits), "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(formed("kraken", false, digits).len(), 32);
        assert!(formed("htx", true, digits).parse::<u64>().is_ok());
    }
}

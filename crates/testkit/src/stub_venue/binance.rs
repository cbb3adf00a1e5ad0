//! Orders of Binance's spot market: taken once for each of the account's names, asked after and taken back by it.

use std::collections::BTreeMap;

use serde_json::json;

use super::Seen;

/// An order that was taken.
pub(super) struct Kept {
    /// How often a request with its name was done.
    pub(super) taken: u32,
    fields: BTreeMap<String, String>,
    id: usize,
    canceled: bool,
}

impl Kept {
    fn said(&self, name: &str) -> String {
        let of = |field: &str| self.fields.get(field).cloned().unwrap_or_default();
        json!({
            "symbol": of("symbol"), "orderId": self.id, "orderListId": -1, "clientOrderId": name,
            "price": of("price"), "origQty": of("quantity"), "executedQty": "0", "cummulativeQuoteQty": "0",
            "status": if self.canceled { "CANCELED" } else { "NEW" }, "timeInForce": "GTC", "type": of("type"),
            "side": of("side"), "time": 1_700_000_000_000_i64, "updateTime": 1_700_000_000_000_i64, "fills": [],
        })
        .to_string()
    }
}

fn fields(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Does a new order come later than it says it holds (Binance Spot API, "Timing security")? What a process sends when it
/// wakes does.
pub(super) fn is_late(seen: &Seen, now: i64) -> bool {
    if seen.verb != "POST" || !seen.path.ends_with("/api/v3/order") {
        return false;
    }
    let fields = fields(&seen.body);
    let number = |name: &str| fields.get(name).and_then(|text| text.parse::<i64>().ok());
    let (Some(signed), window) = (number("timestamp"), number("recvWindow").unwrap_or(5_000)) else { return false };
    now - signed > window
}

/// What becomes of a request about an order; none if it is about something else.
pub(super) fn order(orders: &mut BTreeMap<String, Kept>, seen: &Seen) -> Option<(u16, String)> {
    if !seen.path.ends_with("/api/v3/order") {
        return None;
    }
    if seen.verb == "POST" {
        let fields = fields(&seen.body);
        let name = fields.get("newClientOrderId").cloned().unwrap_or_default();
        let id = orders.len() + 1;
        let kept = orders.entry(name.clone()).or_insert(Kept { taken: 0, fields, id, canceled: false });
        kept.taken += 1;
        return Some((200, kept.said(&name)));
    }
    let fields = fields(&seen.query);
    let by_id = |id: &String| orders.iter().find(|(_, kept)| kept.id.to_string() == *id).map(|(name, _)| name.clone());
    let name = fields.get("origClientOrderId").cloned().or_else(|| fields.get("orderId").and_then(by_id));
    let Some((name, kept)) = name.and_then(|name| orders.get_mut(&name).map(|kept| (name, kept))) else {
        return Some((400, r#"{"code":-2013,"msg":"Order does not exist."}"#.to_owned()));
    };
    kept.canceled |= seen.verb == "DELETE";
    Some((200, kept.said(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_holds_as_long_as_it_says() {
        let seen = |body: &str| Seen {
            verb: "POST".to_owned(),
            path: "/api/v3/order".to_owned(),
            query: String::new(),
            body: body.to_owned(),
        };
        let order = seen("symbol=BTCUSDT&timestamp=100000&recvWindow=3000&signature=x");
        assert!(!is_late(&order, 103_000) && is_late(&order, 103_001));
        let order = seen("symbol=BTCUSDT&timestamp=100000&signature=x");
        assert!(!is_late(&order, 105_000) && is_late(&order, 105_001));
    }
}

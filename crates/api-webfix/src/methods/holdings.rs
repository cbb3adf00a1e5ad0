//! What accounts hold, in the shapes that clients read (document, "Exchange Data Structure").

use orrery_app::venues::{Coin, Digits, Holdings, Snapshot};
use orrery_venues::Number;
use serde_json::{Map, Value, json};

/// Orders of one market and state.
const ORDERS_MAX: usize = 20;
/// Digits after the point of shares.
const SHARE_DIGITS: u32 = 6;

/// A part of the equity; 0 where there is none.
fn share(of: Digits, holdings: &Holdings) -> String {
    of.0.over_to(holdings.equity.0, SHARE_DIGITS).unwrap_or_default().to_string()
}

fn coin(of: &Coin) -> Value {
    json!({
        "coin": of.code,
        "equity": of.equity.to_string(),
        "usdValue": of.value.unwrap_or_default().to_string(),
        "walletBalance": of.balance.to_string(),
        "free": of.free.to_string(),
        "availableToWithdraw": of.free.to_string(),
        "locked": of.used.to_string(),
        "borrowAmount": of.debt.to_string(),
        "unrealisedPnl": of.profit.to_string(),
    })
}

/// `wallet`; zeros while the account was not looked at.
pub(crate) fn wallet(seen: Option<&Snapshot>) -> Value {
    let nothing = Holdings::default();
    let held = seen.map_or(&nothing, |seen| &seen.holdings);
    json!({ "info": { "result": { "list": [{
        "totalEquity": held.equity.to_string(),
        "totalWalletBalance": held.balance.to_string(),
        "totalAvailableBalance": held.available.to_string(),
        "totalPerpUPL": held.profit.to_string(),
        "totalInitialMargin": held.initial.to_string(),
        "totalMaintenanceMargin": held.maintenance.to_string(),
        "accountLTV": share(held.debt, held),
        "accountIMRate": share(held.initial, held),
        "accountMMRate": share(held.maintenance, held),
        "coin": held.coins.iter().map(coin).collect::<Vec<_>>(),
    }] } } })
}

/// Clients compute with numbers that exchanges leave out.
fn numbers(of: &Value, names: &[&str]) -> Map<String, Value> {
    let number = |name: &&str| of.get(*name).filter(|value| value.is_number()).cloned().unwrap_or(0.into());
    names.iter().map(|name| ((*name).to_owned(), number(name))).collect()
}

fn texts(of: &Value, names: &[&str]) -> Map<String, Value> {
    let text = |name: &&str| of.get(*name).filter(|value| value.is_string()).cloned().unwrap_or("".into());
    names.iter().map(|name| ((*name).to_owned(), text(name))).collect()
}

fn position(of: &Value) -> Value {
    let mut all = numbers(
        of,
        &[
            "contracts",
            "contractSize",
            "unrealizedPnl",
            "leverage",
            "liquidationPrice",
            "collateral",
            "notional",
            "markPrice",
            "entryPrice",
            "timestamp",
            "initialMargin",
            "maintenanceMargin",
            "percentage",
        ],
    );
    all.extend(texts(of, &["symbol", "side", "marginMode"]));
    let older = of.get("marginType").or(of.get("marginMode")).filter(|value| value.is_string());
    all.insert("marginType".into(), older.cloned().unwrap_or("".into()));
    all.into()
}

fn order(of: &Value) -> Value {
    let mut all = numbers(of, &["price", "average", "amount", "filled", "remaining", "cost", "timestamp"]);
    all.extend(texts(of, &["id", "clientOrderId", "symbol", "type", "side", "status"]));
    let fee = of.get("fee");
    let cost = fee.and_then(|fee| match fee.get("cost")? {
        Value::String(digits) => Number::parse(digits).map(|cost| json!(cost)),
        cost => cost.is_number().then(|| cost.clone()),
    });
    let currency = fee.and_then(|fee| fee.get("currency")).filter(|value| value.is_string()).cloned();
    all.insert("fee".into(), json!({ "cost": cost.unwrap_or(0.into()), "currency": currency.unwrap_or("".into()) }));
    all.into()
}

fn entry(raw: &Value) -> Value {
    json!({ "value": { "raw": raw } })
}

/// `positions`.
pub(crate) fn positions(seen: Option<&Snapshot>) -> Value {
    let one = |seen: &Snapshot| entry(&json!({ "positions": seen.positions.iter().map(position).collect::<Vec<_>>() }));
    Value::Array(seen.map(one).into_iter().collect())
}

/// Orders of spot markets, or of contracts, by market and state.
fn orders_of(seen: &Snapshot, contracts: bool) -> Value {
    let mut markets = Map::new();
    for of in &seen.orders {
        let symbol = of.get("symbol").and_then(Value::as_str).unwrap_or_default();
        if symbol.is_empty() || symbol.contains(':') != contracts {
            continue;
        }
        let state = match of.get("status").and_then(Value::as_str) {
            Some("open") => "open",
            Some("closed") => "closed",
            _ => "canceled",
        };
        let states = markets.entry(symbol).or_insert_with(|| json!({ "open": [], "closed": [], "canceled": [] }));
        if let Some(list) = states.get_mut(state).and_then(Value::as_array_mut) {
            list.push(order(of));
        }
    }
    for states in markets.values_mut().filter_map(Value::as_object_mut) {
        for list in states.values_mut().filter_map(Value::as_array_mut) {
            // the newest first, and no more than fit a page
            list.sort_by_key(|of| std::cmp::Reverse(of.get("timestamp").and_then(Value::as_i64)));
            list.truncate(ORDERS_MAX);
        }
    }
    Value::Object(markets)
}

/// `orders`.
pub(crate) fn orders(seen: Option<&Snapshot>) -> Value {
    let part = |contracts: bool| -> Vec<Value> {
        seen.map(|seen| entry(&json!({ "orders": orders_of(seen, contracts) }))).into_iter().collect()
    };
    json!({ "spot": part(false), "futures": part(true) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_whole_whatever_an_exchange_leaves_out() {
        let seen = Snapshot {
            positions: vec![json!({"symbol": "BTC/USDT:USDT", "side": "long", "leverage": 3, "marginMode": "cross",
                "liquidationPrice": null})],
            orders: vec![
                json!({"id": "1", "symbol": "BTC/USDT", "status": "open", "price": 1.5, "timestamp": 5}),
                json!({"id": "2", "symbol": "BTC/USDT", "status": "expired", "fee": {"cost": "0.10", "currency": "BNB"}}),
                json!({"id": "3", "symbol": "BTC/USDT:USDT", "status": "closed", "fee": null}),
            ],
            ..Snapshot::default()
        };
        let shown = positions(Some(&seen));
        let one = &shown[0]["value"]["raw"]["positions"][0];
        assert_eq!((&one["liquidationPrice"], &one["leverage"]), (&json!(0), &json!(3)));
        assert_eq!((&one["marginType"], &one["marginMode"]), (&json!("cross"), &json!("cross")));
        let shown = orders(Some(&seen));
        let spot = &shown["spot"][0]["value"]["raw"]["orders"]["BTC/USDT"];
        assert_eq!((&spot["open"][0]["id"], &spot["open"][0]["fee"]["cost"]), (&json!("1"), &json!(0)));
        assert_eq!(spot["canceled"][0]["fee"], json!({"cost": 0.1, "currency": "BNB"}));
        let futures = &shown["futures"][0]["value"]["raw"]["orders"]["BTC/USDT:USDT"];
        assert_eq!(futures["closed"][0]["id"], "3");
        assert_eq!(positions(None), json!([]));
    }
}

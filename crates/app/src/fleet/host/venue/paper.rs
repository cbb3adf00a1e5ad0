//! Play money, for scripts that were written for an exchange whose own words they read.

use orrery_venues::Desk;
use serde_json::{Map, Value, json};

use crate::venues::Venues;

/// What coins are counted in.
const EQUITY: &str = "USDT";

/// A balance whose `info` is in the words that the documented scripts read (`info.result.list[0]`).
pub(super) async fn dressed(venues: &Venues, desk: &dyn Desk, mut balance: Value) -> Value {
    let part = |name: &str| balance.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let (free, used, total) = (part("free"), part("used"), part("total"));
    let tickers = venues.read(desk, "fetchTickers", &json!([])).await.unwrap_or_default();
    let number = |of: &Map<String, Value>, coin: &str| of.get(coin).and_then(Value::as_f64).unwrap_or_default();
    let worth = |coin: &str| match coin {
        EQUITY => 1.0,
        _ => tickers.get(format!("{coin}/{EQUITY}")).and_then(|t| t.get("last")).and_then(Value::as_f64).unwrap_or(0.0),
    };
    let (mut all, mut available, mut coins) = (0.0, 0.0, Vec::new());
    for coin in total.keys() {
        let (free, used, total) = (number(&free, coin), number(&used, coin), number(&total, coin));
        all += total * worth(coin);
        available += free * worth(coin);
        coins.push(json!({
            "coin": coin,
            "equity": total.to_string(),
            "walletBalance": total.to_string(),
            "usdValue": (total * worth(coin)).to_string(),
            "locked": used.to_string(),
            "availableToWithdraw": free.to_string(),
        }));
    }
    let account = json!({
        "accountType": "UNIFIED",
        "totalEquity": all.to_string(),
        "totalWalletBalance": all.to_string(),
        "totalMarginBalance": all.to_string(),
        "totalAvailableBalance": available.to_string(),
        "totalPerpUPL": "0",
        "totalInitialMargin": "0",
        "totalMaintenanceMargin": "0",
        "coin": coins,
    });
    if let Value::Object(balance) = &mut balance {
        balance.insert("info".into(), json!({ "result": { "list": [account] } }));
    }
    balance
}

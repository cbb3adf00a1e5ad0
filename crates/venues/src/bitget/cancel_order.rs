//! Orders that are taken back: "Cancel Order", "Batch Cancel Orders" and "Cancel Plan Order" of each market.

use super::part;
use crate::exchange::Result;
use crate::query::Query;
use crate::unified::Market;
use crate::{ErrorClass, Fields, Value};

/// What is asked, and how the answer says which orders it is about.
pub(super) struct Cancel {
    pub path: &'static str,
    pub fields: Fields,
    /// Whether orders stand in a list of those that were taken back.
    pub listed: bool,
}

/// Of one order.
pub(super) fn one(q: &Query<'_>, market: &Market) -> Cancel {
    let (mode, params) = part::margin_mode(q.params.clone());
    let trailing = params.flag("trailing");
    let (trigger, params) = part::trigger(params.without(&["trailing"]));
    let (client, params) = part::client_id(params);
    let id = match client {
        Some(client) => Fields::new().with("clientOid", client),
        None => Fields::new().with("orderId", q.id),
    };
    let symbol = Fields::new().with("symbol", market.id.as_str());
    let cancel = |path, fields: Fields, params| Cancel { path, fields: fields.and(params), listed: false };
    if market.contract() {
        let (product, params) = part::product(Some(market), params);
        if !trigger && !trailing {
            return cancel("v2/mix/order/cancel-order", symbol.and(id).with("productType", product), params);
        }
        let fields = symbol.with("orderIdList", Value::List(vec![id.into()])).with("productType", product);
        let plan = trailing.then(|| params.text(&["planType"]).unwrap_or("track_plan").to_owned());
        let fields = fields.with_some("planType", plan).and(params);
        return Cancel { path: "v2/mix/order/cancel-plan-order", fields, listed: true };
    }
    match mode.as_deref() {
        // plan orders of the spot market are known without their market
        None if trigger => cancel("v2/spot/trade/cancel-plan-order", id, params),
        None => cancel("v2/spot/trade/cancel-order", symbol.and(id), params),
        Some(mode) => {
            let path =
                if mode == "isolated" { "v2/margin/isolated/cancel-order" } else { "v2/margin/crossed/cancel-order" };
            cancel(path, if trigger { id } else { symbol.and(id) }, params)
        }
    }
}

/// Of several orders of a market.
pub(super) fn several(q: &Query<'_>, market: &Market, ids: &[String]) -> Cancel {
    let (mode, params) = part::margin_mode(q.params.clone());
    let (trigger, params) = part::trigger(params);
    let list = Value::List(ids.iter().map(|id| Fields::new().with("orderId", id.as_str()).into()).collect());
    let symbol = Fields::new().with("symbol", market.id.as_str());
    let cancel = |path, fields: Fields, params| Cancel { path, fields: fields.and(params), listed: true };
    if market.contract() {
        let (product, params) = part::product(Some(market), params);
        let path = if trigger { "v2/mix/order/cancel-plan-order" } else { "v2/mix/order/batch-cancel-orders" };
        return cancel(path, symbol.with("orderIdList", list).with("productType", product), params);
    }
    match mode.as_deref() {
        None => cancel("v2/spot/trade/batch-cancel-order", symbol.with("orderList", list), params),
        Some("cross") => cancel("v2/margin/crossed/batch-cancel-order", symbol.with("orderIdList", list), params),
        Some(_) => cancel("v2/margin/isolated/batch-cancel-order", symbol.with("orderIdList", list), params),
    }
}

/// Of all orders of a market; in the spot market the answer says no more than that it is done.
pub(super) fn all(q: &Query<'_>, market: &Market) -> Result<Cancel> {
    let (mode, params) = part::margin_mode(q.params.clone());
    let (product, params) = part::product(Some(market), params);
    let (trigger, params) = part::trigger(params);
    let symbol = Fields::new().with("symbol", market.id.as_str());
    if market.contract() {
        let path = if trigger { "v2/mix/order/cancel-plan-order" } else { "v2/mix/order/batch-cancel-orders" };
        return Ok(Cancel { path, fields: symbol.with("productType", product).and(params), listed: true });
    }
    if mode.is_some() {
        return Err(
            q.error(ErrorClass::NotSupported, "is not for orders with borrowed money; take them back by their ids")
        );
    }
    let (path, fields) = if trigger {
        let symbols = Value::List(vec![market.id.as_str().into()]);
        ("v2/spot/trade/batch-cancel-plan-order", Fields::new().with("symbolList", symbols))
    } else {
        ("v2/spot/trade/cancel-symbol-order", symbol)
    };
    Ok(Cancel { path, fields: fields.and(params), listed: false })
}

//! What becomes of an order: "Cancel Replace Order" and "Modify Plan Order" of the spot market, "Modify Order",
//! "Modify Trigger Order" and "Modify TPSL Order" of contract markets.

use super::new_order::{Attached, Waits, amount, price};
use super::part;
use crate::exchange::{NewOrder, Result};
use crate::query::Query;
use crate::unified::{Market, Side};
use crate::{ErrorClass, Fields, Number};

/// Parameters of CCXT that are not sent on as they are.
const UNIFIED: [&str; 9] = [
    "stopPrice",
    "triggerType",
    "stopLossPrice",
    "takeProfitPrice",
    "stopLoss",
    "takeProfit",
    "clientOrderId",
    "trailingTriggerPrice",
    "trailingPercent",
];

/// Where an order is changed, and to what.
pub(super) fn order(q: &Query<'_>, market: &Market, order: &NewOrder) -> Result<(&'static str, Fields)> {
    let waits = Waits::of(&order.params, "newCallbackRatio")?;
    let fields = match order.params.text(&["clientOrderId", "clientOid"]) {
        Some(client) => Fields::new().with("clientOid", client),
        None => Fields::new().with("orderId", q.id),
    };
    let (product, params) = part::product(Some(market), order.params.clone());
    let (path, fields) = if market.contract() {
        let fields = fields.with("symbol", market.id.as_str()).with("productType", product);
        contract(q, market, order, fields, &waits)?
    } else {
        spot(q, market, order, fields, &waits)?
    };
    let own: &[&str] = match path {
        "v2/mix/order/modify-order" => &["newClientOrderId"],
        _ if market.contract() => &[],
        _ => &["cost"],
    };
    Ok((path, fields.and(params.without(&UNIFIED).without(own))))
}

fn spot(
    q: &Query<'_>,
    market: &Market,
    order: &NewOrder,
    fields: Fields,
    waits: &Waits,
) -> Result<(&'static str, Fields)> {
    let size = if order.order_type == "market" && order.side == Side::Buy {
        Some(market.price(cost(q, order)?)?)
    } else {
        amount(market, order.amount)?
    };
    let fields = fields.with_some("size", size).with("orderType", order.order_type.as_str());
    let price = price(market, order.price)?;
    match waits.trigger {
        Some(trigger) => {
            let fields = fields.with("triggerPrice", market.price(trigger)?).with_some("executePrice", price);
            Ok(("v2/spot/trade/modify-plan-order", fields))
        }
        None => {
            let fields = fields.with_some("price", price).with("symbol", market.id.as_str());
            Ok(("v2/spot/trade/cancel-replace-order", fields))
        }
    }
}

/// What an order to buy at the market's price may cost.
fn cost(q: &Query<'_>, order: &NewOrder) -> Result<Number> {
    let cost = order.params.number(&["cost"]).or_else(|| order.amount?.times(order.price?));
    let message = "requires the price of an order to buy at the market's price, or params.cost";
    cost.ok_or_else(|| q.error(ErrorClass::InvalidOrder, message))
}

fn contract(
    q: &Query<'_>,
    market: &Market,
    order: &NewOrder,
    fields: Fields,
    waits: &Waits,
) -> Result<(&'static str, Fields)> {
    let (size, at) = (amount(market, order.amount)?, price(market, order.price)?);
    if let Some(trigger) = waits.stop.or(waits.profit) {
        let fields = fields
            .with_some("marginCoin", market.settle_id.as_deref())
            .with_some("size", size)
            .with_some("executePrice", at)
            .with("triggerPrice", market.price(trigger)?);
        return Ok(("v2/mix/order/modify-tpsl-order", fields));
    }
    let fields = fields.with_some("newSize", size);
    if let Some(behind) = &waits.trailing {
        if order.order_type != "market" {
            return Err(q.error(ErrorClass::BadRequest, "trails at the market's price only"));
        }
        let from = price(market, order.params.number(&["trailingTriggerPrice"]).or(order.price))?;
        let fields = fields.with_some("newTriggerPrice", from).with("newCallbackRatio", behind.as_str());
        return Ok(("v2/mix/order/modify-plan-order", fields));
    }
    let mut fields = fields.with_some("newPrice", at);
    let (stop, profit) = (Attached::of(&order.params, "stopLoss"), Attached::of(&order.params, "takeProfit"));
    if let Some(trigger) = waits.trigger {
        fields.set("newTriggerPrice", market.price(trigger)?);
        if let Some(stop) = stop {
            fields = fields
                .with_some("newStopLossTriggerPrice", stop.trigger(market)?)
                .with_some("newStopLossExecutePrice", stop.price(market)?)
                .with("newStopLossTriggerType", stop.by());
        }
        if let Some(profit) = profit {
            fields = fields
                .with_some("newSurplusTriggerPrice", profit.trigger(market)?)
                .with_some("newStopSurplusExecutePrice", profit.price(market)?)
                .with("newStopSurplusTriggerType", profit.by());
        }
        return Ok(("v2/mix/order/modify-plan-order", fields));
    }
    let said = order.params.text(&["newClientOid", "newClientOrderId"]).map(str::to_owned);
    fields.set("newClientOid", said.unwrap_or_else(|| q.exchange.uuid()));
    if let Some(stop) = stop {
        fields = fields.with_some("newPresetStopLossPrice", stop.trigger(market)?);
    }
    if let Some(profit) = profit {
        fields = fields.with_some("newPresetStopSurplusPrice", profit.trigger(market)?);
    }
    Ok(("v2/mix/order/modify-order", fields))
}

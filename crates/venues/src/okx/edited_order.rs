//! What is asked for when an order is changed: "Amend order" and "Amend algo order".

use super::new_order::waits;
use crate::exchange::{NewOrder, Result};
use crate::unified::Market;
use crate::{ErrorClass, Fields, Number, Value, VenueError};

/// At the market's price.
const ANY_PRICE: &str = "-1";

/// Parameters of CCXT that become others.
const UNIFIED: [&str; 7] =
    ["clOrdId", "clientOrderId", "takeProfitPrice", "stopLossPrice", "stopLoss", "takeProfit", "postOnly"];

pub(super) fn fields(id: &str, market: &Market, order: &NewOrder) -> Result<Fields> {
    let params = &order.params;
    let waiting = waits(&order.order_type);
    let mut fields = Fields::new().with("instId", market.id.as_str());
    let client = params.text(&["clOrdId", "clientOrderId"]);
    let name = match (client, waiting) {
        (Some(_), true) => "algoClOrdId",
        (Some(_), false) => "clOrdId",
        (None, true) => "algoId",
        (None, false) => "ordId",
    };
    fields.set(name, client.unwrap_or(id));
    let change = Change { market, order, waiting };
    let stop = params.number(&["stopLossPrice", "newSlTriggerPx"]);
    let profit = params.number(&["takeProfitPrice", "newTpTriggerPx"]);
    if waiting && stop.is_none() && profit.is_none() {
        return Err(bad("requires a stopLossPrice or a takeProfitPrice for an order that waits"));
    }
    change.condition(&mut fields, "Sl", stop)?;
    change.condition(&mut fields, "Tp", profit)?;
    if !waiting {
        change.attached(&mut fields, "Sl", "stopLoss")?;
        change.attached(&mut fields, "Tp", "takeProfit")?;
    }
    if let Some(amount) = order.amount {
        fields.set("newSz", market.amount(amount)?);
    }
    if let Some(price) = order.price.filter(|_| !waiting) {
        fields.set("newPx", market.price(price)?);
    }
    // CCXT sends its own parameters once more, after all others
    Ok(fields.and(params.clone().without(&UNIFIED)).and(params.clone()))
}

fn bad(message: &str) -> VenueError {
    VenueError::new(ErrorClass::BadRequest, &format!("okx editOrder() {message}"))
}

struct Change<'o> {
    market: &'o Market,
    order: &'o NewOrder,
    waiting: bool,
}

impl Change<'_> {
    /// What sets the order off, and the price it has then.
    fn condition(&self, fields: &mut Fields, kind: &str, trigger: Option<Number>) -> Result<()> {
        let Some(trigger) = trigger else { return Ok(()) };
        let name = format!("new{kind}OrdPx");
        let price = self.order.params.number(&[&name]);
        if self.waiting && price.is_none() {
            return Err(bad(&format!("requires {name} for an order that waits")));
        }
        self.set(fields, kind, trigger, price, self.order.order_type == "market")
    }

    /// What closes the position that the order opens.
    fn attached(&self, fields: &mut Fields, kind: &str, unified: &str) -> Result<()> {
        let Some(Value::Object(asked)) = self.order.params.get(unified) else { return Ok(()) };
        let trigger = asked.number(&["triggerPrice"]);
        let trigger = trigger.ok_or_else(|| bad(&format!("requires a triggerPrice in {unified}")))?;
        if kind == "Tp" {
            let limited = asked.text(&["type"]) == Some("limit");
            fields.set("newTpOrdKind", if limited { "limit" } else { "condition" });
        }
        self.set(fields, kind, trigger, asked.number(&["price"]), asked.text(&["type"]) == Some("market"))
    }

    fn set(
        &self,
        fields: &mut Fields,
        kind: &str,
        trigger: Number,
        price: Option<Number>,
        at_market: bool,
    ) -> Result<()> {
        fields.set(&format!("new{kind}TriggerPx"), self.market.price(trigger)?);
        let name = format!("new{kind}OrdPx");
        match price {
            _ if at_market => fields.set(&name, ANY_PRICE),
            Some(price) => fields.set(&name, self.market.price(price)?),
            None => {}
        }
        let name = format!("new{kind}TriggerPxType");
        fields.set(&name, self.order.params.text(&[&name]).unwrap_or("last"));
        Ok(())
    }
}

//! What closes the position an order opens: "Place order", parameter `attachAlgoOrds`; CCXT's `stopLoss`, `takeProfit`.

use super::parse::invalid;
use crate::exchange::Result;
use crate::unified::Market;
use crate::{Fields, Value};

/// At the market's price.
const ANY_PRICE: &str = "-1";

/// Which of the two it is, by the exchange's names.
struct Kind {
    unified: &'static str,
    trigger: &'static str,
    price: &'static str,
    trigger_type: &'static str,
    /// The name of the type, where the exchange wants to know it.
    order_kind: Option<&'static str>,
    /// CCXT's other names of the price.
    prices: [&'static str; 3],
}

const STOP_LOSS: Kind = Kind {
    unified: "stopLoss",
    trigger: "slTriggerPx",
    price: "slOrdPx",
    trigger_type: "slTriggerPxType",
    order_kind: None,
    prices: ["price", "stopLossPrice", "slOrdPx"],
};

const TAKE_PROFIT: Kind = Kind {
    unified: "takeProfit",
    trigger: "tpTriggerPx",
    price: "tpOrdPx",
    trigger_type: "tpTriggerPxType",
    order_kind: Some("tpOrdKind"),
    prices: ["price", "takeProfitPrice", "tpOrdPx"],
};

/// What is attached to an order, if anything is.
pub(super) fn fields(market: &Market, params: &Fields) -> Result<Option<Fields>> {
    let mut attached = Fields::new();
    for kind in [STOP_LOSS, TAKE_PROFIT] {
        if let Some(Value::Object(asked)) = params.get(kind.unified) {
            attached = attached.and(kind.fields(market, asked)?);
        }
    }
    Ok(Some(attached).filter(|attached| !attached.is_empty()))
}

impl Kind {
    fn fields(&self, market: &Market, asked: &Fields) -> Result<Fields> {
        let trigger = asked.number(&["triggerPrice", "stopPrice", self.trigger]);
        let trigger = trigger.ok_or_else(|| invalid(&format!("requires a triggerPrice in {}", self.unified)))?;
        let mut fields = Fields::new().with(self.trigger, market.price(trigger)?);
        let price = asked.number(&self.prices);
        let said = asked.text(&["type"]).or_else(|| asked.text(&[self.order_kind?]));
        let limited = match said {
            Some("limit") => true,
            Some("market") => false,
            Some(_) => return Err(invalid(&format!("takes the type limit or market in {}", self.unified))),
            None => price.is_some(),
        };
        if limited {
            let price = price.ok_or_else(|| invalid(&format!("requires a price in {} for a limit", self.unified)))?;
            if let Some(name) = self.order_kind {
                fields.set(name, "limit");
            }
            fields.set(self.price, market.price(price)?);
        } else {
            fields.set(self.price, ANY_PRICE);
        }
        let by = asked.text(&["triggerPriceType", self.trigger_type]).unwrap_or("last");
        if !matches!(by, "last" | "index" | "mark") {
            return Err(invalid("takes the triggerPriceType last, index or mark"));
        }
        fields.set(self.trigger_type, by);
        Ok(fields)
    }
}

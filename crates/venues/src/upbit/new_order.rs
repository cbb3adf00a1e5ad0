//! What orders ask for: "Create Order" and "Cancel and New Order".

use crate::exchange::{NewOrder, Result};
use crate::query::Query;
use crate::unified::{Market, Side};
use crate::{ErrorClass, Fields, Number, VenueError};

/// Names of the same values where an order is made, and where another is made of one.
struct Names {
    order_type: &'static str,
    price: &'static str,
    volume: &'static str,
    time: &'static str,
    asked_type: [&'static str; 2],
    asked_time: [&'static str; 2],
}

const NEW: Names = Names {
    order_type: "ord_type",
    price: "price",
    volume: "volume",
    time: "time_in_force",
    asked_type: ["ordType", "ord_type"],
    asked_time: ["timeInForce", "time_in_force"],
};
const OTHER: Names = Names {
    order_type: "new_ord_type",
    price: "new_price",
    volume: "new_volume",
    time: "new_time_in_force",
    asked_type: ["newOrdType", "new_ord_type"],
    asked_time: ["newTimeInForce", "new_time_in_force"],
};

/// An order as the methods are asked for it.
struct Asked<'o> {
    q: &'o Query<'o>,
    market: &'o Market,
    order: &'o NewOrder,
}

/// A new order.
pub(super) fn create(q: &Query<'_>, market: &Market, order: &NewOrder) -> Result<Fields> {
    let asked = Asked { q, market, order };
    asked.check(&["selfTradePrevention", "smp_type"])?;
    let fields = Fields::new()
        .with("market", market.id.as_str())
        .with("side", if order.side == Side::Buy { "bid" } else { "ask" });
    let fields = asked.sums(fields, &NEW)?.with_some("identifier", order.params.text(&["clientOrderId"]));
    let fields = asked.lasting(fields, &NEW)?;
    let sent = ["timeInForce", "time_in_force", "postOnly", "clientOrderId", "cost", "selfTradePrevention", "smp_type"];
    Ok(fields.and(asked.rest(&NEW).without(&sent).without(&["test"])))
}

/// Another order in the place of the one named `id`.
pub(super) fn other(q: &Query<'_>, market: &Market, order: &NewOrder) -> Result<Fields> {
    let asked = Asked { q, market, order };
    let prevention = asked.check(&["selfTradePrevention", "new_smp_type"])?;
    let fields = asked.sums(Fields::new().with("prev_order_uuid", q.id), &OTHER)?;
    let fields = fields
        .with_some("new_identifier", order.params.text(&["newClientOrderId"]))
        .with_some("new_smp_type", prevention);
    let fields = asked.lasting(fields, &OTHER)?;
    let sent = ["newTimeInForce", "new_time_in_force", "postOnly", "newClientOrderId", "cost", "selfTradePrevention"];
    Ok(fields.and(asked.rest(&OTHER).without(&sent).without(&["clientOrderId", "new_smp_type"])))
}

impl<'o> Asked<'o> {
    fn error(&self, class: ErrorClass, message: &str) -> VenueError {
        self.q.error(class, message)
    }

    fn required(&self, what: &str) -> VenueError {
        self.error(ErrorClass::ArgumentsRequired, &format!("requires {what}"))
    }

    fn invalid(&self, message: &str) -> VenueError {
        self.error(ErrorClass::InvalidOrder, message)
    }

    fn is(&self, order_type: &str) -> bool {
        self.order.order_type == order_type
    }

    fn best(&self, names: &Names) -> bool {
        self.order.params.text(&names.asked_type) == Some("best")
    }

    /// Parameters without the type if that is known here.
    fn rest(&self, names: &Names) -> Fields {
        let params = self.order.params.clone();
        if self.best(names) { params.without(&names.asked_type) } else { params }
    }

    fn post_only(&self) -> Result<bool> {
        let params = &self.order.params;
        let time = params.text(&["timeInForce"]).map(str::to_uppercase);
        let post_only = params.flag("postOnly") || params.flag("post_only") || time.as_deref() == Some("PO");
        match time.as_deref() {
            Some("IOC" | "FOK") if post_only => Err(self.invalid("a post-only order stays until it is filled")),
            _ if post_only && self.is("market") => Err(self.invalid("a market order cannot be post-only")),
            _ => Ok(post_only),
        }
    }

    /// How orders of one account are kept from each other, which a post-only order does not take.
    fn check(&self, prevention: &[&str]) -> Result<Option<&'o str>> {
        let prevention = self.order.params.text(prevention);
        if self.post_only()? && prevention.is_some() {
            return Err(self.error(ErrorClass::ExchangeError, "takes no selfTradePrevention for a post-only order"));
        }
        Ok(prevention)
    }

    fn amount(&self, of: &str) -> Result<Number> {
        let amount = self.order.amount.ok_or_else(|| self.required(&format!("an amount to {of}")))?;
        self.market.amount(amount)
    }

    /// What a market order may cost.
    fn cost(&self) -> Result<Number> {
        let follows = || self.order.price?.times(self.order.amount?);
        let none = || self.invalid("requires a cost, or a price and an amount, to buy at the market's price");
        let cost = self.order.params.number(&["cost"]).or_else(follows).ok_or_else(none)?;
        self.market.precision.price.map_or(Some(cost), |step| cost.cut_to(step)).ok_or_else(none)
    }

    /// The type, and the price and amount that belong to it.
    fn sums(&self, fields: Fields, names: &Names) -> Result<Fields> {
        let buys = self.order.side == Side::Buy;
        let mut fields = if self.is("limit") {
            let (Some(price), Some(_)) = (self.order.price, self.order.amount) else {
                return Err(self.required("a price and an amount for a limit order"));
            };
            let fields = fields.with(names.order_type, "limit").with(names.price, self.market.price(price)?);
            fields.with(names.volume, self.amount("trade")?)
        } else if self.is("market") && buys {
            fields.with(names.order_type, "price").with(names.price, self.cost()?)
        } else if self.is("market") {
            fields.with(names.order_type, "market").with(names.volume, self.amount("sell")?)
        } else {
            return Err(self.invalid("takes limit and market orders"));
        };
        if self.best(names) {
            fields.set(names.order_type, "best");
            if buys {
                fields.set(names.price, self.cost()?);
            } else {
                fields.set(names.volume, self.amount("sell")?);
            }
        }
        Ok(fields)
    }

    /// How long it stays.
    fn lasting(&self, mut fields: Fields, names: &Names) -> Result<Fields> {
        let order_type = fields.text(&[names.order_type]).map(str::to_owned);
        if self.post_only()? {
            if order_type.as_deref() != Some("limit") {
                return Err(self.invalid("takes limit orders only as post-only"));
            }
            fields.set(names.time, "post_only");
        }
        let time = self.order.params.text(&names.asked_time).map(str::to_lowercase);
        if let Some(time) = time.as_deref().filter(|time| matches!(*time, "ioc" | "fok")) {
            fields.set(names.time, time);
        }
        if order_type.as_deref() == Some("best") && time.is_none() {
            return Err(self.required("a timeInForce for an order of the best price"));
        }
        Ok(fields)
    }
}

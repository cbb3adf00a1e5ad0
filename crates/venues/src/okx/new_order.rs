//! What a new order asks for: "Place order", "Place multiple orders" and "Place algo order".

use super::attached;
use super::parse::invalid;
use crate::exchange::{NewOrder, Result};
use crate::unified::{Market, Side};
use crate::{ErrorClass, Exchange, Fields, Number, VenueError};

/// Parameters of CCXT that are not sent on as they are.
const UNIFIED: [&str; 18] = [
    "recvWindow",
    "currency",
    "ccy",
    "marginMode",
    "timeInForce",
    "stopPrice",
    "triggerPrice",
    "clientOrderId",
    "stopLossPrice",
    "takeProfitPrice",
    "slOrdPx",
    "tpOrdPx",
    "margin",
    "stopLoss",
    "takeProfit",
    "trailingPercent",
    "positionSide",
    "hedged",
];

/// Types of order that wait for something, which are made at an address of their own.
const WAITING: [&str; 6] = ["trigger", "conditional", "oco", "move_order_stop", "iceberg", "twap"];

/// The name this library's orders are known by, and what their names begin with.
const TAG: &str = "6b9ad766b55dBCDE";

/// At the market's price.
const ANY_PRICE: &str = "-1";

/// Whether orders of this type wait for something.
pub(super) fn waits(order_type: &str) -> bool {
    WAITING.contains(&order_type)
}

/// Whether an order waits for something, by what is sent for it.
pub(super) fn is_waiting(fields: &Fields) -> bool {
    fields.text(&["ordType"]).is_some_and(waits)
}

/// The order with a name that no other has, if the account gave it none.
pub(super) fn tagged(exchange: &Exchange, fields: Fields) -> Fields {
    match fields.text(&["clOrdId"]) {
        Some(_) => fields,
        None => fields.with("clOrdId", format!("{TAG}{}", exchange.unique(16))).with("tag", TAG),
    }
}

/// An order and what is known of it before anything is sent.
struct Form<'o> {
    market: &'o Market,
    order: &'o NewOrder,
    params: &'o Fields,
    spot: bool,
    buys: bool,
    at_market: bool,
    /// With borrowed money.
    margin: bool,
    /// `cross` or `isolated`.
    mode: &'o str,
    take_profit: Option<Number>,
    stop_loss: Option<Number>,
}

pub(super) fn fields(market: &Market, order: &NewOrder) -> Result<Fields> {
    let params = &order.params;
    if market.contract() && params.number(&["cost"]).is_some() {
        let message = "okx createOrder() takes a cost in spot markets only";
        return Err(VenueError::new(ErrorClass::NotSupported, message));
    }
    let mode = params.text(&["marginMode", "tdMode"]).filter(|mode| *mode != "cash");
    let form = Form {
        market,
        order,
        params,
        spot: !market.contract(),
        buys: order.side == Side::Buy,
        at_market: order.order_type == "market",
        margin: mode.is_some() || params.flag("margin"),
        mode: mode.unwrap_or("cross"),
        take_profit: params.number(&["takeProfitPrice", "tpTriggerPx"]),
        stop_loss: params.number(&["stopLossPrice", "slTriggerPx"]),
    };
    form.fields()
}

impl Form<'_> {
    fn fields(&self) -> Result<Fields> {
        let word = self.order.order_type.as_str();
        let mut fields = Fields::new()
            .with("instId", self.market.id.as_str())
            .with("side", if self.buys { "buy" } else { "sell" })
            .with("ordType", word);
        let closes_share = self.params.text(&["closeFraction"]).is_some();
        let no_size = closes_share && (self.conditional() || word == "oco");
        if let Some(amount) = self.order.amount.filter(|_| !no_size) {
            fields.set("sz", self.market.amount(amount)?);
        }
        self.set_mode(&mut fields);
        let post_only = self.post_only()?;
        self.set_price(&mut fields)?;
        if let Some(word) = self.lasting(post_only) {
            fields.set("ordType", word);
        }
        self.set_trail(&mut fields);
        if !self.trails()
            && let Some(attached) = attached::fields(self.market, self.params)?
        {
            fields.set("attachAlgoOrds", crate::Value::List(vec![crate::Value::Object(attached)]));
        }
        fields = if self.triggered() { self.trigger(fields)? } else { self.condition(fields)? };
        let mut rest = self.params.clone().without(&UNIFIED);
        if let Some(name) = self.params.text(&["clOrdId", "clientOrderId"]) {
            fields.set("clOrdId", name);
            rest = rest.without(&["clOrdId"]);
        }
        if self.by_cost() {
            rest = rest.without(&["cost", "sz", "createMarketBuyOrderRequiresPrice"]);
        }
        if post_only {
            rest = rest.without(&["postOnly"]);
        }
        if self.hedged() {
            rest = rest.without(&["reduceOnly"]);
        }
        Ok(fields.and(rest))
    }

    fn trigger_price(&self) -> Option<Number> {
        self.params.number(&["triggerPrice", "stopPrice", "triggerPx"])
    }

    /// Becomes an order when a price is reached.
    fn triggered(&self) -> bool {
        self.trigger_price().is_some() || self.order.order_type == "trigger"
    }

    /// Closes what is held when a price is reached.
    fn conditional(&self) -> bool {
        self.stop_loss.is_some() || self.take_profit.is_some() || self.order.order_type == "conditional"
    }

    fn trails(&self) -> bool {
        self.params.text(&["trailingPercent", "callbackRatio", "trailingPrice", "callbackSpread"]).is_some()
    }

    /// In the spot market, for so much of the quote currency.
    fn by_cost(&self) -> bool {
        let said = self.params.text(&["tgtCcy"]) == Some("quote_ccy") || self.params.number(&["cost"]).is_some();
        said && self.spot && self.ends_at_once()
    }

    /// Whose money is used, and which position is changed.
    fn set_mode(&self, fields: &mut Fields) {
        if self.spot {
            if self.margin {
                let own = if self.buys { &self.market.quote } else { &self.market.base };
                fields.set("ccy", self.params.text(&["ccy"]).unwrap_or(own));
            }
            fields.set("tdMode", if self.margin { self.mode } else { "cash" });
        } else {
            if let Some(side) = self.position_side() {
                fields.set("posSide", side);
            }
            fields.set("tdMode", self.mode);
        }
    }

    fn position_side(&self) -> Option<&str> {
        if let Some(said) = self.params.text(&["positionSide"]) {
            return Some(said);
        }
        let reduces = self.params.flag("reduceOnly") || self.params.text(&["closeFraction"]).is_some();
        let closes = reduces || self.take_profit.is_some() || self.stop_loss.is_some();
        // whoever closes a short position buys
        self.hedged().then_some(if self.buys == closes { "short" } else { "long" })
    }

    /// Whether the account may hold one position of each side, and the order is to find its own.
    fn hedged(&self) -> bool {
        !self.spot && self.params.flag("hedged") && self.params.text(&["positionSide"]).is_none()
    }

    fn post_only(&self) -> Result<bool> {
        let time = self.params.text(&["timeInForce"]).map(str::to_uppercase);
        let time = time.as_deref();
        let post_only = self.params.flag("postOnly") || time == Some("PO") || self.order.order_type == "post_only";
        match time {
            Some("IOC" | "FOK") if post_only => Err(invalid("a post-only order cannot be IOC or FOK")),
            _ if post_only && self.at_market => Err(invalid("a market order cannot be post-only")),
            _ => Ok(post_only),
        }
    }

    fn set_price(&self, fields: &mut Fields) -> Result<()> {
        let paid = self.by_cost();
        if self.spot && !self.margin {
            let said = self.params.text(&["tgtCcy"]).unwrap_or("base_ccy");
            fields.set("tgtCcy", if paid { "quote_ccy" } else { said });
        }
        if self.ends_at_once() {
            fields.set("ordType", if self.spot { "market" } else { self.word_at_once() });
            if paid && self.buys {
                fields.set("sz", self.cost()?);
            }
        } else if !self.triggered()
            && !self.conditional()
            && let Some(price) = self.order.price
        {
            fields.set("px", self.market.price(price)?);
        }
        Ok(())
    }

    fn immediate(&self) -> bool {
        self.params.text(&["timeInForce"]) == Some("IOC") || self.order.order_type == "ioc"
    }

    /// Takes what the market has, and what is left is taken back.
    fn limited_at_once(&self) -> bool {
        (self.at_market && self.immediate()) || self.order.order_type == "optimal_limit_ioc"
    }

    fn ends_at_once(&self) -> bool {
        self.at_market || self.limited_at_once()
    }

    fn word_at_once(&self) -> &'static str {
        if self.limited_at_once() { "optimal_limit_ioc" } else { "market" }
    }

    fn cost(&self) -> Result<Number> {
        let said = self.params.number(&["cost", "sz"]);
        let cost = if self.params.flag("createMarketBuyOrderRequiresPrice") {
            said.or_else(|| self.order.amount?.times(self.order.price?))
        } else {
            said.or(self.order.amount)
        };
        let cost = cost.ok_or_else(|| invalid("requires a price to buy at the market, or a cost"))?;
        let step = self.market.precision.price;
        step.map_or(Some(cost), |step| cost.cut_to(step)).ok_or_else(|| invalid("has a cost that is too large"))
    }

    /// The exchange's word for how long the order stays, if it is none of its own.
    fn lasting(&self, post_only: bool) -> Option<&'static str> {
        let whole = self.params.text(&["timeInForce"]) == Some("FOK") || self.order.order_type == "fok";
        let rest = if self.immediate() && !self.limited_at_once() { Some("ioc") } else { None };
        if post_only { Some("post_only") } else { rest.or(whole.then_some("fok")) }
    }

    fn set_trail(&self, fields: &mut Fields) {
        let share = self.params.number(&["trailingPercent", "callbackRatio"]);
        if let Some(share) = share.and_then(|hundredths| hundredths.over(100.into())) {
            fields.set("callbackRatio", share);
        } else if let Some(distance) = self.params.text(&["trailingPrice", "callbackSpread"]) {
            fields.set("callbackSpread", distance);
        } else {
            return;
        }
        fields.set("ordType", "move_order_stop");
    }

    fn trigger(&self, fields: Fields) -> Result<Fields> {
        let trigger = self.trigger_price().map(|price| self.market.price(price)).transpose()?;
        let price = self.order.price.filter(|_| !self.at_market);
        let price = price.map(|price| self.market.price(price)).transpose()?;
        let fields = fields.with("ordType", "trigger").with_some("triggerPx", trigger);
        Ok(if self.at_market { fields.with("orderPx", ANY_PRICE) } else { fields.with_some("orderPx", price) })
    }

    fn condition(&self, fields: Fields) -> Result<Fields> {
        if !self.conditional() {
            return Ok(fields);
        }
        let both = self.take_profit.is_some() && self.stop_loss.is_some();
        let mut fields = fields.with("ordType", if both { "oco" } else { "conditional" });
        if !self.buys {
            fields = fields.without(&["tgtCcy"]);
        }
        if fields.text(&["tdMode"]) == Some("cash") {
            fields.set("tdMode", self.mode);
        }
        for (prefix, at) in [("tp", self.take_profit), ("sl", self.stop_loss)] {
            let Some(at) = at else { continue };
            let name = |rest: &str| format!("{prefix}{rest}");
            fields.set(&name("TriggerPx"), self.market.price(at)?);
            match self.params.number(&[&name("OrdPx")]).or(self.order.price) {
                Some(price) => fields.set(&name("OrdPx"), self.market.price(price)?),
                None => fields.set(&name("OrdPx"), ANY_PRICE),
            }
            let kind = name("TriggerPxType");
            fields.set(&kind, self.params.text(&[&kind]).unwrap_or("last"));
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn asked(kind: &str, params: Fields) -> Result<Fields> {
        let of = match kind {
            "SPOT" => r#"{"instType":"SPOT","instId":"BTC-USDT","lotSz":"0.001","tickSz":"0.1"}"#,
            _ => r#"{"instType":"SWAP","instId":"BTC-USDT-SWAP","uly":"BTC-USDT","lotSz":"0.1","tickSz":"0.1"}"#,
        };
        let market = super::super::markets::market(&json::parse(of).unwrap()).unwrap();
        let order = NewOrder {
            symbol: market.symbol.clone(),
            order_type: "market".to_owned(),
            side: Side::Buy,
            amount: Number::parse("2"),
            price: None,
            params,
        };
        fields(&market, &order)
    }

    #[test]
    fn a_cost_is_spent_in_the_spot_market_only() {
        let cost = || Fields::new().with("cost", "50.17");
        let spent = asked("SPOT", cost()).unwrap();
        assert_eq!((spent.text(&["sz"]), spent.text(&["tgtCcy"])), (Some("50.1"), Some("quote_ccy")));
        assert!(spent.get("cost").is_none());
        assert_eq!(asked("SWAP", cost()).unwrap_err().class(), ErrorClass::NotSupported);
    }

    #[test]
    fn what_closes_a_position_both_ways_waits() {
        let both = asked("SWAP", Fields::new().with("stopLossPrice", "1").with("takeProfitPrice", "9")).unwrap();
        assert_eq!(both.text(&["ordType"]), Some("oco"));
        assert!(is_waiting(&both));
        assert!(!is_waiting(&asked("SWAP", Fields::new()).unwrap()));
    }
}

//! Making orders.

use orrery_kernel::Timestamp;
use orrery_venues::paper::{PaperKind, PaperMarket, PaperOrder, PaperStatus, Size, TimeInForce};
use orrery_venues::unified::Side;
use orrery_venues::{ErrorClass, Fields, NewOrder, Permit, withheld};

use super::room::{Fail, Room};
use super::{ATTEMPTS, PaperExchange, Result, Stand, again, error};

/// Open orders of an account in one market.
const OPEN_OF_ACCOUNT: usize = 200;
/// Longest name of an order, in bytes.
const NAME_MAX: usize = 64;
/// Parameters by which exchanges know the account's name of an order.
pub(super) const NAMES: [&str; 5] = ["clientOrderId", "newClientOrderId", "orderLinkId", "clOrdId", "clientOid"];
/// Parameters that ask for what there is not here.
const UNSUPPORTED: [&str; 7] = [
    "triggerPrice",
    "stopPrice",
    "stopLossPrice",
    "takeProfitPrice",
    "trailingAmount",
    "trailingPercent",
    "marginMode",
];

/// An order as it is asked for, in whole numbers.
struct Terms {
    side: Side,
    kind: PaperKind,
    time_in_force: TimeInForce,
    /// Of a limit order.
    price: i64,
    size: Size,
}

fn invalid(what: &str) -> Fail {
    Fail::Refused(error(ErrorClass::InvalidOrder, what))
}

fn time_in_force(params: &Fields) -> Result<TimeInForce, Fail> {
    let word = params.text(&["timeInForce"]).unwrap_or("GTC").to_uppercase();
    let found = TimeInForce::parse(&word).ok_or_else(|| invalid("knows the times in force GTC, IOC, FOK and PO"))?;
    match (params.flag("postOnly"), found) {
        (true, TimeInForce::Ioc | TimeInForce::Fok) => {
            Err(invalid("cannot keep an order that does not stay from being filled"))
        }
        (true, _) => Ok(TimeInForce::Po),
        (false, found) => Ok(found),
    }
}

impl Terms {
    fn of(market: &PaperMarket, order: &NewOrder) -> Result<Self, Fail> {
        let params = &order.params;
        if UNSUPPORTED.iter().any(|name| params.text(&[name]).is_some()) || params.flag("reduceOnly") {
            let text = "has spot orders of the types limit and market only, without triggers";
            return Err(Fail::Refused(error(ErrorClass::NotSupported, text)));
        }
        let cost = params.number(&["cost", "quoteOrderQty"]);
        let amount = || {
            order
                .amount
                .ok_or_else(|| error(ErrorClass::ArgumentsRequired, "createOrder() requires an amount argument"))
        };
        match order.order_type.to_lowercase().as_str() {
            "limit" => {
                let price = order.price.ok_or_else(|| invalid("needs the price of a limit order"))?;
                let (price, lots) = (market.ticks(price)?, market.lots(amount()?)?);
                market.check_cost(price, lots)?;
                let time_in_force = time_in_force(params)?;
                Ok(Self { side: order.side, kind: PaperKind::Limit, time_in_force, price, size: Size::Lots(lots) })
            }
            "market" => {
                let size = match cost {
                    Some(cost) => Size::Cost(market.minor(cost)?),
                    None => Size::Lots(market.lots(amount()?)?),
                };
                let time_in_force = TimeInForce::Ioc;
                Ok(Self { side: order.side, kind: PaperKind::Market, time_in_force, price: 0, size })
            }
            other => Err(invalid(&format!("has no orders of type {other}"))),
        }
    }

    /// Whether an order that is there was asked for in the same words. How many lots a cost was is not known any more.
    fn are_those_of(&self, market: &PaperMarket, there: &PaperOrder) -> bool {
        let lots = match self.size {
            Size::Lots(lots) => lots,
            Size::Cost(_) => there.lots,
        };
        let price = if self.kind == PaperKind::Limit { self.price } else { there.price };
        let asked = (self.side, self.kind, self.time_in_force, price, lots);
        market.symbol == there.symbol && asked == (there.side, there.kind, there.time_in_force, there.price, there.lots)
    }
}

impl PaperExchange {
    /// Makes an order under the account's name of it, once, while the permit holds: asked for again it is answered as
    /// it stands.
    pub(super) async fn place(
        &self,
        account: &str,
        name: &str,
        order: &NewOrder,
        permit: &Permit,
    ) -> Result<PaperOrder, Fail> {
        let stand = self.stand(&order.symbol)?;
        let terms = Terms::of(&stand.market, order)?;
        let plain = (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        if !plain {
            return Err(invalid("takes names of orders of 1 to 64 visible ASCII characters"));
        }
        self.open(account).await?;
        again!(self.try_place(stand, account, name, &terms, permit).await)
    }

    async fn try_place(
        &self,
        stand: &Stand,
        account: &str,
        name: &str,
        terms: &Terms,
        permit: &Permit,
    ) -> Result<PaperOrder, Fail> {
        let mut room = stand.room.lock().await;
        // before the price: an order that is there is answered, however old the price is
        self.enter(stand, &mut room).await?;
        if let Some(there) = self.named(account, name).await? {
            return answered(&stand.market, terms, there);
        }
        let current = self.current(stand, &mut room).await?;
        let pending = plan(current, account, name, terms, self.ports.clock.now())?;
        // a price may have been waited for
        if !permit.holds() {
            return Err(Fail::Refused(withheld("paper")));
        }
        self.commit(
            &mut room,
            orrery_venues::paper::Changes { orders: [(pending.n, pending.clone())].into(), trades: Vec::new() },
        )
        .await?;
        let placed = self.finish(&mut room, pending).await?;
        self.settle(&mut room).await.map_err(Fail::unknown)?;
        Ok(placed)
    }

    /// An account's order by its name of it.
    pub(super) async fn named(&self, account: &str, name: &str) -> Result<Option<PaperOrder>> {
        let found = self.ports.store.paper_order_named(account, name).await;
        found.map_err(|why| super::unavailable(&why))
    }
}

/// The answer of an order that is there already.
fn answered(market: &PaperMarket, terms: &Terms, there: PaperOrder) -> Result<PaperOrder, Fail> {
    if !terms.are_those_of(market, &there) {
        let text = "has another order of this account under this clientOrderId";
        return Err(Fail::Refused(error(ErrorClass::DuplicateOrderId, text)));
    }
    if there.status == PaperStatus::Rejected {
        let text = "refused the order of this clientOrderId: there was too little money for it";
        return Err(Fail::Refused(error(ErrorClass::InsufficientFunds, text)));
    }
    Ok(there)
}

/// The order to be written down, with what it will hold.
fn plan(room: &Room, account: &str, name: &str, terms: &Terms, now: Timestamp) -> Result<PaperOrder, Fail> {
    let (engine, market) = (&room.engine, room.engine.market());
    if engine.open().filter(|order| order.account == account).count() >= OPEN_OF_ACCOUNT {
        return Err(invalid(&format!("keeps {OPEN_OF_ACCOUNT} open orders of an account in a market")));
    }
    let (price, lots, cost) = match (terms.kind, terms.size) {
        (PaperKind::Limit, Size::Lots(lots)) => (terms.price, lots, market.cost(terms.price, lots)),
        (_, size) => {
            let planned = engine.plan(terms.side, size);
            if planned.lots == 0 {
                let text = format!("has nobody to fill a market order of {} with", market.symbol);
                return Err(Fail::Refused(error(ErrorClass::OrderNotFillable, &text)));
            }
            let lots = if let Size::Lots(lots) = size { lots } else { planned.lots };
            market.check_cost(planned.worst, lots)?;
            (planned.worst, lots, planned.cost)
        }
    };
    let held = if terms.side == Side::Buy { cost } else { market.amount(lots) };
    let order = PaperOrder {
        symbol: market.symbol.clone(),
        n: room.orders + 1,
        account: account.to_owned(),
        client_id: Some(name.to_owned()),
        side: terms.side,
        kind: terms.kind,
        time_in_force: terms.time_in_force,
        price,
        lots,
        filled: 0,
        cost: 0,
        fee: 0,
        held,
        left: held,
        status: PaperStatus::Pending,
        created_at: now,
        updated_at: now,
        traded_at: None,
    };
    if order.time_in_force == TimeInForce::Po && engine.crosses(&order) {
        let text = "would fill this order at once, which it is not to be";
        return Err(Fail::Refused(error(ErrorClass::OrderImmediatelyFillable, text)));
    }
    Ok(order)
}

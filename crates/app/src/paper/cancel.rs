//! Taking orders back.

use orrery_venues::ErrorClass;
use orrery_venues::paper::PaperOrder;

use super::room::Fail;
use super::{ATTEMPTS, PaperExchange, Result, Stand, again, error, unavailable};

fn not_found(id: &str) -> orrery_venues::VenueError {
    error(ErrorClass::OrderNotFound, &format!("has no order {id} of this account that could be taken back"))
}

impl PaperExchange {
    /// Takes an order back; one that is over cannot be.
    pub(super) async fn cancel(&self, account: &str, id: &str) -> Result<(&Stand, PaperOrder), Fail> {
        let named = PaperOrder::parse_id(id).and_then(|(market, n)| Some((self.stand_of(market)?, n)));
        let (stand, n) = named.ok_or_else(|| not_found(id))?;
        let order = again!(self.try_cancel(stand, account, |one| one == n).await)?;
        Ok((stand, order.into_iter().next().ok_or_else(|| not_found(id))?))
    }

    /// Takes back what an account has open, in one market or in all.
    pub(super) async fn cancel_all(
        &self,
        account: &str,
        symbol: Option<&str>,
    ) -> Result<Vec<(&Stand, PaperOrder)>, Fail> {
        let only = symbol.map(|symbol| self.stand(symbol)).transpose()?;
        let mut all = Vec::new();
        for stand in self.stands.iter().filter(|stand| only.is_none_or(|only| only.market.id == stand.market.id)) {
            let orders = again!(self.try_cancel(stand, account, |_| true).await)?;
            all.extend(orders.into_iter().map(|order| (stand, order)));
        }
        Ok(all)
    }

    async fn try_cancel(
        &self,
        stand: &Stand,
        account: &str,
        which: impl Fn(i64) -> bool,
    ) -> Result<Vec<PaperOrder>, Fail> {
        let mut room = stand.room.lock().await;
        let entered = self.enter(stand, &mut room).await?;
        // what the price of now fills is filled; without one the order can be taken back all the same
        if entered.engine.open().next().is_some() && self.price(&stand.market, self.ports.clock.now()).is_ok() {
            self.current(stand, &mut room).await?;
        }
        let now = self.ports.clock.now();
        let there = room.as_mut().ok_or(Fail::Again)?;
        let own = there.engine.open().filter(|order| order.account == account && which(order.n)).map(|order| order.n);
        let mut changes = orrery_venues::paper::Changes::default();
        for n in own.collect::<Vec<_>>() {
            changes.orders.extend(there.engine.cancel(n, now).unwrap_or_default().orders);
        }
        let canceled = changes.orders.values().cloned().collect();
        self.commit(&mut room, changes).await?;
        self.settle(&mut room).await.map_err(Fail::unknown)?;
        Ok(canceled)
    }

    /// An order of the account by the exchange's name of it.
    pub(super) async fn order(&self, account: &str, id: &str) -> Result<(&Stand, PaperOrder)> {
        let named = PaperOrder::parse_id(id).and_then(|(market, n)| Some((self.stand_of(market)?, n)));
        let none = || error(ErrorClass::OrderNotFound, &format!("has no order {id} of this account"));
        let (stand, n) = named.ok_or_else(none)?;
        self.bring_up(stand).await?;
        let found = self.ports.store.paper_order(&stand.market.symbol, n).await.map_err(|why| unavailable(&why))?;
        Ok((stand, found.filter(|order| order.account == account).ok_or_else(none)?))
    }
}

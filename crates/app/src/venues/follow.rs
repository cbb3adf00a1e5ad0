//! Accounts that are listened to: what their exchanges say goes into what was seen of them at once. Looks go on all the
//! same, for streams tell only what changes, and not everything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orrery_venues::stream::{Listener, News, Part};
use orrery_venues::unified::Balances;
use orrery_venues::{Credentials, Number, Venue};
use orrery_wallets::{Account, Status};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::gather::{COINS_MAX, Looking, POSITIONS_MAX, number, text, trimmed};
use super::snapshot::{Coin, Digits, Snapshot};
use super::{Place, VenueEvent, Venues, lock, open, place_of};

/// Accounts that are listened to; those beyond are only looked at.
const FOLLOWED_MAX: usize = 500;
/// News of an account that wait; with one more the account is looked at instead.
const NEWS_MAX: usize = 256;
/// How long news are gathered before they are told.
const GATHERED: Duration = Duration::from_millis(100);
/// An account that was seen so recently is not looked at because a stream of it began.
const FRESH: Duration = Duration::from_secs(10);
/// A look follows news of contracts after so long: their streams leave out margins.
const LOOK_AFTER: Duration = Duration::from_secs(5);
/// Orders of an account; those beyond are left out, the oldest first.
const ORDERS_MAX: usize = 400;

/// Currencies by the part of the account that has them.
pub(super) type Parts = BTreeMap<Part, BTreeMap<String, Coin>>;

/// What was seen, and what of it each part has.
pub(super) struct Seen {
    pub snapshot: Snapshot,
    pub parts: Parts,
}

/// An account that is listened to.
pub(super) struct Followed {
    version: String,
    stop: CancellationToken,
    seen: Option<Seen>,
    /// Counts the looks, so that news do not go over a newer one.
    looks: u64,
    /// Counts the news.
    news: u64,
}

/// Takes what the streams of an account say.
struct Ears {
    news: mpsc::Sender<News>,
    missed: AtomicBool,
}

impl Listener for Ears {
    fn heard(&self, news: News) {
        if self.news.try_send(news).is_err() {
            self.missed.store(true, Ordering::Relaxed);
        }
    }
}

impl Venues {
    /// Listens to the account from now on, where its exchange tells of accounts.
    pub(super) fn follow(self: &Arc<Self>, account: &Account) {
        if account.exchange == open::PAPER || account.status() != Status::Active {
            return;
        }
        let (place, version) = (place_of(account), open::version(account));
        let (Ok(venue), stop) = (open::venue(&account.exchange), CancellationToken::new()) else { return };
        {
            let mut followed = lock(&self.followed);
            let known = followed.get(&place);
            if known.is_some_and(|known| known.version == version) || known.is_none() && followed.len() >= FOLLOWED_MAX
            {
                return;
            }
            let new = Followed { version, stop: stop.clone(), seen: None, looks: 0, news: 0 };
            if let Some(old) = followed.insert(place, new) {
                old.stop.cancel();
            }
        }
        let Ok(credentials) = self.credentials(account) else { return };
        let (venues, account, stopping) = (self.clone(), account.clone(), self.tasks.stopping());
        self.tasks.spawn_connection("venue-account", async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = stop.cancelled() => {}
                () = venues.listen(&account, venue, credentials) => {}
            }
        });
    }

    /// Listens to the account no more.
    pub(super) fn unfollow(&self, place: &Place) {
        if let Some(followed) = lock(&self.followed).remove(place) {
            followed.stop.cancel();
        }
    }

    /// How much was said of an account so far.
    pub(super) fn news_of(&self, place: &Place) -> u64 {
        lock(&self.followed).get(place).map_or(0, |followed| followed.news)
    }

    /// What a look saw.
    pub(super) fn saw(&self, account: &Account, seen: Seen) {
        if let Some(followed) = lock(&self.followed).get_mut(&place_of(account)) {
            followed.looks += 1;
            followed.seen = Some(seen);
        }
    }

    async fn listen(&self, account: &Account, venue: Venue, credentials: Credentials) {
        let (sender, news) = mpsc::channel(NEWS_MAX);
        let ears = Arc::new(Ears { news: sender, missed: AtomicBool::new(false) });
        tokio::select! {
            error = self.ports.exchanges.follow(venue, credentials, ears.clone()) => {
                tracing::debug!(%venue, %error, "an account is only looked at");
            }
            () = self.hear(account, news, &ears) => {}
        }
    }

    async fn hear(&self, account: &Account, mut news: mpsc::Receiver<News>, ears: &Ears) {
        while let Some(first) = news.recv().await {
            tokio::time::sleep(GATHERED).await;
            let mut all = vec![first];
            while let Ok(next) = news.try_recv() {
                all.push(next);
            }
            if ears.missed.swap(false, Ordering::Relaxed) {
                self.look_soon(account);
            }
            self.take(account, all).await;
        }
    }

    /// Puts news into what was seen, and tells it.
    async fn take(&self, account: &Account, all: Vec<News>) {
        let place = place_of(account);
        let contracts = all.iter().any(|news| matches!(news, News::Balance(Part::Contracts, _) | News::Positions(_)));
        let began = all.contains(&News::Began);
        let taken = {
            let mut followed = lock(&self.followed);
            let Some(followed) = followed.get_mut(&place) else { return };
            followed.news += 1;
            let looks = followed.looks;
            followed.seen.as_mut().map(|seen| {
                let changed = all.into_iter().fold(false, |changed, news| seen.take(news) || changed);
                (changed.then(|| (seen.parts.clone(), seen.snapshot.clone())), looks, seen.snapshot.at)
            })
        };
        let Some((changed, looks, at)) = taken else { return };
        let now = self.ports.clock.now();
        if began && now.millis() - at > i64::try_from(FRESH.as_millis()).unwrap_or(i64::MAX) {
            self.look_soon(account);
        } else if contracts {
            self.look_within(account, LOOK_AFTER);
        }
        let Some((parts, mut snapshot)) = changed else { return };
        let Ok(desk) = self.desk(account).await else { return };
        let looking = Looking { account, desk: &*desk, symbols: Vec::new(), contracts: true };
        snapshot.holdings = self.valued(&looking, together(&parts), &snapshot.positions).await;
        snapshot.at = now.millis();
        if let Some(seen) = lock(&self.followed).get_mut(&place).filter(|followed| followed.looks == looks) {
            if let Some(seen) = &mut seen.seen {
                (seen.snapshot.holdings, seen.snapshot.at) = (snapshot.holdings.clone(), snapshot.at);
            }
        } else {
            // a look was newer
            return;
        }
        self.keep(account, &snapshot).await;
        lock(&self.portfolios).clear();
        self.tell(VenueEvent::Looked(Arc::new(account.clone())));
    }
}

/// What all parts have.
pub(super) fn together(parts: &Parts) -> BTreeMap<String, Coin> {
    let mut all: BTreeMap<String, Coin> = BTreeMap::new();
    let plus = |sum: &mut Digits, more: Digits| sum.0 = sum.0.plus(more.0).unwrap_or(sum.0);
    for coin in parts.values().flat_map(BTreeMap::values) {
        let sum = all.entry(coin.code.clone()).or_insert_with(|| Coin { code: coin.code.clone(), ..Coin::default() });
        plus(&mut sum.balance, coin.balance);
        plus(&mut sum.free, coin.free);
        plus(&mut sum.used, coin.used);
        plus(&mut sum.debt, coin.debt);
    }
    all
}

impl Seen {
    /// Takes news; gives whether anything is another.
    fn take(&mut self, news: News) -> bool {
        match news {
            News::Began => return false,
            News::Balance(part, balances) => take_balances(self.parts.entry(part).or_default(), &balances),
            News::Orders(orders) => {
                for order in orders.iter().filter_map(|order| orrery_venues::as_script(order).ok()) {
                    take_order(&mut self.snapshot.orders, trimmed(order));
                }
            }
            News::Positions(positions) => {
                for position in positions.iter().filter_map(|position| orrery_venues::as_script(position).ok()) {
                    take_position(&mut self.snapshot.positions, trimmed(position));
                }
            }
        }
        true
    }
}

/// Currencies that are not named stay as they are.
fn take_balances(coins: &mut BTreeMap<String, Coin>, balances: &Balances) {
    for (code, balance) in &balances.of {
        let something = |number: Option<Number>| number.and_then(Number::nonzero).is_some();
        if ![balance.total, balance.free, balance.debt].into_iter().any(something) {
            coins.remove(code);
            continue;
        }
        if coins.len() >= COINS_MAX && !coins.contains_key(code) {
            continue;
        }
        let coin = coins.entry(code.clone()).or_insert_with(|| Coin { code: code.clone(), ..Coin::default() });
        for (digits, said) in [
            (&mut coin.balance, balance.total),
            (&mut coin.free, balance.free),
            (&mut coin.used, balance.used),
            (&mut coin.debt, balance.debt),
        ] {
            digits.0 = said.unwrap_or(digits.0);
        }
    }
}

/// What is said now, over what was said before and is not said now.
fn put_over(before: &mut Value, now: Value) {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            before.extend(now.into_iter().filter(|(_, value)| !value.is_null()));
        }
        (before, now) => *before = now,
    }
}

fn take_order(orders: &mut Vec<Value>, order: Value) {
    let same =
        |other: &&mut Value| text(other, "id") == text(&order, "id") && text(other, "symbol") == text(&order, "symbol");
    match orders.iter_mut().find(same) {
        Some(known) => put_over(known, order),
        None => {
            orders.insert(0, order);
            orders.truncate(ORDERS_MAX);
        }
    }
}

fn take_position(positions: &mut Vec<Value>, position: Value) {
    let hedged = position.get("hedged").and_then(Value::as_bool) == Some(true);
    let same = |other: &Value| {
        text(other, "symbol") == text(&position, "symbol")
            && (!hedged || text(other, "side") == text(&position, "side"))
    };
    let over = number(&position, "contracts").and_then(Number::nonzero).is_none();
    match positions.iter().position(same) {
        Some(place) if over => drop(positions.remove(place)),
        Some(place) => {
            if let Some(known) = positions.get_mut(place) {
                put_over(known, position);
            }
        }
        None if over || positions.len() >= POSITIONS_MAX => {}
        None => positions.push(position),
    }
}

#[cfg(test)]
mod tests {
    use orrery_venues::unified::Balance;
    use serde_json::json;

    use super::*;

    fn n(digits: &str) -> Number {
        Number::parse(digits).unwrap()
    }

    fn balances(of: &[(&str, &str)]) -> Balances {
        let one = |(code, total): &(&str, &str)| {
            let balance = Balance { free: Some(n(total)), used: Some(n("0")), total: Some(n(total)), debt: None };
            ((*code).to_owned(), balance)
        };
        Balances { of: of.iter().map(one).collect(), ..Balances::default() }
    }

    #[test]
    fn parts_keep_what_is_theirs() {
        let mut seen = Seen { snapshot: Snapshot::default(), parts: Parts::new() };
        assert!(!seen.take(News::Began));
        assert!(seen.take(News::Balance(Part::Main, balances(&[("BTC", "1"), ("USDT", "10")]))));
        seen.take(News::Balance(Part::Contracts, balances(&[("USDT", "5")])));
        seen.take(News::Balance(Part::Main, balances(&[("BTC", "0"), ("USDT", "11.5")])));
        let all = together(&seen.parts);
        assert_eq!(all.keys().collect::<Vec<_>>(), ["USDT"], "what is spent is gone");
        assert_eq!((all["USDT"].balance.0, all["USDT"].free.0), (n("16.5"), n("16.5")));
    }

    #[test]
    fn orders_change_in_place() {
        let mut orders = vec![json!({"id": "1", "symbol": "BTC/USDT", "status": "open", "price": 5})];
        take_order(&mut orders, json!({"id": "1", "symbol": "BTC/USDT", "status": "closed", "price": null}));
        take_order(&mut orders, json!({"id": "2", "symbol": "BTC/USDT", "status": "open"}));
        assert_eq!(orders[1], json!({"id": "1", "symbol": "BTC/USDT", "status": "closed", "price": 5}));
        assert_eq!(orders[0]["id"], "2");
        for id in 0..500 {
            take_order(&mut orders, json!({"id": format!("n{id}"), "symbol": "BTC/USDT"}));
        }
        assert_eq!(orders.len(), ORDERS_MAX);
    }

    #[test]
    fn positions_that_are_over_are_gone() {
        let of = |side: &str, contracts: f64, hedged: bool| {
            json!({"symbol": "BTC/USDT:USDT", "side": side, "contracts": contracts, "hedged": hedged,
                "initialMargin": null})
        };
        let mut positions =
            vec![json!({"symbol": "BTC/USDT:USDT", "side": "long", "contracts": 1, "initialMargin": 7})];
        take_position(&mut positions, of("long", 2.0, false));
        assert_eq!((&positions[0]["contracts"], &positions[0]["initialMargin"]), (&json!(2.0), &json!(7)));
        take_position(&mut positions, of("short", 3.0, true));
        assert_eq!(positions.len(), 2, "both sides at once");
        take_position(&mut positions, of("short", 0.0, true));
        assert_eq!((positions.len(), text(&positions[0], "side")), (1, "long"));
    }
}

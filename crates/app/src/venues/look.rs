//! Looks at accounts, each again and again.
//!
//! Several servers on one database share the work where they share a cache: an account that another looked at in the
//! meantime is passed over. Two that look at once do no harm, for both only read.

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::Timestamp;
use orrery_venues::{ErrorClass, VenueError};
use orrery_wallets::{Account, Status};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::follow::Seen;
use super::gather::{Looking, note};
use super::snapshot::Snapshot;
use super::{Place, VenueEvent, Venues, lock, open, place_of};

/// Accounts that are looked at; those beyond, by owner and name, are not.
const ACCOUNTS_MAX: usize = 10_000;
/// Accounts read at once.
const PAGE: u32 = 500;
/// Between two looks for accounts that are due.
const TICK: Duration = Duration::from_secs(1);
/// Between two readings of which accounts there are: another server may have taken a new one.
const SCAN_PERIOD: Duration = Duration::from_secs(10);
/// Longest time that an account which fails is left alone.
const FAILING_MAX: Duration = Duration::from_secs(900);
/// Time that one is left alone at least whose exchange wants fewer requests.
const LIMITED: Duration = Duration::from_secs(60);
/// Time until the next look after one in which news came.
const NEWS_LOOK: Duration = Duration::from_secs(2);
/// Before contracts are asked for again that the exchange refused to tell of.
const REFUSED_FOR: Duration = Duration::from_secs(600);

/// When an account is looked at, and what is known of it.
pub(super) struct Turn {
    due: Timestamp,
    /// It is being looked at.
    busy: bool,
    /// Somebody wants it looked at whatever another server saw.
    wanted: bool,
    failures: u32,
    symbols: Vec<String>,
    no_contracts: Option<Timestamp>,
}

impl Turn {
    fn at(due: Timestamp) -> Self {
        Self { due, busy: false, wanted: false, failures: 0, symbols: Vec::new(), no_contracts: None }
    }
}

/// Says that an account is not being looked at any more, however that ended.
struct Busy(Arc<Venues>, Place);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(turn) = lock(&self.0.due).get_mut(&self.1) {
            turn.busy = false;
        }
        self.0.wake.notify_one();
    }
}

/// Is it one to look at?
fn is_open(account: &Account) -> bool {
    account.is_connected() && account.status() != Status::Stopped
}

impl Venues {
    /// Looks at every account about as often as the settings say, until `stopping`.
    pub async fn run(self: Arc<Self>, stopping: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.settings.at_once));
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut scanned: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {}
                () = self.wake.notified() => {}
            }
            if scanned.is_none_or(|at| at.elapsed() >= SCAN_PERIOD) {
                scanned = Some(tokio::time::Instant::now());
                self.scan().await;
            }
            self.begin(&permits, &stopping);
        }
    }

    /// Looks at an account at once, or as soon as it may: it was set, or there is a new order.
    pub fn look_soon(&self, account: &Account) {
        let now = self.ports.clock.now();
        {
            let mut due = lock(&self.due);
            if due.len() >= ACCOUNTS_MAX && !due.contains_key(&place_of(account)) {
                return;
            }
            let turn = due.entry(place_of(account)).or_insert_with(|| Turn::at(now));
            (turn.due, turn.failures, turn.wanted) = (now, 0, true);
        }
        self.wake.notify_one();
    }

    /// Looks at an account within that time.
    pub(super) fn look_within(&self, account: &Account, time: Duration) {
        let latest = self.ports.clock.now().plus(time);
        if let Some(turn) = lock(&self.due).get_mut(&place_of(account))
            && turn.due > latest
        {
            (turn.due, turn.wanted) = (latest, true);
        }
    }

    /// An account was set: what is known of the one before is of no use.
    pub fn account_set(&self, account: &Account) {
        lock(&self.opened).forget(&place_of(account));
        self.unfollow(&place_of(account));
        lock(&self.due).remove(&place_of(account));
        self.look_soon(account);
    }

    /// There are orders of the account in this market.
    pub(crate) fn trades(&self, account: &Account, symbol: &str) {
        if let Some(turn) = lock(&self.due).get_mut(&place_of(account)) {
            note(&mut turn.symbols, symbol);
        }
    }

    async fn scan(&self) {
        let (mut last, mut seen) = (Place::default(), 0);
        loop {
            let page = match self.ports.store.accounts_after(&last.0, &last.1, PAGE).await {
                Ok(page) => page,
                Err(error) => return tracing::warn!(%error, "accounts to look at were not read"),
            };
            let Some(end) = page.last().map(place_of) else { return };
            for account in page.iter().filter(|account| is_open(account)) {
                seen += 1;
                if seen > ACCOUNTS_MAX {
                    return tracing::warn!("more than {ACCOUNTS_MAX} accounts; the others are not looked at");
                }
                let due = self.ports.clock.now().plus(self.jittered(self.settings.refresh / 2));
                lock(&self.due).entry(place_of(account)).or_insert_with(|| Turn::at(due));
            }
            last = end;
        }
    }

    fn begin(self: &Arc<Self>, permits: &Arc<Semaphore>, stopping: &CancellationToken) {
        let now = self.ports.clock.now();
        let mut due = lock(&self.due);
        let mut ready: Vec<_> = due.iter_mut().filter(|(_, turn)| !turn.busy && turn.due <= now).collect();
        ready.sort_by_key(|(_, turn)| turn.due);
        for (place, turn) in ready {
            let Ok(permit) = permits.clone().try_acquire_owned() else { return };
            let wanted = std::mem::take(&mut turn.wanted);
            (turn.busy, turn.due) = (true, now.plus(self.settings.refresh));
            let busy = Busy(self.clone(), place.clone());
            let stopping = stopping.clone();
            self.tasks.spawn_connection("venue-look", async move {
                tokio::select! {
                    () = stopping.cancelled() => {}
                    () = busy.0.look(&busy.1, wanted) => {}
                }
                drop((busy, permit));
            });
        }
    }

    async fn look(self: &Arc<Self>, place: &Place, wanted: bool) {
        let account = match self.ports.store.account(&place.0, &place.1).await {
            Ok(Some(account)) if is_open(&account) => account,
            Ok(_) => {
                lock(&self.due).remove(place);
                self.unfollow(place);
                return;
            }
            Err(error) => return tracing::warn!(%error, "an account to look at was not read"),
        };
        let before = self.snapshot(&account).await;
        let elsewhere = |before: &Snapshot| {
            let seen = Timestamp::from_millis(before.tried);
            seen.plus(self.settings.refresh * 2 / 3) > self.ports.clock.now()
        };
        if !wanted && before.as_ref().is_some_and(elsewhere) {
            return self.next(place, self.settings.refresh);
        }
        let result = self.look_at(&account, before.as_ref()).await;
        let outcome = if result.is_ok() { "ok" } else { "failed" };
        let exchange = account.exchange.clone();
        metrics::counter!("venue_looks_total", "venue" => exchange, "outcome" => outcome).increment(1);
        let wait = match result {
            Ok(()) => self.settings.refresh,
            Err(error) => self.failed(&account, before, &error).await,
        };
        self.next(place, wait);
        lock(&self.portfolios).clear();
        self.tell(VenueEvent::Looked(Arc::new(account)));
    }

    /// The next look is in about that time, unless somebody asked for an earlier one.
    fn next(&self, place: &Place, wait: Duration) {
        let now = self.ports.clock.now();
        if let Some(turn) = lock(&self.due).get_mut(place)
            && turn.due > now
            && !turn.wanted
        {
            // up to a fifth later, so that accounts do not stay together
            let apart = (self.jittered(wait) - wait / 2) * 2 / 5;
            turn.due = now.plus(wait + apart);
        }
    }

    async fn look_at(self: &Arc<Self>, account: &Account, before: Option<&Snapshot>) -> Result<(), VenueError> {
        let desk = self.desk(account).await?;
        let place = place_of(account);
        let (symbols, contracts) = {
            let (due, now) = (lock(&self.due), self.ports.clock.now());
            let turn = due.get(&place);
            let hope = turn.and_then(|turn| turn.no_contracts).is_none_or(|at| now.since(at) > REFUSED_FOR);
            (turn.map(|turn| turn.symbols.clone()).unwrap_or_default(), hope)
        };
        let looking = Looking { account, desk: &*desk, symbols, contracts };
        let first = before.is_none_or(|before| before.at == 0);
        let soon = async |snapshot: &Snapshot| {
            if first {
                self.keep(account, snapshot).await;
                self.tell(VenueEvent::Looked(Arc::new(account.clone())));
            }
        };
        let news = self.news_of(&place);
        let looked = self.gather(&looking, soon).await?;
        self.keep(account, &looked.snapshot).await;
        self.follow(account);
        self.saw(account, Seen { snapshot: looked.snapshot, parts: looked.parts });
        if self.news_of(&place) != news {
            // it may have been said after it was asked for
            self.look_within(account, NEWS_LOOK);
        }
        let now = self.ports.clock.now();
        if let Some(turn) = lock(&self.due).get_mut(&place) {
            turn.failures = 0;
            turn.no_contracts = if looked.no_contracts { Some(now) } else { turn.no_contracts.filter(|_| !contracts) };
            looked.symbols.iter().for_each(|symbol| note(&mut turn.symbols, symbol));
        }
        Ok(())
    }

    /// What was seen before stays, with what went wrong; gives how long the account is left alone.
    async fn failed(&self, account: &Account, before: Option<Snapshot>, error: &VenueError) -> Duration {
        let class = error.class();
        tracing::warn!(exchange = account.exchange, nid = account.nid, %class, "an account could not be looked at");
        tracing::debug!(%error, "why");
        let snapshot = Snapshot {
            version: open::version(account),
            tried: self.ports.clock.now().millis(),
            error: Some(class.name().to_owned()),
            ..before.unwrap_or_default()
        };
        self.keep(account, &snapshot).await;
        let mut due = lock(&self.due);
        let Some(turn) = due.get_mut(&place_of(account)) else { return FAILING_MAX };
        turn.failures = turn.failures.saturating_add(1);
        let wait = (self.settings.refresh * 2_u32.pow(turn.failures.min(10))).min(FAILING_MAX);
        if class.is_a(ErrorClass::RateLimitExceeded) { wait.max(LIMITED) } else { wait }
    }
}

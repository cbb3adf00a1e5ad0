//! Accounts at exchanges: opened with what their owners sealed, traded without ever sending an order twice, and
//! looked at again and again.
//!
//! Whose account it is has been judged before: [`crate::wallets::Wallets::account`].

mod call;
mod failure;
mod follow;
mod gather;
mod look;
mod open;
mod orders;
mod portfolio;
mod snapshot;
mod unknown;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orrery_kernel::{Clock, Entropy, Timestamp};
use orrery_storage::Cache;
use orrery_venues::{Exchanges, Venue};
use orrery_wallets::{Account, WalletStore};
use tokio::sync::{Notify, broadcast};

pub(crate) use call::as_value;
pub use call::call;
pub use failure::Failure;
pub(crate) use failure::leaves_open;
pub(crate) use open::{PAPER, venue};
pub(crate) use orders::{NAMES, is_same, look_for, not_taken};
pub use portfolio::Portfolio;
pub use snapshot::{Coin, Digits, Holdings, Snapshot};

use crate::paper::PaperExchange;
use crate::tasks::Tasks;
use crate::wallets::Wallets;

/// Events that a listener may be behind; one that is further behind misses some.
const EVENTS_KEPT: usize = 1_024;

/// How accounts are looked at.
#[derive(Clone, Debug)]
pub struct VenueSettings {
    /// The currency that they are valued in.
    pub equity: String,
    /// Between two looks at one.
    pub refresh: Duration,
    /// Looks at the same time.
    pub at_once: usize,
}

impl Default for VenueSettings {
    fn default() -> Self {
        Self { equity: "USDT".into(), refresh: Duration::from_secs(30), at_once: 4 }
    }
}

/// What happened to an account at an exchange.
#[derive(Clone, Debug)]
pub enum VenueEvent {
    /// It was looked at: there is a new [`Snapshot`].
    Looked(Arc<Account>),
    /// What became of an order that was unknown.
    Settled {
        /// Whose order.
        account: Arc<Account>,
        /// The account's name of it.
        client_order_id: String,
        /// The order in CCXT's structure; none: it was never taken.
        order: Option<serde_json::Value>,
    },
}

/// An account's owner and name.
type Place = (String, String);

fn place_of(account: &Account) -> Place {
    (account.owner.clone(), account.nid.clone())
}

/// What accounts at exchanges stand on.
pub(crate) struct VenuePorts {
    pub exchanges: Arc<dyn Exchanges>,
    pub paper: Option<Arc<PaperExchange>>,
    pub store: Arc<dyn WalletStore>,
    pub cache: Arc<dyn Cache>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// The use cases of accounts at exchanges.
pub struct Venues {
    wallets: Arc<Wallets>,
    ports: VenuePorts,
    settings: VenueSettings,
    tasks: Tasks,
    opened: Mutex<open::Opened>,
    loading: BTreeMap<Venue, tokio::sync::Mutex<()>>,
    placing: Mutex<std::collections::HashSet<unknown::Name>>,
    unknown: Mutex<BTreeMap<unknown::Name, unknown::Unknown>>,
    prices: Mutex<HashMap<String, value::Prices>>,
    due: Mutex<BTreeMap<Place, look::Turn>>,
    portfolios: Mutex<HashMap<Option<String>, portfolio::Added>>,
    renewed: Mutex<BTreeMap<Venue, Timestamp>>,
    followed: Mutex<HashMap<Place, follow::Followed>>,
    wake: Notify,
    events: broadcast::Sender<VenueEvent>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Venues {
    pub(crate) fn new(wallets: Arc<Wallets>, ports: VenuePorts, settings: VenueSettings, tasks: &Tasks) -> Self {
        Self {
            wallets,
            ports,
            settings,
            tasks: tasks.clone(),
            opened: Mutex::default(),
            loading: Venue::ALL.map(|venue| (venue, tokio::sync::Mutex::default())).into(),
            placing: Mutex::default(),
            unknown: Mutex::default(),
            prices: Mutex::default(),
            due: Mutex::default(),
            portfolios: Mutex::default(),
            renewed: Mutex::default(),
            followed: Mutex::default(),
            wake: Notify::new(),
            events: broadcast::channel(EVENTS_KEPT).0,
        }
    }

    /// What happens from now on. A listener that falls 1,024 events behind misses some: the next look tells anew.
    pub fn events(&self) -> broadcast::Receiver<VenueEvent> {
        self.events.subscribe()
    }

    fn tell(&self, event: VenueEvent) {
        // an error says that nobody listens
        let _ = self.events.send(event);
    }

    /// Between half of `wait` and all of it.
    fn jittered(&self, wait: Duration) -> Duration {
        let mut bits = [0; 2];
        self.ports.entropy.fill(&mut bits);
        wait / 2 + wait / 2 * u32::from(u16::from_le_bytes(bits)) / u32::from(u16::MAX)
    }
}

//! The exchange `paper`: accounts with play money that trade on books of their own, beside prices from elsewhere.
//!
//! What is matched is decided by [`orrery_venues::paper::Engine`] and written down as a step of its market before the
//! ledger has it; the
//! ledger then executes it under keys that only it can have. A crash anywhere leaves a step whose rest is done by
//! whoever opens the market next (`docs/adr/0016-paper-steps-then-entries.md`).

mod cancel;
mod desk;
mod place;
mod read;
mod room;
mod settle;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orrery_kernel::{Asset, Clock, Entropy, Timestamp};
use orrery_ledger::{Actor, Command, IdemKey, LedgerStore, Operation};
use orrery_venues::paper::{PaperFees, PaperMarket, PaperPrices, PaperStore, Reference, markets};
use orrery_venues::{Desk, ErrorClass, Permit, VenueError};
use tokio_util::sync::CancellationToken;

use crate::ledger_writer::LedgerWriter;
use room::{Fail, Room};

/// Accounts that are known to have been opened; beyond that they are asked for again.
const KNOWN_MAX: usize = 10_000;
/// How often a command is tried anew when another process was faster.
const ATTEMPTS: u32 = 8;
/// How often prices are looked at for orders that wait.
const TICK: Duration = Duration::from_secs(1);
/// After so many ticks markets are read again: another process may have left orders there.
const TICKS_OF_A_READING: u32 = 30;
/// How long a price that is being fetched is waited for, as looks and the time between them.
const PRICE_LOOKS: u32 = 60;
const PRICE_LOOK: Duration = Duration::from_millis(50);

/// Coins that the desk of a script has from the beginning.
const ENDOWED: [(&str, i64); 3] = [("BTC", 1), ("ETH", 20), ("SOL", 500)];

type Result<T, E = VenueError> = std::result::Result<T, E>;

/// What the exchange is configured with.
#[derive(Clone, Debug)]
pub struct PaperSettings {
    /// What an account is given when it is first used: paper assets in minor units.
    pub grant: Vec<(Asset, i64)>,
    /// What fills cost.
    pub fees: PaperFees,
    /// No order is taken at a price older than this.
    pub max_age: Duration,
}

impl Default for PaperSettings {
    /// 10,000 USDT, a thousandth, half a minute.
    fn default() -> Self {
        let usdt = Asset::paper("USDT").map(|asset| (asset, 10_000 * 10_i64.pow(asset.decimals())));
        Self { grant: usdt.into_iter().collect(), fees: PaperFees::default(), max_age: Duration::from_secs(30) }
    }
}

/// What a process brings of its own to the exchange; the rest it has anyway.
#[derive(Clone)]
pub struct PaperParts {
    /// Orders and trades.
    pub store: Arc<dyn PaperStore>,
    /// Prices from elsewhere.
    pub prices: Arc<dyn PaperPrices>,
    /// How it is configured.
    pub settings: PaperSettings,
}

/// What the exchange stands on.
#[derive(Clone)]
pub struct PaperPorts {
    /// Orders and trades.
    pub store: Arc<dyn PaperStore>,
    /// Balances.
    pub ledger: Arc<dyn LedgerStore>,
    /// The way into the journal.
    pub writer: LedgerWriter,
    /// Prices from elsewhere.
    pub prices: Arc<dyn PaperPrices>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names of orders that have none.
    pub entropy: Arc<dyn Entropy>,
}

/// A market and who is at it. Commands of one market wait for each other, as many as there are requests.
struct Stand {
    market: Arc<PaperMarket>,
    room: tokio::sync::Mutex<Option<Room>>,
}

/// The exchange. Any number of processes may share its store: of two that decide on the same version of a market, one
/// is written down, and the other reads the market again.
pub struct PaperExchange {
    ports: PaperPorts,
    settings: PaperSettings,
    stands: Vec<Stand>,
    opened: Mutex<HashSet<String>>,
    ticks: AtomicU32,
}

fn error(class: ErrorClass, message: &str) -> VenueError {
    VenueError::new(class, &format!("paper {message}"))
}

/// An account as the journal knows it: names may be anything, and the journal's are short and plain.
fn account_of(owner: &str, account: &str) -> String {
    let digest = orrery_crypto::sha256(format!("{owner}\n{account}").as_bytes());
    hex::encode(digest.get(..16).unwrap_or(&digest))
}

/// An answer that says nothing of what became of the command.
fn unavailable(why: &dyn std::fmt::Display) -> VenueError {
    tracing::warn!(%why, "the exchange paper did not get through");
    error(ErrorClass::ExchangeNotAvailable, "does not answer; try again")
}

impl PaperExchange {
    /// The exchange over its ports; nothing is read yet.
    pub fn new(ports: PaperPorts, settings: PaperSettings) -> Arc<Self> {
        let stand = |market: &Arc<PaperMarket>| Stand { market: market.clone(), room: tokio::sync::Mutex::default() };
        let stands = markets().iter().map(stand).collect();
        Arc::new(Self { ports, settings, stands, opened: Mutex::default(), ticks: AtomicU32::new(0) })
    }

    /// An account of an owner: a wallet's address, say, and the name it gave the account. It is opened when it is first
    /// used, with the configured grant.
    pub fn desk(self: &Arc<Self>, owner: &str, account: &str) -> Arc<dyn Desk> {
        let (account, permit) = (account_of(owner, account), Permit::default());
        Arc::new(desk::PaperDesk { exchange: self.clone(), account, permit })
    }

    /// Finishes what a process before this one left half done.
    ///
    /// # Errors
    /// When a store does not answer: the rest is done by who opens the market next.
    pub async fn recover(&self) -> Result<()> {
        for stand in &self.stands {
            let mut room = stand.room.lock().await;
            self.enter(stand, &mut room).await.map_err(Fail::error)?;
        }
        Ok(())
    }

    /// Lets the prices of now meet the orders that wait, and the ledger have what it did not get. Markets whose price
    /// is missing or too old stand still. From time to time markets that other processes changed are read.
    pub async fn tick(&self) {
        let reading = self.ticks.fetch_add(1, Ordering::Relaxed).is_multiple_of(TICKS_OF_A_READING);
        let versions = if reading { self.versions().await } else { None };
        for stand in &self.stands {
            let mut room = stand.room.lock().await;
            let newest = versions.as_ref().map(|all| all.get(&stand.market.symbol).copied().unwrap_or_default());
            let waits = |room: &Room| room.has_work() || newest.is_some_and(|newest| newest != room.version);
            if room.as_ref().is_none_or(waits)
                && let Err(fail) = self.look(stand, &mut room).await
            {
                // said where it happened; another turn comes
                tracing::debug!(market = stand.market.symbol, error = %fail.error(), "paper market stands still");
            }
        }
    }

    /// How many steps each market had; none if the store does not answer.
    async fn versions(&self) -> Option<HashMap<String, i64>> {
        match self.ports.store.paper_versions().await {
            Ok(versions) => Some(versions.into_iter().collect()),
            Err(error) => {
                tracing::debug!(%error, "paper markets are looked at later");
                None
            }
        }
    }

    /// Ticks until the server stops. One process is enough for a store; several do no harm.
    pub async fn run(self: Arc<Self>, stopping: CancellationToken) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => self.tick().await,
            }
        }
    }

    fn stand(&self, symbol: &str) -> Result<&Stand> {
        let found = self.stands.iter().find(|stand| stand.market.symbol == symbol);
        found.ok_or_else(|| error(ErrorClass::BadSymbol, &format!("does not have market symbol {symbol}")))
    }

    fn stand_of(&self, market_id: &str) -> Option<&Stand> {
        self.stands.iter().find(|stand| stand.market.id == market_id)
    }

    /// The price of now.
    ///
    /// Errors: [`ErrorClass::ExchangeNotAvailable`] if there is none or it is too old.
    fn price(&self, market: &PaperMarket, now: Timestamp) -> Result<Reference> {
        let symbol = &market.symbol;
        let found = self.ports.prices.reference(symbol, now);
        let none = || error(ErrorClass::ExchangeNotAvailable, &format!("has no price of {symbol}"));
        let found = found.ok_or_else(none)?;
        let (age, most) = (now.since(found.at), self.settings.max_age);
        if age > most {
            let text =
                format!("has a price of {symbol} that is {} s old, more than {} s", age.as_secs(), most.as_secs());
            return Err(error(ErrorClass::ExchangeNotAvailable, &text));
        }
        Ok(found)
    }

    /// Asks for prices of markets, and waits for first ones that are being fetched.
    async fn await_prices(&self, stands: &[&Stand]) {
        for stand in stands {
            let _ = self.price(&stand.market, self.ports.clock.now());
        }
        for _ in 0..PRICE_LOOKS {
            if !stands.iter().any(|stand| self.ports.prices.is_coming(&stand.market.symbol)) {
                return;
            }
            tokio::time::sleep(PRICE_LOOK).await;
        }
    }

    /// The market as it is kept, and where something waits for it, as the price of now leaves it. Elsewhere no price is
    /// asked for: it would have to be fetched.
    async fn look(&self, stand: &Stand, room: &mut Option<Room>) -> Result<(), Fail> {
        if self.enter(stand, room).await?.has_work() {
            self.meet(stand, room).await?;
        }
        Ok(())
    }

    /// The market as the price of now leaves it.
    async fn current<'r>(&self, stand: &Stand, room: &'r mut Option<Room>) -> Result<&'r mut Room, Fail> {
        self.enter(stand, room).await?;
        self.meet(stand, room).await
    }

    async fn meet<'r>(&self, stand: &Stand, room: &'r mut Option<Room>) -> Result<&'r mut Room, Fail> {
        self.await_prices(&[stand]).await;
        let reference = self.price(&stand.market, self.ports.clock.now())?;
        self.refer(room, &reference).await?;
        self.settle(room).await
    }

    async fn refer(&self, room: &mut Option<Room>, reference: &Reference) -> Result<(), Fail> {
        let changes = room.as_mut().ok_or(Fail::Again)?.engine.refer(reference, self.ports.clock.now())?;
        self.commit(room, changes).await
    }

    /// The market as it is kept, with everything that was left half done finished.
    async fn enter<'r>(&self, stand: &Stand, room: &'r mut Option<Room>) -> Result<&'r mut Room, Fail> {
        if let Some(there) = room.as_ref() {
            let kept = self.ports.store.paper_version(&stand.market.symbol).await;
            if kept.map_err(|why| Fail::Refused(unavailable(&why)))? != there.version {
                *room = None;
            }
        }
        if room.is_none() {
            self.load(stand, room).await?;
        }
        self.settle(room).await
    }

    async fn load(&self, stand: &Stand, room: &mut Option<Room>) -> Result<(), Fail> {
        let kept = self.ports.store.paper_market(&stand.market.symbol).await;
        let kept = kept.map_err(|why| Fail::Refused(unavailable(&why)))?;
        let (there, pending) = Room::of(stand.market.clone(), self.settings.fees, kept);
        *room = Some(there);
        // an order that does not stay needs a market to meet
        if !pending.is_empty()
            && let Ok(reference) = self.price(&stand.market, self.ports.clock.now())
        {
            self.refer(room, &reference).await?;
        }
        for order in pending {
            match self.finish(room, order).await {
                // nobody waits here for what the order's account was refused
                Ok(_) | Err(Fail::Refused(_)) => {}
                Err(fail) => return Err(fail),
            }
        }
        Ok(())
    }

    /// Gives an account its grant, once for ever.
    ///
    /// Errors: [`ErrorClass::ExchangeNotAvailable`].
    async fn open(&self, account: &str) -> Result<()> {
        self.give("grant", account, &self.settings.grant).await
    }

    /// Gives a desk coins beside its grant, once for ever: scripts that are tried out sell before they bought.
    ///
    /// Errors: [`ErrorClass::ExchangeNotAvailable`].
    pub(crate) async fn endow(&self, owner: &str, account: &str) -> Result<()> {
        let coin = |(ticker, coins): &(&str, i64)| {
            Asset::paper(ticker).map(|asset| (asset, coins * 10_i64.pow(asset.decimals())))
        };
        let coins: Vec<_> = ENDOWED.iter().filter_map(coin).collect();
        self.give("endow", &account_of(owner, account), &coins).await
    }

    /// Gives it under keys that only it can have.
    async fn give(&self, what: &str, account: &str, assets: &[(Asset, i64)]) -> Result<()> {
        let known = format!("{what}-{account}");
        if self.opened.lock().unwrap_or_else(PoisonError::into_inner).contains(&known) {
            return Ok(());
        }
        for (asset, amount) in assets.iter().copied() {
            let key = IdemKey::new(&format!("paper-{known}-{}", asset.ticker())).map_err(|why| unavailable(&why))?;
            let operation = Operation::PaperGrant { account: account.into(), asset, amount };
            // what another configuration gave stays as it was
            self.ports
                .writer
                .submit(Command { actor: Actor::System, key, operation })
                .await
                .map_err(|why| unavailable(&why))?;
        }
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= KNOWN_MAX {
            opened.clear();
        }
        opened.insert(known);
        Ok(())
    }
}

/// Runs a command until no other process was faster, at most eight times.
macro_rules! again {
    ($attempt:expr) => {{
        let mut tried = 0;
        loop {
            tried += 1;
            match $attempt {
                Err(Fail::Again) if tried < ATTEMPTS => {}
                other => break other,
            }
        }
    }};
}
use again;

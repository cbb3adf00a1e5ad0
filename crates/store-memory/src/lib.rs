//! Every port in process: what one machine runs its cache and rate windows on, and the stores of
//! unit tests. Not mocks: each passes the contract suite of its port.

mod broker;
mod bus;
mod cache;
mod channels;
mod identity;
mod leases;
mod ledger;
mod market;
mod paper;
mod plans;
mod rate;
mod wallets;
mod workers;

pub use broker::MemoryBroker;
pub use bus::MemoryBus;
pub use cache::MemoryCache;
pub use channels::MemoryChannels;
pub use identity::MemoryIdentity;
pub use leases::MemoryLeases;
pub use ledger::MemoryLedger;
pub use market::MemoryMarket;
pub use paper::MemoryPaper;
pub use plans::MemoryPlans;
pub use rate::MemoryRates;
pub use wallets::MemoryWallets;
pub use workers::MemoryWorkers;

//! Every port in process: what one machine runs its cache and rate windows on, and the stores of
//! unit tests. Not mocks: each passes the contract suite of its port.

mod archive;
mod blobs;
mod broker;
mod bus;
mod cache;
mod channels;
mod fleet;
mod identity;
mod kept;
mod kv;
mod leases;
mod ledger;
mod logs;
mod market;
mod paper;
mod plans;
mod rate;
mod wallets;
mod workers;

pub use blobs::{MemoryBlobs, MemoryFolders};
pub use broker::MemoryBroker;
pub use bus::MemoryBus;
pub use cache::MemoryCache;
pub use channels::MemoryChannels;
pub use fleet::MemoryFleet;
pub use identity::MemoryIdentity;
pub use kept::MemoryKept;
pub use kv::MemoryKv;
pub use leases::MemoryLeases;
pub use ledger::MemoryLedger;
pub use logs::MemoryLogs;
pub use market::MemoryMarket;
pub use paper::MemoryPaper;
pub use plans::MemoryPlans;
pub use rate::MemoryRates;
pub use wallets::MemoryWallets;
pub use workers::MemoryWorkers;

//! The database, whichever it is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use orrery_identity::IdentityStore;
use orrery_kernel::StoreError;
use orrery_ledger::{LedgerStore, PlanStore};
use orrery_market::MarketStore;
use orrery_realtime::ChannelStore;
use orrery_storage::LeaseStore;
use orrery_storage::data::DataStore;
use orrery_storage::files::FileIndex;
use orrery_storage::programs::ProgramIndex;
use orrery_store_postgres::Postgres;
use orrery_store_sqlite::Sqlite;
use orrery_venues::paper::PaperStore;
use orrery_wallets::WalletStore;
use orrery_workers::WorkerStore;
use orrery_workers::fleet::FleetStore;
use orrery_workers::kv::KvStore;
use orrery_workers::logs::LogStore;

use crate::config::{Config, DatabaseUrl};
use crate::health::Probe;

/// How long a Postgres that is not there is waited for at the start.
const START_WAIT: Duration = Duration::from_secs(5);

/// An open database; cheap to clone.
#[derive(Clone, Debug)]
pub enum Database {
    /// In one file, for one server.
    Sqlite(Sqlite),
    /// Shared by any number.
    Postgres(Postgres),
}

/// A migration and whether the database has it.
#[derive(Clone, Debug)]
pub struct Migration {
    /// 1, 2, 3 …
    pub version: i64,
    /// What it is about.
    pub name: &'static str,
    /// The database has it.
    pub applied: bool,
}

impl Database {
    /// Opens it. SQLite is made and migrated where `create` says so; Postgres must have been migrated.
    ///
    /// # Errors
    /// When it cannot be opened, is not ours, or would not keep what it commits.
    pub async fn open(config: &Config, create: bool) -> Result<Self> {
        match &config.database.url {
            DatabaseUrl::Sqlite(path) => {
                let path = path.to_str().context("the database's path is not UTF-8")?;
                let options = orrery_store_sqlite::Options {
                    readers: config.database.readers,
                    create,
                    ..orrery_store_sqlite::Options::default()
                };
                let database = Sqlite::open(path, options).await?;
                if create {
                    database.migrate().await?;
                }
                Ok(Self::Sqlite(database))
            }
            DatabaseUrl::Postgres(url) => Ok(Self::Postgres(Postgres::open(url.expose(), postgres(config)).await?)),
        }
    }

    /// Opens it whatever its schema is, and brings that up to date.
    ///
    /// # Errors
    /// When it cannot be opened or migrated.
    pub async fn migrate(config: &Config) -> Result<Self> {
        match &config.database.url {
            DatabaseUrl::Sqlite(_) => Self::open(config, true).await,
            DatabaseUrl::Postgres(url) => {
                let database = Postgres::connect(url.expose(), postgres(config)).await?;
                database.migrate().await?;
                Ok(Self::Postgres(database))
            }
        }
    }

    /// The ledger's port.
    pub fn ledger(&self) -> Arc<dyn LedgerStore> {
        match self {
            Self::Sqlite(db) => db.ledger(),
            Self::Postgres(db) => db.ledger(),
        }
    }

    /// The port of plans.
    pub fn plans(&self) -> Arc<dyn PlanStore> {
        match self {
            Self::Sqlite(db) => db.plans(),
            Self::Postgres(db) => db.plans(),
        }
    }

    /// Identity's port.
    pub fn identity(&self) -> Arc<dyn IdentityStore> {
        match self {
            Self::Sqlite(db) => db.identity(),
            Self::Postgres(db) => db.identity(),
        }
    }

    /// The port of configured channels.
    pub fn channels(&self) -> Arc<dyn ChannelStore> {
        match self {
            Self::Sqlite(db) => db.channels(),
            Self::Postgres(db) => db.channels(),
        }
    }

    /// The port of the exchange of play money.
    pub fn paper(&self) -> Arc<dyn PaperStore> {
        match self {
            Self::Sqlite(db) => db.paper(),
            Self::Postgres(db) => db.paper(),
        }
    }

    /// The port of wallets.
    pub fn wallets(&self) -> Arc<dyn WalletStore> {
        match self {
            Self::Sqlite(db) => db.wallets(),
            Self::Postgres(db) => db.wallets(),
        }
    }

    /// The port of workers.
    pub fn workers(&self) -> Arc<dyn WorkerStore> {
        match self {
            Self::Sqlite(db) => db.workers(),
            Self::Postgres(db) => db.workers(),
        }
    }

    /// The port of scripts' keys.
    pub fn kv(&self) -> Arc<dyn KvStore> {
        match self {
            Self::Sqlite(db) => db.kv(),
            Self::Postgres(db) => db.kv(),
        }
    }

    /// The same database by connections of their own, so many of them; a file is shared as it is.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn apart(&self, config: &Config, connections: u32) -> Result<Self> {
        match &config.database.url {
            DatabaseUrl::Sqlite(_) => Ok(self.clone()),
            DatabaseUrl::Postgres(url) => {
                let options = orrery_store_postgres::Options { connections, ..postgres(config) };
                Ok(Self::Postgres(Postgres::open(url.expose(), options).await?))
            }
        }
    }

    /// The port that nodes of the fleet share.
    pub fn fleet(&self) -> Arc<dyn FleetStore> {
        match self {
            Self::Sqlite(db) => db.fleet(),
            Self::Postgres(db) => db.fleet(),
        }
    }

    /// The port of the workers' logs.
    pub fn worker_logs(&self) -> Arc<dyn LogStore> {
        match self {
            Self::Sqlite(db) => db.worker_logs(),
            Self::Postgres(db) => db.worker_logs(),
        }
    }

    /// The port of documents.
    pub fn data(&self) -> Arc<dyn DataStore> {
        match self {
            Self::Sqlite(db) => db.data(),
            Self::Postgres(db) => db.data(),
        }
    }

    /// The port of files.
    pub fn files(&self) -> Arc<dyn FileIndex> {
        match self {
            Self::Sqlite(db) => db.files(),
            Self::Postgres(db) => db.files(),
        }
    }

    /// The port of programs.
    pub fn programs(&self) -> Arc<dyn ProgramIndex> {
        match self {
            Self::Sqlite(db) => db.programs(),
            Self::Postgres(db) => db.programs(),
        }
    }

    /// The port of leases, where several processes share the database.
    pub fn shared_leases(&self) -> Option<Arc<dyn LeaseStore>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(db) => Some(db.leases()),
        }
    }

    /// The market's port.
    pub fn market(&self) -> Arc<dyn MarketStore> {
        match self {
            Self::Sqlite(db) => db.market(),
            Self::Postgres(db) => db.market(),
        }
    }

    /// What is applied and what is missing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn migrations(&self) -> Result<Vec<Migration>, StoreError> {
        Ok(match self {
            Self::Sqlite(db) => {
                let states = db.migration_status().await?;
                states.into_iter().map(|m| Migration { version: m.version, name: m.name, applied: m.applied }).collect()
            }
            Self::Postgres(db) => {
                let states = db.migration_status().await?;
                states.into_iter().map(|m| Migration { version: m.version, name: m.name, applied: m.applied }).collect()
            }
        })
    }

    /// Waits for running statements and closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(db) => db.close().await,
            Self::Postgres(db) => db.close().await,
        }
    }
}

fn postgres(config: &Config) -> orrery_store_postgres::Options {
    orrery_store_postgres::Options {
        connections: config.database.readers,
        wait: START_WAIT,
        ..orrery_store_postgres::Options::default()
    }
}

#[async_trait]
impl Probe for Database {
    async fn health(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.health().await,
            Self::Postgres(db) => db.health().await,
        }
    }
}

//! The database handle.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use orrery_kernel::StoreError;
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use crate::call::{Call, Fields};
use crate::error::{OpenError, failed};
use crate::location::Location;
use crate::open;
use crate::options::{Durability, Options};
use crate::sql::control;

/// An open database; cheap to clone. Implements the ports of ledger, identity and market.
#[derive(Clone)]
pub struct Sqlite {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub location: Location,
    pub options: Options,
    /// The only connection that writes. `None` after one was lost in the middle of something: the next
    /// use opens another.
    pub writer: Arc<Mutex<Option<SqliteConnection>>>,
    /// `None` for a database in memory, where the one connection does everything.
    pub readers: Option<SqlitePool>,
    pub checkpointer: Checkpointer,
    /// Which file was opened, to notice when it is replaced or removed.
    file: Option<FileId>,
}

/// Counts commits and holds the connection that checkpoints.
#[derive(Default)]
pub(crate) struct Checkpointer {
    pub commits: AtomicU64,
    pub conn: Mutex<Option<SqliteConnection>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    async fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = tokio::fs::metadata(path).await?;
        Ok(Self { device: found.dev(), inode: found.ino() })
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("location", &self.inner.location).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens `sqlite://PATH`, `sqlite::memory:` or a plain path, and checks that the file is a database
    /// of ours that this program understands and that commits to it will last. Does not migrate.
    pub async fn open(location: &str, options: Options) -> Result<Self, OpenError> {
        let location = Location::parse(location)?;
        let (file, readers) = match &location {
            Location::Memory => (None, None),
            Location::File(path) => {
                open::ensure_file(path, options.create).await?;
                let unreadable = |source| OpenError::Unreadable { path: path.clone(), source };
                (Some(FileId::of(path).await.map_err(unreadable)?), Some(open::readers(path, &options)))
            }
        };
        let writer = open::writer(&location, &options).await?;
        let inner = Inner {
            location,
            options,
            writer: Arc::new(Mutex::new(Some(writer))),
            readers,
            checkpointer: Checkpointer::default(),
            file,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The file, unless the database is in memory.
    pub fn path(&self) -> Option<&PathBuf> {
        match &self.inner.location {
            Location::Memory => None,
            Location::File(path) => Some(path),
        }
    }

    /// This database as the ledger's port.
    pub fn ledger(&self) -> Arc<dyn orrery_ledger::LedgerStore> {
        Arc::new(self.clone())
    }

    /// This database as the port of plans.
    pub fn plans(&self) -> Arc<dyn orrery_ledger::PlanStore> {
        Arc::new(self.clone())
    }

    /// This database as identity's port.
    pub fn identity(&self) -> Arc<dyn orrery_identity::IdentityStore> {
        Arc::new(self.clone())
    }

    /// This database as the port of configured channels.
    pub fn channels(&self) -> Arc<dyn orrery_realtime::ChannelStore> {
        Arc::new(self.clone())
    }

    /// This database as the port of wallets.
    pub fn wallets(&self) -> Arc<dyn orrery_wallets::WalletStore> {
        Arc::new(self.clone())
    }

    /// This database as the port that nodes of a fleet share.
    pub fn fleet(&self) -> Arc<dyn orrery_workers::fleet::FleetStore> {
        Arc::new(self.clone())
    }

    /// This database as the scripts' store.
    pub fn kv(&self) -> Arc<dyn orrery_workers::kv::KvStore> {
        Arc::new(self.clone())
    }

    /// This database as the port of the workers' logs.
    pub fn worker_logs(&self) -> Arc<dyn orrery_workers::logs::LogStore> {
        Arc::new(self.clone())
    }

    /// This database as the port of the exchange of play money.
    pub fn paper(&self) -> Arc<dyn orrery_venues::paper::PaperStore> {
        Arc::new(self.clone())
    }

    /// This database as the port of documents.
    pub fn data(&self) -> Arc<dyn orrery_storage::data::DataStore> {
        Arc::new(self.clone())
    }

    /// This database as the port of files.
    pub fn files(&self) -> Arc<dyn orrery_storage::files::FileIndex> {
        Arc::new(self.clone())
    }

    /// This database as the port of programs.
    pub fn programs(&self) -> Arc<dyn orrery_storage::programs::ProgramIndex> {
        Arc::new(self.clone())
    }

    /// This database as the port of workers.
    pub fn workers(&self) -> Arc<dyn orrery_workers::WorkerStore> {
        Arc::new(self.clone())
    }

    /// This database as the port of leases.
    pub fn leases(&self) -> Arc<dyn orrery_storage::LeaseStore> {
        Arc::new(self.clone())
    }

    /// This database as the market's port.
    pub fn market(&self) -> Arc<dyn orrery_market::MarketStore> {
        Arc::new(self.clone())
    }

    /// Reads a page, and checks that the file is still where it was opened.
    pub async fn health(&self) -> Result<(), StoreError> {
        if let (Some(opened), Location::File(path)) = (self.inner.file, &self.inner.location) {
            let now = FileId::of(path).await.map_err(|e| StoreError::Unavailable(format!("database file: {e}")))?;
            if now != opened {
                return Err(StoreError::Unavailable("the database file was replaced while in use".into()));
            }
        }
        self.one(control::HEALTH.call()).await.map(|_| ())
    }

    /// The durability settings of the writing connection, read back now.
    pub async fn durability(&self) -> Result<Durability, StoreError> {
        let mut writer = self.lock_writer().await?;
        open::durability(writer.get()?).await.map_err(|e| failed("durability", &e))
    }

    /// What SQLite finds wrong with the file's structure; empty is good. Reads the whole file.
    pub async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.all(control::INTEGRITY.call()).await?;
        let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
        Ok(if lines == ["ok"] { Vec::new() } else { lines })
    }

    /// Waits for running statements and closes every connection. Later calls fail.
    pub async fn close(&self) {
        use sqlx::Connection;
        if let Some(readers) = &self.inner.readers {
            readers.close().await;
        }
        let conn = self.inner.writer.lock().await.take();
        if let Some(Err(error)) = match conn {
            Some(conn) => Some(conn.close().await),
            None => None,
        } {
            tracing::warn!(%error, "closing the database");
        }
    }

    /// Runs a reading statement; gives its only row, if there is one.
    pub(crate) async fn optional(&self, call: Call) -> Result<Option<Fields>, StoreError> {
        match &self.inner.readers {
            Some(readers) => {
                let mut conn = readers.acquire().await.map_err(|e| failed("acquire", &e))?;
                call.optional(&mut conn, None).await
            }
            None => call.optional(self.lock_writer().await?.get()?, None).await,
        }
    }

    /// Runs a reading statement; gives its only row.
    pub(crate) async fn one(&self, call: Call) -> Result<Fields, StoreError> {
        match &self.inner.readers {
            Some(readers) => {
                let mut conn = readers.acquire().await.map_err(|e| failed("acquire", &e))?;
                call.one(&mut conn, None).await
            }
            None => call.one(self.lock_writer().await?.get()?, None).await,
        }
    }

    /// Runs a reading statement; gives all rows.
    pub(crate) async fn all(&self, call: Call) -> Result<Vec<Fields>, StoreError> {
        match &self.inner.readers {
            Some(readers) => {
                let mut conn = readers.acquire().await.map_err(|e| failed("acquire", &e))?;
                call.all(&mut conn, None).await
            }
            None => call.all(self.lock_writer().await?.get()?, None).await,
        }
    }
}

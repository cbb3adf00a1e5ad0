//! The database handle.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::call::{Call, Fields};
use crate::error::{OpenError, failed, text};
use crate::migrate::SCHEMA_VERSION;
use crate::options::Options;
use crate::sql::control;

/// Connections for the ledger's commits: one at work, one for when it is lost.
const WRITERS: u32 = 2;
/// A connection that was used so lately is taken as it is.
const FRESH: Duration = Duration::from_millis(500);
/// The oldest server whose SQL this is.
const VERSION_MIN: i64 = 140_000;

/// An open database; cheap to clone. Implements the ports of ledger, plans, identity, market and leases.
#[derive(Clone)]
pub struct Postgres {
    pub(crate) inner: Arc<Inner>,
    pub(crate) fence: Option<Fence>,
}

/// Gives the lease that writes of the market must still have; `None`: there is none now.
pub type Fence = Arc<dyn Fn() -> Option<orrery_storage::Lease> + Send + Sync>;

pub(crate) struct Inner {
    pub connect: PgConnectOptions,
    pub options: Options,
    /// For the ledger's commits, so that they never wait behind reads.
    pub writers: PgPool,
    pub pool: PgPool,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("host", &self.inner.connect.get_host()).finish_non_exhaustive()
    }
}

fn pool(connect: &PgConnectOptions, options: &Options, most: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(options.wait)
        .idle_timeout(Duration::from_secs(300))
        .max_lifetime(Duration::from_secs(3_600))
        // a connection that died while idle is found here, not in the middle of a request
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > FRESH {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(connect.clone())
}

/// A batch looks up some hundred rows by their keys. Without statistics (a new database, a burst between
/// two runs of autovacuum) the planner would read whole tables for that, longer with every trade.
const BY_INDEX: [(&str, &str); 6] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];

impl Postgres {
    /// Opens `postgres://…` and checks that the server keeps what it commits and has the schema this
    /// program needs. Does not migrate.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let db = Self::connect(url, options).await?;
        let found = db.schema_version().await.map_err(|e| OpenError::Unreachable(e.to_string()))?;
        match found.cmp(&SCHEMA_VERSION) {
            std::cmp::Ordering::Equal => Ok(db),
            std::cmp::Ordering::Less => Err(OpenError::Unmigrated { found, needed: SCHEMA_VERSION }),
            std::cmp::Ordering::Greater => Err(OpenError::Newer { found, known: SCHEMA_VERSION }),
        }
    }

    /// The same, whatever the schema is: for migrating.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn connect(url: &str, options: Options) -> Result<Self, OpenError> {
        let connect = PgConnectOptions::from_str(url).map_err(|e| OpenError::Location(text(&e)))?;
        let ms = |d: Duration| d.as_millis().to_string();
        let connect = connect
            .application_name("orrery")
            .options([
                ("synchronous_commit", "on"),
                ("default_transaction_isolation", "read committed"),
                ("timezone", "UTC"),
                ("statement_timeout", ms(options.statement_timeout).as_str()),
                ("idle_in_transaction_session_timeout", ms(options.idle_timeout).as_str()),
                // a peer that is gone is noticed in seconds, not in hours
                ("tcp_keepalives_idle", "5"),
                ("tcp_keepalives_interval", "2"),
                ("tcp_keepalives_count", "3"),
                ("tcp_user_timeout", "10000"),
            ])
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let connected = tokio::time::timeout(options.wait, PgConnection::connect_with(&connect)).await;
        let mut conn = match connected {
            Ok(Ok(conn)) => conn,
            Ok(Err(e)) => return Err(OpenError::Unreachable(text(&e))),
            Err(_) => return Err(OpenError::Unreachable("no answer in time".into())),
        };
        check(&mut conn, &options).await?;
        // an error would only say that the goodbye was not heard
        let _ = conn.close().await;
        let writers = pool(&connect.clone().options(BY_INDEX), &options, WRITERS);
        let pool = pool(&connect, &options, options.connections.max(2));
        Ok(Self { inner: Arc::new(Inner { connect, options, writers, pool }), fence: None })
    }

    /// The same database, whose prices, charts and sentiment are written only under the lease that
    /// `fence` gives: each such write checks in its own transaction that the lease is still the newest
    /// and not over, so that a process that was stopped past its lease cannot write any more.
    #[must_use]
    pub fn fenced(&self, fence: Fence) -> Self {
        Self { inner: self.inner.clone(), fence: Some(fence) }
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

    /// This database as the market's port.
    pub fn market(&self) -> Arc<dyn orrery_market::MarketStore> {
        Arc::new(self.clone())
    }

    /// This database as the port of leases.
    pub fn leases(&self) -> Arc<dyn orrery_storage::LeaseStore> {
        Arc::new(self.clone())
    }

    /// Does the server answer?
    ///
    /// # Errors
    /// When it does not.
    pub async fn health(&self) -> Result<(), StoreError> {
        self.one(control::HEALTH.call()).await.map(|_| ())
    }

    /// Waits for running statements and closes every connection. Later calls fail.
    pub async fn close(&self) {
        self.inner.writers.close().await;
        self.inner.pool.close().await;
    }

    /// A connection of its own, for long work.
    pub(crate) async fn own(&self) -> Result<PgConnection, StoreError> {
        PgConnection::connect_with(&self.inner.connect).await.map_err(|e| failed("connect", &e))
    }

    /// Runs a statement outside of any transaction.
    pub(crate) async fn execute(&self, call: Call) -> Result<(), StoreError> {
        let mut conn = self.inner.pool.acquire().await.map_err(|e| failed("acquire", &e))?;
        call.execute(&mut conn, self.inner.options.fault.as_ref()).await.map(drop)
    }

    /// Runs a reading statement; gives its only row, if there is one.
    pub(crate) async fn optional(&self, call: Call) -> Result<Option<Fields>, StoreError> {
        let mut conn = self.inner.pool.acquire().await.map_err(|e| failed("acquire", &e))?;
        call.optional(&mut conn, self.inner.options.fault.as_ref()).await
    }

    /// Runs a reading statement; gives its only row.
    pub(crate) async fn one(&self, call: Call) -> Result<Fields, StoreError> {
        let mut conn = self.inner.pool.acquire().await.map_err(|e| failed("acquire", &e))?;
        call.one(&mut conn, self.inner.options.fault.as_ref()).await
    }

    /// Runs a reading statement; gives all rows.
    pub(crate) async fn all(&self, call: Call) -> Result<Vec<Fields>, StoreError> {
        let mut conn = self.inner.pool.acquire().await.map_err(|e| failed("acquire", &e))?;
        call.all(&mut conn, self.inner.options.fault.as_ref()).await
    }
}

async fn check(conn: &mut PgConnection, options: &Options) -> Result<(), OpenError> {
    let setting = async |conn: &mut PgConnection, sql: &'static crate::sql::Sql| -> Result<String, OpenError> {
        sqlx::query_scalar(sql.text).fetch_one(conn).await.map_err(|e| OpenError::Unreachable(text(&e)))
    };
    let version = setting(conn, &control::VERSION_NUM).await?;
    if version.parse::<i64>().unwrap_or(0) < VERSION_MIN {
        return Err(OpenError::TooOld(version));
    }
    if !options.require_durable {
        return Ok(());
    }
    for (name, sql) in [
        ("fsync", &control::FSYNC),
        ("full_page_writes", &control::FULL_PAGE_WRITES),
        ("synchronous_commit", &control::SYNCHRONOUS_COMMIT),
    ] {
        let found = setting(conn, sql).await?;
        if found == "off" || (name == "synchronous_commit" && found == "local") {
            return Err(OpenError::NotDurable { setting: name, found });
        }
    }
    Ok(())
}

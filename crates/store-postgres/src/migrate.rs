//! Bringing the schema up to date: an operator's act where many processes share a database.

use orrery_kernel::StoreError;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::db::Postgres;
use crate::error::text;
use crate::sql::control;

/// Every migration in order: name and text. Released ones never change (`migrations/CHECKSUMS`).
const MIGRATIONS: [(&str, &str); 12] = [
    ("identity", include_str!("../../../migrations/postgres/0001_identity.sql")),
    ("ledger", include_str!("../../../migrations/postgres/0002_ledger.sql")),
    ("market", include_str!("../../../migrations/postgres/0003_market.sql")),
    ("desk", include_str!("../../../migrations/postgres/0004_desk.sql")),
    ("references", include_str!("../../../migrations/postgres/0005_references.sql")),
    ("channels", include_str!("../../../migrations/postgres/0006_channels.sql")),
    ("wallets", include_str!("../../../migrations/postgres/0007_wallets.sql")),
    ("paper", include_str!("../../../migrations/postgres/0008_paper.sql")),
    ("fleet", include_str!("../../../migrations/postgres/0009_fleet.sql")),
    ("files", include_str!("../../../migrations/postgres/0010_files.sql")),
    ("programs", include_str!("../../../migrations/postgres/0011_programs.sql")),
    ("fleet indexes", include_str!("../../../migrations/postgres/0012_fleet_indexes.sql")),
];

/// The newest schema this program knows.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A migration that was applied once is not the one this program has.
    #[error("migration {0} was applied with another text: the schema is not one of a released program")]
    Changed(i64),
    /// The database has migrations this program does not know.
    #[error("the database has migration {0}, which this program does not know: use a newer one")]
    Newer(i64),
    /// A migration failed; the ones before it are applied.
    #[error("migration failed: {0}")]
    Failed(String),
    /// The server does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One migration and whether the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// 1, 2, 3 …
    pub version: i64,
    /// What it is about.
    pub name: &'static str,
    /// The database has it.
    pub applied: bool,
    /// The text it was applied with is this program's (`true` when it was not applied).
    pub intact: bool,
}

fn migrator() -> Migrator {
    let migration = |(version, (name, text)): (i64, (&'static str, &'static str))| {
        // false: each in a transaction of its own
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(MIGRATIONS).map(migration).collect())
}

impl Postgres {
    /// Applies what is missing, checking the digests of what is there. Safe to repeat, and to call from
    /// several processes at once: the driver takes a lock of its own.
    ///
    /// # Errors
    /// See [`MigrateError`].
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        let mut conn = self.own().await?;
        migrator().run_direct(None, &mut conn, false).await.map_err(|e| match e {
            sqlx::migrate::MigrateError::VersionMismatch(version) => MigrateError::Changed(version),
            sqlx::migrate::MigrateError::VersionMissing(version) => MigrateError::Newer(version),
            sqlx::migrate::MigrateError::Execute(e) => MigrateError::Failed(text(&e)),
            e => MigrateError::Failed(e.to_string()),
        })
    }

    /// What is applied and what is missing.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn migration_status(&self) -> Result<Vec<MigrationState>, StoreError> {
        let listed = self.one(control::HAS_MIGRATIONS.call()).await?.bool(0)?;
        let applied: Vec<(i64, Vec<u8>)> = match listed {
            true => self
                .all(control::MIGRATIONS.call())
                .await?
                .iter()
                .map(|row| Ok((row.columns().get(0)?, row.columns().get::<&[u8]>(1)?.to_vec())))
                .collect::<Result<_, StoreError>>()?,
            false => Vec::new(),
        };
        Ok(migrator()
            .iter()
            .zip(MIGRATIONS)
            .map(|(known, (name, _))| {
                let found = applied.iter().find(|(version, _)| *version == known.version);
                MigrationState {
                    version: known.version,
                    name,
                    applied: found.is_some(),
                    intact: found.is_none_or(|(_, checksum)| **checksum == *known.checksum),
                }
            })
            .collect())
    }

    /// The version of the database's schema; 0 before the first migration.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        match self.one(control::HAS_MIGRATIONS.call()).await?.bool(0)? {
            true => self.one(control::SCHEMA_VERSION.call()).await?.columns().get(0),
            false => Ok(0),
        }
    }
}

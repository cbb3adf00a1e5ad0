//! Bringing the schema up to date.

use orrery_kernel::StoreError;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::db::Sqlite;
use crate::schema::MIGRATIONS;
use crate::sql::control;

/// Why the schema could not be brought up to date; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A migration that was applied once is not the one this program has.
    #[error("migration {0} was applied with another text: the schema is not one of a released program")]
    Changed(i64),
    /// The database has migrations this program does not know.
    #[error("the database has migration {0}, which this program does not know: use a newer one")]
    Newer(i64),
    /// A migration failed.
    #[error("migration failed: {0}")]
    Failed(String),
    /// No transaction could be had.
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
        // true: no transaction of its own, for all of them run in one of ours
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), true)
    };
    Migrator::with_migrations((1..).zip(MIGRATIONS).map(migration).collect())
}

impl Sqlite {
    /// Applies what is missing, all or nothing, checking the digests of what is there. Safe to call
    /// from several processes at once.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        let result = self
            .write(|tx| {
                Box::pin(async move {
                    match tx.migrate(&migrator()).await {
                        Ok(()) => Ok(Ok(())),
                        Err(e) => {
                            tx.nothing_to_keep();
                            Ok(Err(e))
                        }
                    }
                })
            })
            .await?;
        result.map_err(|e| match e {
            sqlx::migrate::MigrateError::VersionMismatch(version) => MigrateError::Changed(version),
            sqlx::migrate::MigrateError::VersionMissing(version) => MigrateError::Newer(version),
            e => MigrateError::Failed(e.to_string()),
        })
    }

    /// What is applied and what is missing.
    pub async fn migration_status(&self) -> Result<Vec<MigrationState>, StoreError> {
        let listed = self.one(control::HAS_MIGRATIONS.call()).await?.count(0)? > 0;
        let applied: Vec<(i64, Vec<u8>)> = match listed {
            true => self
                .all(control::MIGRATIONS.call())
                .await?
                .iter()
                .map(|row| Ok((row.get(0)?, row.get(1)?)))
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
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        let status = self.migration_status().await?;
        Ok(status.iter().filter(|m| m.applied).map(|m| m.version).max().unwrap_or(0))
    }
}

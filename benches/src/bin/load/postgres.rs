//! Databases of our own on a PostgreSQL server.

use anyhow::Context;
use orrery_kernel::Clock;
use orrery_store_postgres::{Options, Postgres};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::MachineClock;

/// A database that is removed when the run ends well; after a failure it stays, to be looked at.
pub(crate) struct Scratch {
    server: String,
    name: String,
    url: String,
}

impl Scratch {
    /// Makes a database beside the one that `server` names.
    pub(crate) async fn create(server: &str) -> anyhow::Result<Self> {
        let name = format!("orrery_load_{}", MachineClock.now().micros());
        let mut connection = PgConnection::connect(server).await.context("the PostgreSQL server")?;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        connection.close().await?;
        let (base, _) = server.rsplit_once('/').context("the server's URL names no database")?;
        Ok(Self { server: server.to_owned(), url: format!("{base}/{name}"), name })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.server).await?;
        connection.execute(AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name))).await?;
        Ok(connection.close().await?)
    }
}

/// Opens the store on it, as the server does.
pub(crate) async fn store(scratch: &Scratch) -> anyhow::Result<Postgres> {
    let db = Postgres::connect(scratch.url(), Options::default()).await?;
    db.migrate().await?;
    db.close().await;
    Ok(Postgres::open(scratch.url(), Options::default()).await?)
}

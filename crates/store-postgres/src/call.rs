//! Running a registered statement: bound, measured, and stoppable by tests.

use futures_util::TryStreamExt;
use orrery_kernel::StoreError;
use orrery_store_rows::Columns;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Encode, Postgres, Row, Type};
use tokio::time::{Duration, Instant};

use crate::error::{corrupt, failed};
use crate::options::Fault;
use crate::sql::Sql;

/// A statement slower than this is logged.
const SLOW: Duration = Duration::from_secs(1);

type Query = sqlx::query::Query<'static, Postgres, PgArguments>;

/// A statement with its arguments.
pub(crate) struct Call {
    sql: &'static Sql,
    query: Query,
    bound: usize,
}

impl Sql {
    /// Starts a call.
    pub(crate) fn call(&'static self) -> Call {
        Call { sql: self, query: sqlx::query(self.text), bound: 0 }
    }
}

impl Call {
    /// The next argument.
    pub(crate) fn bind<T>(mut self, value: T) -> Self
    where
        T: for<'q> Encode<'q, Postgres> + Type<Postgres> + 'static,
    {
        self.query = self.query.bind(value);
        self.bound += 1;
        self
    }

    /// Runs it; gives how many rows it changed. The driver's error is left as it is.
    pub(crate) async fn raw_execute(self, conn: &mut PgConnection, fault: Option<&Fault>) -> Result<u64, sqlx::Error> {
        let (_, query, timer) = self.start(fault).map_err(|e| sqlx::Error::Protocol(e.to_string()))?;
        let done = query.execute(conn).await;
        timer.stop();
        done.map(|d| d.rows_affected())
    }

    /// Runs it; gives how many rows it changed.
    pub(crate) async fn execute(self, conn: &mut PgConnection, fault: Option<&Fault>) -> Result<u64, StoreError> {
        let name = self.sql.name;
        self.raw_execute(conn, fault).await.map_err(|e| failed(name, &e))
    }

    /// Runs it; gives its only row, if there is one.
    pub(crate) async fn optional(
        self,
        conn: &mut PgConnection,
        fault: Option<&Fault>,
    ) -> Result<Option<Fields>, StoreError> {
        let (sql, query, timer) = self.start(fault)?;
        let done = query.fetch_optional(conn).await;
        timer.stop();
        Ok(done.map_err(|e| failed(sql.name, &e))?.map(|row| Fields::new(sql, row)))
    }

    /// Runs it; gives its only row.
    pub(crate) async fn one(self, conn: &mut PgConnection, fault: Option<&Fault>) -> Result<Fields, StoreError> {
        let name = self.sql.name;
        self.optional(conn, fault).await?.ok_or_else(|| corrupt(name, "no row"))
    }

    /// Runs it; gives all rows, which the statement itself bounds.
    pub(crate) async fn all(self, conn: &mut PgConnection, fault: Option<&Fault>) -> Result<Vec<Fields>, StoreError> {
        let (sql, query, timer) = self.start(fault)?;
        let done = query.fetch_all(conn).await;
        timer.stop();
        Ok(done.map_err(|e| failed(sql.name, &e))?.into_iter().map(|row| Fields::new(sql, row)).collect())
    }

    /// Runs it and hands each row to `take` as it comes; holds a few at a time.
    pub(crate) async fn each(
        self,
        conn: &mut PgConnection,
        mut take: impl FnMut(&Fields) + Send,
    ) -> Result<(), StoreError> {
        let (sql, query, timer) = self.start(None)?;
        let mut rows = query.fetch(conn);
        while let Some(row) = rows.try_next().await.map_err(|e| failed(sql.name, &e))? {
            take(&Fields::new(sql, row));
        }
        timer.stop();
        Ok(())
    }

    fn start(self, fault: Option<&Fault>) -> Result<(&'static Sql, Query, Timer), StoreError> {
        let name = self.sql.name;
        debug_assert_eq!(self.bound, self.sql.params, "arguments of {name}");
        if let Some(fault) = fault {
            fault(name).map_err(StoreError::Unavailable)?;
        }
        Ok((self.sql, self.query, Timer { name, from: Instant::now() }))
    }
}

struct Timer {
    name: &'static str,
    from: Instant,
}

impl Timer {
    fn stop(self) {
        let took = self.from.elapsed();
        metrics::histogram!("postgres_query_seconds", "statement" => self.name).record(took.as_secs_f64());
        if took > SLOW {
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(statement = self.name, ms, "slow statement");
        }
    }
}

/// A row whose decoding errors name the statement.
pub(crate) struct Fields {
    name: &'static str,
    row: PgRow,
}

impl Fields {
    fn new(sql: &'static Sql, row: PgRow) -> Self {
        debug_assert_eq!(row.len(), sql.columns, "columns of {}", sql.name);
        Self { name: sql.name, row }
    }

    /// The columns, as rows of both databases are read.
    pub(crate) fn columns(&self) -> &dyn Columns {
        self
    }

    /// A truth value.
    pub(crate) fn bool(&self, i: usize) -> Result<bool, StoreError> {
        self.row.try_get(i).map_err(|e| failed(self.name, &e))
    }
}

impl Columns for Fields {
    fn name(&self) -> &'static str {
        self.name
    }

    fn width(&self) -> usize {
        self.row.len()
    }

    fn int(&self, i: usize) -> Result<Option<i64>, StoreError> {
        self.row.try_get(i).map_err(|e| failed(self.name, &e))
    }

    fn text(&self, i: usize) -> Result<Option<&str>, StoreError> {
        self.row.try_get(i).map_err(|e| failed(self.name, &e))
    }

    fn bytes(&self, i: usize) -> Result<Option<&[u8]>, StoreError> {
        self.row.try_get(i).map_err(|e| failed(self.name, &e))
    }
}

//! Running a registered statement: bound, measured, and stoppable by tests.

use futures_util::TryStreamExt;
use orrery_kernel::{StoreError, Timestamp};
use orrery_store_rows::Columns;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Encode, Row, Sqlite, SqliteConnection, Type};
use tokio::time::{Duration, Instant};

use crate::error::{corrupt, failed};
use crate::options::Fault;
use crate::sql::Sql;

/// A statement slower than this is logged.
const SLOW: Duration = Duration::from_secs(1);

type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

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
        T: for<'q> Encode<'q, Sqlite> + Type<Sqlite> + 'static,
    {
        self.query = self.query.bind(value);
        self.bound += 1;
        self
    }

    /// Runs it; gives how many rows it changed.
    pub(crate) async fn execute(self, conn: &mut SqliteConnection, fault: Option<&Fault>) -> Result<u64, StoreError> {
        let (sql, query, timer) = self.start(fault)?;
        let done = query.execute(conn).await;
        timer.stop();
        Ok(done.map_err(|e| failed(sql.name, &e))?.rows_affected())
    }

    /// Runs it to its end; gives its only row, if there is one. (`fetch_optional` would stop at the row,
    /// before a writing statement's references are checked.)
    pub(crate) async fn optional(
        self,
        conn: &mut SqliteConnection,
        fault: Option<&Fault>,
    ) -> Result<Option<Fields>, StoreError> {
        let mut rows = self.all(conn, fault).await?;
        debug_assert!(rows.len() <= 1, "{} rows", rows.len());
        Ok(rows.pop())
    }

    /// Runs it; gives its only row.
    pub(crate) async fn one(self, conn: &mut SqliteConnection, fault: Option<&Fault>) -> Result<Fields, StoreError> {
        let name = self.sql.name;
        self.optional(conn, fault).await?.ok_or_else(|| corrupt(name, "no row"))
    }

    /// Runs it; gives all rows, which the statement itself bounds.
    pub(crate) async fn all(
        self,
        conn: &mut SqliteConnection,
        fault: Option<&Fault>,
    ) -> Result<Vec<Fields>, StoreError> {
        let (sql, query, timer) = self.start(fault)?;
        let done = query.fetch_all(conn).await;
        timer.stop();
        Ok(done.map_err(|e| failed(sql.name, &e))?.into_iter().map(|row| Fields::new(sql, row)).collect())
    }

    /// Runs it and hands each row to `take` as it comes; holds about a thousand at a time.
    pub(crate) async fn each(
        self,
        conn: &mut SqliteConnection,
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
        metrics::histogram!("sqlite_query_seconds", "statement" => self.name).record(took.as_secs_f64());
        if took > SLOW {
            tracing::warn!(
                statement = self.name,
                ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "slow statement"
            );
        }
    }
}

/// A row whose decoding errors name the statement.
pub(crate) struct Fields {
    name: &'static str,
    row: SqliteRow,
}

impl Fields {
    fn new(sql: &'static Sql, row: SqliteRow) -> Self {
        debug_assert_eq!(row.len(), sql.columns, "columns of {}", sql.name);
        Self { name: sql.name, row }
    }

    /// The value of column `i`.
    pub(crate) fn get<'r, T>(&'r self, i: usize) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, Sqlite> + Type<Sqlite>,
    {
        self.row.try_get(i).map_err(|e| failed(self.name, &e))
    }

    /// The 32 bytes of column `i`.
    pub(crate) fn hash(&self, i: usize) -> Result<[u8; 32], StoreError> {
        let bytes: &[u8] = self.get(i)?;
        bytes.try_into().map_err(|_| corrupt(self.name, format!("column {i} is not 32 bytes")))
    }

    /// The time in column `i`.
    pub(crate) fn time(&self, i: usize) -> Result<Timestamp, StoreError> {
        self.get(i).map(Timestamp::from_micros)
    }

    /// The count in column `i`.
    pub(crate) fn count(&self, i: usize) -> Result<u64, StoreError> {
        let n: i64 = self.get(i)?;
        u64::try_from(n).map_err(|_| corrupt(self.name, format!("column {i} is negative")))
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
        self.get(i)
    }

    fn text(&self, i: usize) -> Result<Option<&str>, StoreError> {
        self.get(i)
    }

    fn bytes(&self, i: usize) -> Result<Option<&[u8]>, StoreError> {
        self.get(i)
    }
}

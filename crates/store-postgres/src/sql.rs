//! Every statement of this crate, as data: a test prepares each on a migrated database and compares
//! its parameter and column counts with those declared here.

/// Microseconds since 1970 by the server's clock, now and not at the transaction's start.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

/// A JSON list of texts as rows of `e.value`.
macro_rules! list {
    ($text:literal) => {
        concat!("json_array_elements_text(CAST(CAST(", $text, " AS TEXT) AS JSON)) AS e (value)")
    };
}

/// Rows' two columns as one JSON list of pairs.
macro_rules! pairs {
    ($first:literal, $second:literal) => {
        concat!("coalesce(CAST(json_agg(json_build_array(", $first, ", ", $second, ")) AS TEXT), '[]')")
    };
}

/// A JSON list of objects as rows of `e.value`.
macro_rules! records {
    ($text:literal) => {
        concat!("json_array_elements(CAST(CAST(", $text, " AS TEXT) AS JSON)) AS e (value)")
    };
}

/// Keeps others from changing the rows that were read, until the transaction ends.
macro_rules! for_share {
    () => {
        " FOR SHARE"
    };
}

pub(crate) mod channels;
pub(crate) mod control;
pub(crate) mod identity;
pub(crate) mod leases;
pub(crate) mod ledger;
pub(crate) mod market;
pub(crate) mod plans;
// these both databases take as they are
#[path = "../../store-rows/sql/data.rs"]
pub(crate) mod data;
#[path = "../../store-rows/sql/files.rs"]
pub(crate) mod files;
#[path = "../../store-rows/sql/fleet.rs"]
pub(crate) mod fleet;
#[path = "../../store-rows/sql/kv.rs"]
pub(crate) mod kv;
#[path = "../../store-rows/sql/logs.rs"]
pub(crate) mod logs;
#[path = "../../store-rows/sql/paper.rs"]
pub(crate) mod paper;
#[path = "../../store-rows/sql/programs.rs"]
pub(crate) mod programs;
#[path = "../../store-rows/sql/wallets.rs"]
pub(crate) mod wallets;
#[path = "../../store-rows/sql/workers.rs"]
pub(crate) mod workers;

/// A named statement.
#[derive(Debug)]
pub(crate) struct Sql {
    /// Label in metrics, errors and fault hooks.
    pub name: &'static str,
    /// The text, with `$1`, `$2` … as parameters.
    pub text: &'static str,
    /// Parameters it takes.
    pub params: usize,
    /// Columns it gives.
    pub columns: usize,
}

impl Sql {
    pub(crate) const fn new(name: &'static str, params: usize, columns: usize, text: &'static str) -> Self {
        Self { name, text, params, columns }
    }
}

/// The statements of all files, which is to say: all there are.
#[cfg(test)]
pub(crate) const ALL: [&[&Sql]; 16] = [
    channels::ALL,
    control::ALL,
    identity::ALL,
    leases::ALL,
    ledger::ALL,
    market::ALL,
    plans::ALL,
    fleet::ALL,
    kv::ALL,
    logs::ALL,
    paper::ALL,
    data::ALL,
    files::ALL,
    programs::ALL,
    wallets::ALL,
    workers::ALL,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use orrery_testkit::servers::{POSTGRES, named};
    use sqlx::{Connection, Executor, SqlSafeStr, Statement};

    use super::ALL;
    use crate::{Options, Postgres};

    #[tokio::test]
    async fn every_statement_prepares_with_the_declared_counts() {
        let base = named(POSTGRES);
        let schema = format!("prepares_{}", std::process::id());
        let mut conn = sqlx::PgConnection::connect(&base).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        sqlx::query(create).execute(&mut conn).await.unwrap();
        let url = format!("{base}?options=-c%20search_path%3D{schema}");
        let db = Postgres::connect(&url, Options::default()).await.unwrap();
        db.migrate().await.unwrap();
        let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
        for sql in ALL.into_iter().flatten() {
            let prepared =
                (&mut conn).prepare(sql.text.into_sql_str()).await.unwrap_or_else(|e| panic!("{}: {e}", sql.name));
            let params = prepared.parameters().map_or(0, |p| p.left().map_or(0, <[_]>::len));
            assert_eq!((params, prepared.columns().len()), (sql.params, sql.columns), "{}", sql.name);
        }
    }

    #[test]
    fn statements_have_names_of_their_own() {
        let names: Vec<_> = ALL.into_iter().flatten().map(|s| s.name).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }

    /// A `const` that is not listed would escape the test above.
    #[test]
    fn every_statement_is_listed() {
        let files = [
            include_str!("sql/channels.rs"),
            include_str!("sql/control.rs"),
            include_str!("sql/identity.rs"),
            include_str!("sql/leases.rs"),
            include_str!("sql/ledger.rs"),
            include_str!("sql/market.rs"),
            include_str!("sql/plans.rs"),
            include_str!("../../store-rows/sql/fleet.rs"),
            include_str!("../../store-rows/sql/kv.rs"),
            include_str!("../../store-rows/sql/logs.rs"),
            include_str!("../../store-rows/sql/paper.rs"),
            include_str!("../../store-rows/sql/data.rs"),
            include_str!("../../store-rows/sql/files.rs"),
            include_str!("../../store-rows/sql/programs.rs"),
            include_str!("../../store-rows/sql/wallets.rs"),
            include_str!("../../store-rows/sql/workers.rs"),
        ];
        for (text, list) in files.into_iter().zip(ALL) {
            assert_eq!(text.matches(": Sql =").count(), list.len());
        }
    }
}

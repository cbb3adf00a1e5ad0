//! Both databases hold the same: tables, columns, keys, indexes, references. On PostgreSQL some of the last
//! are triggers, whose functions' names end in `_refers`.

use std::collections::BTreeSet;

use e2e::repository;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection};

/// One fact a line, in words that both databases' catalogues can be put into.
type Facts = BTreeSet<String>;

/// The migrations of a database, in order.
fn migrations(of: &str) -> Vec<String> {
    let folder = repository().join("migrations").join(of);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files.iter().map(|f| std::fs::read_to_string(f).unwrap()).collect()
}

/// What may be kept in a column; smaller whole numbers and truth values are whole numbers to us.
fn class(declared: &str) -> &'static str {
    match declared.to_lowercase().as_str() {
        "integer" | "bigint" | "smallint" | "boolean" => "integer",
        "text" => "text",
        "blob" | "bytea" => "bytes",
        "real" | "double precision" => "real",
        other => panic!("{other} is in one database only"),
    }
}

const SQLITE_COLUMNS: &str = "SELECT m.name, c.name, c.type, c.\"notnull\" OR c.pk > 0, c.pk > 0
    FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite~_%' ESCAPE '~'";
const SQLITE_INDEXES: &str = "SELECT m.name, l.\"unique\", l.partial,
    (SELECT group_concat(coalesce(i.name, '(expression)') || CASE i.\"desc\" WHEN 1 THEN ' desc' ELSE '' END)
     FROM (SELECT * FROM pragma_index_xinfo(l.name) WHERE key = 1 ORDER BY seqno) i)
    FROM sqlite_schema m, pragma_index_list(m.name) l WHERE m.type = 'table' AND l.origin <> 'pk'";
const SQLITE_REFERENCES: &str = "SELECT m.name, f.\"from\", f.\"table\", lower(f.on_delete)
    FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";

const POSTGRES_COLUMNS: &str = "SELECT c.table_name::text, c.column_name::text, c.data_type::text,
        (c.is_nullable = 'NO')::int::bigint,
        EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
            WHERE i.indisprimary AND i.indrelid = format('%I.%I', c.table_schema, c.table_name)::regclass
            AND a.attname = c.column_name)::int::bigint
    FROM information_schema.columns c WHERE c.table_schema = current_schema()";
const POSTGRES_INDEXES: &str =
    "SELECT t.relname::text, i.indisunique::int::bigint, (i.indpred IS NOT NULL)::int::bigint,
        (SELECT string_agg(
            CASE i.indkey[n - 1] WHEN 0 THEN '(expression)' ELSE pg_get_indexdef(i.indexrelid, n, TRUE) END
            || CASE i.indoption[n - 1] & 1 WHEN 1 THEN ' desc' ELSE '' END, ',' ORDER BY n)
         FROM generate_series(1, i.indnkeyatts::int) AS n)
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.relnamespace = current_schema()::regnamespace AND NOT i.indisprimary";
const POSTGRES_REFERENCES: &str = "SELECT t.relname::text, a.attname::text, f.relname::text,
        CASE c.confdeltype WHEN 'a' THEN 'no action' WHEN 'c' THEN 'cascade' WHEN 'r' THEN 'restrict' ELSE 'other' END
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class f ON f.oid = c.confrelid
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (c.conkey)
    WHERE c.contype = 'f' AND t.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT t.relname::text, split_part(encode(g.tgargs, 'escape'), '\\000', 1),
        split_part(encode(g.tgargs, 'escape'), '\\000', 2), 'no action'
    FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid JOIN pg_proc p ON p.oid = g.tgfoid
    WHERE p.proname LIKE '%~_refers' ESCAPE '~' AND t.relnamespace = current_schema()::regnamespace";

macro_rules! facts {
    ($connection:expr, $columns:expr, $indexes:expr, $references:expr) => {{
        let mut facts = Facts::new();
        for row in sqlx::query($columns).fetch_all(&mut $connection).await.unwrap() {
            let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let (required, key): (i64, i64) = (row.get(3), row.get(4));
            let kind = class(&kind);
            facts.insert(format!("column {table}.{column}: {kind}, required {required}, primary key {key}"));
        }
        for row in sqlx::query($indexes).fetch_all(&mut $connection).await.unwrap() {
            let (table, unique, partial): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
            let columns: String = row.get(3);
            facts.insert(format!("index {table} ({columns}): unique {unique}, partial {partial}"));
        }
        for row in sqlx::query($references).fetch_all(&mut $connection).await.unwrap() {
            let (table, column): (String, String) = (row.get(0), row.get(1));
            let (other, delete): (String, String) = (row.get(2), row.get(3));
            facts.insert(format!("reference {table}.{column} to {other}, on delete {delete}"));
        }
        facts
    }};
}

#[tokio::test]
async fn the_databases_have_the_same_schema() {
    let mut sqlite = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    for text in migrations("sqlite") {
        sqlite.execute(AssertSqlSafe(text)).await.unwrap();
    }
    let url = orrery_testkit::servers::named(orrery_testkit::servers::POSTGRES);
    let mut postgres = PgConnection::connect(&url).await.unwrap();
    let schema = format!("parity_{}", std::process::id());
    postgres.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}; SET search_path TO {schema}"))).await.unwrap();
    for text in migrations("postgres") {
        postgres.execute(AssertSqlSafe(text)).await.unwrap();
    }
    let one = facts!(sqlite, SQLITE_COLUMNS, SQLITE_INDEXES, SQLITE_REFERENCES);
    let other = facts!(postgres, POSTGRES_COLUMNS, POSTGRES_INDEXES, POSTGRES_REFERENCES);
    assert!(one.len() > 150, "{} facts", one.len());
    let only = |a: &Facts, b: &Facts| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!((only(&one, &other), only(&other, &one)), (vec![], vec![]), "only in SQLite, only in PostgreSQL");
    postgres.execute(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await.unwrap();
}

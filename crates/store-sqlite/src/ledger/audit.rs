//! The whole ledger as of one moment, row by row.

use orrery_kernel::StoreError;
use orrery_ledger::AuditSink;
use sqlx::{Connection, SqliteConnection};

use orrery_store_rows::{Columns, ledger as rows};

use crate::call::Fields;
use crate::db::Sqlite;
use crate::error::{corrupt, failed};
use crate::open;
use crate::sql::{control, ledger as sql};

/// Reads on a connection of its own: however the audit ends, no pooled connection is left in the
/// middle of a transaction, and readers keep theirs.
pub(super) async fn audit(db: &Sqlite, sink: &mut dyn AuditSink) -> Result<(), StoreError> {
    let Some(path) = db.path() else {
        // in memory: the lock keeps writers out
        return stream(db.lock_writer().await?.get()?, sink).await;
    };
    let mut conn = open::reader(path, &db.inner.options).await.map_err(|e| failed("audit", &e))?;
    control::BEGIN_READ.call().execute(&mut conn, None).await?;
    stream(&mut conn, sink).await?;
    control::COMMIT.call().execute(&mut conn, None).await?;
    conn.close().await.map_err(|e| failed("audit", &e))
}

async fn stream(conn: &mut SqliteConnection, sink: &mut dyn AuditSink) -> Result<(), StoreError> {
    each(conn, &sql::AUDIT_ENTRIES, sink, |row, sink| {
        sink.entry(rows::posted(row)?);
        Ok(())
    })
    .await?;
    each(conn, &sql::AUDIT_BALANCES, sink, |row, sink| {
        let account = rows::account(row.get(0)?, "accounts.code")?;
        let parts = (account.owner.code(), account.asset.code(), account.bucket.name());
        if (parts.0.as_str(), parts.1, parts.2) != (row.get(1)?, row.get(2)?, row.get(3)?) {
            return Err(corrupt("accounts", format!("{account}: owner, asset or bucket differs")));
        }
        sink.balance(account, row.get(4)?);
        Ok(())
    })
    .await?;
    each(conn, &sql::AUDIT_ORDERS, sink, |row, sink| {
        sink.order(rows::order(row.get(0)?)?);
        Ok(())
    })
    .await?;
    each(conn, &sql::AUDIT_HOLDS, sink, |row, sink| {
        sink.hold(rows::hold(row.get(0)?)?);
        Ok(())
    })
    .await?;
    each(conn, &sql::AUDIT_LOANS, sink, |row, sink| {
        sink.loan(rows::loan(row.get(0)?)?);
        Ok(())
    })
    .await?;
    each(conn, &sql::AUDIT_OUTCOMES, sink, |row, sink| {
        sink.recorded(rows::recorded(row)?);
        Ok(())
    })
    .await?;
    let strays = [
        (&sql::AUDIT_ORPHANS, "legs", "a leg without its entry"),
        (&sql::AUDIT_LINES_EXTRA, "statement", "a line without its leg"),
        (&sql::AUDIT_LINES_MISSING, "statement", "no line for a leg"),
    ];
    for (statement, table, what) in strays {
        each(conn, statement, sink, |_, _| Err(corrupt(table, what))).await?;
    }
    Ok(())
}

/// Hands each row on; a row that is not what this program writes goes to `corrupt`, named by its
/// first column (and second, where that makes the key).
async fn each(
    conn: &mut SqliteConnection,
    statement: &'static crate::sql::Sql,
    sink: &mut dyn AuditSink,
    take: impl Fn(&Fields, &mut dyn AuditSink) -> Result<(), StoreError> + Send + Sync,
) -> Result<(), StoreError> {
    let streamed = statement
        .call()
        .each(conn, |row| {
            if let Err(e) = take(row, sink) {
                sink.corrupt(&format!("{e} (row {})", name(row)));
            }
        })
        .await;
    match streamed {
        // a page that cannot be read: say so and go on with the next table
        Err(e @ StoreError::Corrupt { .. }) => {
            sink.corrupt(&e.to_string());
            Ok(())
        }
        other => other,
    }
}

fn name(row: &Fields) -> String {
    let part = |i| match (i < row.width()).then(|| (row.int(i), row.text(i))) {
        Some((Ok(Some(n)), _)) => n.to_string(),
        Some((_, Ok(Some(text)))) => text.to_owned(),
        _ => String::new(),
    };
    format!("{} {}", part(0), part(1))
}

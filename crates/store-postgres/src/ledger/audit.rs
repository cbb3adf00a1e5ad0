//! The whole ledger as of one moment, row by row.

use orrery_kernel::StoreError;
use orrery_ledger::AuditSink;
use orrery_store_rows::{Columns, ledger as rows};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::call::Fields;
use crate::db::Postgres;
use crate::error::{corrupt, failed};
use crate::sql::{control, ledger as sql};

/// Reads on a connection of its own, which is closed however the audit ends, as of one moment.
pub(super) async fn audit(db: &Postgres, sink: &mut dyn AuditSink) -> Result<(), StoreError> {
    let mut conn = db.own().await?;
    control::NO_TIMEOUT.call().execute(&mut conn, None).await?;
    control::BEGIN_SNAPSHOT.call().execute(&mut conn, None).await?;
    stream(&mut conn, sink).await?;
    conn.close().await.map_err(|e| failed("audit", &e))
}

async fn stream(conn: &mut PgConnection, sink: &mut dyn AuditSink) -> Result<(), StoreError> {
    each(conn, &sql::AUDIT_ENTRIES, sink, |row, sink| {
        sink.entry(rows::posted(row)?);
        Ok(())
    })
    .await?;
    each(conn, &sql::AUDIT_BALANCES, sink, |row, sink| {
        let account = rows::account(row.columns().get(0)?, "accounts.code")?;
        let parts = (account.owner.code(), account.asset.code(), account.bucket.name());
        if (parts.0.as_str(), parts.1, parts.2) != (row.columns().get(1)?, row.columns().get(2)?, row.columns().get(3)?)
        {
            return Err(corrupt("accounts", format!("{account}: owner, asset or bucket differs")));
        }
        sink.balance(account, row.columns().get(4)?);
        Ok(())
    })
    .await?;
    each(conn, &sql::AUDIT_ORDERS, sink, |row, sink| {
        sink.order(rows::order(row.columns().get(0)?)?);
        Ok(())
    })
    .await?;
    each(conn, &sql::AUDIT_HOLDS, sink, |row, sink| {
        sink.hold(rows::hold(row.columns().get(0)?)?);
        Ok(())
    })
    .await?;
    each(conn, &sql::AUDIT_LOANS, sink, |row, sink| {
        sink.loan(rows::loan(row.columns().get(0)?)?);
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
    conn: &mut PgConnection,
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

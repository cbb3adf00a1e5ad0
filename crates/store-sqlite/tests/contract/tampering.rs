//! Rows that this program did not write are told, and the stream goes on.

use crate::support::{Db, audit, commit, deposit};

async fn damaged(sql: &'static str) -> crate::support::Heard {
    let db = Db::new().await;
    commit(&db.store, &[deposit(1, 5, "a"), deposit(2, 6, "b"), deposit(1, 7, "c")]).await.unwrap();
    // whoever can write to the file can drop its triggers, and turn its checks off
    db.sql(
        "DROP TRIGGER journal_keep; DROP TRIGGER journal_hold; DROP TRIGGER legs_keep; DROP TRIGGER legs_hold;
         DROP TRIGGER statement_keep; DROP TRIGGER statement_hold; DROP TRIGGER idempotency_keep;
         DROP TRIGGER idempotency_hold; DROP TRIGGER accounts_hold",
    )
    .await
    .unwrap();
    let mut conn = db.bare().await;
    sqlx::raw_sql("PRAGMA ignore_check_constraints = ON").execute(&mut conn).await.unwrap();
    let done = sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    assert_ne!(done.rows_affected(), 0, "{sql}");
    audit(&db.store).await
}

#[tokio::test]
async fn an_intact_ledger_is_silent() {
    let db = Db::new().await;
    commit(&db.store, &[deposit(1, 5, "a"), deposit(2, 6, "b")]).await.unwrap();
    let heard = audit(&db.store).await;
    assert_eq!((heard.entries.len(), heard.balances.len(), heard.recorded.len()), (2, 3, 2));
    assert!(heard.corrupt.is_empty(), "{:?}", heard.corrupt);
}

#[tokio::test]
async fn rows_that_make_no_sense_are_told() {
    for (sql, entries, balances, recorded, words) in [
        ("UPDATE journal SET kind = 99 WHERE seq = 2", 2, 3, 3, "journal.kind"),
        ("UPDATE journal SET actor = 'nobody' WHERE seq = 2", 2, 3, 3, "journal.actor"),
        ("UPDATE journal SET idem_key = '' WHERE seq = 2", 2, 3, 3, "journal.idem_key"),
        ("UPDATE journal SET hash = x'00' WHERE seq = 2", 2, 3, 3, "32 bytes"),
        ("UPDATE journal SET snapshot_id = 5 WHERE seq = 2", 2, 3, 3, "no snapshot 5"),
        ("UPDATE journal SET size_inr = 1, size_btc = 1 WHERE seq = 2", 2, 3, 3, "two sizes"),
        ("UPDATE legs SET from_account = 'mars' WHERE seq = 2", 2, 3, 3, "legs.from_account"),
        ("UPDATE accounts SET code = 'x' WHERE owner = 'user:2'", 3, 2, 3, "accounts.code"),
        ("UPDATE accounts SET owner = 'user:3' WHERE owner = 'user:2'", 3, 2, 3, "differs"),
        ("UPDATE idempotency SET outcome = x'01' WHERE key = 'b'", 3, 3, 2, "idempotency.outcome"),
        ("UPDATE idempotency SET fingerprint = x'01' WHERE key = 'b'", 3, 3, 2, "32 bytes"),
        ("DELETE FROM journal WHERE seq = 3", 2, 3, 3, "a leg without its entry"),
        ("DELETE FROM statement WHERE user_id = 2", 3, 3, 3, "no line for a leg"),
        ("INSERT INTO statement VALUES (5, 1)", 3, 3, 3, "a line without its leg"),
    ] {
        let heard = damaged(sql).await;
        let counts = (heard.entries.len(), heard.balances.len(), heard.recorded.len());
        assert_eq!(counts, (entries, balances, recorded), "{sql}: {:?}", heard.corrupt);
        assert!(heard.corrupt.iter().any(|c| c.contains(words)), "{sql}: {:?}", heard.corrupt);
    }
}

/// Changes that make sense row by row are the chain's to find: they are streamed as they are.
#[tokio::test]
async fn plausible_rows_are_streamed_as_they_are() {
    let heard = damaged("UPDATE legs SET amount = 600 WHERE seq = 2").await;
    assert!(heard.corrupt.is_empty(), "{:?}", heard.corrupt);
    assert_eq!(heard.entries[1].entry.legs[0].amount, 600);
    let heard = damaged("UPDATE accounts SET balance = 600 WHERE owner = 'user:2'").await;
    assert!(heard.corrupt.is_empty(), "{:?}", heard.corrupt);
    assert!(heard.balances.iter().any(|(_, balance)| *balance == 600));
}

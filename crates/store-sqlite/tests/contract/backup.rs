//! Copies of a database in use.

use std::os::unix::fs::PermissionsExt;

use orrery_ledger::LedgerStore;
use orrery_store_sqlite::{BackupError, Options, Sqlite};

use crate::support::{Db, audit, commit, deposit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_opens_and_is_equal() {
    let db = Db::new().await;
    commit(&db.store, &[deposit(1, 5, "a"), deposit(2, 6, "b")]).await.unwrap();
    let copy = db.folder.path().join("copy.db");
    // while others write
    let (size, ()) = tokio::join!(db.store.backup_to(&copy), async {
        for n in 0..20 {
            commit(&db.store, &[deposit(3, 1, &format!("c{n}"))]).await.unwrap();
        }
    });
    assert_eq!(size.unwrap(), std::fs::metadata(&copy).unwrap().len());
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!db.folder.path().join("copy.db.partial").exists());

    let restored = Sqlite::open(copy.to_str().unwrap(), Options { create: false, ..Options::default() }).await.unwrap();
    restored.migrate().await.unwrap();
    assert!(restored.integrity().await.unwrap().is_empty());
    let (theirs, ours) = (audit(&restored).await, audit(&db.store).await);
    assert!(theirs.corrupt.is_empty());
    assert!((2..=22).contains(&theirs.entries.len()));
    assert_eq!(theirs.entries[..], ours.entries[..theirs.entries.len()]);
    // ids and journal go on where the copy ends
    let before = restored.head().await.unwrap().seq;
    commit(&restored, &[deposit(9, 1, "later")]).await.unwrap();
    assert_eq!(restored.head().await.unwrap().seq, before + 1);
}

#[tokio::test]
async fn a_backup_replaces_nothing() {
    let db = Db::new().await;
    let copy = db.folder.path().join("copy.db");
    std::fs::write(&copy, "precious").unwrap();
    assert!(matches!(db.store.backup_to(&copy).await, Err(BackupError::Exists(_))));
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "precious");
    let nowhere = db.folder.path().join("no/such/copy.db");
    assert!(matches!(db.store.backup_to(&nowhere).await, Err(BackupError::Io { .. })));
    // what an interrupted backup left behind is no obstacle
    std::fs::remove_file(&copy).unwrap();
    std::fs::write(db.folder.path().join("copy.db.partial"), "half").unwrap();
    db.store.backup_to(&copy).await.unwrap();
}

#[tokio::test]
async fn a_database_in_memory_has_no_backup() {
    let store = Sqlite::open("sqlite::memory:", Options::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(store.backup_to(&folder.path().join("x")).await, Err(BackupError::Memory)));
}

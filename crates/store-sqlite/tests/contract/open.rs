//! Opening, settings, migrations.

use std::os::unix::fs::PermissionsExt;

use orrery_kernel::StoreError;
use orrery_store_sqlite::{Durability, MigrateError, OpenError, Options, SCHEMA_VERSION, Sqlite};
use sha2::Digest;

use crate::support::{Db, commit, deposit};

#[tokio::test]
async fn a_new_database_is_durable_private_and_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let store = Sqlite::open(&format!("sqlite://{}", path.display()), Options::default()).await.unwrap();
    let want = Durability { journal_mode: "wal".into(), synchronous: Durability::FULL, foreign_keys: true };
    assert_eq!(store.durability().await.unwrap(), want);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(store.schema_version().await.unwrap(), 0);
    store.health().await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(store.schema_version().await.unwrap(), SCHEMA_VERSION);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn configured_pragmas_cannot_weaken_durability() {
    let pragmas = [("synchronous", "OFF"), ("journal_mode", "MEMORY"), ("cache_size", "-1000")];
    let pragmas = pragmas.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
    let db = Db::with(Options { pragmas, ..Options::default() }).await;
    let found = db.store.durability().await.unwrap();
    assert_eq!((found.journal_mode.as_str(), found.synchronous), ("wal", Durability::FULL));
}

#[tokio::test]
async fn a_setting_that_did_not_take_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let pragmas = vec![("foreign_keys".to_owned(), "OFF".to_owned())];
    let refused = Sqlite::open(path.to_str().unwrap(), Options { pragmas, ..Options::default() }).await.unwrap_err();
    assert!(matches!(refused, OpenError::NotDurable { setting: "foreign_keys", .. }), "{refused}");
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let db = Db::new().await;
    let before = db.count("SELECT sum(length(sql)) + count(*) * 1000000 FROM sqlite_schema").await;
    db.store.migrate().await.unwrap();
    db.again().await.migrate().await.unwrap();
    assert_eq!(db.count("SELECT sum(length(sql)) + count(*) * 1000000 FROM sqlite_schema").await, before);
    let status = db.store.migration_status().await.unwrap();
    assert_eq!(status.len() as i64, SCHEMA_VERSION);
    assert!(status.iter().all(|m| m.applied && m.intact), "{status:?}");
}

#[tokio::test]
async fn several_may_migrate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let open = async || Sqlite::open(path.to_str().unwrap(), Options::default()).await.unwrap();
    let (a, b, c) = (open().await, open().await, open().await);
    let (a, b, c) = tokio::join!(a.migrate(), b.migrate(), c.migrate());
    a.and(b).and(c).unwrap();
}

#[tokio::test]
async fn other_files_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let open = async |name: &str, create| {
        Sqlite::open(&path(name), Options { create, ..Options::default() }).await.unwrap_err()
    };

    std::fs::write(path("text.db"), "not a database, and longer than a header of one hundred bytes".repeat(20))
        .unwrap();
    let refused = open("text.db", true).await;
    assert!(matches!(refused, OpenError::NotADatabase(_)), "{refused}");
    assert!(refused.to_string().contains("text.db"));

    let refused = open("missing.db", false).await;
    assert!(matches!(refused, OpenError::Missing(_)), "{refused}");
    assert!(!std::path::Path::new(&path("missing.db")).exists());

    let refused = open("no/such/folder.db", true).await;
    assert!(matches!(refused, OpenError::Unreadable { .. }), "{refused}");

    std::fs::create_dir(path("folder.db")).unwrap();
    let refused = open("folder.db", true).await;
    assert!(matches!(refused, OpenError::Unreadable { .. }), "{refused}");
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.db");
    let mut conn = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql("CREATE TABLE theirs (x)").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = Sqlite::open(path.to_str().unwrap(), Options::default()).await.unwrap_err();
    assert!(matches!(refused, OpenError::Foreign(_)), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let db = Db::new().await;
    db.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (1000, 'later', TRUE, x'00', 0)",
    )
    .await
    .unwrap();
    let refused = Sqlite::open(db.path.to_str().unwrap(), Options::default()).await.unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 1_000, known: SCHEMA_VERSION, .. }), "{refused}");
    assert!(matches!(db.store.migrate().await, Err(MigrateError::Newer(1_000))));
}

#[tokio::test]
async fn a_changed_migration_is_noticed() {
    let db = Db::new().await;
    db.sql("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2").await.unwrap();
    assert!(matches!(db.store.migrate().await, Err(MigrateError::Changed(2))));
    let status = db.store.migration_status().await.unwrap();
    let changed: Vec<_> = status.iter().filter(|m| !m.intact).map(|m| m.version).collect();
    assert_eq!(changed, [2]);
    assert!(status.len() > 2);
}

#[tokio::test]
async fn released_migrations_have_not_changed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
    let list = std::fs::read_to_string(format!("{folder}/CHECKSUMS")).unwrap();
    let listed: Vec<(&str, &str)> = list.lines().filter_map(|line| line.split_once("  ")).collect();
    for (digest, file) in &listed {
        let text = std::fs::read(format!("{folder}/{file}")).unwrap();
        assert_eq!(hex::encode(sha2::Sha256::digest(text)), *digest, "{file} was released; add another migration");
    }
    let mut files: Vec<_> = std::fs::read_dir(format!("{folder}/sqlite"))
        .unwrap()
        .map(|f| format!("sqlite/{}", f.unwrap().file_name().to_str().unwrap()))
        .collect();
    files.sort();
    assert_eq!(files, listed.iter().map(|(_, file)| *file).filter(|f| f.starts_with("sqlite/")).collect::<Vec<_>>());
    assert_eq!(files.len() as i64, SCHEMA_VERSION, "a file is not embedded");
}

#[tokio::test]
async fn health_notices_that_the_file_is_gone_or_replaced() {
    let db = Db::new().await;
    db.store.health().await.unwrap();
    std::fs::rename(&db.path, db.folder.path().join("elsewhere.db")).unwrap();
    assert!(matches!(db.store.health().await, Err(StoreError::Unavailable(_))));
    std::fs::write(&db.path, "").unwrap();
    assert!(matches!(db.store.health().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_database_in_memory_works_alike() {
    let store = Sqlite::open("sqlite::memory:", Options::default()).await.unwrap();
    store.migrate().await.unwrap();
    commit(&store, &[deposit(1, 5, "a")]).await.unwrap();
    assert_eq!(store.ledger().head().await.unwrap().seq, 1);
    assert_eq!(crate::support::audit(&store).await.entries.len(), 1);
    store.health().await.unwrap();
    assert!(store.path().is_none());
}

#[tokio::test]
async fn a_closed_database_answers_errors() {
    let db = Db::new().await;
    db.store.close().await;
    assert!(matches!(db.store.ledger().head().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(commit(&db.store, &[deposit(1, 5, "a")]).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn integrity_is_checked_on_request() {
    let db = Db::new().await;
    assert!(db.store.integrity().await.unwrap().is_empty());
}

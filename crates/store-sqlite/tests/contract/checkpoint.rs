//! The write-ahead log starts again from its beginning while writing goes on.

use orrery_ledger::LedgerStore;

use crate::support::{Db, commit, deposit};

#[tokio::test]
async fn the_log_stays_small_under_steady_writes() {
    let db = Db::new().await;
    let log = {
        let mut name = db.store.path().unwrap().as_os_str().to_owned();
        name.push("-wal");
        std::path::PathBuf::from(name)
    };
    let mut largest = 0;
    for round in 0..160 {
        let batch: Vec<_> = (0..256).map(|n| deposit(1 + n, 5, &format!("{round}-{n}"))).collect();
        commit(&db.store, &batch).await.unwrap();
        largest = largest.max(std::fs::metadata(&log).unwrap().len());
        // what runs beside the writes needs a moment now and then, as it has in a server
        tokio::task::yield_now().await;
    }
    assert_eq!(db.store.head().await.unwrap().seq, 160 * 256);
    // these writes fill 63 MB where nothing checkpoints
    assert!(largest < 50_000_000, "the log grew to {largest} bytes");
}

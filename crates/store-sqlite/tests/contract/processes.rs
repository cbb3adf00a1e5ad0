//! Several handles and several processes on one file.

use std::process::{Command, Stdio};

use orrery_ledger::{Answer, LedgerStore};
use orrery_store_sqlite::{Options, Sqlite};

use crate::support::{Db, audit, commit, deposit};

const COMMITS: i64 = 40;

async fn write(store: &Sqlite, who: i64) {
    for n in 0..COMMITS {
        let pair = [deposit(who, 1, &format!("p{who}-{n}")), deposit(who, 1, &format!("q{who}-{n}"))];
        let answers = commit(store, &pair).await.unwrap();
        assert!(answers.iter().all(|a| matches!(a, Answer::New(_))));
    }
}

/// Run by itself it writes to a database of its own; the test below runs it as another process, with
/// a path to write to.
#[tokio::test]
async fn one_process_writes() {
    let told = std::env::args().find_map(|a| a.strip_prefix("--skip=db:").map(str::to_owned));
    let own = Db::new().await;
    let path = told.unwrap_or_else(|| own.path.to_str().unwrap().to_owned());
    let store = Sqlite::open(&path, Options { create: false, ..Options::default() }).await.unwrap();
    write(&store, 2).await;
    assert!(store.head().await.unwrap().seq >= 2 * COMMITS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_one_gapless_journal() {
    let db = Db::new().await;
    let here = db.again().await;
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::one_process_writes"])
        // the harness knows no free arguments; a skip that matches nothing carries the path
        .arg(format!("--skip=db:{}", db.path.display()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    tokio::join!(write(&db.store, 1), write(&here, 3));
    assert!(other.wait().unwrap().success());

    let heard = audit(&db.store).await;
    assert!(heard.corrupt.is_empty(), "{:?}", heard.corrupt);
    assert_eq!(heard.entries.len() as i64, 3 * 2 * COMMITS);
    assert!(heard.entries.iter().zip(1..).all(|(p, seq)| p.entry.seq == seq));
    assert!(heard.entries.windows(2).all(|w| w[1].entry.prev == w[0].entry.hash));
    for who in 1..=3 {
        let (sheet, _) = db.store.sheet(orrery_kernel::UserId(who)).await.unwrap();
        assert_eq!(sheet.available_inr, 2 * COMMITS);
    }
}

/// The second writer is seen at once: nothing is remembered between transactions.
#[tokio::test]
async fn handles_see_each_other_at_once() {
    let db = Db::new().await;
    let other = db.again().await;
    for n in 0..5 {
        let store = if n % 2 == 0 { &db.store } else { &other };
        commit(store, &[deposit(1, 1, &format!("k{n}"))]).await.unwrap();
        assert_eq!(db.store.head().await.unwrap(), other.head().await.unwrap());
        assert_eq!(other.head().await.unwrap().seq, n + 1);
    }
}

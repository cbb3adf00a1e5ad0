//! The contract of the workers' logs.

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::Timestamp;
use orrery_workers::logs::{Line, LogBounds, LogStore, Numbered};
use orrery_workers::script::Level;

/// A store under test.
pub type Store = Arc<dyn LogStore>;

fn line(sid: &str, n: u64) -> Line {
    let at = Timestamp::from_secs(1_700_000_000).plus(Duration::from_secs(n));
    Line { sid: sid.into(), at, level: Level::Warn, text: format!("line {n:03} ä \"\n\t") }
}

async fn append(store: &Store, lines: &[Line], bounds: LogBounds) {
    store.append(lines, &bounds).await.expect("the store answers");
}

fn lines(found: &[Numbered]) -> Vec<Line> {
    found.iter().map(|numbered| numbered.line.clone()).collect()
}

/// Lines are read from the end and after one that is known.
pub async fn tail_and_after(store: Store) {
    let written: Vec<Line> = (0..6).flat_map(|n| [line("a", n), line("b", n)]).collect();
    append(&store, &written, LogBounds::default()).await;
    append(&store, &[line("a", 6)], LogBounds::default()).await;
    append(&store, &[], LogBounds::default()).await;
    let tail = store.tail("a", 3).await.expect("answers");
    assert_eq!(lines(&tail), [line("a", 4), line("a", 5), line("a", 6)]);
    assert!(tail.is_sorted_by_key(|numbered| numbered.id));
    let after = store.after("a", tail[0].id, 9).await.expect("answers");
    assert_eq!(after, tail[1..]);
    assert_eq!(lines(&store.after("a", 0, 2).await.expect("answers")), [line("a", 0), line("a", 1)]);
    assert!(store.after("a", tail[2].id, 9).await.expect("answers").is_empty());
    assert!(store.tail("c", 9).await.expect("answers").is_empty());
    let size = store.size("b").await.expect("answers");
    let bytes: u64 = (0..6).map(|n| line("b", n).size()).sum();
    assert_eq!((size.bytes, size.lines, size.modified), (bytes, 6, Some(line("b", 5).at)));
    assert_eq!(store.size("c").await.expect("answers"), orrery_workers::logs::LogSize::default());
    let sids = ["b".to_owned(), "c".into(), "a".into(), "b".into()];
    let sizes = store.sizes(&sids).await.expect("answers");
    assert_eq!(sizes.iter().map(|(sid, of)| (sid.as_str(), of.lines)).collect::<Vec<_>>(), [("a", 7), ("b", 6)]);
    assert_eq!(sizes[1].1, size);
    assert!(store.sizes(&[]).await.expect("answers").is_empty());
    let nul = Line { text: "a\0b".into(), ..line("z", 0) };
    append(&store, &[nul], LogBounds::default()).await;
    assert_eq!(store.tail("z", 9).await.expect("answers").len(), 1, "whatever a script writes is taken");
}

/// Full generations begin new ones, and the oldest goes; other workers' stay.
pub async fn rotates(store: Store) {
    let bounds = LogBounds { bytes: 3 * line("a", 0).size(), generations: 2 };
    append(&store, &[line("b", 0)], bounds).await;
    let all: Vec<Line> = (0..6).map(|n| line("a", n)).collect();
    append(&store, &all, bounds).await;
    assert_eq!(lines(&store.tail("a", 99).await.expect("answers")), all, "two generations, both full");
    append(&store, &[line("a", 6)], bounds).await;
    let left: Vec<Line> = (3..7).map(|n| line("a", n)).collect();
    assert_eq!(lines(&store.tail("a", 99).await.expect("answers")), left);
    assert_eq!(store.size("a").await.expect("answers").lines, 4);
    let many: Vec<Line> = (7..30).map(|n| line("a", n)).collect();
    append(&store, &many, bounds).await;
    let kept = store.size("a").await.expect("answers");
    assert!(kept.bytes <= 2 * bounds.bytes && kept.lines >= 4, "{kept:?}");
    assert_eq!(store.tail("a", 99).await.expect("answers").len() as u64, kept.lines);
    assert_eq!(store.size("b").await.expect("answers").lines, 1);
}

/// One who follows misses nothing, however many write at once.
pub async fn nothing_appears_before_what_was_seen(store: Store) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let store = store.clone();
        writers.spawn(async move {
            for n in 0..10 {
                append(&store, &[line("a", writer * 10 + n)], LogBounds::default()).await;
            }
        });
    }
    let (mut seen, mut last) = (0, 0);
    while seen < 40 {
        for numbered in store.after("a", last, 7).await.expect("answers") {
            assert!(numbered.id > last);
            last = numbered.id;
            seen += 1;
        }
        tokio::task::yield_now().await;
    }
    writers.join_all().await;
    assert!(store.after("a", last, 7).await.expect("answers").is_empty());
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! worker_logs_contract {
    ($make:expr) => {
        $crate::worker_logs_contract!(@each $make; tail_and_after rotates nothing_appears_before_what_was_seen);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::worker_logs::$name($make.await).await;
            }
        )*
    };
}

//! The contracts of what users keep: documents, files, programs.

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::{Timestamp, UserId};
use orrery_storage::data::{BYTES_MAX, DataStore, Kept, VALUE_BYTES_MAX};
use orrery_storage::files::{Added, FileIndex, FileRecord, Held, Hold, Pool, Upload, Usage};
use orrery_storage::programs::{Kind, Language, Program, ProgramFile, ProgramIndex, RUNS_MAX, Run};

/// A store under test, as its three ports.
pub type Store = (Arc<dyn DataStore>, Arc<dyn FileIndex>, Arc<dyn ProgramIndex>);

const A: UserId = UserId(1);
const B: UserId = UserId(0);

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + s)
}

/// What is kept is read by its owner alone, until it is dropped.
pub async fn documents_of_owners((data, ..): Store) {
    for value in ["{\"a\":1}", "null", "\"\\u0000\"", "12345678901234567890123"] {
        assert_eq!(data.put_document(A, "k/é", value, at(0)).await.expect("answers"), Kept::Done);
        assert_eq!(data.document(A, "k/é").await.expect("answers").as_deref(), Some(value));
    }
    assert_eq!(data.document(B, "k/é").await.expect("answers"), None);
    data.put_document(A, "a", "1", at(1)).await.expect("answers");
    let all = data.documents(A).await.expect("answers");
    assert_eq!(all.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a", "k/é"]);
    assert!(data.documents(B).await.expect("answers").is_empty());
    assert!(!data.remove_document(B, "a").await.expect("answers"));
    assert!(data.remove_document(A, "a").await.expect("answers"));
    assert!(!data.remove_document(A, "a").await.expect("answers"));
}

/// Beyond the bound nothing changes; a smaller value in place of a larger one always fits.
pub async fn documents_are_bounded((data, ..): Store) {
    let large = format!("\"{}\"", "x".repeat(VALUE_BYTES_MAX - 2));
    let mut kept = 0_u64;
    loop {
        match data.put_document(A, &format!("k{kept}"), &large, at(0)).await.expect("answers") {
            Kept::Done => kept += 1,
            Kept::Full => break,
        }
        assert!(kept * VALUE_BYTES_MAX as u64 <= BYTES_MAX);
    }
    assert_eq!(data.documents(A).await.expect("answers").len() as u64, kept);
    assert_eq!(data.put_document(A, "k0", "1", at(1)).await.expect("answers"), Kept::Done);
    assert_eq!(data.put_document(B, "k", &large, at(1)).await.expect("answers"), Kept::Done);
}

/// 200 writers at the same time lose nothing.
pub async fn parallel_writers((data, ..): Store) {
    let writers = (0..200).map(|i| {
        let data = data.clone();
        tokio::spawn(async move { data.put_document(A, &format!("k{i}"), &i.to_string(), at(i)).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert_eq!(writer.await.expect("no panic").expect("answers"), Kept::Done);
    }
    let all = data.documents(A).await.expect("answers");
    assert_eq!(all.len(), 200);
    assert!(all.iter().all(|(key, value)| key.strip_prefix('k') == Some(value)));
}

fn hold(id: &str, owner: UserId, pool: Pool, bytes: u64) -> Hold {
    Hold { id: id.into(), owner, pool, bytes, until: at(100) }
}

fn file(name: &str, size: u64, s: i64) -> FileRecord {
    FileRecord {
        owner: A,
        name: name.into(),
        original: format!("my {name}"),
        blob: format!("blob-{name}"),
        size,
        sha256: "ab".repeat(32),
        media_type: "text/plain".into(),
        at: at(s),
    }
}

/// A file is there under its name for its owner, and takes the place of the room that was kept for it.
pub async fn files_by_name((_, files, _): Store) {
    assert_eq!(files.hold(&hold("h", A, Pool::Files, 10), 10, at(0)).await.expect("answers"), Held::Yes);
    assert_eq!(files.add_file(&file("a.txt", 10, 1), "h").await.expect("answers"), Added::Done);
    let usage = Usage { bytes: 10, held: 0, count: 1 };
    assert_eq!(files.usage(A, Pool::Files, at(0)).await.expect("answers"), usage);
    assert_eq!(
        files.add_file(&FileRecord { blob: "other".into(), ..file("a.txt", 1, 2) }, "h").await.expect("answers"),
        Added::Taken
    );
    files.add_file(&file("b.txt", 2, 2), "none").await.expect("answers");
    assert_eq!(files.file(A, "a.txt").await.expect("answers"), Some(file("a.txt", 10, 1)));
    assert_eq!(files.file(B, "a.txt").await.expect("answers"), None);
    let names: Vec<_> = files.files(A).await.expect("answers").into_iter().map(|f| f.name).collect();
    assert_eq!(names, ["b.txt", "a.txt"]);
    assert!(files.uses("blob-a.txt").await.expect("answers"));
    assert_eq!(files.file_of(A, "blob-a.txt").await.expect("answers"), Some(file("a.txt", 10, 1)));
    assert_eq!(files.file_of(B, "blob-a.txt").await.expect("answers"), None);
    assert_eq!(files.file_of(A, "a.txt").await.expect("answers"), None);
    assert_eq!(files.remove_file(B, "a.txt").await.expect("answers"), None);
    assert_eq!(files.remove_file(A, "a.txt").await.expect("answers"), Some(file("a.txt", 10, 1)));
    assert_eq!(files.remove_file(A, "a.txt").await.expect("answers"), None);
    assert!(!files.uses("blob-a.txt").await.expect("answers"));
}

/// Room is kept up to the bound, by pool and owner; it can be changed, given back, and is over after its time.
pub async fn room((_, files, _): Store) {
    let ask = |id: &'static str, owner, pool, bytes, s| {
        let files = files.clone();
        async move { files.hold(&hold(id, owner, pool, bytes), 100, at(s)).await.expect("answers") }
    };
    assert_eq!(ask("1", A, Pool::Files, 60, 0).await, Held::Yes);
    assert_eq!(ask("2", A, Pool::Files, 41, 0).await, Held::Full);
    assert_eq!(ask("2", A, Pool::Files, 40, 0).await, Held::Yes);
    assert_eq!(ask("1", A, Pool::Files, 61, 0).await, Held::Full);
    assert_eq!(ask("1", A, Pool::Files, 20, 0).await, Held::Yes);
    assert_eq!(ask("1", A, Pool::Files, 60, 0).await, Held::Yes);
    assert_eq!(ask("3", B, Pool::Files, 100, 0).await, Held::Yes);
    assert_eq!(ask("4", A, Pool::Programs, 100, 0).await, Held::Yes);
    files.release("2").await.expect("answers");
    files.release("2").await.expect("answers");
    assert_eq!(files.usage(A, Pool::Files, at(0)).await.expect("answers"), Usage { bytes: 0, held: 60, count: 0 });
    assert_eq!(files.usage(A, Pool::Files, at(100)).await.expect("answers"), Usage::default());
    assert_eq!(ask("5", A, Pool::Files, 100, 100).await, Held::Yes);
    assert_eq!(ask("6", A, Pool::Files, u64::MAX, 100).await, Held::Full);
}

/// Of 40 that want a tenth of the room each at the same time, ten get it.
pub async fn room_at_the_edge((_, files, _): Store) {
    let asks = (0..40).map(|i| {
        let files = files.clone();
        tokio::spawn(async move {
            let hold = hold(&format!("h{i}"), A, Pool::Files, 10);
            match files.hold(&hold, 100, at(0)).await.expect("answers") {
                Held::Full => false,
                Held::Yes => {
                    let added = files.add_file(&file(&format!("f{i}"), 10, i), &hold.id).await.expect("answers");
                    assert_eq!(added, Added::Done);
                    true
                }
            }
        })
    });
    let mut got = 0;
    for ask in asks.collect::<Vec<_>>() {
        got += u32::from(ask.await.expect("no panic"));
    }
    assert_eq!(got, 10);
    let usage = Usage { bytes: 100, held: 0, count: 10 };
    assert_eq!(files.usage(A, Pool::Files, at(0)).await.expect("answers"), usage);
}

/// A resumable upload is its owner's until it is over.
pub async fn uploads((_, files, _): Store) {
    let upload = |id: &str, until| Upload {
        id: id.into(),
        owner: A,
        original: "a.bin".into(),
        length: 7,
        metadata: "filename YQ==".into(),
        until: at(until),
    };
    files.hold(&hold("u1", A, Pool::Files, 7), 10, at(0)).await.expect("answers");
    assert_eq!(files.put_upload(&upload("u1", 10)).await.expect("answers"), Added::Done);
    assert_eq!(files.put_upload(&upload("u2", 30)).await.expect("answers"), Added::Done);
    assert_eq!(files.upload(B, "u1").await.expect("answers"), None);
    assert!(files.uses("u1").await.expect("answers"));
    files.put_upload(&upload("u1", 20)).await.expect("answers");
    assert_eq!(files.upload(A, "u1").await.expect("answers"), Some(upload("u1", 20)));
    assert!(files.uploads_over(at(19), 10).await.expect("answers").is_empty());
    assert_eq!(files.uploads_over(at(40), 1).await.expect("answers"), [upload("u1", 20)]);
    assert!(files.remove_upload("u1").await.expect("answers"));
    assert!(!files.remove_upload("u1").await.expect("answers"));
    assert_eq!(files.usage(A, Pool::Files, at(0)).await.expect("answers"), Usage::default());
}

fn program(id: &str, s: i64) -> Program {
    Program {
        owner: A,
        id: id.into(),
        kind: Kind::Project,
        name: "proj".into(),
        original: "proj.zip".into(),
        description: "ünder".into(),
        language: Language::Unknown,
        size: 5,
        file_count: 2,
        main_file: None,
        at: at(s),
        executions: 0,
        last_executed: None,
    }
}

fn program_files() -> Vec<ProgramFile> {
    vec![
        ProgramFile { path: "a.py".into(), size: 2, language: Language::Python },
        ProgramFile { path: "d/é \"b\"".into(), size: 3, language: Language::Unknown },
    ]
}

/// Programs are their owner's; every run counts once.
pub async fn programs_and_runs((_, files, programs): Store) {
    files.hold(&hold("p", A, Pool::Programs, 5), 10, at(0)).await.expect("answers");
    assert_eq!(programs.add_program(&program("p1", 1), &program_files(), "p").await.expect("answers"), Added::Done);
    assert_eq!(programs.add_program(&program("p1", 2), &[], "p").await.expect("answers"), Added::Taken);
    programs.add_program(&program("p2", 2), &[], "p").await.expect("answers");
    let usage = Usage { bytes: 10, held: 0, count: 2 };
    assert_eq!(files.usage(A, Pool::Programs, at(0)).await.expect("answers"), usage);
    assert_eq!(programs.program(A, "p1").await.expect("answers"), Some(program("p1", 1)));
    assert_eq!(programs.program(B, "p1").await.expect("answers"), None);
    assert_eq!(programs.program_files(A, "p1").await.expect("answers"), program_files());
    let ids: Vec<_> = programs.programs(A).await.expect("answers").into_iter().map(|p| p.id).collect();
    assert_eq!(ids, ["p2", "p1"]);
    assert!(!programs.set_main(B, "p1", "a.py", Language::Python).await.expect("answers"));
    assert!(programs.set_main(A, "p1", "a.py", Language::Python).await.expect("answers"));
    let run = |s: i64| Run {
        at: at(s),
        command: format!("python3 a.py {s}"),
        return_code: (s % 2 == 0).then_some(0),
        micros: Duration::from_secs(1).as_micros() as u64,
    };
    let runs = (0..60).map(|s| {
        let programs = programs.clone();
        tokio::spawn(async move { programs.count_run(A, "p1", &run(s)).await })
    });
    for counted in runs.collect::<Vec<_>>() {
        assert!(counted.await.expect("no panic").expect("answers"));
    }
    assert!(programs.count_run(A, "p1", &run(100)).await.expect("answers"));
    assert!(!programs.count_run(B, "p1", &run(1)).await.expect("answers"));
    let found = programs.program(A, "p1").await.expect("answers").expect("a program");
    assert_eq!((found.executions, found.last_executed, found.language), (61, Some(at(100)), Language::Python));
    assert_eq!(found.main_file.as_deref(), Some("a.py"));
    let runs = programs.runs(A, "p1").await.expect("answers");
    assert_eq!((runs.len(), runs[0].clone()), (RUNS_MAX, run(100)));
    assert!(!programs.remove_program(B, "p1").await.expect("answers"));
    assert!(programs.remove_program(A, "p1").await.expect("answers"));
    assert!(!programs.knows(A, "p1").await.expect("answers"));
}

/// Everything of one owner's goes, the others' stays, and room is free again.
pub async fn owners_leave((data, files, programs): Store) {
    for (owner, n) in [(A, 1), (B, 2), (UserId(7), 3)] {
        data.put_document(owner, "k", "1", at(0)).await.expect("answers");
        let file = FileRecord { owner, blob: format!("blob-{n}"), ..file("a.txt", 10, 1) };
        files.add_file(&file, "none").await.expect("answers");
    }
    let upload = Upload {
        id: "u".into(),
        owner: UserId(9),
        original: "a".into(),
        length: 1,
        metadata: String::new(),
        until: at(50),
    };
    files.put_upload(&upload).await.expect("answers");
    files.put_upload(&Upload { id: "mine".into(), owner: A, ..upload }).await.expect("answers");
    files.hold(&hold("mine", A, Pool::Files, 5), 100, at(0)).await.expect("answers");
    files.hold(&hold("more", A, Pool::Programs, 5), 100, at(0)).await.expect("answers");
    programs.add_program(&program("p1", 1), &program_files(), "none").await.expect("answers");
    programs.add_program(&Program { owner: UserId(8), ..program("p1", 1) }, &[], "none").await.expect("answers");
    let owners = |after, limit| {
        let files = files.clone();
        async move { files.owners(UserId(after), limit).await.expect("answers").into_iter().map(|u| u.0).collect() }
    };
    let of: Vec<i64> = owners(-1, 10).await;
    assert_eq!(of, [0, 1, 7, 8, 9]);
    let of: Vec<i64> = owners(0, 2).await;
    assert_eq!(of, [1, 7]);
    let mut names = files.forget_files(A).await.expect("answers");
    names.sort();
    assert_eq!(names, ["blob-1", "mine"]);
    assert_eq!(programs.forget_programs(A).await.expect("answers"), ["p1"]);
    assert_eq!(data.forget_documents(A).await.expect("answers"), 1);
    for pool in [Pool::Files, Pool::Programs] {
        assert_eq!(files.usage(A, pool, at(0)).await.expect("answers"), Usage::default());
    }
    let of: Vec<i64> = owners(-1, 10).await;
    assert_eq!(of, [0, 7, 8, 9]);
    assert!(programs.knows(UserId(8), "p1").await.expect("answers"));
    assert_eq!(data.document(B, "k").await.expect("answers").as_deref(), Some("1"));
    assert!(files.forget_files(A).await.expect("answers").is_empty());
    assert!(programs.forget_programs(A).await.expect("answers").is_empty());
}

/// Runs the suite; `$make` is a future of a fresh [`Store`].
#[macro_export]
macro_rules! kept_contract {
    ($make:expr) => {
        $crate::kept_contract!($make; documents_of_owners documents_are_bounded parallel_writers files_by_name room
            room_at_the_edge uploads programs_and_runs owners_leave);
    };
    ($make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::kept::$name($make.await).await;
            }
        )*
    };
}

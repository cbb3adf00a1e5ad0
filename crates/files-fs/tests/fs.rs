//! What the file system's adapter promises.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use orrery_exec::Workspaces;
use orrery_files_fs::{FsBlobs, FsFolders, FsWorkspaces};
use orrery_kernel::{Clock, Entropy, Timestamp, UserId};
use orrery_storage::files::Blobs;
use orrery_storage::names::Blocked;
use orrery_storage::programs::{Folders, Planner, UnpackError};
use orrery_storage::zip::{Limits, Method, Planned, ZipError};

struct Far;

impl Clock for Far {
    fn now(&self) -> Timestamp {
        // whatever is there now is older than a day
        Timestamp::from_secs(10_000_000_000)
    }
}

#[derive(Default)]
struct Counting(std::sync::atomic::AtomicU8);

impl Entropy for Counting {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    }
}

fn blobs(root: &Path) -> FsBlobs {
    FsBlobs::open(root, Arc::new(Far), Arc::new(Counting::default())).unwrap()
}

fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn bytes_are_there_whole_or_not_at_all() {
    let root = tempfile::tempdir().unwrap();
    let blobs = blobs(root.path());
    let mut incoming = blobs.begin().await.unwrap();
    for _ in 0..10 {
        incoming.write(Bytes::from(vec![b'x'; 100_000])).await.unwrap();
    }
    let arrived = incoming.finish().await.unwrap();
    assert_eq!(arrived.size, 1_000_000);
    let mut file = blobs.open(&arrived.blob).await.unwrap().unwrap();
    assert_eq!(file.read(999_990, 100).await.unwrap().len(), 10);
    assert_eq!(file.read(2_000_000, 100).await.unwrap().len(), 0);
    assert_eq!(blobs.old().await.unwrap(), std::slice::from_ref(&arrived.blob));

    let mut dropped = blobs.begin().await.unwrap();
    dropped.write(Bytes::from(vec![0; 300_000])).await.unwrap();
    assert_eq!(files_in(&root.path().join("arriving")), 1);
    drop(dropped);
    assert_eq!(files_in(&root.path().join("arriving")), 0);

    blobs.remove(&arrived.blob).await.unwrap();
    blobs.remove(&arrived.blob).await.unwrap();
    assert!(blobs.open(&arrived.blob).await.unwrap().is_none());
    for name in ["", "..", "../../etc/passwd", &"A".repeat(32)] {
        assert!(blobs.open(name).await.unwrap().is_none(), "{name}");
        assert!(blobs.begin_parts(name).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn parts_go_on_where_they_ended_and_one_at_a_time() {
    let root = tempfile::tempdir().unwrap();
    let blobs = blobs(root.path());
    let name = "ab".repeat(16);
    blobs.begin_parts(&name).await.unwrap();
    assert!(blobs.begin_parts(&name).await.is_err());
    let mut first = blobs.resume(&name, 0).await.unwrap().unwrap();
    assert!(blobs.resume(&name, 0).await.unwrap().is_none(), "one is coming");
    first.write(Bytes::from_static(b"hello ")).await.unwrap();
    assert_eq!(first.pause().await.unwrap(), 6);
    assert!(blobs.resume(&name, 5).await.unwrap().is_none());
    assert_eq!(blobs.arrived(&name).await.unwrap(), Some(6));
    let mut second = blobs.resume(&name, 6).await.unwrap().unwrap();
    second.write(Bytes::from_static(b"world")).await.unwrap();
    let arrived = second.finish().await.unwrap();
    assert_eq!((arrived.blob.as_str(), arrived.size), (name.as_str(), 11));
    assert_eq!(arrived.sha256, "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9");
    assert_eq!(blobs.arrived(&name).await.unwrap(), None);
    assert!(blobs.resume(&name, 11).await.unwrap().is_none());
}

/// One packed file, as its local header stands in an archive.
fn packed(name: &str, data: &[u8]) -> (Vec<u8>, Planned) {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    let packed = encoder.finish().unwrap();
    let name_len = u16::try_from(name.len()).unwrap().to_le_bytes();
    let mut bytes = [b"PK\x03\x04".as_slice(), &[0; 22], &name_len, &[0; 2], name.as_bytes()].concat();
    let planned = Planned {
        path: name.into(),
        offset: 0,
        method: Method::Deflated,
        packed: packed.len() as u64,
        size: data.len() as u64,
        crc: crc32fast::hash(data),
    };
    bytes.extend(packed);
    (bytes, planned)
}

#[tokio::test]
async fn archives_hold_no_more_than_they_say() {
    let root = tempfile::tempdir().unwrap();
    let folders = FsFolders::open(root.path(), Arc::new(Far), Arc::new(Counting::default())).unwrap();
    let (bytes, planned) = packed("src/run.sh", &[b'#'; 500_000]);
    let lies = [
        Planned { size: 499_999, ..planned.clone() },
        Planned { size: 500_001, ..planned.clone() },
        Planned { crc: 1, ..planned.clone() },
        Planned { packed: planned.packed - 1, ..planned.clone() },
        Planned { offset: 4, ..planned.clone() },
        Planned { offset: 1_000_000, ..planned.clone() },
    ];
    for lie in lies {
        let mut folder = folders.begin().await.unwrap();
        folder.create_archive().await.unwrap();
        folder.write(bytes.clone().into()).await.unwrap();
        let refused = folder.unpack(std::slice::from_ref(&lie)).await.unwrap_err();
        assert!(matches!(refused, UnpackError::Archive(ZipError::Bomb | ZipError::Malformed)), "{lie:?}: {refused}");
    }
    assert_eq!(files_in(&root.path().join("arriving")), 0, "nothing is left");

    let mut folder = folders.begin().await.unwrap();
    folder.create_archive().await.unwrap();
    folder.write(bytes.into()).await.unwrap();
    let planner = Planner { limits: Limits::default(), blocked: Blocked::default() };
    assert!(folder.plan(&planner).await.is_err(), "it has no directory");
    let beginnings = folder.unpack(&[planned]).await.unwrap();
    assert_eq!(beginnings.len(), 1);
    folder.create("notes.txt").await.unwrap();
    folder.write(Bytes::from_static(b"hi")).await.unwrap();
    folder.finish(UserId(7), "project_1").await.unwrap();
    let place = folders.path(UserId(7), "project_1");
    assert_eq!(std::fs::metadata(place.join("src/run.sh")).unwrap().len(), 500_000);
    let read = folders.beginning(UserId(7), "project_1", "notes.txt", 1).await.unwrap();
    assert_eq!(read.as_deref(), Some(b"h".as_slice()));
    std::os::unix::fs::symlink("/etc/passwd", place.join("link")).unwrap();
    for path in ["link", "none", "src", "../project_1/notes.txt", ""] {
        assert_eq!(folders.beginning(UserId(7), "project_1", path, 10).await.unwrap(), None, "{path}");
    }
    let second = folders.begin().await.unwrap();
    assert!(second.finish(UserId(7), "project_1").await.is_err(), "the id is taken");
    let third = folders.begin().await.unwrap();
    assert!(third.finish(UserId(7), "../evil").await.is_err());
    assert_eq!(folders.old().await.unwrap(), [(UserId(7), "project_1".to_owned())]);
    folders.remove(UserId(7), "project_1").await.unwrap();
    assert!(!place.exists());
}

fn place() -> orrery_testkit::blobs::Place {
    let root = tempfile::tempdir().unwrap();
    let (clock, entropy) = (Arc::new(Far), Arc::new(Counting::default()));
    orrery_testkit::blobs::Place {
        blobs: Arc::new(blobs(&root.path().join("files"))),
        folders: Arc::new(FsFolders::open(&root.path().join("programs"), clock, entropy).unwrap()),
        keep: Box::new(root),
    }
}

#[tokio::test]
async fn directories_of_commands() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("workspaces");
    let spaces = FsWorkspaces::new(&place, Arc::new(Far), Arc::new(Counting::default()));
    orrery_testkit::exec::workspaces_suite(Arc::new(spaces.clone())).await;
    let of = spaces.workspace(UserId(9)).await.unwrap();
    assert_eq!(std::fs::metadata(&of).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::create_dir_all(of.join("a/b")).unwrap();
    std::fs::write(of.join("a/b/c"), "x").unwrap();
    // names that are no user's are nobody's directory
    std::fs::create_dir(place.join("lost+found")).unwrap();
    spaces.remove(UserId(9)).await.unwrap();
    assert!(!of.exists() && place.join("lost+found").exists());
    let mut owners = spaces.owners().await.unwrap();
    owners.sort();
    assert_eq!(owners, [UserId(7), UserId(70)]);
}

mod contract {
    use super::place;

    orrery_testkit::blobs_contract!(place());
}

//! The contracts of bytes under names, and of programs' folders.

use std::sync::Arc;

use bytes::Bytes;
use orrery_kernel::UserId;
use orrery_storage::files::Blobs;
use orrery_storage::names::Blocked;
use orrery_storage::programs::{Folders, NewFolder, Planner, UnpackError};
use orrery_storage::zip::{Limits, ZipError};
use sha2::{Digest, Sha256};

/// What is tested, and what has to live as long.
pub struct Place {
    /// Bytes of files.
    pub blobs: Arc<dyn Blobs>,
    /// Folders of programs.
    pub folders: Arc<dyn Folders>,
    /// A directory, say.
    pub keep: Box<dyn std::any::Any + Send>,
}

const NAME: &str = "0123456789abcdef0123456789abcdef";
const OWNER: UserId = UserId(7);

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn read(blobs: &dyn Blobs, blob: &str) -> Option<Bytes> {
    let mut file = blobs.open(blob).await.expect("answers")?;
    Some(file.read(0, 1_000).await.expect("answers"))
}

/// What arrived is there under the name that was given, until it is dropped.
pub async fn whole(Place { blobs, .. }: &Place) {
    let mut incoming = blobs.begin().await.expect("begins");
    incoming.write(text("0123")).await.expect("writes");
    incoming.write(text("456789")).await.expect("writes");
    let arrived = incoming.finish().await.expect("keeps");
    assert_eq!((arrived.size, arrived.sha256), (10, sum("0123456789")));
    let mut file = blobs.open(&arrived.blob).await.expect("answers").expect("is there");
    for (offset, most, there) in
        [(0, 100, "0123456789"), (3, 4, "3456"), (8, 9, "89"), (10, 5, ""), (u64::MAX / 2, 1, "")]
    {
        assert_eq!(file.read(offset, most).await.expect("reads"), there, "{offset}");
    }
    let empty = blobs.begin().await.expect("begins").finish().await.expect("keeps");
    assert_eq!((empty.size, empty.sha256), (0, sum("")));
    assert_ne!(empty.blob, arrived.blob);
    // who reads goes on, who comes later finds nothing
    blobs.remove(&arrived.blob).await.expect("drops");
    blobs.remove(&arrived.blob).await.expect("twice is fine");
    assert_eq!(file.read(0, 2).await.expect("reads"), "01");
    assert!(blobs.open(&arrived.blob).await.expect("answers").is_none());
    for none in ["", "..", "/etc/passwd", "../blobs", NAME, "é"] {
        assert!(blobs.open(none).await.expect("answers").is_none(), "{none}");
        assert_eq!(blobs.arrived(none).await.expect("answers"), None, "{none}");
        assert!(blobs.resume(none, 0).await.expect("answers").is_none(), "{none}");
        blobs.remove(none).await.expect("is fine");
        blobs.abandon(none).await.expect("is fine");
    }
}

fn sum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What comes in parts goes on where it ended, one at a time, and keeps its name.
pub async fn parts(Place { blobs, .. }: &Place) {
    blobs.begin_parts(NAME).await.expect("begins");
    assert!(blobs.begin_parts(NAME).await.is_err(), "there is one of that name");
    assert_eq!(blobs.arrived(NAME).await.expect("answers"), Some(0));
    let mut first = blobs.resume(NAME, 0).await.expect("answers").expect("is there");
    assert!(blobs.resume(NAME, 0).await.expect("answers").is_none(), "one at a time");
    first.write(text("hello")).await.expect("writes");
    assert_eq!(first.pause().await.expect("keeps"), 5);
    assert_eq!(blobs.arrived(NAME).await.expect("answers"), Some(5));
    for elsewhere in [0, 4, 6] {
        assert!(blobs.resume(NAME, elsewhere).await.expect("answers").is_none(), "{elsewhere}");
    }
    // taken back, as if it had not come
    let mut second = blobs.resume(NAME, 5).await.expect("answers").expect("goes on");
    second.write(text("broken")).await.expect("writes");
    second.rewind(5).await.expect("takes back");
    assert_eq!(second.pause().await.expect("keeps"), 5);
    let mut third = blobs.resume(NAME, 5).await.expect("answers").expect("goes on");
    third.write(text("xx")).await.expect("writes");
    third.rewind(5).await.expect("takes back");
    third.write(text(" world")).await.expect("writes");
    let arrived = third.finish().await.expect("keeps");
    assert_eq!((arrived.blob.as_str(), arrived.size), (NAME, 11));
    assert_eq!(arrived.sha256, sum("hello world"));
    assert_eq!(read(blobs.as_ref(), NAME).await.expect("is there"), "hello world");
    assert_eq!(blobs.arrived(NAME).await.expect("answers"), None, "it is whole");
    let other = NAME.replace('0', "f");
    blobs.begin_parts(&other).await.expect("begins");
    // whoever was cut off is no hindrance to who comes next
    drop(blobs.resume(&other, 0).await.expect("answers").expect("is there"));
    let there = blobs.arrived(&other).await.expect("answers").expect("is there");
    assert!(blobs.resume(&other, there).await.expect("answers").is_some());
    blobs.abandon(&other).await.expect("drops");
    blobs.abandon(&other).await.expect("twice is fine");
    assert_eq!(blobs.arrived(&other).await.expect("answers"), None);
}

async fn file(folder: &mut dyn NewFolder, path: &str, bytes: &'static str) {
    folder.create(path).await.expect("makes");
    folder.write(text(bytes)).await.expect("writes");
}

/// A folder is there when it is finished, under its owner and id alone.
pub async fn folders(Place { folders, .. }: &Place) {
    let beginning = |owner, id: &'static str, path: &'static str, most| {
        let folders = folders.clone();
        async move { folders.beginning(owner, id, path, most).await.expect("answers") }
    };
    let mut new = folders.begin().await.expect("begins");
    file(new.as_mut(), "src/main.py", "print(1)").await;
    file(new.as_mut(), "src/lib.py", "").await;
    new.mark_runnable().await.expect("marks");
    assert!(new.create("src/main.py").await.is_err(), "there is one of that name");
    assert_eq!(beginning(OWNER, "project_1", "src/main.py", 10).await, None, "nobody sees it");
    new.finish(OWNER, "project_1").await.expect("keeps");
    assert_eq!(beginning(OWNER, "project_1", "src/main.py", 5).await.expect("is there"), "print");
    assert_eq!(beginning(OWNER, "project_1", "src/lib.py", 5).await.expect("is there"), "");
    for (owner, id, path) in [
        (UserId(8), "project_1", "src/main.py"),
        (OWNER, "project_2", "src/main.py"),
        (OWNER, "project_1", "src"),
        (OWNER, "project_1", "src/../src/main.py"),
        (OWNER, "../7/project_1", "src/main.py"),
        (OWNER, "project_1", "/etc/passwd"),
    ] {
        assert_eq!(beginning(owner, id, path, 5).await, None, "{id} {path}");
    }
    assert!(folders.path(OWNER, "project_1").ends_with("7/project_1"));
    let mut second = folders.begin().await.expect("begins");
    file(second.as_mut(), "a", "1").await;
    assert!(second.finish(OWNER, "project_1").await.is_err(), "an id is taken once");
    assert_eq!(beginning(OWNER, "project_1", "src/main.py", 5).await.expect("is there"), "print");
    folders.remove(UserId(8), "project_1").await.expect("is fine");
    folders.remove(OWNER, "project_1").await.expect("drops");
    folders.remove(OWNER, "project_1").await.expect("twice is fine");
    assert_eq!(beginning(OWNER, "project_1", "src/main.py", 5).await, None);
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

/// An archive of files, each stored or, as a single block that is not compressed, deflated; `says` is its size.
fn archive(files: &[(&str, &[u8], bool, usize)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    let u16_of = |n: usize| u16::try_from(n).expect("is small").to_le_bytes();
    let u32_of = |n: usize| u32::try_from(n).expect("is small").to_le_bytes();
    for (name, bytes, deflated, says) in files {
        let packed = match deflated {
            true => {
                let length = u16_of(bytes.len());
                [&[1], length.as_slice(), &length.map(|byte| !byte), bytes].concat()
            }
            false => bytes.to_vec(),
        };
        let method = if *deflated { 8 } else { 0 };
        let common = [
            [20, 0, 0, 8, method, 0, 0, 0, 0, 0].as_slice(),
            &crc(bytes).to_le_bytes(),
            &u32_of(packed.len()),
            &u32_of(*says),
            &u16_of(name.len()),
            &[0, 0],
        ]
        .concat();
        directory.extend([b"PK\x01\x02\x14\x03".as_slice(), &common, &[0; 10], &u32_of(out.len())].concat());
        directory.extend(name.as_bytes());
        out.extend([b"PK\x03\x04".as_slice(), &common, name.as_bytes(), &packed].concat());
    }
    let (count, size, at) = (u16_of(files.len()), u32_of(directory.len()), u32_of(out.len()));
    out.extend(directory);
    out.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &size, &at, &[0, 0]].concat());
    out
}

async fn unpacked(folders: &dyn Folders, bytes: Vec<u8>, id: &str) -> Result<Vec<Bytes>, UnpackError> {
    let planner = Planner { limits: Limits::default(), blocked: Blocked::new(&Blocked::DOCUMENTED) };
    let mut new = folders.begin().await?;
    new.create_archive().await?;
    for part in bytes.chunks(50) {
        new.write(Bytes::copy_from_slice(part)).await?;
    }
    let planned = new.plan(&planner).await?;
    let beginnings = new.unpack(&planned).await?;
    new.finish(OWNER, id).await?;
    Ok(beginnings)
}

/// An archive is unpacked as far as its plan allows, whole or not at all, and is none of the folder's files.
pub async fn archives(Place { folders, .. }: &Place) {
    let good = archive(&[("run.sh", b"#!/bin/sh\n", false, 10), ("lib/a.py", b"print(2)", true, 8)]);
    let beginnings = unpacked(folders.as_ref(), good.clone(), "project_1").await.expect("unpacks");
    assert_eq!(beginnings, ["#!/bin/sh\n", "print(2)"]);
    let there = folders.beginning(OWNER, "project_1", "lib/a.py", 100).await.expect("answers");
    assert_eq!(there.expect("is there"), "print(2)");
    let mut flipped = good.clone();
    flipped[36] ^= 1;
    for (bad, error) in [
        (archive(&[("../a.py", b"1", false, 1)]), "a path"),
        (archive(&[("a.exe", b"1", false, 1)]), "a name"),
        (archive(&[("a.py", b"12", true, 1)]), "more than it says"),
        (archive(&[("a.py", b"1", true, 2)]), "less than it says"),
        (flipped, "a checksum"),
        (good[..good.len() - 30].to_vec(), "an end"),
        (Vec::new(), "nothing"),
    ] {
        let refused = unpacked(folders.as_ref(), bad, "project_2").await.expect_err(error);
        assert!(matches!(refused, UnpackError::Archive(_)), "{error}: {refused:?}");
        assert_eq!(folders.beginning(OWNER, "project_2", "a.py", 1).await.expect("answers"), None, "{error}");
    }
    let bomb = unpacked(folders.as_ref(), archive(&[("a.py", b"12", true, 1)]), "project_2").await;
    assert!(matches!(bomb, Err(UnpackError::Archive(ZipError::Bomb))), "{bomb:?}");
}

/// Runs the suite; `$make` is a fresh [`Place`].
#[macro_export]
macro_rules! blobs_contract {
    ($make:expr) => {
        $crate::blobs_contract!($make; whole parts folders archives);
    };
    ($make:expr; $($name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                $crate::blobs::$name(&$make).await;
            }
        )*
    };
}

//! ZIP archives, judged before a byte of them is unpacked (APPNOTE.TXT 6.3.10).
//!
//! Pure: [`locate`] reads the archive's end, [`plan`] its directory. What a plan says is a promise that the unpacking has
//! to hold it to: sizes in an archive are what somebody wrote there.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use crate::names::{Blocked, NameError, check_part};

/// Bytes of the archive's end that [`locate`] wants: the record and the longest comment.
pub const TAIL_BYTES_MAX: usize = 22 + 65_535;
/// Bytes of a local header before its name.
pub const LOCAL_BYTES: usize = 30;
/// Most bytes of a path in an archive.
const PATH_BYTES_MAX: usize = 1_024;
/// Most parts of a path.
const DEPTH_MAX: usize = 32;
/// A file that unpacks to less is not suspected, however well it was packed.
const RATIO_FROM_BYTES: u64 = 1_048_576;

/// Bounds on an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files and folders.
    pub entries: u64,
    /// Bytes unpacked.
    pub bytes: u64,
    /// Bytes unpacked for each packed byte of a file.
    pub ratio: u64,
    /// Bytes of the directory.
    pub directory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 10_000, bytes: 536_870_912, ratio: 100, directory_bytes: 8_388_608 }
    }
}

/// Why an archive is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZipError {
    /// Not an archive, or a broken one.
    #[error("Invalid ZIP file")]
    Malformed,
    /// What hardly any archive needs: parts, 64-bit sizes, other methods than store and deflate.
    #[error("The ZIP file uses a feature that is not supported: {0}")]
    Unsupported(&'static str),
    /// It needs a password.
    #[error("The ZIP file is encrypted")]
    Encrypted,
    /// It leads out of its folder, or cannot be kept by every system.
    #[error("The ZIP file holds an unsafe path")]
    Path,
    /// A link, a device or the like.
    #[error("The ZIP file holds something that is neither a file nor a folder")]
    Kind,
    /// Two names that are one on some systems, or a file where a folder is.
    #[error("The ZIP file holds the same path twice")]
    Duplicate,
    /// A blocked suffix.
    #[error("The ZIP file holds a file of a type that is not allowed")]
    Blocked,
    /// Beyond [`Limits::entries`].
    #[error("The ZIP file holds too many files")]
    Many,
    /// Beyond [`Limits::bytes`] or [`Limits::ratio`], or parts that are used twice.
    #[error("The ZIP file unpacks to too much")]
    Bomb,
    /// There is no file in it.
    #[error("The ZIP file holds no files")]
    Empty,
}

/// Where the directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// From the archive's beginning.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// Entries it says it has.
    pub entries: u64,
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As it is.
    Stored,
    /// RFC 1951.
    Deflated,
}

/// A file to be unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Parts joined by `/`, each harmless.
    pub path: String,
    /// Where its local header is.
    pub offset: u64,
    /// How it is packed.
    pub method: Method,
    /// Bytes in the archive.
    pub packed: u64,
    /// Bytes unpacked; more is a lie.
    pub size: u64,
    /// CRC-32 of the unpacked bytes.
    pub crc: u32,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Finds the directory, given the archive's length and its last bytes, at most [`TAIL_BYTES_MAX`].
///
/// # Errors
/// When there is none, or one that is not read here.
pub fn locate(tail: &[u8], length: u64, limits: &Limits) -> Result<Directory, ZipError> {
    let last = tail.len().checked_sub(22).ok_or(ZipError::Malformed)?;
    let begins = |at: &usize| tail.get(*at..*at + 4) == Some(b"PK\x05\x06");
    // the comment reaches exactly to the end, or the record is not the one that others see
    let whole = |at: &usize| u16_at(tail, at + 20).is_some_and(|comment| at + 22 + usize::from(comment) == tail.len());
    let at = (0..=last).rev().filter(begins).find(whole).ok_or(ZipError::Malformed)?;
    let word = |i: usize| u16_at(tail, at + i).ok_or(ZipError::Malformed);
    let long = |i: usize| u32_at(tail, at + i).ok_or(ZipError::Malformed);
    let (disk, first_disk, here, entries) = (word(4)?, word(6)?, word(8)?, word(10)?);
    let (size, offset) = (long(12)?, long(16)?);
    if entries == u16::MAX || size == u32::MAX || offset == u32::MAX {
        return Err(ZipError::Unsupported("64-bit sizes"));
    }
    if disk != 0 || first_disk != 0 || here != entries {
        return Err(ZipError::Unsupported("several parts"));
    }
    if u64::from(entries) > limits.entries {
        return Err(ZipError::Many);
    }
    if u64::from(size) > limits.directory_bytes {
        return Err(ZipError::Many);
    }
    let end = length.checked_sub((tail.len() - at) as u64).ok_or(ZipError::Malformed)?;
    if u64::from(offset) + u64::from(size) != end {
        return Err(ZipError::Malformed);
    }
    Ok(Directory { offset: offset.into(), size: size.into(), entries: entries.into() })
}

/// One entry of the directory.
struct Entry<'a> {
    name: &'a str,
    planned: Planned,
    is_folder: bool,
}

/// Reads the directory and judges every entry; files come in the archive's order.
///
/// # Errors
/// The first thing that is wrong.
pub fn plan(directory: &[u8], place: Directory, limits: &Limits, blocked: &Blocked) -> Result<Vec<Planned>, ZipError> {
    let (mut rest, mut files, mut total) = (directory, Vec::new(), 0_u64);
    let mut taken = Paths::default();
    let mut spans: BTreeMap<u64, u64> = BTreeMap::new();
    for _ in 0..place.entries {
        let (entry, after) = read(rest)?;
        rest = after;
        let Entry { name, planned, is_folder } = entry;
        let path = checked_path(name.strip_suffix('/').unwrap_or(name))?;
        taken.take(&path, is_folder)?;
        if is_folder {
            if planned.size != 0 {
                return Err(ZipError::Malformed);
            }
            continue;
        }
        if path.split('/').any(|part| blocked.stops(part)) {
            return Err(ZipError::Blocked);
        }
        total = total.checked_add(planned.size).filter(|total| *total <= limits.bytes).ok_or(ZipError::Bomb)?;
        if planned.size > RATIO_FROM_BYTES && planned.size / planned.packed.max(1) > limits.ratio {
            return Err(ZipError::Bomb);
        }
        let end = planned.offset + LOCAL_BYTES as u64 + name.len() as u64 + planned.packed;
        if end > place.offset {
            return Err(ZipError::Malformed);
        }
        if spans.insert(planned.offset, end).is_some() {
            return Err(ZipError::Bomb);
        }
        files.push(Planned { path, ..planned });
    }
    if !rest.is_empty() {
        return Err(ZipError::Malformed);
    }
    // files that share bytes are how little unpacks to very much
    if spans.iter().zip(spans.keys().skip(1)).any(|((_, end), next)| end > next) {
        return Err(ZipError::Bomb);
    }
    if files.is_empty() { Err(ZipError::Empty) } else { Ok(files) }
}

fn read(bytes: &[u8]) -> Result<(Entry<'_>, &[u8]), ZipError> {
    let bad = ZipError::Malformed;
    let word = |at: usize| u16_at(bytes, at).ok_or(ZipError::Malformed);
    let long = |at: usize| u32_at(bytes, at).ok_or(ZipError::Malformed);
    if bytes.get(..4) != Some(b"PK\x01\x02") {
        return Err(bad);
    }
    let (flags, method) = (word(8)?, word(10)?);
    let (crc, packed, size) = (long(16)?, long(20)?, long(24)?);
    let (name_len, extra_len, comment_len) = (word(28)?, word(30)?, word(32)?);
    let (disk, external, offset) = (word(34)?, long(38)?, long(42)?);
    if flags & 1 != 0 || flags & (1 << 13) != 0 {
        return Err(ZipError::Encrypted);
    }
    if packed == u32::MAX || size == u32::MAX || offset == u32::MAX {
        return Err(ZipError::Unsupported("64-bit sizes"));
    }
    if disk != 0 {
        return Err(ZipError::Unsupported("several parts"));
    }
    let method = match method {
        0 if packed != size => return Err(bad),
        0 => Method::Stored,
        8 => Method::Deflated,
        _ => return Err(ZipError::Unsupported("its method of compression")),
    };
    let end = 46 + usize::from(name_len);
    let name = bytes.get(46..end).ok_or(ZipError::Malformed)?;
    // older archives write names in the code page of who made them, which nobody knows
    let name = std::str::from_utf8(name).map_err(|_| ZipError::Path)?;
    let after = bytes.get(end + usize::from(extra_len) + usize::from(comment_len)..).ok_or(ZipError::Malformed)?;
    // the upper half is the mode on Unix, whatever system the archive says it is from
    let (mode, folder_bit) = (external >> 16, external & 0x10 != 0);
    let is_folder = name.ends_with('/');
    let good_kind = match mode & 0o170_000 {
        0 => true,
        0o040_000 => is_folder,
        0o100_000 => !is_folder,
        _ => false,
    };
    if !good_kind || (folder_bit && !is_folder) {
        return Err(ZipError::Kind);
    }
    let planned =
        Planned { path: String::new(), offset: offset.into(), method, packed: packed.into(), size: size.into(), crc };
    Ok((Entry { name, planned, is_folder }, after))
}

/// A path whose parts every system can keep and none of which leads elsewhere.
///
/// # Errors
/// [`ZipError::Path`].
pub fn checked_path(path: &str) -> Result<String, ZipError> {
    let strange = |c: char| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if path.len() > PATH_BYTES_MAX || path.contains(strange) {
        return Err(ZipError::Path);
    }
    let path: String = path.nfc().collect();
    let parts: Vec<&str> = path.split('/').collect();
    let harmless = |part: &&str| {
        let trimmed = part.trim_end_matches(['.', ' ']) == *part && part.trim_start() == *part;
        trimmed && !matches!(check_part(part), Err(NameError::Empty | NameError::Long | NameError::Reserved))
    };
    if parts.len() <= DEPTH_MAX && parts.iter().all(|p| harmless(p)) { Ok(path) } else { Err(ZipError::Path) }
}

/// Paths as the least of systems tells them apart: without case.
#[derive(Default)]
struct Paths {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Paths {
    fn take(&mut self, path: &str, is_folder: bool) -> Result<(), ZipError> {
        let folded: String = path.nfkc().flat_map(char::to_lowercase).nfc().collect();
        for (i, _) in folded.match_indices('/') {
            let above = folded.get(..i).unwrap_or_default();
            if self.files.contains(above) {
                return Err(ZipError::Duplicate);
            }
            self.folders.insert(above.to_owned());
        }
        let clash = if is_folder {
            // a folder may be named again, by itself or by what is in it
            self.files.contains(&folded)
        } else {
            self.folders.contains(&folded) || self.files.contains(&folded)
        };
        if clash {
            return Err(ZipError::Duplicate);
        }
        if is_folder {
            self.folders.insert(folded);
        } else {
            self.files.insert(folded);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An entry as an attacker would write it.
    #[derive(Clone)]
    struct Made {
        name: Vec<u8>,
        data: Vec<u8>,
        size: u32,
        method: u16,
        flags: u16,
        external: u32,
        offset: Option<u32>,
    }

    fn file(name: &str, data: &[u8]) -> Made {
        Made {
            name: name.into(),
            data: data.into(),
            size: u32::try_from(data.len()).unwrap(),
            method: 0,
            flags: 0x800,
            external: 0,
            offset: None,
        }
    }

    fn archive(entries: &[Made]) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for made in entries {
            let offset = made.offset.unwrap_or(u32::try_from(out.len()).unwrap());
            let name_len = u16::try_from(made.name.len()).unwrap().to_le_bytes();
            let packed = u32::try_from(made.data.len()).unwrap().to_le_bytes();
            out.extend([b"PK\x03\x04".as_slice(), &[0; 14], &packed, &packed, &name_len, &[0; 2]].concat());
            out.extend([made.name.as_slice(), &made.data].concat());
            directory.extend(b"PK\x01\x02");
            directory.extend([0; 4]);
            directory.extend([made.flags.to_le_bytes(), made.method.to_le_bytes()].concat());
            directory.extend([0; 8]);
            directory.extend([packed, made.size.to_le_bytes()].concat());
            directory.extend([name_len, [0; 2], [0; 2], [0; 2], [0; 2]].concat());
            directory.extend([made.external.to_le_bytes(), offset.to_le_bytes()].concat());
            directory.extend(&made.name);
        }
        let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
        let (at, size) = (u32::try_from(out.len()).unwrap(), u32::try_from(directory.len()).unwrap());
        out.extend(directory);
        out.extend(b"PK\x05\x06\0\0\0\0");
        out.extend([count, count].concat());
        out.extend([size.to_le_bytes(), at.to_le_bytes()].concat());
        out.extend([0; 2]);
        out
    }

    fn judge_bytes(bytes: &[u8], limits: Limits) -> Result<Vec<Planned>, ZipError> {
        let tail = &bytes[bytes.len().saturating_sub(TAIL_BYTES_MAX)..];
        let place = locate(tail, bytes.len() as u64, &limits)?;
        let (from, size) = (usize::try_from(place.offset).unwrap(), usize::try_from(place.size).unwrap());
        plan(&bytes[from..from + size], place, &limits, &Blocked::new(&Blocked::DOCUMENTED))
    }

    fn judge(entries: &[Made]) -> Result<Vec<Planned>, ZipError> {
        judge_bytes(&archive(entries), Limits::default())
    }

    #[test]
    fn good_archives_keep_their_order_and_structure() {
        let folder = file("src/", b"");
        let files =
            judge(&[file("main.py", b"print(1)"), folder, file("src/é.txt", b""), file("Src/b.txt", b"x")]).unwrap();
        let paths: Vec<_> = files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["main.py", "src/é.txt", "Src/b.txt"]);
        assert_eq!((files[0].size, files[0].method), (8, Method::Stored));
        assert!(judge(&[file(".gitignore", b"x"), file("a b/c (1).txt", b"")]).is_ok());
    }

    #[test]
    fn paths_that_lead_elsewhere() {
        for name in [
            "../evil",
            "a/../../evil",
            "/etc/passwd",
            "a//b",
            "./a",
            "a/./b",
            "C:\\x",
            "c:/x",
            "..\\evil",
            "a\\b",
            "a\0b",
            "a\nb",
            "..",
            ".",
            "",
            "nul",
            "dir/CON.txt",
            "a.",
            "a /b",
            " a",
            "a\u{7f}",
            "....//x",
            &"a/".repeat(40),
            &"a".repeat(300),
        ] {
            assert_eq!(judge(&[file(name, b"x")]).unwrap_err(), ZipError::Path, "{name:?}");
        }
        let foreign = Made { name: b"\xff\xfe".to_vec(), ..file("a", b"x") };
        assert_eq!(judge(&[foreign]).unwrap_err(), ZipError::Path);
    }

    #[test]
    fn links_devices_and_secrets() {
        for mode in [0o120_777_u32, 0o020_644, 0o060_644, 0o010_644, 0o140_644] {
            let link = Made { external: mode << 16, ..file("a", b"/etc/passwd") };
            assert_eq!(judge(&[link]).unwrap_err(), ZipError::Kind, "{mode:o}");
        }
        let posing = Made { external: 0o040_755 << 16, ..file("a", b"x") };
        assert_eq!(judge(&[posing]).unwrap_err(), ZipError::Kind);
        assert!(judge(&[Made { external: 0o104_755 << 16, ..file("a", b"x") }]).is_ok());
        for flags in [1, 0x41, 1 << 13] {
            assert_eq!(judge(&[Made { flags, ..file("a", b"x") }]).unwrap_err(), ZipError::Encrypted);
        }
        for (name, method) in [("lzma", 14), ("bzip2", 12), ("aes", 99)] {
            let refused = judge(&[Made { method, ..file(name, b"x") }]).unwrap_err();
            assert!(matches!(refused, ZipError::Unsupported(_)), "{name}");
        }
    }

    #[test]
    fn names_that_are_one() {
        for (a, b) in [
            ("a", "a"),
            ("a.txt", "A.TXT"),
            ("é", "e\u{301}"),
            ("É", "é"),
            ("a", "a/b"),
            ("a/b", "a"),
            ("A/b", "a"),
            ("ﬁle", "file"),
        ] {
            assert_eq!(judge(&[file(a, b"1"), file(b, b"2")]).unwrap_err(), ZipError::Duplicate, "{a} {b}");
        }
        assert!(judge(&[file("a/", b""), file("a/b", b""), file("a/", b"")]).is_ok());
    }

    #[test]
    fn blocked_suffixes() {
        for name in ["a.exe", "dir/a.JAR", "a.exe.txt", "a.exe/b.txt"] {
            assert_eq!(judge(&[file(name, b"x")]).unwrap_err(), ZipError::Blocked, "{name}");
        }
    }

    #[test]
    fn bombs() {
        let packed = |size| Made { size, method: 8, ..file("zeros", &[0; 1_000]) };
        assert_eq!(judge(&[packed(2_000_000_000)]).unwrap_err(), ZipError::Bomb);
        assert_eq!(judge(&[packed(1_100_000)]).unwrap_err(), ZipError::Bomb);
        assert!(judge(&[packed(1_000_000)]).is_ok(), "small files may be packed well");
        let shared = Made { offset: Some(0), ..file("b", b"x") };
        assert_eq!(judge(&[file("a", b"x"), shared]).unwrap_err(), ZipError::Bomb);
        let overlapping = Made { offset: Some(10), ..file("b", b"x") };
        assert_eq!(judge(&[file("a", b"x"), overlapping]).unwrap_err(), ZipError::Bomb);
        let many: Vec<_> = (0..20).map(|i| file(&format!("f{i}"), b"")).collect();
        let few = Limits { entries: 19, ..Limits::default() };
        assert_eq!(judge_bytes(&archive(&many), few).unwrap_err(), ZipError::Many);
        let total = Limits { bytes: 3, ..Limits::default() };
        assert_eq!(judge_bytes(&archive(&[file("a", b"12"), file("b", b"34")]), total).unwrap_err(), ZipError::Bomb);
    }

    #[test]
    fn broken_archives() {
        assert_eq!(judge(&[]).unwrap_err(), ZipError::Empty);
        assert_eq!(judge(&[file("a/", b"")]).unwrap_err(), ZipError::Empty);
        let good = archive(&[file("a", b"x")]);
        assert_eq!(judge_bytes(b"", Limits::default()).unwrap_err(), ZipError::Malformed);
        assert_eq!(judge_bytes(b"not a zip, by far", Limits::default()).unwrap_err(), ZipError::Malformed);
        // something in front moves every offset, so that readers disagree
        let moved = [b"junk".as_slice(), &good].concat();
        assert_eq!(judge_bytes(&moved, Limits::default()).unwrap_err(), ZipError::Malformed);
        let beyond = Made { offset: Some(60_000), ..file("a", b"x") };
        assert_eq!(judge(&[beyond]).unwrap_err(), ZipError::Malformed);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_unsafe_passes(
            mut bytes in Just(archive(&[file("src/main.py", b"print(1)"), file("b.txt", b"hello")])),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        ) {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            for planned in judge_bytes(&bytes, Limits::default()).unwrap_or_default() {
                prop_assert!(!planned.path.starts_with('/') && !planned.path.contains(['\\', '\0', ':']));
                prop_assert!(planned.path.split('/').all(|part| !matches!(part, "" | "." | "..")));
            }
        }
    }
}

//! `[files]`: what users keep.

use super::check::Reader;

/// `[files]`.
#[derive(Clone, Debug)]
pub struct Files {
    /// Bytes of an owner's files, and as many of their programs.
    pub quota: u64,
    /// Largest file.
    pub file_bytes: u64,
    /// Refused suffixes.
    pub blocked: orrery_storage::names::Blocked,
}

/// Reads them, reporting what is wrong.
pub(super) fn read(r: &mut Reader<'_>) -> Files {
    let suffixes = r.parsed_list("files.blocked_extensions", |text| {
        let suffix = text.trim_start_matches('.');
        let plain = (1..=16).contains(&suffix.len()) && suffix.bytes().all(|b| b.is_ascii_alphanumeric());
        if plain { Ok(suffix.to_owned()) } else { Err(format!("{text:?} is no suffix such as exe")) }
    });
    Files {
        quota: r.whole("files.quota_bytes", "bytes", 0..=i128::from(i64::MAX)),
        file_bytes: r.whole("files.file_bytes_max", "bytes", 1..=i128::from(i64::MAX)),
        blocked: orrery_storage::names::Blocked::new(&suffixes),
    }
}

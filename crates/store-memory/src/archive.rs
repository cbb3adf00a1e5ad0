//! Taking files out of an archive in memory, as far as its plan allows and no further.

use std::io::Read;

use flate2::read::DeflateDecoder;
use orrery_storage::programs::Planner;
use orrery_storage::zip::{self, LOCAL_BYTES, Method, Planned, TAIL_BYTES_MAX, ZipError};

fn at(archive: &[u8], from: u64, length: u64) -> Result<&[u8], ZipError> {
    let range = usize::try_from(from).ok().zip(usize::try_from(from.saturating_add(length)).ok());
    range.and_then(|(from, to)| archive.get(from..to)).ok_or(ZipError::Malformed)
}

/// Judges the whole archive by its directory.
pub(crate) fn plan(archive: &[u8], planner: &Planner) -> Result<Vec<Planned>, ZipError> {
    let tail = archive.get(archive.len().saturating_sub(TAIL_BYTES_MAX)..).unwrap_or_default();
    let place = zip::locate(tail, archive.len() as u64, &planner.limits)?;
    zip::plan(at(archive, place.offset, place.size)?, place, &planner.limits, &planner.blocked)
}

/// The bytes of one file.
pub(crate) fn unpack(archive: &[u8], planned: &Planned) -> Result<Vec<u8>, ZipError> {
    let head = at(archive, planned.offset, LOCAL_BYTES as u64)?;
    let word = |i: usize| Some(u64::from(u16::from_le_bytes(head.get(i..i + 2)?.try_into().ok()?)));
    let lengths = word(26).zip(word(28)).filter(|_| head.starts_with(b"PK\x03\x04"));
    let (name, extra) = lengths.ok_or(ZipError::Malformed)?;
    let packed = at(archive, planned.offset + LOCAL_BYTES as u64 + name + extra, planned.packed)?;
    let mut bytes = Vec::new();
    let read = match planned.method {
        Method::Stored => packed.take(planned.size + 1).read_to_end(&mut bytes),
        Method::Deflated => DeflateDecoder::new(packed).take(planned.size + 1).read_to_end(&mut bytes),
    };
    read.map_err(|_| ZipError::Malformed)?;
    if bytes.len() as u64 > planned.size {
        return Err(ZipError::Bomb);
    }
    let whole = bytes.len() as u64 == planned.size && crc32fast::hash(&bytes) == planned.crc;
    if whole { Ok(bytes) } else { Err(ZipError::Malformed) }
}

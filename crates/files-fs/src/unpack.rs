//! Taking files out of an archive, as far as its plan allows and no further.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use flate2::read::DeflateDecoder;
use orrery_storage::files::BlobError;
use orrery_storage::programs::{Planner, UnpackError};
use orrery_storage::zip::{self, LOCAL_BYTES, Method, Planned, TAIL_BYTES_MAX, ZipError};

/// The archive's fault, or the disk's.
pub(crate) enum Fault {
    Archive(ZipError),
    Disk(io::Error),
}

impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        Self::Disk(cause)
    }
}

impl From<ZipError> for Fault {
    fn from(error: ZipError) -> Self {
        Self::Archive(error)
    }
}

impl Fault {
    pub(crate) fn into_error(self) -> UnpackError {
        match self {
            Self::Archive(error) => error.into(),
            Self::Disk(cause) => BlobError { doing: "unpacking a program", cause }.into(),
        }
    }
}

/// What reading an archive runs into: the end comes too early for what it says.
fn cut(e: io::Error) -> Fault {
    if e.kind() == io::ErrorKind::UnexpectedEof { ZipError::Malformed.into() } else { e.into() }
}

fn bytes_at(archive: &File, offset: u64, length: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; length];
    archive.read_exact_at(&mut bytes, offset).map_err(cut)?;
    Ok(bytes)
}

/// Judges the whole archive by its directory.
pub(crate) fn plan(archive: &File, planner: &Planner) -> Result<Vec<Planned>, Fault> {
    let length = archive.metadata()?.len();
    let tail = length.min(TAIL_BYTES_MAX as u64);
    let tail = bytes_at(archive, length - tail, usize::try_from(tail).unwrap_or(0))?;
    let place = zip::locate(&tail, length, &planner.limits)?;
    // the directory is bounded by the limits
    let directory = bytes_at(archive, place.offset, usize::try_from(place.size).unwrap_or(0))?;
    Ok(zip::plan(&directory, place, &planner.limits, &planner.blocked)?)
}

/// A part of the archive, read from its beginning.
struct Section<'a> {
    archive: &'a File,
    at: u64,
    left: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = self.archive.read_at(buffer.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

/// Writes one file; gives how it begins, at most `beginning` bytes.
pub(crate) fn unpack(archive: &File, planned: &Planned, to: &mut File, beginning: usize) -> Result<Vec<u8>, Fault> {
    let head = bytes_at(archive, planned.offset, LOCAL_BYTES)?;
    let word = |at: usize| Some(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?));
    if head.get(..4) != Some(b"PK\x03\x04") {
        return Err(ZipError::Malformed.into());
    }
    let lengths = (word(26), word(28));
    let (Some(name), Some(extra)) = lengths else { return Err(ZipError::Malformed.into()) };
    let at = planned.offset + LOCAL_BYTES as u64 + u64::from(name) + u64::from(extra);
    let section = io::BufReader::with_capacity(65_536, Section { archive, at, left: planned.packed });
    let mut from: Box<dyn Read> = match planned.method {
        Method::Stored => Box::new(section),
        Method::Deflated => Box::new(DeflateDecoder::new(section)),
    };
    copy(&mut *from, planned, to, beginning)
}

fn copy(from: &mut dyn Read, planned: &Planned, to: &mut File, beginning: usize) -> Result<Vec<u8>, Fault> {
    let (mut crc, mut size, mut first) = (crc32fast::Hasher::new(), 0_u64, Vec::new());
    let mut buffer = vec![0; 65_536];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
                return Err(ZipError::Malformed.into());
            }
            Err(e) => return Err(cut(e)),
        };
        let bytes = buffer.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        size += n as u64;
        // what is more than it said is never written
        if size > planned.size {
            return Err(ZipError::Bomb.into());
        }
        first.extend(bytes.iter().take(beginning.saturating_sub(first.len())));
        crc.update(bytes);
        to.write_all(bytes)?;
    }
    if size == planned.size && crc.finalize() == planned.crc { Ok(first) } else { Err(ZipError::Malformed.into()) }
}

//! Between rows and what is known of files.

use orrery_kernel::{StoreError, UserId};
use orrery_storage::files::{FileRecord, Upload};

use crate::Columns;

/// A file, of eight columns.
pub fn file(row: &dyn Columns) -> Result<FileRecord, StoreError> {
    Ok(FileRecord {
        owner: UserId(row.get(0)?),
        name: row.get(1)?,
        original: row.get(2)?,
        blob: row.get(3)?,
        size: row.count(4)?,
        sha256: row.get(5)?,
        media_type: row.get(6)?,
        at: row.time(7)?,
    })
}

/// A resumable upload, of six columns.
pub fn upload(row: &dyn Columns) -> Result<Upload, StoreError> {
    Ok(Upload {
        id: row.get(0)?,
        owner: UserId(row.get(1)?),
        original: row.get(2)?,
        length: row.count(3)?,
        metadata: row.get(4)?,
        until: row.time(5)?,
    })
}

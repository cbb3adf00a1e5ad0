//! Rows of the SQL stores as domain values: the one place that knows which column is which.
//!
//! Both dialects give the same columns in the same order; small lists travel as JSON texts of the same
//! shape. What a row holds that this program does not write is an error that names table and column,
//! never a panic. No SQL, no driver.

pub mod channels;
pub mod files;
pub mod fleet;
pub mod identity;
pub mod ledger;
pub mod market;
pub mod paper;
pub mod plans;
pub mod programs;
pub mod wallets;
pub mod workers;

use orrery_kernel::{StoreError, Timestamp};

/// A stored value that this program does not write.
pub fn corrupt(what: &'static str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what, detail: why.to_string() }
}

/// The count in column `i`.
pub fn count(row: &dyn Columns, i: usize) -> Result<u64, StoreError> {
    row.count(i)
}

/// A row of either database.
pub trait Columns {
    /// What it is a row of, for errors.
    fn name(&self) -> &'static str;
    /// How many columns it has.
    fn width(&self) -> usize;
    /// A number, or null.
    fn int(&self, i: usize) -> Result<Option<i64>, StoreError>;
    /// A text, or null.
    fn text(&self, i: usize) -> Result<Option<&str>, StoreError>;
    /// Bytes, or null.
    fn bytes(&self, i: usize) -> Result<Option<&[u8]>, StoreError>;
}

/// What a column can be read as.
pub trait Value<'r>: Sized {
    /// Reads column `i`.
    fn read(row: &'r dyn Columns, i: usize) -> Result<Self, StoreError>;
}

fn null(row: &dyn Columns, i: usize) -> StoreError {
    corrupt(row.name(), format!("column {i} is null"))
}

impl Value<'_> for Option<i64> {
    fn read(row: &dyn Columns, i: usize) -> Result<Self, StoreError> {
        row.int(i)
    }
}

impl Value<'_> for i64 {
    fn read(row: &dyn Columns, i: usize) -> Result<Self, StoreError> {
        row.int(i)?.ok_or_else(|| null(row, i))
    }
}

impl Value<'_> for u8 {
    fn read(row: &dyn Columns, i: usize) -> Result<Self, StoreError> {
        let number: i64 = row.get(i)?;
        Self::try_from(number).map_err(|e| corrupt(row.name(), format!("column {i}: {e}")))
    }
}

impl<'r> Value<'r> for Option<&'r str> {
    fn read(row: &'r dyn Columns, i: usize) -> Result<Self, StoreError> {
        row.text(i)
    }
}

impl<'r> Value<'r> for &'r str {
    fn read(row: &'r dyn Columns, i: usize) -> Result<Self, StoreError> {
        row.text(i)?.ok_or_else(|| null(row, i))
    }
}

impl Value<'_> for String {
    fn read(row: &dyn Columns, i: usize) -> Result<Self, StoreError> {
        row.text(i)?.map(Self::from).ok_or_else(|| null(row, i))
    }
}

impl Value<'_> for Option<String> {
    fn read(row: &dyn Columns, i: usize) -> Result<Self, StoreError> {
        Ok(row.text(i)?.map(String::from))
    }
}

impl<'r> Value<'r> for &'r [u8] {
    fn read(row: &'r dyn Columns, i: usize) -> Result<Self, StoreError> {
        row.bytes(i)?.ok_or_else(|| null(row, i))
    }
}

impl dyn Columns + '_ {
    /// The value of column `i`.
    pub fn get<'r, T: Value<'r>>(&'r self, i: usize) -> Result<T, StoreError> {
        T::read(self, i)
    }

    /// The 32 bytes of column `i`.
    pub fn hash(&self, i: usize) -> Result<[u8; 32], StoreError> {
        let bytes: &[u8] = self.get(i)?;
        bytes.try_into().map_err(|_| corrupt(self.name(), format!("column {i} is not 32 bytes")))
    }

    /// The time in column `i`.
    pub fn time(&self, i: usize) -> Result<Timestamp, StoreError> {
        self.get(i).map(Timestamp::from_micros)
    }

    /// The count in column `i`.
    pub fn count(&self, i: usize) -> Result<u64, StoreError> {
        let n: i64 = self.get(i)?;
        u64::try_from(n).map_err(|_| corrupt(self.name(), format!("column {i} is negative")))
    }
}

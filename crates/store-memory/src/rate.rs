//! The rate port in process.

/// See the module.
#[derive(Debug, Default)]
pub struct MemoryRates {}

//! The reference model of the ledger.

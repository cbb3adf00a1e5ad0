//! The contract of the market port.

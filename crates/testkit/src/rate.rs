//! The contract of the rate port.

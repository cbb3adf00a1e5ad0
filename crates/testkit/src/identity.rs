//! The contract of the identity port.

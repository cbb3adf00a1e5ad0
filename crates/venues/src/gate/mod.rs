//! The connector to Gate.

mod refusal;

pub(crate) use refusal::refusal;

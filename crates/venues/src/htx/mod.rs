//! The connector to HTX.

mod refusal;

pub(crate) use refusal::refusal;

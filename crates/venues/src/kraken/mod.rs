//! The connector to Kraken.

mod refusal;

pub(crate) use refusal::refusal;

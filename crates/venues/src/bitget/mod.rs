//! The connector to Bitget.

mod refusal;

pub(crate) use refusal::refusal;

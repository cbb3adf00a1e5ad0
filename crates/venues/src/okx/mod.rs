//! The connector to OKX.

mod refusal;

pub(crate) use refusal::refusal;

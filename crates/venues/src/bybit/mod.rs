//! The connector to Bybit.

mod refusal;

pub(crate) use refusal::refusal;

//! The connector to Upbit.

mod refusal;

pub(crate) use refusal::refusal;

//! The connector to Coinbase Advanced.

mod refusal;

pub(crate) use refusal::refusal;

//! The connector to KuCoin.

mod refusal;

pub(crate) use refusal::refusal;

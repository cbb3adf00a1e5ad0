//! The connector to Binance.

mod refusal;

pub(crate) use refusal::refusal;

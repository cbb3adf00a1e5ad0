//! The connector to Coinbase Advanced.

mod http;
mod parse;
mod refusal;
mod stream;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;

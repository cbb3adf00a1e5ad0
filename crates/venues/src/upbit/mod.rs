//! The connector to Upbit.

mod http;
mod parse;
mod refusal;
mod stream;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;

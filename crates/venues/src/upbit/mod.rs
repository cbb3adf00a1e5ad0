//! The connector to Upbit.

mod heard;
mod http;
mod markets;
mod network;
mod new_order;
mod order;
mod parse;
mod refusal;
mod sign;
mod stream;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;

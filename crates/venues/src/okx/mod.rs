//! The connector to OKX.

mod account;
mod attached;
mod candles;
mod edited_order;
mod heard;
mod http;
mod markets;
mod new_order;
mod order;
mod orders;
mod parse;
mod position;
mod refusal;
mod sign;
mod stream;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;

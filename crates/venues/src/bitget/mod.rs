//! The connector to Bitget: API V2 of the classic account.

mod account;
mod cancel_order;
mod candles;
mod edit_order;
mod heard;
mod history;
mod http;
mod ledger;
mod lists;
mod markets;
mod networks;
mod new_order;
mod order;
mod parse;
mod part;
mod position;
mod rates;
mod refusal;
mod sign;
mod stream;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;

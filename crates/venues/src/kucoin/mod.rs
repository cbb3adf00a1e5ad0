//! The connector to KuCoin: the spot market and the contract markets, each with a host of its own.

mod account;
mod balance;
mod http;
mod market_data;
mod markets;
mod new_order;
mod order;
mod orders;
mod params;
mod parse;
mod position;
mod refusal;
mod sign;

pub(crate) use parse::Dialect;
pub(crate) use refusal::refusal;

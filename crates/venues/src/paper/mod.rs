//! The exchange `paper`: simulated, with a real book. It decides only: commands and times go in, what they change
//! comes out, and the same go in and come out again.
//!
//! Users' orders meet each other by price and then by number, and beside them liquidity that stands around a price from
//! elsewhere ([`Reference`]): a real exchange's, or a made-up one ([`Walk`]). Everything is whole numbers: prices in
//! ticks, amounts in lots, money in minor units; a tick times a lot is a whole number of them, so that no cost is
//! rounded.

mod book;
mod engine;
mod fees;
mod ladder;
mod market;
mod order;
mod prices;
mod render;
mod store;
mod walk;

#[cfg(test)]
mod tests;

pub use engine::{Changes, Engine, OPEN_MAX, Planned, Size};
pub use fees::PaperFees;
pub use market::{PaperMarket, markets};
pub use order::{PaperKind, PaperOrder, PaperStatus, PaperTrade, Party, TimeInForce};
pub use prices::{PaperPrices, Reference};
pub use render::{balances, book, my_trade, order, public_trade, ticker};
pub use store::{OrderQuery, PaperState, PaperStore, Step, Stepped, TradeQuery, Which};
pub use walk::Walk;

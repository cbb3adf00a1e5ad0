//! Answers.

use crate::Context;
use crate::json::Json;
use crate::unified::{Candle, Market, Order, Ticker, Trade};

pub(crate) struct Dialect;

impl crate::Dialect for Dialect {
    fn markets(&self, _of: &str, _answer: &Json<'_>) -> Vec<Market> {
        Vec::new()
    }

    fn ticker(&self, _raw: &Json<'_>, _context: Context<'_>) -> Ticker {
        Ticker::default()
    }

    fn trade(&self, _raw: &Json<'_>, _context: Context<'_>) -> Trade {
        Trade::default()
    }

    fn order(&self, _raw: &Json<'_>, _context: Context<'_>) -> Order {
        Order::default()
    }

    fn candle(&self, _raw: &Json<'_>, _context: Context<'_>) -> Candle {
        Candle::default()
    }
}

//! A candle.

use serde::Serialize;

use crate::Number;

/// Open time in milliseconds, open, high, low, close and volume in the base currency; in JSON a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Candle(
    pub Option<i64>,
    pub Option<Number>,
    pub Option<Number>,
    pub Option<Number>,
    pub Option<Number>,
    pub Option<Number>,
);

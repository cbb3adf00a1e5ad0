//! Who wants to buy and to sell, and at which prices.

use serde::{Serialize, Serializer};

use super::Time;
use crate::Number;
use crate::json::{Access as _, Json};

/// A book at one moment. Bids fall and asks rise; each level is price and amount.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderBook {
    /// The market: `BTC/USDT`.
    pub symbol: Option<String>,
    /// Who wants to buy, the best price first.
    pub bids: Vec<(Number, Number)>,
    /// Who wants to sell, the best price first.
    pub asks: Vec<(Number, Number)>,
    /// What the exchange says of each level beyond that, of bids and of asks: when it changed, or how many orders it
    /// is; in JSON the level's third element.
    pub marks: [Vec<i64>; 2],
    /// When it was so.
    pub time: Time,
    /// The exchange's number of this state.
    pub nonce: Option<i64>,
}

/// One side of a book whose levels are lists of price and amount; what is no level is left out.
pub(crate) fn levels(side: Option<&Json<'_>>) -> Vec<(Number, Number)> {
    let number = |level: &Json<'_>, place: usize| level.at(place).text().and_then(Number::parse);
    let all = side.list().unwrap_or_default().iter();
    all.filter_map(|level| Some((number(level, 0)?, number(level, 1)?))).collect()
}

/// What stands in the third place of each level, if it is a whole number everywhere.
pub(crate) fn marks(side: Option<&Json<'_>>) -> Vec<i64> {
    let mark = |level: &Json<'_>| level.at(2).text().and_then(|digits| digits.parse().ok());
    side.list().unwrap_or_default().iter().map(mark).collect::<Option<_>>().unwrap_or_default()
}

/// Levels with their marks, if each has one.
struct Marked<'b>(&'b [(Number, Number)], &'b [i64]);

impl Serialize for Marked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(levels, marks) = self;
        if levels.len() != marks.len() {
            return levels.serialize(serializer);
        }
        serializer.collect_seq(levels.iter().zip(*marks).map(|((price, amount), mark)| (price, amount, mark)))
    }
}

impl Serialize for OrderBook {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let [of_bids, of_asks] = &self.marks;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("symbol", &self.symbol)?;
        map.serialize_entry("bids", &Marked(&self.bids, of_bids))?;
        map.serialize_entry("asks", &Marked(&self.asks, of_asks))?;
        map.serialize_entry("timestamp", &self.time.0)?;
        map.serialize_entry("datetime", &self.time.iso())?;
        map.serialize_entry("nonce", &self.nonce)?;
        map.end()
    }
}

/// A side with its levels in order, and their marks with them.
fn in_order(levels: &mut Vec<(Number, Number)>, marks: &mut Vec<i64>, falling: bool) {
    let place = |price: Number| if falling { (Some(std::cmp::Reverse(price)), None) } else { (None, Some(price)) };
    if levels.len() != marks.len() {
        levels.sort_by_key(|(price, _)| place(*price));
        return;
    }
    let mut both: Vec<_> = levels.drain(..).zip(marks.drain(..)).collect();
    both.sort_by_key(|((price, _), _)| place(*price));
    (*levels, *marks) = both.into_iter().unzip();
}

impl OrderBook {
    /// The book with its levels in order.
    pub(crate) fn sorted(mut self) -> Self {
        let [of_bids, of_asks] = &mut self.marks;
        in_order(&mut self.bids, of_bids, true);
        in_order(&mut self.asks, of_asks, false);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stay_with_their_levels() {
        let read = |text| {
            let body = crate::json::parse(text).unwrap();
            let book = OrderBook {
                bids: levels(body.get("bids")),
                asks: levels(body.get("asks")),
                marks: [marks(body.get("bids")), marks(body.get("asks"))],
                ..OrderBook::default()
            };
            serde_json::to_value(book.sorted()).unwrap()
        };
        let book = read(r#"{"bids":[["1","5",7],["2","5",8]],"asks":[["4","5",9],["3","5"]]}"#);
        assert_eq!(book["bids"], serde_json::json!([[2.0, 5.0, 8], [1.0, 5.0, 7]]));
        assert_eq!(book["asks"], serde_json::json!([[3.0, 5.0], [4.0, 5.0]]));
    }
}

//! A long list of the host's, kept as its text: an exchange's markets as objects would fill a script's memory. The
//! script gets a row when it looks at one.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

/// How many times larger than other answers one that is kept may be.
pub(crate) const LARGER: usize = 4;

/// Rows by their place.
#[derive(Debug)]
pub(crate) struct Table {
    text: String,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    symbol: String,
    id: String,
    at: Range<usize>,
}

/// What a row is found by.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    symbol: Option<String>,
    id: Option<String>,
}

impl Table {
    /// Of a list of objects with `symbol` and `id`; rows without a symbol are left out.
    ///
    /// Errors: a text that is no such list.
    pub fn new(text: String) -> Result<Self, serde_json::Error> {
        let start = text.as_ptr() as usize;
        let mut rows = Vec::new();
        for row in serde_json::from_str::<Vec<&RawValue>>(&text)? {
            let row = row.get();
            // ids are texts nearly everywhere, and a row with another one is found by its symbol
            let names = serde_json::from_str::<Names>(row).unwrap_or_default();
            let from = row.as_ptr() as usize - start;
            if let Some(symbol) = names.symbol {
                rows.push(Row { symbol, id: names.id.unwrap_or_default(), at: from..from + row.len() });
            }
        }
        Ok(Self { text, rows })
    }

    /// Symbols and ids by turns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().flat_map(|row| [row.symbol.as_str(), row.id.as_str()])
    }

    /// The text of a row.
    pub fn row(&self, place: usize) -> Option<&str> {
        self.text.get(self.rows.get(place)?.at.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_their_place() {
        let text = r#"[ {"id":"A","symbol":"a/é","x":[1]},{"id":"none"}, {"symbol":"b"} ]"#;
        let table = Table::new(text.to_owned()).unwrap();
        assert_eq!(table.names().collect::<Vec<_>>(), ["a/é", "A", "b", ""]);
        assert_eq!(table.row(0), Some(r#"{"id":"A","symbol":"a/é","x":[1]}"#));
        assert_eq!(table.row(1), Some(r#"{"symbol":"b"}"#));
        assert_eq!(table.row(2), None);
        assert!(Table::new("{}".to_owned()).is_err());
    }
}

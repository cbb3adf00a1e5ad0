//! What is known of an exchange as data: its name, and the codes and words of its errors.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::ErrorClass;

/// What CCXT's `describe()` of an exchange says, as far as it is used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The name in lower case that stands in configuration and channels: `okx`.
    pub id: String,
    /// The name as the exchange writes it: `OKX`.
    pub name: String,
    /// Errors by code and by words.
    pub exceptions: Exceptions,
    /// Errors by HTTP status, for answers that say nothing themselves.
    pub http_exceptions: BTreeMap<u16, ErrorClass>,
}

/// Errors by the exchange's own codes and words.
#[derive(Debug, Deserialize)]
pub struct Exceptions {
    /// What holds everywhere.
    #[serde(flatten)]
    pub everywhere: Table,
    /// What holds in one part of the exchange (`spot`, `linear`) and goes before the rest.
    #[serde(flatten)]
    pub parts: BTreeMap<String, Table>,
}

/// Two ways to know an error.
#[derive(Debug, Default, Deserialize)]
pub struct Table {
    /// By a whole code or message.
    #[serde(default)]
    exact: BTreeMap<String, ErrorClass>,
    /// By words in a message; the first that is found counts.
    #[serde(default)]
    broad: Ordered,
}

impl Table {
    /// The class of this code or message.
    pub fn exact(&self, code: Option<&str>) -> Option<ErrorClass> {
        self.exact.get(code?).copied()
    }

    /// The class of the first words of the table that stand in this text.
    pub fn broad(&self, text: Option<&str>) -> Option<ErrorClass> {
        let text = text?;
        self.broad.0.iter().find(|(words, _)| text.contains(words.as_str())).map(|(_, class)| *class)
    }
}

/// A map in the order of its text.
#[derive(Debug, Default)]
struct Ordered(Vec<(String, ErrorClass)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("classes of error by words")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

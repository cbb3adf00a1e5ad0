//! What an account has.

use serde::{Serialize, Serializer};

use super::{Raw, Time};
use crate::Number;

/// What an account has of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Balance {
    /// What it can spend.
    pub free: Option<Number>,
    /// What orders and positions hold.
    pub used: Option<Number>,
    /// Both.
    pub total: Option<Number>,
    /// What is borrowed and not paid back, where the exchange says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debt: Option<Number>,
}

impl Balance {
    /// The balance with the third number that follows from two.
    pub(crate) fn completed(mut self) -> Self {
        self.total = self.total.or_else(|| self.free?.plus(self.used?));
        self.free = self.free.or_else(|| self.total?.minus(self.used?));
        self.used = self.used.or_else(|| self.total?.minus(self.free?));
        self
    }
}

/// What an account has, by currency; in JSON also as the three maps `free`, `used` and `total`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Balances {
    /// As the exchange said it.
    pub info: Raw,
    /// When it was so.
    pub time: Time,
    /// By currency, in the exchange's order.
    pub of: Vec<(String, Balance)>,
}

impl Serialize for Balances {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("info", &self.info)?;
        for (currency, balance) in &self.of {
            map.serialize_entry(currency, balance)?;
        }
        map.serialize_entry("timestamp", &self.time.0)?;
        map.serialize_entry("datetime", &self.time.iso())?;
        let column = |of: fn(&Balance) -> Option<Number>| {
            let entries = self.of.iter().map(|(currency, balance)| (currency.clone(), of(balance).map(Number::as_f64)));
            entries.collect::<std::collections::BTreeMap<_, _>>()
        };
        map.serialize_entry("free", &column(|balance| balance.free))?;
        map.serialize_entry("used", &column(|balance| balance.used))?;
        map.serialize_entry("total", &column(|balance| balance.total))?;
        if self.of.iter().any(|(_, balance)| balance.debt.is_some()) {
            map.serialize_entry("debt", &column(|balance| balance.debt))?;
        }
        map.end()
    }
}

//! Answers, and the unified structures they become.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Outcome, compare, unconnected};
use crate::json::{self, Json};
use crate::unified::{Market, Markets};
use crate::{Context, Dialect, Venue};

#[derive(Deserialize)]
struct File<'t> {
    #[serde(borrow)]
    cases: Vec<Case<'t>>,
}

#[derive(Deserialize)]
struct Case<'t> {
    method: String,
    #[serde(default)]
    args: Vec<Value>,
    #[serde(borrow, default)]
    http: Vec<Answer<'t>>,
    #[serde(borrow)]
    raw: Option<&'t RawValue>,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize)]
struct Answer<'t> {
    #[serde(rename = "urlContains", default)]
    of: String,
    #[serde(borrow)]
    body: &'t RawValue,
}

pub(super) fn outcomes(venue: Venue, text: &str) -> Result<Vec<Outcome>, serde_json::Error> {
    let file: File<'_> = serde_json::from_str(text)?;
    let Some(dialect) = venue.dialect() else { return unconnected::outcomes(text) };
    let asked = file.cases.iter().find(|case| case.method == "fetchMarkets");
    let markets = Markets::new(asked.map(|case| case.markets(dialect)).unwrap_or_default());
    Ok(file.cases.iter().map(|case| case.outcome(dialect, &markets)).collect())
}

impl Case<'_> {
    fn markets(&self, dialect: &dyn Dialect) -> Vec<Market> {
        let answers = self.http.iter().filter_map(|answer| Some((answer.of.as_str(), json::parse(answer.body.get())?)));
        answers.flat_map(|(of, answer)| dialect.markets(of, &answer)).collect()
    }

    fn outcome(&self, dialect: &dyn Dialect, markets: &Markets) -> Outcome {
        let found =
            if self.method == "fetchMarkets" { Some(value(markets.all())) } else { self.parsed(dialect, markets) };
        let fault = match found {
            None => Some(unconnected::FAULT.to_owned()),
            Some(Err(error)) => Some(error.to_string()),
            Some(Ok(found)) => compare::difference(&self.result, &found),
        };
        Outcome { method: self.method.clone(), fault }
    }

    fn parsed(&self, dialect: &dyn Dialect, markets: &Markets) -> Option<serde_json::Result<Value>> {
        let raw: Json<'_> = json::parse(self.raw?.get())?;
        let symbol = self.args.iter().find_map(|argument| argument.get("$market")?.as_str());
        let context = Context { markets, asked: symbol.and_then(|symbol| markets.of(symbol).ok()) };
        match self.method.as_str() {
            "parseTicker" => Some(value(&dialect.ticker(&raw, context))),
            "parseTrade" => Some(value(&dialect.trade(&raw, context))),
            "parseOrder" => Some(value(&dialect.order(&raw, context))),
            "parseOHLCV" => Some(value(&dialect.candle(&raw, context))),
            _ => None,
        }
    }
}

/// As a script sees it.
fn value<T: Serialize + ?Sized>(of: &T) -> serde_json::Result<Value> {
    serde_json::from_str(&serde_json::to_string(of)?)
}

//! Answers, and the unified structures they become.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::recorded::{Account, Known, Recorded, exchange};
use super::{Outcome, compare};
use crate::json::{self, Json};
use crate::unified::Markets;
use crate::{Context, ErrorClass, Fields, Venue};

/// What is said of a case of what no connector does.
const FAULT: &str = "the connector does not do this yet";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    clock_ms: i64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    method: String,
    #[serde(default)]
    args: Vec<Box<RawValue>>,
    #[serde(default)]
    http: Vec<Recorded>,
    raw: Option<Box<RawValue>>,
    #[serde(default)]
    result: Value,
}

pub(super) async fn outcomes(venue: Venue, text: &str) -> serde_json::Result<Vec<Outcome>> {
    let file: File = serde_json::from_str(text)?;
    let known = file.known(venue).await;
    let mut outcomes = Vec::new();
    for case in &file.cases {
        let found = match &case.raw {
            Some(raw) => case.parsed(venue, raw, &known.markets),
            None => Some(case.fetched(venue, file.clock_ms, &known).await),
        };
        let fault = match found {
            None => Some(FAULT.to_owned()),
            Some(Err(error)) => Some(error),
            Some(Ok(found)) => compare::difference(&case.result, &found),
        };
        outcomes.push(Outcome { method: case.method.clone(), fault });
    }
    Ok(outcomes)
}

/// The markets and currencies of the file.
pub(super) async fn known(venue: Venue, text: &str) -> serde_json::Result<Known> {
    Ok(serde_json::from_str::<File>(text)?.known(venue).await)
}

impl File {
    async fn known(&self, venue: Venue) -> Known {
        let Some(case) = self.cases.iter().find(|case| case.method == "fetchMarkets") else {
            return Known::default();
        };
        let (exchange, _) = exchange(venue, None, self.clock_ms, case.http.clone(), None);
        Known {
            markets: Markets::new(exchange.fetch_markets(Fields::new()).await.unwrap_or_default()),
            currencies: exchange.fetch_currencies(Fields::new()).await.unwrap_or_default(),
        }
    }
}

impl Case {
    /// What the method makes of the recorded answers. Markets are open to everybody, the rest is the account's.
    async fn fetched(&self, venue: Venue, clock_ms: i64, known: &Known) -> Result<Value, String> {
        let account = (self.method != "fetchMarkets").then(Account::any);
        let (exchange, _) = exchange(venue, account.as_ref(), clock_ms, self.http.clone(), Some(known));
        let arguments: Option<Vec<Json<'_>>> = self.args.iter().map(|raw| json::parse(raw.get())).collect();
        let result = exchange.call(&self.method, &arguments.unwrap_or_default()).await;
        result.map_err(|error| match error.class() {
            ErrorClass::NotSupported => FAULT.to_owned(),
            class => format!("{class}: {error}"),
        })
    }

    fn parsed(&self, venue: Venue, raw: &RawValue, markets: &Markets) -> Option<Result<Value, String>> {
        let dialect = venue.dialect();
        let raw = json::parse(raw.get())?;
        let symbol = self.args.iter().find_map(|argument| {
            let argument: Value = serde_json::from_str(argument.get()).ok()?;
            Some(argument.get("$market")?.as_str()?.to_owned())
        });
        let context = Context { markets, asked: symbol.and_then(|symbol| markets.of(&symbol).ok()) };
        match self.method.as_str() {
            "parseTicker" => Some(value(&dialect.ticker(&raw, context))),
            "parseTrade" => Some(value(&dialect.trade(&raw, context))),
            "parseOrder" => Some(value(&dialect.order(&raw, context))),
            "parseOHLCV" => Some(value(&dialect.candle(&raw, context))),
            "parseBalance" => dialect.balance(&raw, context).map(|balance| value(&balance)),
            "parsePosition" => dialect.position(&raw, context).map(|position| value(&position)),
            _ => None,
        }
    }
}

/// As a script sees it.
fn value<T: Serialize + ?Sized>(of: &T) -> Result<Value, String> {
    let text = serde_json::to_string(of).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

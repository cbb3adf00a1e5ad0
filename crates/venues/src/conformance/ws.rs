//! Streams: what subscribes to them, and what their messages say.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::recorded::{Account, Known, exchange};
use super::{Outcome, compare};
use crate::json;
use crate::stream::{Event, Synced, Topic, Watched};
use crate::unified::{Candle, Markets, Ticker, Time};
use crate::{Fields, Request, Venue};

/// What stands in recorded frames beside what is meant for the exchange: the library's own notes to itself.
const NOTES: [&str; 1] = ["callerMethodName"];

/// Members of a fee.
const FEE: [&str; 3] = ["amount", "cost", "currency"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    clock_ms: i64,
    #[serde(default)]
    subscriptions: Vec<Subscribed>,
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscribed {
    method: String,
    #[serde(default)]
    args: Vec<Value>,
    #[serde(default)]
    steps: Vec<Step>,
    error: Option<String>,
    #[serde(default)]
    not_supported: bool,
}

#[derive(Deserialize)]
struct Step {
    rest: Option<String>,
    body: Option<String>,
    url: Option<String>,
    send: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    message: Box<RawValue>,
    #[serde(default)]
    resolves: Vec<Resolved>,
}

#[derive(Deserialize)]
struct Resolved {
    result: Value,
}

/// The account of the cases: that of the exchange's requests.
pub(super) async fn outcomes(
    venue: Venue,
    text: &str,
    known: &Known,
    account: &Account,
) -> serde_json::Result<Vec<Outcome>> {
    let file: File = serde_json::from_str(text)?;
    let mut outcomes = Vec::new();
    for case in &file.subscriptions {
        let fault = case.fault(venue, file.clock_ms, known, account).await;
        outcomes.push(Outcome { method: case.method.clone(), fault });
    }
    for case in &file.messages {
        outcomes.push(Outcome { method: "message".to_owned(), fault: case.fault(venue, &known.markets) });
    }
    Ok(outcomes)
}

impl Subscribed {
    fn watched(&self) -> Watched {
        let texts = |list: &[Value]| list.iter().map(|text| text.as_str().map(str::to_owned)).collect();
        let params = self.args.last().filter(|last| last.is_object()).map(Value::to_string).unwrap_or_default();
        Watched {
            symbol: self.args.first().and_then(Value::as_str).map(str::to_owned),
            symbols: self.args.first().and_then(Value::as_array).and_then(|list| texts(list)),
            timeframe: self.args.get(1).and_then(Value::as_str).unwrap_or_default().to_owned(),
            depth: self.args.get(1).and_then(Value::as_i64),
            params: match json::parse(&params).as_ref().map(crate::Value::of) {
                Some(crate::Value::Object(fields)) => fields,
                _ => Fields::new(),
            },
        }
    }

    async fn fault(&self, venue: Venue, clock_ms: i64, known: &Known, account: &Account) -> Option<String> {
        let (exchange, wire) = exchange(venue, Some(account), clock_ms, token(venue), Some(known));
        let Ok(topic) = self.method.parse::<Topic>() else { return Some("there is no such topic".to_owned()) };
        let found = exchange.watch(topic, &self.watched()).await;
        let expected = self.error.as_deref().map(|error| error.split(':').next().unwrap_or_default());
        let expected = expected.or(self.not_supported.then_some("NotSupported"));
        if let Some(expected) = expected {
            let found = found.err().map(|error| error.class().name());
            return (found != Some(expected)).then(|| format!("{} instead of {expected}", found.unwrap_or("no error")));
        }
        let fault = self.asked(&wire.sent());
        if fault.is_some() {
            return fault;
        }
        let frames: Vec<_> = self.steps.iter().filter(|step| step.rest.is_none()).collect();
        let found = match found {
            Ok(found) => found,
            // the case ends with a request whose answer was not recorded
            Err(error) if frames.is_empty() && error.class().name() != "NotSupported" => return None,
            Err(error) => return Some(format!("{error}")),
        };
        let sent: Vec<Value> =
            found.login.iter().chain(&found.subscribe).filter_map(|frame| serde_json::from_str(frame).ok()).collect();
        // some cases end with the login: the library then asks over HTTP before it subscribes, and was not answered
        let ends = found.login.is_some() && frames.len() == 1;
        if sent.len() != frames.len() && !frames.is_empty() && !ends {
            return Some(format!("{} frames instead of {}", sent.len(), frames.len()));
        }
        frames.iter().zip(&sent).find_map(|(step, frame)| {
            if step.url.as_ref().is_some_and(|url| *url != found.url) {
                return Some(format!("address {} instead of {}", found.url, step.url.as_deref().unwrap_or_default()));
            }
            let mut expected = step.send.clone().unwrap_or_default();
            if let Value::Object(members) = &mut expected {
                members.retain(|name, _| !NOTES.contains(&name.as_str()));
            }
            compare::difference(&expected, frame)
        })
    }
}

impl Subscribed {
    /// What was asked over HTTP. Where a stream's address itself is asked for, the cases do not show it.
    fn asked(&self, sent: &[Request]) -> Option<String> {
        let found: Vec<_> = sent
            .iter()
            .map(|sent| (format!("{} {}", sent.verb.name(), sent.url), sent.body.clone().unwrap_or_default()))
            .collect();
        let expected =
            self.steps.iter().filter_map(|step| Some((step.rest.clone()?, step.body.clone().unwrap_or_default())));
        let expected: Vec<_> = expected.collect();
        (!found.starts_with(&expected)).then(|| format!("requests {found:?} instead of {expected:?}"))
    }
}

/// What answers a request for the right to listen; the cases were recorded with these.
fn token(venue: Venue) -> Vec<super::recorded::Recorded> {
    let body = match venue {
        Venue::Kraken => r#"{"error":[],"result":{"token":"TESTTOKEN","expires":900}}"#,
        Venue::Kucoin => {
            r#"{"code":"200000","data":{"token":"TESTTOKEN","instanceServers":[
                {"endpoint":"wss://ws-api-spot.kucoin.com/","pingInterval":18000,"pingTimeout":10000}]}}"#
        }
        _ => "{}",
    };
    serde_json::from_str(&format!(r#"[{{"body":{body}}}]"#)).unwrap_or_default()
}

impl Message {
    /// Each result must be said by the message, in one of the forms that such an event is known in; and the message
    /// must say nothing else.
    fn fault(&self, venue: Venue, markets: &Markets) -> Option<String> {
        let events = venue.heard("", self.message.get(), markets);
        let forms: Vec<Vec<Value>> = events.iter().map(|event| forms(venue, event, markets)).collect();
        let said = |expected: &Value| {
            forms.iter().flatten().map(|found| compare::difference(expected, found)).min_by_key(|fault| {
                // of several that differ the one that is furthest along says most
                fault
                    .as_ref()
                    .map_or(0, |fault| usize::MAX - fault.split_once(" is ").map_or(0, |(path, _)| path.len()))
            })
        };
        let results: Vec<Value> = self.resolves.iter().map(|of| numbers(of.result.clone())).collect();
        for result in &results {
            match said(result) {
                Some(None) => {}
                Some(Some(fault)) => return Some(fault),
                None => return Some("nothing is heard".to_owned()),
            }
        }
        let meant = |forms: &Vec<Value>| {
            let one = |found: &Value| results.iter().any(|of| compare::difference(of, found).is_none());
            forms.is_empty() || forms.iter().any(one)
        };
        forms.iter().position(|forms| !meant(forms)).map(|place| format!("says more: {:?}", events.get(place)))
    }
}

/// A result whose costs are numbers, and whose books know milliseconds: streams' fees and positions have some costs
/// that were left as texts, or as a fee's `amount`, and books that are timed more finely.
fn numbers(result: Value) -> Value {
    // read as all other numbers of the file are, to the last bit
    let number = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_number);
    match result {
        Value::Array(elements) => elements.into_iter().map(numbers).collect(),
        Value::Object(members) => {
            let member = |(name, value): (String, Value)| match &value {
                _ if name == "info" => (name, value),
                Value::String(text) if matches!(name.as_str(), "cost" | "notional") => {
                    let value = number(text).unwrap_or(value);
                    (name, value)
                }
                _ => (name, numbers(value)),
            };
            let mut members: serde_json::Map<_, _> = members.into_iter().map(member).collect();
            let fee = members.contains_key("currency") && members.keys().all(|name| FEE.contains(&name.as_str()));
            if let Some(cost) = members.get("amount").and_then(Value::as_str).and_then(number)
                && fee
            {
                members.remove("amount");
                members.insert("cost".to_owned(), cost);
            }
            if members.contains_key("bids") && members.contains_key("asks") {
                let time = Time(members.get("timestamp").and_then(Value::as_i64));
                members.insert("datetime".to_owned(), time.iso().into());
            }
            Value::Object(members)
        }
        other => other,
    }
}

/// How an event is known: alone, by its market, as a list.
fn forms(venue: Venue, event: &Event, markets: &Markets) -> Vec<Value> {
    let by_symbol = |ticker: &Ticker| {
        let one = value(ticker);
        vec![serde_json::json!({ ticker.symbol.clone().unwrap_or_default(): one.clone() }), one]
    };
    match event {
        Event::Ticker(ticker) | Event::BidAsk(ticker) => by_symbol(ticker),
        Event::Trades(trades) | Event::MyTrades(trades) => vec![value(trades)],
        Event::Candles { symbol, timeframe, candles } => {
            let list = value::<Vec<Candle>>(candles);
            let alone = candles.first().filter(|_| candles.len() == 1).map(value::<Candle>);
            [serde_json::json!([symbol, timeframe, list.clone()]), list].into_iter().chain(alone).collect()
        }
        Event::Book(delta) => {
            let Ok(market) = markets.of(&delta.symbol).or_else(|error| markets.all().first().ok_or(error)) else {
                return Vec::new();
            };
            let mut synced = Synced::new(venue.rule(market));
            synced.apply(delta);
            let none = || serde_json::json!({ "bids": [], "asks": [] });
            vec![synced.book().map_or_else(none, |book| value(&book.unified(Some(delta.symbol.clone()), 1000)))]
        }
        Event::Balance(balances) => vec![value(balances)],
        Event::Orders(orders) => vec![value(orders)],
        Event::Positions(positions) => vec![value(positions)],
        Event::Liquidations(liquidations) => vec![value(liquidations)],
        Event::OrderReply(order) => vec![value(order)],
        Event::Reply(raw) => vec![value(raw)],
        Event::LoggedIn | Event::Ping(_) | Event::Leave(_) | Event::Refused(_) => Vec::new(),
    }
}

fn value<T: Serialize + ?Sized>(of: &T) -> Value {
    serde_json::to_string(of).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

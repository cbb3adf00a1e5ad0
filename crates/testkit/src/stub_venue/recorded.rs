//! Recorded answers by the paths that are asked for them.

use orrery_venues::{Venue, Verb};
use serde_json::Value;

use super::{Answer, Asked};

const BULLET: &str = r#"{"code":"200000","data":{"token":"TOKEN","instanceServers":[
    {"endpoint":"wss://ws-api-spot.kucoin.com/","protocol":"websocket","pingInterval":18000,"pingTimeout":10000}]}}"#;

fn file(kind: &str, venue: Venue) -> Value {
    let path = format!("{}/../../testdata/venues/{kind}/{venue}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn verb(word: &str) -> Verb {
    let all = [Verb::Get, Verb::Post, Verb::Put, Verb::Patch, Verb::Delete];
    all.into_iter().find(|verb| verb.name() == word).unwrap_or(Verb::Get)
}

/// The path of an address, with or without a scheme.
fn path(url: &str) -> String {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    let from = after.find('/').unwrap_or(after.len());
    after[from..].split('?').next().unwrap_or_default().to_owned()
}

/// What a part of an address says beside its host; none for a host alone.
fn part(of: &str) -> Option<String> {
    match of.split_once(".com") {
        Some((_, path)) => (!path.is_empty()).then(|| path.to_owned()),
        None => Some(of.to_owned()),
    }
}

fn text(body: &Value) -> String {
    body.as_str().map_or_else(|| body.to_string(), str::to_owned)
}

/// Of each method that was recorded with its answers: the path that it asks, and the first answer.
pub(super) fn answers(venue: Venue) -> Vec<Answer> {
    let (requests, responses) = (file("requests", venue), file("responses", venue));
    let none = Vec::new();
    let list = |of: &Value| of["cases"].as_array().unwrap_or(&none).clone();
    let asked = list(&requests);
    let mut answers: Vec<Answer> = Vec::new();
    // where its streams are, and the right to listen, are asked for first
    for (path, body) in tokens(venue) {
        let asked = Asked::Path(Verb::Post, (*path).to_owned());
        answers.push(Answer { asked, status: 200, body: (*body).to_owned() });
    }
    for case in list(&responses) {
        for (place, answer) in case["http"].as_array().unwrap_or(&none).iter().enumerate() {
            let status = answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
            let asked = match answer["urlContains"].as_str() {
                Some(of) => match part(of) {
                    Some(part) => Asked::Part(part),
                    None => continue,
                },
                None => {
                    let same = |other: &&Value| other["method"] == case["method"];
                    let Some(request) = asked.iter().find(same).map(|case| &case["requests"][place]) else { continue };
                    let Some(url) = request["url"].as_str() else { continue };
                    Asked::Path(verb(request["method"].as_str().unwrap_or_default()), path(url))
                }
            };
            if !answers.iter().any(|known| known.asked == asked) {
                answers.push(Answer { asked, status, body: text(&answer["body"]) });
            }
        }
    }
    answers
}

/// What is asked for before streams are listened to, by the end of its path.
const fn tokens(venue: Venue) -> &'static [(&'static str, &'static str)] {
    match venue {
        Venue::Binance => &[("/listenKey", r#"{"listenKey":"KEY"}"#)],
        Venue::Kraken => &[("/GetWebSocketsToken", r#"{"error":[],"result":{"token":"TOKEN","expires":900}}"#)],
        Venue::Kucoin => &[("/bullet-public", BULLET), ("/bullet-private", BULLET)],
        _ => &[],
    }
}

/// What answers a frame that says whose connection it is; none for a frame that does not.
pub(super) fn login(venue: Venue, frame: &str) -> Option<&'static str> {
    let (part, answer) = match venue {
        Venue::Bybit => (r#""op":"auth""#, r#"{"success":true,"ret_msg":"","op":"auth","conn_id":"c"}"#),
        Venue::Okx => (r#""op":"login""#, r#"{"event":"login","msg":"","code":"0","connId":"c"}"#),
        Venue::Bitget => (r#""op":"login""#, r#"{"event":"login","code":0}"#),
        Venue::Htx if frame.contains(r#""op":"auth""#) => (r#""op":"auth""#, r#"{"op":"auth","err-code":0,"ts":1}"#),
        Venue::Htx => (r#""ch":"auth""#, r#"{"action":"req","code":200,"ch":"auth","data":{}}"#),
        _ => return None,
    };
    frame.contains(part).then_some(answer)
}

/// Messages of the exchange's streams.
pub(super) fn messages(venue: Venue) -> Vec<String> {
    let streams = file("ws", venue);
    streams["messages"]
        .as_array()
        .map(|all| all.iter().map(|one| one["message"].to_string()).collect())
        .unwrap_or_default()
}

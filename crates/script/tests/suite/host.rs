//! A host that answers as a test tells it, with a store in memory; and short ways to run a script.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::Entropy;
use orrery_script::{Engine, NoModules};
use orrery_workers::Stop;
use orrery_workers::script::{
    End, Host, HostError, Isolation, Level, Limits, Outcome, Program, Run, ScriptRuntime, Setting, Source,
};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::Notify;

type Answer = Result<Value, HostError>;
type Answering = Box<dyn Fn(&Value) -> Answer + Send + Sync>;

pub struct Dice;

impl Entropy for Dice {
    fn fill(&self, out: &mut [u8]) {
        for (place, byte) in out.iter_mut().enumerate() {
            *byte = (place * 37 + 11) as u8;
        }
    }
}

/// Answers calls and notes them.
#[derive(Default)]
pub struct TestHost {
    answers: Mutex<Vec<(String, Arc<Answering>)>>,
    calls: Mutex<Vec<(String, Value)>>,
    logs: Mutex<Vec<(Level, String)>>,
    store: Mutex<BTreeMap<String, (Value, u64)>>,
    stamps: Mutex<u64>,
    changed: Notify,
    given_up: Mutex<Vec<String>>,
}

impl TestHost {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Calls of that name are answered so.
    pub fn on(self: &Arc<Self>, method: &str, answer: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        self.answers.lock().unwrap().push((method.to_owned(), Arc::new(Box::new(answer))));
        self.clone()
    }

    pub fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().unwrap().clone()
    }

    pub fn calls_of(&self, method: &str) -> Vec<Value> {
        self.calls().into_iter().filter(|(name, _)| name == method).map(|(_, arguments)| arguments).collect()
    }

    pub fn logs(&self) -> Vec<(Level, String)> {
        self.logs.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.logs().into_iter().map(|(_, text)| text).collect()
    }

    pub fn given_up(&self) -> Vec<String> {
        self.given_up.lock().unwrap().clone()
    }

    fn entry(&self, key: &Value) -> Value {
        match self.store.lock().unwrap().get(&key.to_string()) {
            Some((value, stamp)) => json!({ "key": key, "value": value, "versionstamp": format!("{stamp:020x}") }),
            None => json!({ "key": key, "value": null, "versionstamp": null }),
        }
    }

    fn put(&self, key: &Value, value: Value) -> String {
        let mut stamps = self.stamps.lock().unwrap();
        *stamps += 1;
        self.store.lock().unwrap().insert(key.to_string(), (value, *stamps));
        self.changed.notify_waiters();
        format!("{:020x}", *stamps)
    }

    fn stored(&self, act: &str, a: &Value) -> Answer {
        Ok(match act {
            "get" => self.entry(&a[0]),
            "set" => json!({ "ok": true, "versionstamp": self.put(&a[0], a[1].clone()) }),
            "delete" => {
                self.store.lock().unwrap().remove(&a[0].to_string());
                Value::Null
            }
            "list" => {
                let prefix = a[0]["prefix"].as_array().unwrap();
                let all: Vec<Value> =
                    self.store.lock().unwrap().keys().map(|key| serde_json::from_str(key).unwrap()).collect();
                let within =
                    |key: &&Value| key.as_array().unwrap().starts_with(prefix) && key.as_array() != Some(prefix);
                let from = a[0]["cursor"].as_str().map_or(0, |cursor| cursor.parse().unwrap());
                let limit = a[0]["limit"].as_u64().unwrap() as usize;
                let all: Vec<_> = all.iter().filter(within).collect();
                let page: Vec<_> = all.iter().skip(from).take(limit).map(|key| self.entry(key)).collect();
                let cursor = (from + page.len() < all.len()).then(|| (from + page.len()).to_string());
                json!({ "entries": page, "cursor": cursor })
            }
            "commit" => {
                let checks = a[0]["checks"].as_array().unwrap();
                if checks.iter().any(|check| self.entry(&check["key"])["versionstamp"] != check["versionstamp"]) {
                    return Ok(json!({ "ok": false }));
                }
                let mut stamp = String::new();
                for mutation in a[0]["mutations"].as_array().unwrap() {
                    if mutation["type"] == "set" {
                        stamp = self.put(&mutation["key"], mutation["value"].clone());
                    } else {
                        self.store.lock().unwrap().remove(&mutation["key"].to_string());
                    }
                }
                json!({ "ok": true, "versionstamp": stamp })
            }
            _ => return Err(HostError::new("NotSupported", act)),
        })
    }

    async fn watched(&self, a: &Value) -> Answer {
        loop {
            let changed = self.changed.notified();
            let entries: Vec<_> = a[0].as_array().unwrap().iter().map(|key| self.entry(key)).collect();
            let stamps: Vec<_> = entries.iter().map(|entry| entry["versionstamp"].clone()).collect();
            if Value::from(stamps) != a[1] {
                return Ok(entries.into());
            }
            changed.await;
        }
    }
}

/// Notes a call that is given up before it is answered.
struct Open<'h>(&'h TestHost, String, bool);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.2 {
            self.0.given_up.lock().unwrap().push(self.1.clone());
        }
    }
}

#[async_trait]
impl Host for TestHost {
    async fn call(&self, method: &str, arguments: &str) -> Result<String, HostError> {
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        self.calls.lock().unwrap().push((method.to_owned(), arguments.clone()));
        let mut open = Open(self, method.to_owned(), false);
        let answering = self.answers.lock().unwrap().iter().find(|(name, _)| name == method).map(|(_, a)| a.clone());
        let answer = match (answering, method.split_once('.')) {
            (Some(answering), _) => answering(&arguments),
            (None, Some(("net" | "local", "watch"))) => self.watched(&arguments).await,
            (None, Some(("net" | "local", act))) => self.stored(act, &arguments),
            (None, _) => match method {
                "never" | "cex.binance.watchTicker" => std::future::pending().await,
                "webfix" if arguments[0]["method"] == "get" => Ok(self.entry(&arguments[0]["channel"])),
                "webfix" => {
                    self.put(&arguments[0]["channel"], arguments[0].clone());
                    Ok(Value::Null)
                }
                _ => Err(HostError::new("NotSupported", format!("{method} is not answered"))),
            },
        };
        open.2 = true;
        answer.map(|value| value.to_string())
    }

    fn log(&self, level: Level, text: &str) {
        self.logs.lock().unwrap().push((level, text.to_owned()));
    }
}

pub fn engine() -> Engine {
    Engine::new(2, Handle::current(), Arc::new(Dice), Arc::new(NoModules)).unwrap()
}

pub fn prepare(engine: &Engine, text: &str) -> Program {
    let dependencies = ["gliesereum".to_owned()];
    let source = Source { text, dependencies: &dependencies, version: "1.19.2" };
    engine.prepare(&source).unwrap_or_else(|fault| panic!("{fault}"))
}

pub fn order(program: Program, host: &Arc<TestHost>, limits: Limits, stop: &Stop) -> Run {
    let setting = Setting {
        sid: "b6a4".into(),
        nid: "s-0001".into(),
        network: "testnet".into(),
        account: Some("main".into()),
        protocol: Some(r#"{"strategy":"grid","levels":[1,2]}"#.into()),
        owner: Some("gkVcmZanoMEk3LWHpJYC24pZte8FgW5mBy".into()),
        start_time: 1_760_000_000_000,
        epoch: 3,
    };
    Run { program, host: host.clone(), setting, limits, stop: stop.clone(), isolation: Isolation::Shared }
}

/// Runs a script within these limits.
pub async fn run_within(text: &str, host: &Arc<TestHost>, limits: Limits) -> Outcome {
    let engine = engine();
    let run = order(prepare(&engine, text), host, limits, &Stop::new());
    tokio::time::timeout(Duration::from_secs(60), engine.run(run)).await.expect("the run ends")
}

pub async fn run(text: &str, host: &Arc<TestHost>) -> Outcome {
    run_within(text, host, Limits::default()).await
}

/// What a script returns.
pub async fn value_with(text: &str, host: &Arc<TestHost>) -> Value {
    match run(text, host).await.end {
        End::Returned(Some(json)) => serde_json::from_str(&json).unwrap(),
        other => panic!("{other:?}\n{text}\n{:?}", host.lines()),
    }
}

pub async fn value(text: &str) -> Value {
    value_with(text, &TestHost::new()).await
}

/// Waits until it is so, for a bounded time.
pub async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..4_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not so within twenty seconds: {what}");
}

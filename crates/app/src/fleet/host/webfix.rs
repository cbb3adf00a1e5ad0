//! `Stels.webfix`: kept in the owner's store, and told to the owner's clients.

use async_trait::async_trait;
use orrery_workers::script::HostError;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::parts::{self, Written};
use super::{Result, WorkerHost, kv, read, type_error};

/// Longest name of a channel.
const NAME_MAX: usize = 200;

/// What a script said on a channel.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The channel's parts with points between them, as the script gave them.
    pub channel: &'a str,
    /// As the script named it.
    pub module: &'a str,
    /// What is said.
    pub raw: &'a RawValue,
    /// When, as the script says; milliseconds.
    pub timestamp: i64,
}

/// Tells the clients of a wallet what its scripts say. Nobody else hears it: scripts of one wallet cannot speak as
/// the server or as another's.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Tells it, as far as it can be told: it is kept in the store too.
    async fn publish(&self, owner: &str, said: &Said<'_>);
}

/// There are no clients.
pub struct NoPublisher;

#[async_trait]
impl Publisher for NoPublisher {
    async fn publish(&self, _: &str, _: &Said<'_>) {}
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    brain: String,
    method: String,
    channel: Vec<Written>,
    #[serde(default)]
    module: Option<String>,
    #[serde(borrow, default)]
    raw: Option<&'a RawValue>,
    #[serde(default)]
    timestamp: Option<f64>,
    expire_in: Option<f64>,
}

impl WorkerHost {
    pub(super) async fn webfix(&self, arguments: &str) -> Result<String> {
        let (message,): (Message<'_>,) = read("Stels.webfix", arguments)?;
        let net = match message.brain.as_str() {
            "net" => true,
            "local" => false,
            _ => return Err(type_error("brain is Stels.net or Stels.local")),
        };
        match message.method.as_str() {
            "get" => {
                let key = parts::key(&message.channel)?;
                let found = self.entries(&self.space(net), &[key]).await?.pop().flatten();
                Ok(format!(r#"{{"value":{}}}"#, found.as_ref().map_or("null", |entry| entry.value.as_str())))
            }
            "set" => {
                self.say(net, &message).await?;
                Ok("null".into())
            }
            other => Err(HostError::new("NotSupported", format!("Stels.webfix has no method {other:?}"))),
        }
    }

    async fn say(&self, net: bool, message: &Message<'_>) -> Result<()> {
        let channel = message.channel.iter().map(parts::named).collect::<Vec<_>>().join(".");
        if channel.len() > NAME_MAX {
            return Err(type_error(format!("a channel's name has at most {NAME_MAX} bytes")));
        }
        let now = self.shared.ports.wall.now().millis();
        let timestamp = message.timestamp.map_or(now, |ms| ms as i64);
        let module = message.module.as_deref().unwrap_or_default();
        let nothing = RawValue::NULL;
        let raw = message.raw.unwrap_or(nothing);
        let kept = Kept { channel: &channel, module, raw, timestamp };
        let kept = serde_json::to_string(&kept).map_err(|error| type_error(error.to_string()))?;
        let set = kv::set(parts::key(&message.channel)?, &kept, message.expire_in)?;
        self.commit(net, &self.space(net), Vec::new(), vec![set]).await?;
        let said = Said { channel: &channel, module, raw, timestamp };
        self.shared.ports.publisher.publish(&self.running.owner, &said).await;
        Ok(())
    }
}

/// As it stands in the store.
#[derive(serde::Serialize)]
struct Kept<'a> {
    channel: &'a str,
    module: &'a str,
    raw: &'a RawValue,
    timestamp: i64,
}

//! What scripts say with `Stels.webfix`, told to the clients of their owner alone: a script can speak neither as the
//! server nor as another wallet's.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use orrery_app::fleet::host::{Publisher, Said};
use orrery_app::hub::{Hub, Publish};
use orrery_protocol::stels::ChannelName;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// What the hub's channels of scripts end with.
const SCRIPTS: &str = "/scripts";

/// The hub's channel of what a wallet's scripts say.
pub(crate) fn channel(address: &str) -> String {
    format!("wallet/{address}{SCRIPTS}")
}

/// Is this such a channel? What is published there is [`Words`].
pub(crate) fn is_one(channel: &str) -> bool {
    channel.starts_with("wallet/") && channel.ends_with(SCRIPTS)
}

/// What a script said, in the hub.
#[derive(Serialize, Deserialize)]
pub(crate) struct Words<'a> {
    #[serde(borrow)]
    pub module: Cow<'a, str>,
    #[serde(borrow)]
    pub raw: &'a RawValue,
    pub timestamp: i64,
}

/// Tells clients what scripts say.
pub struct ScriptNews {
    hub: Arc<Hub>,
    network: String,
}

impl ScriptNews {
    /// By this hub.
    pub fn new(hub: Arc<Hub>, network: &str) -> Self {
        Self { hub, network: network.to_owned() }
    }

    /// The names under which it is told: as the script named it, with the network in front, which clients look for,
    /// and of market data the names of both families.
    fn names(&self, channel: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::from([channel.to_owned()]);
        let within = channel.split('.').next() == Some(self.network.as_str());
        let full = if within { channel.to_owned() } else { format!("{}.{channel}", self.network) };
        if let Ok(ChannelName::Document(datum) | ChannelName::Client(datum)) = full.parse() {
            names.extend(ChannelName::both(datum).map(|name| name.to_string()));
        }
        names.insert(full);
        names
    }
}

#[async_trait]
impl Publisher for ScriptNews {
    async fn publish(&self, owner: &str, said: &Said<'_>) {
        let words = Words { module: said.module.into(), raw: said.raw, timestamp: said.timestamp };
        let Ok(content) = to_raw_value(&words) else { return };
        let channel = channel(owner);
        for name in self.names(said.channel) {
            let publish = Publish { channel: &channel, content: &content, key: Some(&name), sequence: None };
            if let Err(error) = self.hub.publish_own(&publish, None).await {
                tracing::debug!(%error, name, "what a script said was not told");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_serve_both_clients() {
        let clock = Arc::new(orrery_testkit::fakes::ManualClock::at(orrery_kernel::Timestamp::from_millis(0)));
        let entropy = Arc::new(orrery_testkit::fakes::SeededEntropy::new(1));
        let feed = Arc::new(orrery_feeds::Simulated::new(1, 50_000));
        let ports = orrery_testkit::assembled::ports(clock, entropy, feed);
        let tasks = orrery_app::tasks::Tasks::new();
        let settings = orrery_testkit::assembled::settings();
        let app = orrery_app::App::start(ports, settings, &tasks).await.unwrap();
        let news = ScriptNews::new(app.hub.clone(), "testnet");
        let of = |channel: &str| news.names(channel).into_iter().collect::<Vec<_>>();
        assert_eq!(of("backup.17"), ["backup.17", "testnet.backup.17"]);
        assert_eq!(of("testnet.signals"), ["testnet.signals"]);
        assert_eq!(
            of("testnet.runtime.ticker.BTC/USDT.bybit.spot"),
            [
                "testnet.runtime.connector.exchange.crypto.bybit.spot.BTC/USDT.ticker",
                "testnet.runtime.ticker.BTC/USDT.bybit.spot"
            ]
        );
        tasks.drain().await;
    }
}

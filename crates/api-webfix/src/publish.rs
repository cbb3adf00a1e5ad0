//! What the server itself tells: connections, nodes, the network at a glance, balances, transactions.

use std::sync::Arc;
use std::time::Duration;

use orrery_app::hub::Publish;
use orrery_app::venues::{Portfolio, VenueEvent};
use orrery_app::wallets::Submitted;
use orrery_app::workers::Network;
use orrery_kernel::{Result, Timestamp};
use orrery_protocol::stels::{ChannelName, NetworkConnections};
use orrery_wallets::Account;
use orrery_workers::fleet::NodeTotals;
use orrery_workers::script::TICK;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;

use crate::methods::{balance_channel, balance_raw};
use crate::{BATCH, HEARTBEAT, PER_SESSION_MAX, Shared};

/// Nodes that the sonar tells of, besides this one.
const NODES_SHOWN_MAX: usize = 100;

/// How the machine is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Load over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Bytes of memory that this process has.
    pub resident: u64,
    /// Bytes of memory that the machine has.
    pub memory: u64,
}

/// What the operator says of this node.
#[derive(Clone, Debug, Default)]
pub struct NodeFacts {
    /// A name for people.
    pub title: String,
    /// Degrees, north.
    pub latitude: f64,
    /// Degrees, east.
    pub longitude: f64,
    /// City.
    pub city: String,
    /// Country's code.
    pub country: String,
    /// Country.
    pub country_name: String,
    /// IANA name.
    pub timezone: String,
    /// Does it fetch prices and run jobs?
    pub markets: Vec<String>,
}

impl Shared {
    /// A key's newest value, to everybody in a group.
    async fn tell(&self, group: &str, key: &str, raw: &Value) {
        let content = match serde_json::value::to_raw_value(raw) {
            Ok(content) => content,
            Err(error) => return tracing::error!(%error, key, "a message could not be written"),
        };
        self.publish(&self.group(group), key, &content).await;
    }

    async fn publish(&self, channel: &str, key: &str, content: &RawValue) {
        let publish = Publish { channel, content, key: Some(key), sequence: None };
        if let Err(error) = self.app.hub.publish_own(&publish, None).await {
            tracing::debug!(%error, key, "not told");
        }
    }

    /// An account's balance, to its owner and viewers and nobody else.
    pub(crate) async fn tell_balance(&self, account: &Account) {
        let seen = self.app.venues.snapshot(account).await;
        self.tell_seen(account, &balance_channel(account), &balance_raw(account, seen.as_ref())).await;
    }

    /// What became of an order that was unknown, to the same.
    async fn tell_settled(&self, account: &Account, client_order_id: &str, order: Option<&Value>) {
        let key = format!("account.order.{}.{}.{}", account.owner, account.exchange, account.nid);
        let raw = json!({
            "nid": account.nid,
            "exchange": account.exchange,
            "clientOrderId": client_order_id,
            "status": if order.is_some() { "taken" } else { "rejected" },
            "order": order,
        });
        self.tell_seen(account, &key, &raw).await;
    }

    /// A key's newest value, to an account's owner and viewers and nobody else.
    async fn tell_seen(&self, account: &Account, key: &str, raw: &Value) {
        let Ok(content) = serde_json::value::to_raw_value(raw) else { return };
        for who in std::iter::once(&account.owner).chain(account.viewers.iter().filter(|v| **v != account.owner)) {
            self.publish(&private(who), key, &content).await;
        }
    }

    /// A transaction that reached the ledger, and what it emits.
    pub(crate) async fn tell_transaction(&self, done: &Submitted) {
        if done.replay {
            return;
        }
        let sent = &done.transaction;
        let raw = json!({
            "tx_hash": sent.hash,
            "type": sent.kind.name(),
            "from": sent.sender,
            "status": sent.state.name(),
            "timestamp": sent.at.millis(),
        });
        let network = self.app.wallets.network();
        self.tell("events", &format!("{network}.runtime.transactions"), &raw).await;
        for event in &done.events {
            let raw = json!({
                "kind": event.kind,
                "data": event.data.to_serde(),
                "from": sent.sender,
                "tx_hash": sent.hash,
                "timestamp": sent.at.millis(),
            });
            self.tell("events", &format!("{network}.runtime.event.{}", event.kind), &raw).await;
        }
    }

    async fn tell_connections(&self, now: Timestamp) {
        let (anonymous, authenticated, sessions) = self.counts();
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let network = self.app.wallets.network();
        let raw = NetworkConnections {
            network,
            total_clients: anonymous + authenticated,
            anonymous_clients: anonymous,
            authenticated_clients: authenticated,
            session_count: sessions,
            max_connections_per_session: PER_SESSION_MAX,
            streaming_active: true,
            data_transmission_interval: millis(BATCH),
            heartbeat_interval: millis(HEARTBEAT),
            cleanup_running: true,
            timestamp: now.millis(),
        };
        let Ok(raw) = serde_json::to_value(&raw) else { return };
        self.tell("network", &ChannelName::Connections(network.into()).to_string(), &raw).await;
    }

    /// `raw` of a node's setting, with the document's `config` and the client's fields beside it.
    fn setting(&self) -> Value {
        let wallets = &self.app.wallets;
        let (facts, figures) = (&self.node, (self.figures)());
        let config = json!({
            "network": wallets.network(),
            "title": facts.title,
            "type": "gateway",
            "brain": "network",
            "tick": TICK.as_millis() as u64,
            "connectors": [],
            "markets": facts.markets,
            "dns": { "public": false, "hetNet": { "socket": "/", "protocol": "webfix" } },
        });
        let mut raw = json!({
            "nid": wallets.node(),
            "location": {
                "latitude": facts.latitude,
                "longitude": facts.longitude,
                "name": facts.title,
                // an address is nobody's business but the operator's
                "ip": "",
                "network": wallets.network(),
                "version": env!("CARGO_PKG_VERSION"),
                "city": facts.city,
                "country": facts.country,
                "country_name": facts.country_name,
                "timezone": facts.timezone,
            },
            "cpu": figures.load,
            "memory": { "heapUsed": figures.resident, "heapTotal": figures.memory, "rss": figures.resident },
        });
        if let (Value::Object(raw), Value::Object(fields)) = (&mut raw, &config) {
            raw.extend(fields.clone());
            raw.insert("config".into(), config);
        }
        raw
    }

    /// The network at a glance, to everybody: how many workers there are, and of money only what may be known to all.
    async fn tell_sonar(&self) {
        let shown = if self.app.wallets.shows_info_to_all() {
            self.app.venues.portfolio_of_all().await
        } else {
            Ok(Portfolio::default())
        };
        let Some(raw) = self.sonar(shown).await else { return };
        let network = self.app.wallets.network();
        for key in [ChannelName::SonarSnapshot(network.into()), ChannelName::Sonar(network.into())] {
            self.tell("sonar", &key.to_string(), &raw).await;
        }
        for address in self.sockets.addresses() {
            self.tell_own_sonar(&address).await;
        }
    }

    /// The same to a wallet, of the money in its own accounts.
    pub(crate) async fn tell_own_sonar(&self, address: &str) {
        let Some(raw) = self.sonar(self.app.venues.portfolio_of(address).await).await else { return };
        let Ok(content) = serde_json::value::to_raw_value(&raw) else { return };
        let network = self.app.wallets.network();
        for key in [ChannelName::SonarSnapshot(network.into()), ChannelName::Sonar(network.into())] {
            self.publish(&private(address), &key.to_string(), &content).await;
        }
    }

    async fn sonar(&self, held: Result<Portfolio>) -> Option<Value> {
        let counted = self.app.workers.network().await;
        let (held, workers) = match (held, counted) {
            (Ok(held), Ok(workers)) => (held, workers),
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!(%error, "the network was not summed up");
                return None;
            }
        };
        Some(sonar_raw(&held, &workers, self.app.wallets.node(), self.app.clock.now()))
    }
}

/// What nodes counted, as the newer client reads it.
fn operations<'a>(totals: impl Iterator<Item = &'a NodeTotals>) -> Value {
    let sum = |(runs, errors, network), of: &NodeTotals| {
        (runs + of.executions, errors + of.errors, network + of.network_errors)
    };
    let (runs, errors, network): (i64, i64, i64) = totals.fold((0, 0, 0), sum);
    let rate = if runs > 0 { 100.0 - errors as f64 * 100.0 / runs as f64 } else { 100.0 };
    json!({
        "total": runs,
        "errors": errors,
        "networkErrors": network,
        "criticalErrors": errors - network,
        "successRate": (rate * 100.0).round() / 100.0,
    })
}

/// `raw` of the sonar channels, with what the newer client reads beside the document's fields.
fn sonar_raw(held: &Portfolio, network: &Network, node: &str, now: Timestamp) -> Value {
    let (active, stopped) = (network.active, network.stopped);
    let total = active + stopped;
    let workers = json!({ "active": active, "stopped": stopped, "total": total, "local": total, "network": 0 });
    let all = operations(network.totals.values());
    let current =
        json!({ "id": node, "operations": operations(network.totals.get(node).into_iter()), "workers": workers });
    let mut nodes = json!({});
    let others = network.nodes.iter().map(|seen| &seen.beat).filter(|beat| beat.node != node);
    for beat in others.take(NODES_SHOWN_MAX) {
        let own =
            json!({ "active": beat.running, "stopped": 0, "total": beat.running, "local": beat.running, "network": 0 });
        let operations = operations(network.totals.get(&beat.node).into_iter());
        let shown = json!({ "id": beat.node, "operations": operations, "workers": own });
        nodes[&beat.node] = json!({ "raw": { "currentNode": shown, "liquidity": 0, "exchanges": [] } });
    }
    nodes[node] = json!({ "raw": { "currentNode": current, "liquidity": held.equity, "exchanges": held.exchanges } });
    let count = nodes.as_object().map_or(1, serde_json::Map::len);
    json!({
        "liquidity": held.equity,
        "available": held.available,
        "margin": { "balance": held.balance, "initial": held.initial, "maintenance": held.maintenance },
        "protection": held.protection(),
        "coins": held.coins,
        "rate": held.rate(),
        "timestamp": now.millis(),
        "exchanges": held.exchanges,
        "accounts": held.accounts,
        "workers": workers,
        "totalNodes": count,
        "network": {
            "totalOperations": all["total"],
            "totalErrors": all["errors"],
            "totalWorkers": total,
            "activeWorkers": active,
            "successRate": all["successRate"],
        },
        "nodes": nodes,
        "connectors": [],
        "uniqueExchange": held.exchanges,
        "currentNode": current,
    })
}

/// The hub's channel of a wallet's own news.
pub(crate) fn private(address: &str) -> String {
    format!("wallet/{address}")
}

/// Tells all of it again and again, and ends the sockets of sessions that are over.
pub(crate) async fn run(shared: Arc<Shared>) {
    let stopping = shared.tasks.stopping();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = tick.tick() => {}
            () = shared.recheck.notified() => {
                shared.end_dead_sessions().await;
                continue;
            }
        }
        let now = shared.app.clock.now();
        shared.end_dead_sessions().await;
        shared.tell_connections(now).await;
        let setting = format!("{}.heterogen.{}.setting", shared.app.wallets.network(), shared.app.wallets.node());
        shared.tell("network", &setting, &shared.setting()).await;
        shared.tell_sonar().await;
    }
}

/// Tells owners and viewers what was seen of their accounts.
pub(crate) async fn hear_venues(shared: Arc<Shared>) {
    let (stopping, mut events) = (shared.tasks.stopping(), shared.app.venues.events());
    loop {
        let event = tokio::select! {
            () = stopping.cancelled() => return,
            event = events.recv() => event,
        };
        match event {
            Ok(VenueEvent::Looked(account)) => shared.tell_balance(&account).await,
            Ok(VenueEvent::Settled { account, client_order_id, order }) => {
                shared.tell_settled(&account, &client_order_id, order.as_ref()).await;
            }
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "accounts were not told; the next look tells"),
            Err(RecvError::Closed) => return,
        }
    }
}

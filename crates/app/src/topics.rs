//! The Localhost document's topics, as far as the server itself speaks on them.
//!
//! Most are heard by everybody with an account who subscribed. What is one user's alone is told in a channel of theirs,
//! which nobody joins by its name: who subscribes is seated there.

use std::sync::Arc;

use orrery_exec::Stream;
use orrery_identity::{Caller, Role};
use orrery_kernel::{Error, UserId};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::events::{Alert, Event, Events};
use crate::exec::{Piece, Told};
use crate::hub::{Hub, Publish};
use crate::tasks::Tasks;

/// In front of a topic's name among channels.
const PREFIX: &str = "topic/";
/// Where operators hear what concerns security.
const OPERATORS: &str = "user/operators/topic/";
/// The topic of what concerns security.
const ALERTS: &str = "security_alerts";
/// Topics on which users hear what is theirs.
const PERSONAL: [&str; 5] =
    ["file_operations", "command_output", "security_alerts", "backup_progress", "notifications"];

/// The topic that a channel is about.
pub fn topic_of(channel: &str) -> &str {
    match channel.split_once("/topic/") {
        Some((_, topic)) => topic,
        None => channel.strip_prefix(PREFIX).unwrap_or(channel),
    }
}

/// The channel of what is one user's alone on a topic.
fn personal(user: UserId, topic: &str) -> String {
    format!("user/{user}/topic/{topic}")
}

/// The channels beside the topic's own in which the caller hears of it.
pub fn channels_of(caller: &Caller, topic: &str) -> Vec<String> {
    let own = PERSONAL.contains(&topic).then(|| personal(caller.user, topic));
    let house = (topic == ALERTS && caller.role >= Role::Operator).then(|| format!("{OPERATORS}{topic}"));
    own.into_iter().chain(house).collect()
}

/// A word for people, on the topic `notifications`.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// What it is about: `backup`.
    pub kind: &'a str,
    /// A line.
    pub title: &'a str,
    /// A sentence or two.
    pub message: &'a str,
    /// `info`, `success`, `warning`, `error`.
    pub severity: &'a str,
}

/// Speaks on topics.
#[derive(Clone)]
pub struct Topics(Arc<Hub>);

impl Topics {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self(hub)
    }

    /// Tells `data` to those who subscribed to `topic`: nothing that is one user's alone. That nobody could be told is
    /// no failure of what is told.
    pub async fn tell(&self, topic: &str, data: Value) {
        self.say(&format!("{PREFIX}{topic}"), &data).await;
    }

    /// Tells it to that user alone.
    pub async fn tell_user(&self, user: UserId, topic: &str, data: Value) {
        self.say(&personal(user, topic), &data).await;
    }

    /// Tells that user on the topic `notifications`.
    pub async fn notify(&self, user: UserId, notice: Notice<'_>) {
        let Notice { kind, title, message, severity } = notice;
        let data = json!({ "type": kind, "title": title, "message": message, "severity": severity });
        self.tell_user(user, "notifications", data).await;
    }

    /// Does anybody here listen to it?
    pub fn is_heard(&self, topic: &str) -> bool {
        self.0.is_heard(&format!("{PREFIX}{topic}"))
    }

    async fn say(&self, channel: &str, data: &Value) {
        let told = async {
            let content = to_raw_value(data).map_err(Error::internal)?;
            let message = Publish { channel, content: &content, key: None, sequence: None };
            self.0.publish_own(&message, None).await
        };
        if let Err(error) = told.await {
            tracing::debug!(%error, channel, "not told");
        }
    }

    /// Tells of runs and of what concerns security, as they happen in this process, until it stops. Who falls behind
    /// misses some: a run's answer and the audit log have all.
    pub(crate) async fn follow(self, events: Events, tasks: Tasks) {
        let (mut events, stopping) = (events.subscribe(), tasks.stopping());
        loop {
            let event = tokio::select! {
                () = stopping.cancelled() => return,
                event = events.recv() => event,
            };
            match event {
                Ok(Event::Output(told)) => self.tell_user(told.user, "command_output", output(&told)).await,
                Ok(Event::Alert(alert)) => self.alert(&alert).await,
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => tracing::debug!(missed, "topics fell behind the events"),
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn alert(&self, alert: &Alert) {
        let data = json!({
            "type": alert.action, "outcome": alert.outcome, "actor": alert.actor, "target": alert.target,
            "address": alert.address, "severity": if alert.outcome == "ok" { "info" } else { "warning" },
        });
        self.say(&format!("{OPERATORS}{ALERTS}"), &data).await;
        // what administrators do is for administrators to know
        if let Some(user) = alert.user {
            let data = json!({
                "type": alert.action, "outcome": alert.outcome,
                "severity": if alert.outcome == "ok" { "info" } else { "warning" },
            });
            self.tell_user(user, ALERTS, data).await;
        }
    }
}

/// A piece of a run as it is told.
fn output(told: &Told) -> Value {
    let mut data = json!({ "run_id": &*told.run, "command": &*told.command });
    match &told.piece {
        Piece::Started => data["event"] = json!("started"),
        Piece::Output { stream, text } => {
            data["event"] = json!("output");
            data["stream"] = json!(if *stream == Stream::Out { "stdout" } else { "stderr" });
            data["output"] = json!(text);
        }
        Piece::Ended { return_code } => {
            data["event"] = json!("completed");
            data["return_code"] = json!(return_code);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_topics() {
        let caller = |role| Caller { role, ..Caller::local() };
        let user = caller(Role::Trader).user;
        assert_eq!(channels_of(&caller(Role::Trader), "system_status"), [] as [String; 0]);
        assert_eq!(channels_of(&caller(Role::Trader), ALERTS), [format!("user/{user}/topic/security_alerts")]);
        assert_eq!(channels_of(&caller(Role::Admin), ALERTS).len(), 2);
        for channel in ["topic/notifications", "user/7/topic/notifications", "user/operators/topic/notifications"] {
            assert_eq!(topic_of(channel), "notifications");
        }
    }
}

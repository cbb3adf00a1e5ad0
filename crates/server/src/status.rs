//! Tells on topics how the server is, to those who listen.

use std::sync::Arc;
use std::time::Duration;

use orrery_app::tasks::Tasks;
use serde_json::json;

use crate::health::Health;
use crate::system;

/// Between two words on each topic.
const PERIOD: Duration = Duration::from_secs(5);

/// Tells until the process stops. Nobody here who listens: nothing is looked at.
pub async fn tell(health: Arc<Health>, tasks: Tasks) {
    let (topics, stopping) = (&health.app.topics, tasks.stopping());
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
        let uptime = health.app.clock.now().since(health.started).as_secs();
        if topics.is_heard("system_status") {
            let (status, database) = health.word().await;
            let data = json!({
                "status": status, "version": env!("CARGO_PKG_VERSION"), "uptime_s": uptime,
                "database": if database { "connected" } else { "unavailable" },
            });
            topics.tell("system_status", data).await;
        }
        if topics.is_heard("performance_metrics") {
            let figures = system::figures();
            let data = json!({
                "load": figures.load, "memory_resident_bytes": figures.resident,
                "memory_total_bytes": figures.memory, "uptime_s": uptime,
            });
            topics.tell("performance_metrics", data).await;
        }
    }
}

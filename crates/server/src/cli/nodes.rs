//! `worker nodes`: who runs workers.

use std::time::Duration;

use anyhow::Result;
use orrery_workers::fleet::{NodeSeen, NodeTotals};
use serde_json::json;

use super::output::Lines;
use crate::config::Config;
use crate::database::Database;

/// Who was not heard for longer is gone: the same as for clients.
const ALIVE: Duration = Duration::from_secs(10);
/// Most processes that are listed.
const LISTED_MAX: u32 = 1_000;

pub async fn run(config: &Config, as_json: bool) -> Result<()> {
    let database = Database::open(config, false).await?;
    let fleet = database.fleet();
    let seen = async { tokio::try_join!(fleet.nodes(ALIVE, LISTED_MAX), fleet.totals_by_node()) }.await;
    database.close().await;
    let (nodes, totals) = seen?;
    let mut lines = Lines::new();
    if !as_json {
        let head = ["node", "version", "workers", "of", "runs", "errors", "heard"];
        lines.line(&row(head.map(str::to_owned)));
    }
    for node in &nodes {
        let of = totals.iter().find(|totals| totals.node == node.beat.node);
        lines.line(&if as_json { object(node, of) } else { row(columns(node, of)) });
    }
    Ok(())
}

fn columns(node: &NodeSeen, totals: Option<&NodeTotals>) -> [String; 7] {
    let count = |of: fn(&NodeTotals) -> i64| totals.map_or(0, of).to_string();
    let heard = format!("{} ms ago{}", node.ago.as_millis(), if node.beat.draining { ", handing over" } else { "" });
    let beat = &node.beat;
    let (running, capacity) = (beat.running.to_string(), beat.capacity.to_string());
    let (runs, errors) = (count(|totals| totals.executions), count(|totals| totals.errors));
    [beat.node.clone(), beat.version.clone(), running, capacity, runs, errors, heard]
}

fn row([node, version, running, capacity, runs, errors, heard]: [String; 7]) -> String {
    format!("{node:<32} {version:<10} {running:>8} {capacity:>8} {runs:>10} {errors:>8}  {heard}")
}

fn object(node: &NodeSeen, totals: Option<&NodeTotals>) -> String {
    let count = |of: fn(&NodeTotals) -> i64| totals.map_or(0, of);
    json!({
        "nid": node.beat.node,
        "process": node.beat.holder,
        "version": node.beat.version,
        "capacity": node.beat.capacity,
        "running": node.beat.running,
        "draining": node.beat.draining,
        "heardMs": u64::try_from(node.ago.as_millis()).unwrap_or(u64::MAX),
        "executions": count(|totals| totals.executions),
        "errors": count(|totals| totals.errors),
        "networkErrors": count(|totals| totals.network_errors),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use orrery_workers::fleet::Beat;

    use super::*;

    #[test]
    fn a_node_is_a_line() {
        let beat = Beat {
            holder: "s-0001/ab".into(),
            node: "s-0001".into(),
            version: "0.1.0".into(),
            capacity: 10,
            running: 3,
            draining: true,
        };
        let node = NodeSeen { beat, ago: Duration::from_millis(40) };
        let totals = NodeTotals { node: "s-0001".into(), executions: 7, errors: 2, network_errors: 1, running: 3 };
        let text = row(columns(&node, Some(&totals)));
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words, ["s-0001", "0.1.0", "3", "10", "7", "2", "40", "ms", "ago,", "handing", "over"]);
        let object: serde_json::Value = serde_json::from_str(&object(&node, None)).unwrap();
        assert_eq!((object["nid"].as_str(), object["executions"].as_i64()), (Some("s-0001"), Some(0)));
    }
}

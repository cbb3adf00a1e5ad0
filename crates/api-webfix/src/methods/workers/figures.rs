//! What the nodes tell of workers.

use orrery_app::workers::Stats;
use orrery_kernel::{Result, Timestamp};
use orrery_workers::fleet::{LeaseSeen, NodeSeen, RunRecord};
use serde_json::{Value, json};

use super::{channel, session, stamp};
use crate::call::Call;
use crate::reply::Reply;

/// Runs in one answer.
const RUNS_MAX: u32 = 1_000;
/// Runs in an answer to who does not say how many.
const RUNS: u32 = 100;

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

pub(in crate::methods) async fn leader(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let sid = call.text("workerId")?;
    let lease = call.shared.app.workers.leader(&session, sid).await?;
    let at = |of: fn(&LeaseSeen) -> Timestamp| lease.as_ref().map_or(0, |seen| of(seen).millis());
    let held = lease.as_ref().filter(|seen| seen.held());
    let mut body = json!({
        "workerId": sid,
        "hasLeader": held.is_some(),
        "leader": held.map(LeaseSeen::node),
        "timestamp": at(|seen| seen.acquired_at),
        "expiresAt": at(|seen| seen.expires_at),
        "renewedAt": at(|seen| seen.renewed_at),
        "expiresIn": held.map_or(0, |seen| millis(seen.expires_at.since(seen.now))),
        "isExpired": held.is_none(),
        "epoch": lease.as_ref().map_or(0, |seen| seen.lease.epoch),
    });
    if held.is_none() {
        body["message"] = "No node leads this worker".into();
    }
    Ok(Reply::ok(body))
}

/// `12.34%` of so many.
fn rate(part: i64, whole: i64) -> String {
    let hundredths =
        if whole > 0 { (i128::from(part) * 10_000 + i128::from(whole) / 2) / i128::from(whole) } else { 0 };
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

fn counted(stats: &Stats, now: Timestamp) -> Value {
    let worker = &stats.worker;
    let settled = stats.settled.iter().map(|seen| {
        json!({
            "reason": seen.settled.reason.name(),
            "node": seen.settled.node,
            "timestamp": seen.at.millis(),
        })
    });
    let mut line = json!({
        "sid": worker.sid,
        "channel": channel(&worker.sid),
        "executions": stats.executions,
        "errors": stats.errors,
        "errorRate": rate(stats.errors, stats.executions),
        "networkErrors": stats.network_errors,
        "criticalErrors": stats.errors - stats.network_errors,
        "consecutiveErrors": stats.consecutive,
        "isRunning": stats.is_running(),
        "nodes": stats.nodes,
        "started": stats.started_at.map(Timestamp::millis),
        "uptime": stats.started_at.map_or(0, |at| millis(now.since(at))),
        "lastError": stats.last_error.as_ref().map(|(text, _)| text),
        "lastErrorType": stats.last_error.as_ref().map(|(_, network)| if *network { "network" } else { "critical" }),
        "scriptHash": orrery_crypto::sha256(worker.spec.script.as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>(),
        "stopped": settled.collect::<Vec<_>>(),
    });
    if let Some(at) = stats.last_run {
        line["lastRun"] = at.millis().into();
        line["lastRunAgo"] = millis(now.since(at)).into();
    }
    line
}

pub(in crate::methods) async fn stats(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let stats = call.shared.app.workers.stats(&session).await?;
    let sum = |of: fn(&Stats) -> i64| stats.iter().map(of).sum::<i64>();
    let running = stats.iter().filter(|stats| stats.is_running()).count();
    let (executions, errors) = (sum(|s| s.executions), sum(|s| s.errors));
    Ok(Reply::ok(json!({
        "workers": stats.iter().map(|stats| counted(stats, call.ctx.now)).collect::<Vec<_>>(),
        "totalWorkers": stats.len(),
        "runningWorkers": running,
        "stoppedWorkers": stats.len() - running,
        "totals": {
            "executions": executions,
            "errors": errors,
            "errorRate": rate(errors, executions),
            "networkErrors": sum(|s| s.network_errors),
            "criticalErrors": sum(|s| s.errors - s.network_errors),
        },
    })))
}

pub(in crate::methods) async fn runs(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let (sid, limit) = (call.text("workerId")?, call.number("limit", RUNS, RUNS_MAX)?);
    let runs = call.shared.app.workers.runs(&session, sid, limit).await?;
    let line = |run: &RunRecord| {
        json!({
            "id": run.id,
            "versionstamp": stamp(run.version),
            "node": run.node,
            "epoch": run.epoch,
            "started": run.started_at.millis(),
            "ended": run.ended_at.map(Timestamp::millis),
            "outcome": run.outcome,
            "error": run.error,
            "calls": run.calls,
            "cpuMs": run.cpu_ms,
        })
    };
    Ok(Reply::ok(json!({ "workerId": sid, "runs": runs.iter().map(line).collect::<Vec<_>>() })))
}

pub(in crate::methods) async fn nodes(call: &Call<'_>) -> Result<Reply> {
    session(call).await?;
    let nodes = call.shared.app.workers.nodes().await?;
    let line = |seen: &NodeSeen| {
        json!({
            "nid": seen.beat.node,
            "version": seen.beat.version,
            "capacity": seen.beat.capacity,
            "running": seen.beat.running,
            "draining": seen.beat.draining,
            "heardAgo": millis(seen.ago),
        })
    };
    Ok(Reply::ok(json!({ "nodes": nodes.iter().map(line).collect::<Vec<_>>(), "total": nodes.len() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_two_decimals() {
        for (part, whole, text) in
            [(0, 0, "0.00%"), (1, 3, "33.33%"), (2, 3, "66.67%"), (5, 5, "100.00%"), (1, 40_000, "0.00%")]
        {
            assert_eq!(rate(part, whole), text);
        }
    }
}

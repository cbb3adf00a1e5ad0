//! Workers (document, "Worker Management API").

use http::StatusCode;
use orrery_app::workers::Stopped;
use orrery_crypto::json::JsValue;
use orrery_kernel::{Error, Result};
use orrery_wallets::Session;
use orrery_workers::{Draft, Spec, Worker};
use serde_json::{Value, json};

use crate::call::{Call, text};
use crate::reply::Reply;

async fn session(call: &Call<'_>) -> Result<Session> {
    let session = call.session().await?;
    call.shared.tiers.worker(&session, call.ctx.now).await?;
    Ok(session)
}

fn channel(sid: &str) -> String {
    format!("ami.worker.{sid}")
}

fn raw(sid: &str, nid: &str, spec: &Spec, made: i64) -> Value {
    json!({
        "sid": sid,
        "nid": nid,
        "active": spec.active,
        "note": spec.note,
        "script": spec.script,
        "dependencies": spec.dependencies,
        "version": spec.version,
        "timestamp": made,
        "executionMode": spec.execution_mode.name(),
        "priority": spec.priority.name(),
        "mode": spec.mode.name(),
        "scope": spec.scope.name(),
        "accountId": spec.account_id,
        "assignedNode": spec.assigned_node,
        "schedule": spec.schedule,
        "dryRun": spec.dry_run,
        "isolation": spec.isolation.name(),
    })
}

fn entry(worker: &Worker) -> Value {
    json!({
        "key": ["ami", "worker", worker.sid],
        "value": {
            "raw": raw(&worker.sid, &worker.nid, &worker.spec, worker.created_at.millis()),
            "channel": channel(&worker.sid),
            "module": "worker",
            "widget": format!("widget.ami.worker.{}", worker.sid),
            "timestamp": worker.updated_at.millis(),
        },
        "versionstamp": format!("{:020x}", worker.version),
    })
}

/// The fields of a worker; `script` is their name for the source.
fn draft(object: &JsValue, script: &'static str) -> Result<Draft> {
    let maybe = |key: &'static str| match object.get(key) {
        None | Some(JsValue::Null) => Ok(None),
        Some(_) => text(object, key).map(|found| Some(found.to_owned())),
    };
    let flag = |key: &'static str| match object.get(key) {
        None | Some(JsValue::Null) => Ok(None),
        Some(JsValue::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(Error::invalid(key, format!("{key} has to be true or false"))),
    };
    let dependencies = match object.get("dependencies") {
        None => None,
        Some(JsValue::Array(names)) => {
            let names: Option<Vec<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
            Some(names.ok_or_else(|| Error::invalid("dependencies", "dependencies has to be a list of texts"))?)
        }
        Some(_) => return Err(Error::invalid("dependencies", "dependencies has to be a list of texts")),
    };
    Ok(Draft {
        active: flag("active")?,
        note: maybe("note")?,
        script: maybe(script)?,
        dependencies,
        version: maybe("version")?,
        execution_mode: maybe("executionMode")?,
        priority: maybe("priority")?,
        mode: maybe("mode")?,
        scope: maybe("scope")?,
        account_id: maybe("accountId")?,
        assigned_node: maybe("assignedNode")?,
        schedule: maybe("schedule")?,
        dry_run: flag("dryRun")?,
        isolation: maybe("isolation")?,
    })
}

pub(super) async fn list(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let workers = call.shared.app.workers.list(&session).await?;
    Ok(Reply::ok(Value::Array(workers.iter().map(entry).collect())))
}

pub(super) async fn set(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    // the newer client moves a worker by sending its `raw`, where the source has the stored name
    let name = if call.body.get("scriptContent").is_some() { "scriptContent" } else { "script" };
    let made = call.shared.app.workers.create(&call.ctx, &session, draft(call.body, name)?).await?;
    Ok(Reply::ok(entry(&made)))
}

pub(super) async fn update(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let named = call.text("channel")?;
    let raw = call.body.get("raw").filter(|raw| raw.as_object().is_some());
    let raw = raw.ok_or_else(|| Error::invalid("raw", "raw has to be the complete object"))?;
    let missing = |field, name: &str| Error::invalid(field, format!("{name} is missing: an update needs all of raw"));
    let sid = raw.get("sid").and_then(JsValue::as_str).ok_or_else(|| missing("raw.sid", "raw.sid"))?;
    raw.get("nid").and_then(JsValue::as_str).ok_or_else(|| missing("raw.nid", "raw.nid"))?;
    raw.get("timestamp").and_then(JsValue::as_f64).ok_or_else(|| missing("raw.timestamp", "raw.timestamp"))?;
    if named != channel(sid) {
        return Err(Error::invalid("channel", "channel is not the one of raw.sid"));
    }
    let seen = match call.maybe_text("versionstamp")? {
        None => None,
        Some(stamp) => {
            let seen = i64::from_str_radix(stamp, 16).ok();
            Some(seen.ok_or_else(|| Error::invalid("versionstamp", "versionstamp is none"))?)
        }
    };
    let changed = call.shared.app.workers.update(&call.ctx, &session, sid, draft(raw, "script")?, seen).await?;
    Ok(Reply::ok(entry(&changed)))
}

pub(super) async fn history(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let sid = call.text("workerId")?;
    let workers = &call.shared.app.workers;
    let (worker, versions) = (workers.get(&session, sid).await?, workers.versions(&session, sid).await?);
    let line = |version: &orrery_workers::Version| {
        json!({
            "versionstamp": format!("{:020x}", version.version),
            "timestamp": version.at.millis(),
            "raw": raw(&worker.sid, &worker.nid, &version.spec, worker.created_at.millis()),
        })
    };
    Ok(Reply::ok(Value::Array(versions.iter().map(line).collect())))
}

pub(super) async fn leader(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let worker = call.shared.app.workers.get(&session, call.text("workerId")?).await?;
    Ok(Reply::ok(json!({
        "workerId": worker.sid,
        "hasLeader": false,
        "leader": null,
        "timestamp": 0,
        "expiresAt": 0,
        "renewedAt": 0,
        "expiresIn": 0,
        "isExpired": true,
        "message": "No node leads this worker",
    })))
}

pub(super) async fn stats(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let workers = call.shared.app.workers.list(&session).await?;
    let line = |worker: &Worker| {
        json!({
            "sid": worker.sid,
            "executions": 0,
            "errors": 0,
            "errorRate": "0.00%",
            "networkErrors": 0,
            "criticalErrors": 0,
            "isRunning": false,
        })
    };
    let total = workers.len();
    Ok(Reply::ok(json!({
        "workers": workers.iter().map(line).collect::<Vec<_>>(),
        "totalWorkers": total,
        "runningWorkers": 0,
        "stoppedWorkers": total,
        "totals": { "executions": 0, "errors": 0, "networkErrors": 0, "criticalErrors": 0 },
    })))
}

pub(super) async fn stop_all(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let done = call.shared.app.workers.stop_all(&call.ctx, &session).await?;
    let count = |wanted: Stopped| done.iter().filter(|(_, stopped)| *stopped == wanted).count();
    let status = |stopped: Stopped| match stopped {
        Stopped::Now => "stopped",
        Stopped::Already => "already_stopped",
        Stopped::Failed => "failed",
    };
    let failed = count(Stopped::Failed);
    let line = |(worker, stopped): &(Worker, Stopped)| json!({ "channel": channel(&worker.sid), "sid": worker.sid, "status": status(*stopped) });
    let errors = done.iter().filter(|(_, stopped)| *stopped == Stopped::Failed);
    let mut body = json!({
        "stopped": count(Stopped::Now),
        "failed": failed,
        "total": done.len(),
        "errors": errors.map(|(worker, _)| format!("{} changed meanwhile", worker.sid)).collect::<Vec<_>>(),
        "workers": done.iter().map(line).collect::<Vec<_>>(),
    });
    if done.is_empty() {
        body["message"] = "There are no workers".into();
    }
    Ok(Reply { status: if failed > 0 { StatusCode::MULTI_STATUS } else { StatusCode::OK }, body })
}

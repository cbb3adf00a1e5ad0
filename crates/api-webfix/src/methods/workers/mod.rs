//! Workers (document, "Worker Management API"), and what is beyond it: their history, runs, nodes, and moving them.

mod figures;
mod history;
mod moving;

use http::StatusCode;
use orrery_app::workers::Stopped;
use orrery_crypto::json::JsValue;
use orrery_kernel::{Error, Result};
use orrery_wallets::Session;
use orrery_workers::{Draft, Spec, Worker};
use serde_json::{Value, json};

use crate::call::{Call, text};
use crate::reply::Reply;

pub(super) use figures::{leader, nodes, runs, stats};
pub(super) use history::{diff, history, rollback};
pub(super) use moving::{export, import};

async fn session(call: &Call<'_>) -> Result<Session> {
    let session = call.session().await?;
    call.shared.tiers.worker(&session, call.ctx.now).await?;
    Ok(session)
}

/// The channel of a worker.
pub(crate) fn channel(sid: &str) -> String {
    format!("ami.worker.{sid}")
}

/// What a worker is told to be, with the document's names.
fn spec(spec: &Spec) -> Value {
    json!({
        "active": spec.active,
        "note": spec.note,
        "script": spec.script,
        "dependencies": spec.dependencies,
        "version": spec.version,
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

fn raw(sid: &str, nid: &str, of: &Spec, made: i64) -> Value {
    let mut raw = spec(of);
    raw["sid"] = sid.into();
    raw["nid"] = nid.into();
    raw["timestamp"] = made.into();
    raw
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
        "versionstamp": stamp(worker.version),
    })
}

/// A version as the document's store would show it.
pub(crate) fn stamp(version: i64) -> String {
    format!("{version:020x}")
}

/// A version that the body may name.
fn version(call: &Call<'_>, field: &'static str) -> Result<Option<i64>> {
    let Some(text) = call.maybe_text(field)? else { return Ok(None) };
    let digits = text.len() <= 20 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let version = digits.then(|| i64::from_str_radix(text, 16).ok()).flatten();
    version.map(Some).ok_or_else(|| Error::invalid(field, format!("{field} has to be a versionstamp")))
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
    let seen = version(call, "versionstamp")?;
    let changed = call.shared.app.workers.update(&call.ctx, &session, sid, draft(raw, "script")?, seen).await?;
    Ok(Reply::ok(entry(&changed)))
}

pub(super) async fn stop_all(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let done = call.shared.app.workers.stop_all(&call.ctx, &session).await?;
    let (mut stopped, mut errors, mut lines) = (0, Vec::new(), Vec::with_capacity(done.len()));
    for (worker, how) in &done {
        let status = match how {
            Stopped::Now => {
                stopped += 1;
                "stopped"
            }
            Stopped::Already => "already_stopped",
            Stopped::Failed(why) => {
                errors.push(format!("{}: {why}", channel(&worker.sid)));
                "failed"
            }
        };
        lines.push(json!({ "channel": channel(&worker.sid), "sid": worker.sid, "status": status }));
    }
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    let mut body = json!({
        "stopped": stopped,
        "failed": errors.len(),
        "total": done.len(),
        "errors": errors,
        "workers": lines,
    });
    if done.is_empty() {
        body["message"] = "There are no workers".into();
    }
    Ok(Reply { status, body })
}

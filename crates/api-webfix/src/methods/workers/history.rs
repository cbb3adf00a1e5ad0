//! What workers were.

use orrery_kernel::{Error, Result};
use orrery_workers::{FieldChange, Version};
use serde_json::{Value, json};

use super::{entry, raw, session, stamp, version};
use crate::call::Call;
use crate::reply::Reply;

pub(in crate::methods) async fn history(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let sid = call.text("workerId")?;
    let workers = &call.shared.app.workers;
    let (worker, versions) = (workers.get(&session, sid).await?, workers.versions(&session, sid).await?);
    let line = |version: &Version| {
        json!({
            "versionstamp": stamp(version.version),
            "timestamp": version.at.millis(),
            "raw": raw(&worker.sid, &worker.nid, &version.spec, worker.created_at.millis()),
        })
    };
    Ok(Reply::ok(Value::Array(versions.iter().map(line).collect())))
}

pub(in crate::methods) async fn diff(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let sid = call.text("workerId")?;
    let (from, to) = (version(call, "from")?, version(call, "to")?);
    let (from, to, diff) = call.shared.app.workers.diff(&session, sid, from, to).await?;
    let change =
        |change: &FieldChange| json!({ "field": change.field, "before": change.before, "after": change.after });
    let side = |version: &Version| json!({ "versionstamp": stamp(version.version), "timestamp": version.at.millis() });
    Ok(Reply::ok(json!({
        "workerId": sid,
        "from": side(&from),
        "to": side(&to),
        "changes": diff.fields.iter().map(change).collect::<Vec<_>>(),
        "script": { "diff": diff.script, "added": diff.added, "removed": diff.removed },
    })))
}

pub(in crate::methods) async fn rollback(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let sid = call.text("workerId")?;
    let to = version(call, "to")?.ok_or_else(|| Error::invalid("to", "to has to be the versionstamp to go back to"))?;
    let seen = version(call, "versionstamp")?;
    let worker = call.shared.app.workers.rollback(&call.ctx, &session, sid, to, seen).await?;
    Ok(Reply::ok(entry(&worker)))
}

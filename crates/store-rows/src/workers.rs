//! Between rows and workers. A specification is one JSON object, with the document's names.

use orrery_kernel::StoreError;
use orrery_workers::script::Isolation;
use orrery_workers::{ExecutionMode, Mode, Priority, Scope, Spec, Version, Worker};
use serde_json::{Value, json};

use crate::{Columns, corrupt};

/// A specification as stored.
pub fn spec_text(spec: &Spec) -> String {
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
    .to_string()
}

fn spec(text: &str) -> Result<Spec, StoreError> {
    let value: Value = serde_json::from_str(text).map_err(|e| corrupt("workers.spec", e))?;
    let missing = |key: &str| corrupt("workers.spec", format!("{key} is missing or not what it was"));
    let string = |key: &str| value.get(key).and_then(Value::as_str).ok_or_else(|| missing(key));
    let maybe = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let list = value.get("dependencies").and_then(Value::as_array).ok_or_else(|| missing("dependencies"))?;
    Ok(Spec {
        active: value.get("active").and_then(Value::as_bool).ok_or_else(|| missing("active"))?,
        note: string("note")?.to_owned(),
        script: string("script")?.to_owned(),
        dependencies: list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        version: string("version")?.to_owned(),
        execution_mode: ExecutionMode::parse(string("executionMode")?).ok_or_else(|| missing("executionMode"))?,
        priority: Priority::parse(string("priority")?).ok_or_else(|| missing("priority"))?,
        mode: Mode::parse(string("mode")?).ok_or_else(|| missing("mode"))?,
        scope: Scope::parse(string("scope")?).ok_or_else(|| missing("scope"))?,
        account_id: maybe("accountId"),
        assigned_node: maybe("assignedNode"),
        // older rows have none of these
        schedule: maybe("schedule"),
        dry_run: value.get("dryRun").and_then(Value::as_bool).unwrap_or(false),
        isolation: maybe("isolation").and_then(|name| Isolation::parse(&name)).unwrap_or_default(),
    })
}

/// A worker, of seven columns.
pub fn worker(row: &dyn Columns) -> Result<Worker, StoreError> {
    Ok(Worker {
        sid: row.get(0)?,
        nid: row.get(1)?,
        owner: row.get(2)?,
        version: row.get(3)?,
        spec: spec(row.get(4)?)?,
        created_at: row.time(5)?,
        updated_at: row.time(6)?,
    })
}

/// A version, of three columns.
pub fn version(row: &dyn Columns) -> Result<Version, StoreError> {
    Ok(Version { version: row.get(0)?, spec: spec(row.get(1)?)?, at: row.time(2)? })
}

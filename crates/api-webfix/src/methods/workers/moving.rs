//! Workers that leave for another server, and come from one.

use http::StatusCode;
use orrery_app::workers::{Exported, IMPORTED_MAX};
use orrery_crypto::json::JsValue;
use orrery_kernel::{Error, Result};
use serde_json::{Value, json};

use super::{draft, entry, session, spec};
use crate::call::Call;
use crate::reply::Reply;

/// What an export says it is.
const FORMAT: &str = "orrery.workers";
/// Of which version.
const VERSION: u32 = 1;

/// The list `field` of the body, if it is there.
fn list<'a>(call: &'a Call<'_>, field: &'static str) -> Result<Option<&'a [JsValue]>> {
    match call.body.get(field) {
        None | Some(JsValue::Null) => Ok(None),
        Some(JsValue::Array(items)) if items.len() <= IMPORTED_MAX => Ok(Some(items)),
        Some(_) => Err(Error::invalid(field, format!("{field} has to be a list of at most {IMPORTED_MAX}"))),
    }
}

pub(in crate::methods) async fn export(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    let wrong = || Error::invalid("workerIds", "workerIds has to be a list of texts");
    let sids: Option<Vec<String>> = match list(call, "workerIds")? {
        None => None,
        Some(items) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            Some(texts.collect::<Option<_>>().ok_or_else(wrong)?)
        }
    };
    let exported = call.shared.app.workers.export(&session, sids.as_deref()).await?;
    let line = |Exported { worker, redacted }: &Exported| {
        let mut line = spec(&worker.spec);
        line["sid"] = worker.sid.clone().into();
        line["redacted"] = (*redacted).into();
        line
    };
    Ok(Reply::ok(json!({
        "format": FORMAT,
        "formatVersion": VERSION,
        "timestamp": call.ctx.now.millis(),
        "workers": exported.iter().map(line).collect::<Vec<_>>(),
    })))
}

pub(in crate::methods) async fn import(call: &Call<'_>) -> Result<Reply> {
    let session = session(call).await?;
    if call.maybe_text("format")?.is_some_and(|format| format != FORMAT) {
        return Err(Error::invalid("format", format!("format has to be {FORMAT}")));
    }
    if call.number("formatVersion", VERSION, u32::MAX)? != VERSION {
        return Err(Error::invalid("formatVersion", format!("formatVersion has to be {VERSION}")));
    }
    let items = list(call, "workers")?.ok_or_else(|| Error::invalid("workers", "workers has to be a list"))?;
    let read = |item: &JsValue| match item.as_object() {
        Some(_) => draft(item, "script"),
        None => Err(Error::invalid("workers", "workers has to be a list of objects")),
    };
    let made = call.shared.app.workers.import(&call.ctx, &session, items.iter().map(read).collect()).await;
    let (mut workers, mut errors) = (Vec::new(), Vec::new());
    for (index, made) in made.into_iter().enumerate() {
        match made {
            Ok(worker) => workers.push(entry(&worker)),
            Err(error) => errors.push(json!({ "index": index, "field": error.field, "error": error.public })),
        }
    }
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    let body: Value = json!({
        "imported": workers.len(),
        "failed": errors.len(),
        "total": items.len(),
        "workers": workers,
        "errors": errors,
    });
    Ok(Reply { status, body })
}

//! `/api/data`: documents by key.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use orrery_app::App;
use orrery_http_kit::{Fail, Json, Known, Segment};
use orrery_kernel::{Error, ErrorCode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::Localhost;
use crate::json_text::pretty;
use crate::reply::{Failure, Reply};

/// `POST /api/data`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct StoreRequest {
    /// A text of at most 255 characters.
    #[serde(default)]
    #[schema(value_type = String)]
    key: Option<Value>,
    /// Any JSON. A text that is JSON itself is kept as what it says.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Value)]
    value: Option<Box<RawValue>>,
}

/// Keeps `null` apart from nothing.
fn present<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(d).map(Some)
}

/// What a write answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoredBody {
    message: String,
    key: String,
}

/// `GET /api/data`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AllBody {
    /// Values by key.
    #[schema(value_type = BTreeMap<String, Value>)]
    data: BTreeMap<String, Box<RawValue>>,
    /// How many.
    count: usize,
}

/// `GET /api/data/{key}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ValueBody {
    key: String,
    #[schema(value_type = Value)]
    value: Box<RawValue>,
    /// The value for people: objects and lists over several lines.
    value_string: String,
}

fn raw(text: String) -> Result<Box<RawValue>, Error> {
    RawValue::from_string(text).map_err(Error::internal)
}

/// The JSON to be kept. A text that is JSON itself counts as what it says: pages send everything as texts.
fn kept(value: &RawValue) -> Result<String, Error> {
    // digits stay as they are written; what cannot be read back by everybody is refused
    let parsed: Value = serde_json::from_str(value.get())
        .map_err(|e| Error::invalid("value", "The value is nested too deeply").because(e))?;
    match parsed {
        Value::String(text) if serde_json::from_str::<Value>(&text).is_ok() => Ok(text.trim().to_owned()),
        _ => Ok(value.get().trim().to_owned()),
    }
}

/// Keep a value
#[utoipa::path(post, path = "/data", tag = "data", request_body = StoreRequest, responses(
    (status = 200, body = Reply<StoredBody>), (status = 400, body = Failure), (status = 401, body = Failure),
    (status = 403, body = Failure), (status = 413, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn store(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Json(body, _): Json<Localhost, StoreRequest>,
) -> Result<Reply<StoredBody>, Fail<Localhost>> {
    let missing = |field| Error::invalid(field, "Missing key or value");
    let key = match body.key {
        None | Some(Value::Null) => return Err(missing("key").into()),
        Some(Value::String(key)) => key,
        Some(_) => return Err(Error::invalid("key", "Key must be a text").into()),
    };
    let value = kept(&body.value.ok_or_else(|| missing("value"))?)?;
    app.data.put(&ctx, &key, &value).await?;
    Ok(Reply::new(&ctx, StoredBody { message: "Data stored successfully".into(), key }))
}

/// All values
#[utoipa::path(get, path = "/data", tag = "data", responses((status = 200, body = Reply<AllBody>),
    (status = 401, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = [])))]
pub(crate) async fn all(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
) -> Result<Reply<AllBody>, Fail<Localhost>> {
    let all = app.data.all(&ctx).await?;
    let data = all.into_iter().map(|(key, text)| Ok((key, raw(text)?))).collect::<Result<BTreeMap<_, _>, Error>>()?;
    Ok(Reply::new(&ctx, AllBody { count: data.len(), data }))
}

fn named(key: &str) -> impl Fn(Error) -> Error + '_ {
    move |e| match e.code {
        ErrorCode::NotFound => Error::new(e.code, format!("Key \"{}\" not found", key.escape_debug())),
        _ => e,
    }
}

/// One value
#[utoipa::path(get, path = "/data/{key}", tag = "data", params(("key" = String, Path, description = "Its key")),
    responses((status = 200, body = Reply<ValueBody>), (status = 401, body = Failure), (status = 404, body = Failure),
    (status = 429, body = Failure)), security(("bearer" = []), ("session" = [])))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(key, _): Segment<Localhost>,
) -> Result<Reply<ValueBody>, Fail<Localhost>> {
    let text = app.data.get(&ctx, &key).await.map_err(named(&key))?;
    let value_string = pretty(&text);
    Ok(Reply::new(&ctx, ValueBody { key, value: raw(text)?, value_string }))
}

/// Delete a value
#[utoipa::path(delete, path = "/data/{key}", tag = "data", params(("key" = String, Path, description = "Its key")),
    responses((status = 200, body = Reply<StoredBody>), (status = 401, body = Failure), (status = 403, body = Failure),
    (status = 404, body = Failure), (status = 429, body = Failure)),
    security(("bearer" = []), ("session" = []), ("csrf" = [])))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Known(ctx, _): Known<Localhost>,
    Segment(key, _): Segment<Localhost>,
) -> Result<Reply<StoredBody>, Fail<Localhost>> {
    app.data.remove(&ctx, &key).await.map_err(named(&key))?;
    Ok(Reply::new(&ctx, StoredBody { message: "Data deleted successfully".into(), key }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept() {
        for (sent, keeps) in [
            (r#"{"b": 1,"a":12345678901234567890123}"#, r#"{"b": 1,"a":12345678901234567890123}"#),
            (r#""{\"a\":1}""#, r#"{"a":1}"#),
            (r#""5""#, "5"),
            (r#"" null ""#, "null"),
            (r#""\"quoted\"""#, r#""quoted""#),
            (r#""plain text""#, r#""plain text""#),
            (r#""{broken""#, r#""{broken""#),
            ("null", "null"),
            ("1.50", "1.50"),
        ] {
            let raw: Box<RawValue> = serde_json::from_str(sent).unwrap();
            assert_eq!(kept(&raw).unwrap(), keeps, "{sent}");
        }
        let deep: Box<RawValue> = RawValue::from_string("[".repeat(500) + &"]".repeat(500)).unwrap();
        assert_eq!(kept(&deep).unwrap_err().field, Some("value"));
        let absent: StoreRequest = serde_json::from_str(r#"{"key":"a"}"#).unwrap();
        let null: StoreRequest = serde_json::from_str(r#"{"key":"a","value":null}"#).unwrap();
        assert!(absent.value.is_none() && null.value.is_some());
    }
}

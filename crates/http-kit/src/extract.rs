//! Extractors whose refusals leave in the surface's own shape.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use orrery_app::{App, Ctx};
use orrery_kernel::{Error, ErrorCode};
use serde::de::DeserializeOwned;

use crate::browser::kind;
use crate::layers::Facts;
use crate::{ErrorShape, Fail, RequestMeta};

/// Most bytes of a JSON body; beyond it 413.
pub const JSON_BYTES_MAX: usize = 1_048_576;

/// A call without proof of identity.
pub struct Anonymous<S>(pub Ctx, pub PhantomData<S>);

/// A call with a good bearer token or API key.
pub struct Auth<S>(pub Ctx, pub PhantomData<S>);

/// A JSON body, whole and typed.
pub struct Json<S, T>(pub T, pub PhantomData<S>);

/// A typed query string.
pub struct Query<S, T>(pub T, pub PhantomData<S>);

/// The one parameter of a path, decoded.
pub struct Segment<S>(pub String, pub PhantomData<S>);

pub(crate) fn meta(parts: &Parts) -> Result<&RequestMeta, Error> {
    parts.extensions.get::<RequestMeta>().ok_or_else(|| Error::internal("the request-id layer is not mounted"))
}

/// The token of an `Authorization: Bearer …` header. Another scheme counts as a bad token, not as
/// none, since something was offered as proof.
pub fn bearer(parts: &Parts) -> Result<&str, Error> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
        return Err(Error::new(ErrorCode::UnauthenticatedMissing, "Access token required"));
    };
    let bad = || Error::new(ErrorCode::UnauthenticatedInvalid, "Invalid or expired token");
    let text = value.to_str().map_err(|_| bad())?.trim();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if token.trim().is_empty() && (text.is_empty() || scheme.eq_ignore_ascii_case("bearer")) {
        return Err(Error::new(ErrorCode::UnauthenticatedMissing, "Access token required"));
    }
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(bad()) }
}

impl<S: ErrorShape> FromRequestParts<Arc<App>> for Anonymous<S> {
    type Rejection = Fail<S>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let meta = meta(parts)?;
        app.limits.address(meta.address, meta.now).await?;
        Ok(Self(meta.ctx(None), PhantomData))
    }
}

impl<S: ErrorShape> FromRequestParts<Arc<App>> for Auth<S> {
    type Rejection = Fail<S>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let meta = meta(parts)?;
        app.limits.address(meta.address, meta.now).await?;
        let caller = app.auth.authenticate(bearer(parts)?, meta.now).await?;
        if let Some(facts) = parts.extensions.get::<Facts>() {
            facts.set_principal(kind(&caller.proof));
        }
        app.limits.user(caller.user, meta.now).await?;
        Ok(Self(meta.ctx(Some(caller)), PhantomData))
    }
}

/// Reads a body of at most `max` bytes.
pub async fn read_body(request: Request, max: usize) -> Result<Bytes, Error> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let too_large = || Error::new(ErrorCode::TooLarge, format!("Request body is larger than {max} bytes"));
    if declared.is_some_and(|n| n > max as u64) {
        return Err(too_large());
    }
    match Limited::new(request.into_body(), max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(e) if e.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Err(e) => Err(Error::new(ErrorCode::Invalid, "The request body could not be read").because(e)),
    }
}

/// Parses JSON strictly: whole input, UTF-8, nested at most 128 deep where it is kept (fields that nobody asks for are
/// passed over without going deeper on the stack); errors name the place.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // the parser itself looks only at texts that are kept, not at those of fields it passes over
    let text = std::str::from_utf8(bytes).map_err(|e| Error::new(ErrorCode::Invalid, "Malformed JSON").because(e))?;
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut parser).map_err(|e| {
        let path = e.path().to_string();
        match e.inner().classify() {
            serde_json::error::Category::Data if path == "." => {
                Error::new(ErrorCode::Invalid, "The request body must be a JSON object with the documented fields")
                    .because(e.into_inner())
            }
            serde_json::error::Category::Data => {
                Error::new(ErrorCode::Invalid, format!("Invalid value for {}", cut(&path)))
            }
            _ => Error::new(ErrorCode::Invalid, "Malformed JSON").because(e.into_inner()),
        }
    })?;
    parser.end().map_err(|e| Error::new(ErrorCode::Invalid, "Malformed JSON").because(e))?;
    Ok(value)
}

// a path may hold keys that the client chose
fn cut(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(64).collect()
}

impl<S: ErrorShape, T: DeserializeOwned> FromRequest<Arc<App>> for Json<S, T> {
    type Rejection = Fail<S>;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Self::Rejection> {
        let bytes = read_body(request, JSON_BYTES_MAX).await?;
        Ok(Self(parse_json(&bytes)?, PhantomData))
    }
}

impl<S: ErrorShape, T: DeserializeOwned> FromRequestParts<Arc<App>> for Query<S, T> {
    type Rejection = Fail<S>;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Self::Rejection> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value, PhantomData))
            .map_err(|e| Error::new(ErrorCode::Invalid, "Invalid query string").because(e).into())
    }
}

impl<S: ErrorShape> FromRequestParts<Arc<App>> for Segment<S> {
    type Rejection = Fail<S>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        match axum::extract::Path::<String>::from_request_parts(parts, app).await {
            Ok(axum::extract::Path(text)) => Ok(Self(text, PhantomData)),
            // not UTF-8: there is nothing of that name
            Err(_) => Err(Error::new(ErrorCode::NotFound, "Endpoint not found").into()),
        }
    }
}

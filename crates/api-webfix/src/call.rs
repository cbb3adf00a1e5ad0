//! A call of a method, and the session that came with it.

use std::sync::Arc;

use http::{HeaderMap, header};
use orrery_app::Ctx;
use orrery_crypto::json::JsValue;
use orrery_kernel::{Error, ErrorCode, Result};
use orrery_wallets::Session;

use crate::Shared;

/// The document's header of sessions.
pub(crate) const SESSION_HEADER: &str = "stels-session";

/// A call, read and checked.
pub(crate) struct Call<'a> {
    pub shared: &'a Arc<Shared>,
    pub ctx: Ctx,
    pub headers: &'a HeaderMap,
    pub body: &'a JsValue,
    pub params: Vec<String>,
}

impl Call<'_> {
    /// The token that came along.
    fn token(&self) -> Option<&str> {
        let bearer = || self.headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
        let own = self.headers.get(SESSION_HEADER).and_then(|value| value.to_str().ok());
        own.or_else(bearer).map(str::trim).filter(|token| !token.is_empty())
    }

    /// The session, which the method needs.
    ///
    /// # Errors
    /// `UnauthenticatedMissing`, `UnauthenticatedInvalid`.
    pub async fn session(&self) -> Result<Session> {
        let missing = || Error::new(ErrorCode::UnauthenticatedMissing, "A session is needed: header stels-session");
        self.shared.app.wallets.session(self.token().ok_or_else(missing)?, self.ctx.now).await
    }

    /// The session, if there is a good one.
    pub async fn maybe_session(&self) -> Result<Option<Session>> {
        let Some(token) = self.token() else { return Ok(None) };
        match self.shared.app.wallets.session(token, self.ctx.now).await {
            Ok(session) => Ok(Some(session)),
            Err(error) if error.code == ErrorCode::UnauthenticatedInvalid => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A text of the body that has to be there.
    pub fn text(&self, field: &'static str) -> Result<&str> {
        text(self.body, field)
    }

    /// A text of the body.
    pub fn maybe_text(&self, field: &'static str) -> Result<Option<&str>> {
        match self.body.get(field) {
            None | Some(JsValue::Null) => Ok(None),
            Some(_) => self.text(field).map(Some),
        }
    }

    /// A whole number of the body, from 0 to `most`.
    pub fn number(&self, field: &'static str, otherwise: u32, most: u32) -> Result<u32> {
        let Some(value) = self.body.get(field).filter(|value| **value != JsValue::Null) else { return Ok(otherwise) };
        let number = value.as_i64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= most);
        number.ok_or_else(|| Error::invalid(field, format!("{field} has to be a whole number from 0 to {most}")))
    }
}

/// A text of an object that has to be there.
pub(crate) fn text<'a>(object: &'a JsValue, field: &'static str) -> Result<&'a str> {
    let found = object.get(field).and_then(JsValue::as_str);
    found.ok_or_else(|| Error::invalid(field, format!("{field} has to be a text")))
}

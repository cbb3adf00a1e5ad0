//! What every good answer carries.

use axum::response::{IntoResponse, Response};
use orrery_app::Ctx;
use serde::Serialize;
use utoipa::ToSchema;

/// `{success: true, …, request_id, timestamp}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Reply<T> {
    /// Always true; failures have a shape of their own.
    success: bool,
    /// The endpoint's own fields.
    #[serde(flatten)]
    body: T,
    /// As in `X-Request-ID`.
    request_id: String,
    /// When the request came in.
    timestamp: String,
}

impl<T> Reply<T> {
    pub(crate) fn new(ctx: &Ctx, body: T) -> Self {
        Self { success: true, body, request_id: ctx.request_id.clone(), timestamp: ctx.now.iso() }
    }
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        axum::Json(self).into_response()
    }
}

/// What is in the `data` of `/api/v1`'s own routes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Data<T> {
    /// The endpoint's own fields.
    pub(crate) data: T,
}

/// Every failure.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Failure {
    /// Always false.
    pub(crate) success: bool,
    /// What went wrong, for people.
    pub(crate) error: String,
    /// To find it in the log by: `err_1234567890_1234`.
    pub(crate) error_id: String,
    /// One of the document's ten.
    pub(crate) category: String,
    /// What may help.
    pub(crate) suggestions: Vec<String>,
    /// When to try again, in seconds; after 429 and 503.
    pub(crate) retry_after: Option<u64>,
    /// As in `X-Request-ID`.
    pub(crate) request_id: String,
    /// When the request came in.
    pub(crate) timestamp: String,
}

//! One error, rendered in the shape of the surface it leaves through.

use std::marker::PhantomData;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use orrery_kernel::{Error, ErrorCode};

/// How a surface shows errors. Implemented once per surface.
pub trait ErrorShape: Send + Sync + 'static {
    /// Status for a code; a surface whose document says otherwise says so.
    fn status(code: ErrorCode) -> StatusCode {
        match code {
            ErrorCode::Invalid | ErrorCode::InsufficientFunds => StatusCode::BAD_REQUEST,
            ErrorCode::UnauthenticatedMissing
            | ErrorCode::UnauthenticatedInvalid
            | ErrorCode::UnauthenticatedExpired
            | ErrorCode::BadCredentials => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Conflict => StatusCode::CONFLICT,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorCode::Upstream => StatusCode::BAD_GATEWAY,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Body for an error.
    fn body(error: &Error) -> serde_json::Value;
}

/// Kept with the answer to a failed request, for a surface whose bodies say more than an error knows.
#[derive(Clone, Debug)]
pub struct Refused(pub serde_json::Value);

/// An error on its way out through surface `S`.
pub struct Fail<S>(Error, PhantomData<S>);

impl<S> From<Error> for Fail<S> {
    fn from(error: Error) -> Self {
        Self(error, PhantomData)
    }
}

impl<S: ErrorShape> IntoResponse for Fail<S> {
    fn into_response(self) -> Response {
        let status = S::status(self.0.code);
        if let Some(cause) = &self.0.internal {
            // the one place where a failure is logged; the request's span adds id and route
            if status.is_server_error() {
                tracing::error!(status = status.as_u16(), cause = %chain(cause.as_ref()), "request failed");
            } else {
                tracing::debug!(status = status.as_u16(), cause = %chain(cause.as_ref()), "request refused");
            }
        }
        let body = S::body(&self.0);
        let mut response = (status, axum::Json(&body)).into_response();
        response.extensions_mut().insert(Refused(body));
        if let Some(wait) = self.0.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

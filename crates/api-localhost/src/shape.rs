//! The one error shape of this surface, and what it says about errors.

use http::StatusCode;
use orrery_http_kit::{ErrorShape, RequestMeta};
use orrery_kernel::{Error, ErrorCode, StoreError};
use serde_json::{Value, json};

/// `{success: false, error, error_id, category, suggestions, request_id, timestamp}`.
pub struct Localhost;

impl ErrorShape for Localhost {
    fn status(code: ErrorCode) -> StatusCode {
        match code {
            // the document knows no 409 and no 504
            ErrorCode::Invalid | ErrorCode::InsufficientFunds | ErrorCode::Conflict => StatusCode::BAD_REQUEST,
            ErrorCode::UnauthenticatedMissing
            | ErrorCode::UnauthenticatedInvalid
            | ErrorCode::UnauthenticatedExpired
            | ErrorCode::BadCredentials => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Timeout => StatusCode::REQUEST_TIMEOUT,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Upstream => StatusCode::BAD_GATEWAY,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// All but what only the request knows; see `complete`.
    fn body(error: &Error) -> Value {
        let category = Category::of(error);
        let text = match error.code {
            ErrorCode::UnauthenticatedMissing => "Authentication required",
            _ => error.public.as_ref(),
        };
        let mut body = json!({
            "success": false, "error": text, "category": category.name(), "suggestions": category.suggestions()
        });
        if let Some(field) = error.field {
            body["details"] = json!({ "field": field });
        }
        if let Some(wait) = error.retry_after {
            body["retry_after"] = json!((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1));
        }
        body
    }
}

/// Adds to a body of [`Localhost`] what the request knows; `chance` keeps ids of one millisecond apart.
pub(crate) fn complete(mut body: Value, meta: &RequestMeta, chance: u32) -> Value {
    let id = format!("err_{}_{:04}", meta.now.millis().max(0), chance % 10_000);
    tracing::debug!(error_id = id, "error answered");
    body["error_id"] = json!(id);
    body["request_id"] = json!(&*meta.request_id);
    body["timestamp"] = json!(meta.now.iso());
    body
}

/// The whole body of a refusal that no handler made.
pub fn refusal(error: &Error, meta: &RequestMeta, chance: u32) -> Value {
    complete(Localhost::body(error), meta, chance)
}

/// The document's categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Category {
    Validation,
    Authentication,
    Authorization,
    NotFound,
    RateLimit,
    System,
    Network,
    Database,
    FileSystem,
    ExternalService,
}

impl Category {
    fn of(error: &Error) -> Self {
        match error.code {
            ErrorCode::Invalid | ErrorCode::InsufficientFunds | ErrorCode::Conflict | ErrorCode::TooLarge => {
                Self::Validation
            }
            ErrorCode::UnauthenticatedMissing
            | ErrorCode::UnauthenticatedInvalid
            | ErrorCode::UnauthenticatedExpired
            | ErrorCode::BadCredentials => Self::Authentication,
            ErrorCode::Forbidden => Self::Authorization,
            ErrorCode::NotFound => Self::NotFound,
            ErrorCode::RateLimited => Self::RateLimit,
            ErrorCode::Timeout => Self::System,
            ErrorCode::Upstream => Self::ExternalService,
            ErrorCode::Unavailable | ErrorCode::Internal => match &error.internal {
                Some(cause) if cause.is::<StoreError>() => Self::Database,
                Some(cause) if cause.is::<std::io::Error>() => Self::FileSystem,
                _ if error.code == ErrorCode::Unavailable => Self::Network,
                _ => Self::System,
            },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::NotFound => "not_found",
            Self::RateLimit => "rate_limit",
            Self::System => "system",
            Self::Network => "network",
            Self::Database => "database",
            Self::FileSystem => "file_system",
            Self::ExternalService => "external_service",
        }
    }

    fn suggestions(self) -> [&'static str; 3] {
        match self {
            Self::Validation => [
                "Check input format and required fields",
                "Ensure data types are correct",
                "Compare the request with /api/docs",
            ],
            Self::Authentication => {
                ["Log in again", "Send a session, a token or an API key", "Check that the session is not over"]
            }
            Self::Authorization => [
                "Get a token from /api/csrf and send it in X-CSRF-Token",
                "Check what the account or the API key may do",
                "Send the request from a page of this server",
            ],
            Self::NotFound => ["Check the name or the id", "List what there is", "It may have been deleted"],
            Self::RateLimit => {
                ["Wait as long as retry_after says", "Send fewer requests", "Ask the operator for a higher limit"]
            }
            Self::System => ["Try again", "Tell the operator the error_id and the request_id", "Look at /health"],
            Self::Network => ["Try again in a moment", "Look at /health", "Check the connection"],
            Self::Database => ["Try again in a moment", "Look at /health", "Tell the operator the request_id"],
            Self::FileSystem => {
                ["Try again", "Check the free space of the server's disk", "Tell the operator the request_id"]
            }
            Self::ExternalService => ["Try again later", "Check that the other service works", "Check its settings"],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use orrery_kernel::Timestamp;

    use super::*;

    #[test]
    fn a_whole_body() {
        let meta = RequestMeta {
            request_id: "abc".into(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            agent: "".into(),
            now: Timestamp::from_millis(1_704_110_400_123),
            local: false,
            tls: false,
        };
        let error = Error { field: Some("key"), ..Error::rate_limited("Later.", Duration::from_millis(1_500)) };
        let body = refusal(&error, &meta, 70_007);
        assert_eq!(
            body,
            json!({
                "success": false, "error": "Later.", "category": "rate_limit", "retry_after": 2,
                "suggestions": Category::RateLimit.suggestions(), "details": {"field": "key"},
                "error_id": "err_1704110400123_0007", "request_id": "abc", "timestamp": "2024-01-01T12:00:00.123Z"
            })
        );
    }

    #[test]
    fn causes_tell_the_category() {
        let of = |error: Error| Category::of(&error).name();
        assert_eq!(of(StoreError::Unavailable("gone".into()).into()), "database");
        assert_eq!(of(Error::internal(std::io::Error::other("disk"))), "file_system");
        assert_eq!(of(Error::internal("bug")), "system");
        assert_eq!(of(Error::new(ErrorCode::Upstream, "no")), "external_service");
        assert_eq!(of(Error::new(ErrorCode::Forbidden, "no")), "authorization");
    }
}

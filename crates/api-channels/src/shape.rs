//! The one error shape of this surface.

use std::time::Duration;

use orrery_http_kit::ErrorShape;
use orrery_kernel::{Error, ErrorCode};
use orrery_protocol::aether::{ErrorDetails, ErrorFrame};
use serde_json::Value;

/// `{type:"error", code, message, details:{component, reason}}`, on the socket and in answers.
pub struct Aether;

/// The document leaves the codes open; these are ours.
pub(crate) fn code(error: &Error) -> &'static str {
    match error.code {
        ErrorCode::Invalid => "bad_request",
        ErrorCode::UnauthenticatedMissing | ErrorCode::UnauthenticatedInvalid | ErrorCode::BadCredentials => {
            "unauthorized"
        }
        ErrorCode::UnauthenticatedExpired => "token_expired",
        ErrorCode::Forbidden => "forbidden",
        ErrorCode::NotFound => "channel_not_found",
        ErrorCode::Conflict => "channel_full",
        ErrorCode::TooLarge => "message_too_large",
        ErrorCode::RateLimited => "rate_limited",
        ErrorCode::Timeout | ErrorCode::Unavailable | ErrorCode::Upstream => "unavailable",
        ErrorCode::InsufficientFunds | ErrorCode::Internal => "internal",
    }
}

/// The code with which a socket closes for such an error.
pub(crate) fn close_code(code: &str) -> u16 {
    match code {
        "unauthorized" | "token_expired" => 4401,
        "forbidden" => 4403,
        "channel_not_found" => 4404,
        "channel_full" | "connection_limit" | "rate_limited" => 4429,
        "message_too_large" => 1009,
        "bad_request" => 4400,
        "unavailable" => 1013,
        _ => 1011,
    }
}

pub(crate) fn frame(error: &Error) -> ErrorFrame<'static> {
    let code = code(error);
    let temporary = matches!(code, "rate_limited" | "channel_full" | "unavailable");
    let ms = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    ErrorFrame {
        kind: "error".into(),
        code: code.into(),
        message: error.public.clone(),
        details: ErrorDetails {
            component: error.field.unwrap_or("channels").into(),
            reason: code.into(),
            retry_after_ms: error.retry_after.map(ms),
            temporary,
            ..ErrorDetails::default()
        },
    }
}

impl ErrorShape for Aether {
    fn body(error: &Error) -> Value {
        serde_json::to_value(frame(error)).unwrap_or_default()
    }
}

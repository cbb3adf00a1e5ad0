//! The one error shape of this surface.

use http::StatusCode;
use orrery_http_kit::ErrorShape;
use orrery_kernel::{Error, ErrorCode};
use serde_json::{Value, json};

/// `{"error": text}`, with the documented oddity that a missing token is 401 and a bad one 403.
pub struct BitTrade;

impl ErrorShape for BitTrade {
    fn status(code: ErrorCode) -> StatusCode {
        match code {
            ErrorCode::Invalid | ErrorCode::InsufficientFunds => StatusCode::BAD_REQUEST,
            ErrorCode::UnauthenticatedMissing | ErrorCode::BadCredentials => StatusCode::UNAUTHORIZED,
            ErrorCode::UnauthenticatedInvalid | ErrorCode::UnauthenticatedExpired | ErrorCode::Forbidden => {
                StatusCode::FORBIDDEN
            }
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

    fn body(error: &Error) -> Value {
        json!({ "error": error.public })
    }
}

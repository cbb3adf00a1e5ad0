//! What goes back.

use http::StatusCode;
use orrery_http_kit::ErrorShape;
use orrery_kernel::Error;
use serde_json::{Value, json};

/// Errors in the document's shape (section "Standard Error Format"): `{webfix, error: {code, message, details}}`,
/// the code being the status as text.
pub struct Shape;

impl ErrorShape for Shape {
    fn body(error: &Error) -> Value {
        let mut inner = json!({ "code": Self::status(error.code).as_str(), "message": error.public });
        if let Some(field) = error.field {
            inner["details"] = json!({ "field": field });
        }
        if let Some((line, column)) = error.place {
            inner["details"]["line"] = line.into();
            inner["details"]["column"] = column.into();
        }
        json!({ "webfix": "1.0", "error": inner })
    }
}

/// The same for methods whose callers read `error` as a text.
pub struct PlainShape;

impl ErrorShape for PlainShape {
    fn body(error: &Error) -> Value {
        json!({ "webfix": "1.0", "success": false, "error": error.public })
    }
}

/// What a method answers.
pub struct Reply {
    /// Status of success.
    pub status: StatusCode,
    /// Body.
    pub body: Value,
}

impl Reply {
    /// The body as it is.
    pub fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body }
    }

    /// `{webfix, result}`.
    pub fn result(result: Value) -> Self {
        let mut body = json!({ "webfix": "1.0" });
        body["result"] = result;
        Self::ok(body)
    }
}

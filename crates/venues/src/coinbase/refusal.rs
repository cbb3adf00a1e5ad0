//! Coinbase Advanced Trade: `{"error":"INVALID_ARGUMENT","message":"…"}`, `{"errors":[{"id":"not_found"}]}` of the
//! older paths, and `{"success":false,"error_response":{"preview_failure_reason":"…"}}` of orders.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions};

pub(crate) fn refusal(known: &Exceptions, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let table = &known.everywhere;
    let of = |code: Option<&str>, message: Option<&str>| {
        table.exact(code).or_else(|| table.broad(message)).or(Some(ErrorClass::ExchangeError))
    };
    let code = body?.text_of(&["error"]);
    if code.is_some() {
        return of(code, body.text_of(&["error_description", "error"]));
    }
    if let Some(said) = body.get("error_response") {
        let reason = said.text_of(&["preview_failure_reason"]);
        return of(reason, reason);
    }
    if let Some(first) = body.get("errors").at(0)
        && let Some(id) = first.text_of(&["id"])
    {
        return of(Some(id), first.get("message").text());
    }
    // an edit that did not happen says no more than this
    (body.get("success").flag() == Some(false)).then_some(ErrorClass::ExchangeError)
}

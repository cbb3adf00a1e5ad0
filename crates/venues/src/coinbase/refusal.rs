//! Coinbase Advanced Trade: `{"error":"INVALID_ARGUMENT","message":"…"}`, `{"errors":[{"id":"not_found"}]}` of the
//! older paths, and `{"success":false,"error_response":{"error":"INSUFFICIENT_FUND"}}` of orders.

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
    if let Some(first) = body.get("errors").at(0)
        && let Some(id) = first.text_of(&["id"])
    {
        return of(Some(id), first.get("message").text());
    }
    if body.get("success").flag() == Some(false) {
        let said = body.get("error_response");
        let reason = said.text_of(&["preview_failure_reason"]);
        let by_reason = table.exact(reason);
        return by_reason.or_else(|| of(said.text_of(&["error"]), said.get("message").text()));
    }
    None
}

//! Upbit, "REST API errors": `{"error":{"name":"insufficient_funds_bid","message":"…"}}`.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions};

pub(crate) fn refusal(known: &Exceptions, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let table = &known.everywhere;
    let error = body?.get("error");
    let said = [error?.get("message").text(), error.get("name").text()];
    let exact = said.iter().find_map(|said| table.exact(*said));
    exact.or_else(|| said.iter().find_map(|said| table.broad(*said))).or(Some(ErrorClass::ExchangeError))
}

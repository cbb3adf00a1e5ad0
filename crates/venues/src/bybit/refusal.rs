//! Bybit V5, "Error Codes": `{"retCode":110007,"retMsg":"ab not enough for new order"}`, whatever the status.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions, Reply};

/// "Nothing was changed", which is what was wanted.
const NOT_MODIFIED: &str = "30084";

pub(crate) fn refusal(known: &Exceptions, reply: &Reply<'_>, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let code = body?.text_of(&["ret_code", "retCode"]);
    if matches!(code, Some("0" | NOT_MODIFIED)) {
        return None;
    }
    let table = &known.everywhere;
    table.broad(Some(reply.body)).or_else(|| table.exact(code)).or(Some(ErrorClass::ExchangeError))
}

//! KuCoin, "REST error codes": `{"code":"400003","msg":"KC-API-KEY not exists"}`; good answers have code 200000.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions, Reply};

pub(crate) fn refusal(known: &Exceptions, reply: &Reply<'_>, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let table = &known.everywhere;
    if body.is_none() {
        return table.broad(Some(reply.body));
    }
    let code = body.get("code").text();
    table
        .exact(body.text_of(&["msg", "data"]))
        .or_else(|| table.exact(code.filter(|code| !good(code))))
        .or_else(|| table.broad(Some(reply.body)))
        .or((!code.is_some_and(good)).then_some(ErrorClass::ExchangeError))
}

fn good(code: &str) -> bool {
    matches!(code, "200000" | "200")
}

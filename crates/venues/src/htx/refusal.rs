//! HTX, "Error Code": `{"status":"error","err-code":"order-orderstate-error","err-msg":"…"}`, with underscores at the
//! contract markets, `{"code":1003,"message":"…"}` of the newer paths, and a list of errors inside of `data`.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions, Reply};

pub(crate) fn refusal(known: &Exceptions, reply: &Reply<'_>, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let table = &known.everywhere;
    let words = || table.broad(Some(reply.body));
    let said = |one: Option<&Json<'_>>| {
        let code = one.text_of(&["err-code", "err_code"]);
        table.exact(code).or_else(|| table.exact(one.text_of(&["err-msg", "err_msg"])))
    };
    if body?.get("status").text() == Some("error") {
        return words().or_else(|| said(body)).or(Some(ErrorClass::ExchangeError));
    }
    let by_code = table.exact(body.get("code").text());
    by_code.or_else(|| body.get("data").get("errors").at(0).and_then(|first| words().or_else(|| said(Some(first)))))
}

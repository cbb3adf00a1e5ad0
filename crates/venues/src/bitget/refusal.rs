//! Bitget, "Error Code": `{"code":"43012","msg":"Insufficient balance"}`; good answers have code 00000.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions};

pub(crate) fn refusal(known: &Exceptions, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let table = &known.everywhere;
    let message = body?.text_of(&["err_msg", "msg"]).filter(|message| *message != "success");
    let code = body.text_of(&["code", "err_code"]).filter(|code| *code != "00000");
    let by_words = table.exact(message).or_else(|| table.broad(message));
    let refused = (message.is_some() || code.is_some()).then_some(ErrorClass::ExchangeError);
    by_words.or_else(|| table.exact(code)).or(refused)
}

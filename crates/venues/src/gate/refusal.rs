//! Gate APIv4, "Error Handling": `{"label":"INVALID_KEY","message":"Invalid key provided"}`.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions};

pub(crate) fn refusal(known: &Exceptions, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let table = &known.everywhere;
    let label = body?.text_of(&["label"])?;
    let words = || table.broad(body.get("message").text());
    table.exact(Some(label)).or_else(words).or(Some(ErrorClass::ExchangeError))
}

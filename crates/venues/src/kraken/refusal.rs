//! Kraken Spot REST, "Errors": `{"error":["EOrder:Insufficient funds"]}` with status 200. Kraken Futures:
//! `{"result":"error","error":"apiLimitExceeded"}` and `{"errors":[{"code":98}]}`.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions};

pub(crate) fn refusal(known: &Exceptions, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let table = &known.everywhere;
    let of = |said: Option<&str>| table.exact(said).or_else(|| table.broad(said));
    let error = body?.get("error");
    match error.list() {
        Some([]) => None,
        Some(each) => each.iter().find_map(|one| of(one.text())).or(Some(ErrorClass::ExchangeError)),
        None => error.text().map(|said| of(Some(said)).unwrap_or(ErrorClass::ExchangeError)),
    }
}

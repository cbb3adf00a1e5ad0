//! OKX V5, "Error Code": `{"code":"1","data":[{"sCode":"51603","sMsg":"Order does not exist"}]}`, whatever the status.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions};

/// Some of several orders were accepted; each says for itself what became of it.
const PARTLY_ACCEPTED: &str = "2";

pub(crate) fn refusal(known: &Exceptions, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let code = body?.get("code").text();
    if matches!(code, Some("0" | PARTLY_ACCEPTED)) {
        return None;
    }
    let table = &known.everywhere;
    let each = body.get("data").list().unwrap_or_default();
    each.iter()
        .find_map(|one| table.exact(one.get("sCode").text()).or_else(|| table.broad(one.get("sMsg").text())))
        .or_else(|| table.exact(code))
        .or(Some(ErrorClass::ExchangeError))
}

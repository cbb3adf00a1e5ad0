//! Binance, "Error Codes": `{"code":-1121,"msg":"Invalid symbol."}`; the same code means other things on other hosts.

use crate::description::Table;
use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions, Reply};

/// Parts of the exchange by the host that is asked; every other host is the spot market's.
const PARTS: [(&str, &str); 4] = [
    ("https://fapi.", "linear"),
    ("https://dapi.", "inverse"),
    ("https://eapi.", "option"),
    ("https://papi.", "portfolioMargin"),
];

/// Rules of a market whose violation all comes as -1013.
const FILTERS: [&str; 3] = ["Price * QTY is zero or less", "LOT_SIZE", "PRICE_FILTER"];

pub(crate) fn refusal(known: &Exceptions, reply: &Reply<'_>, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    if matches!(reply.status, 418 | 429) {
        return Some(ErrorClass::DDoSProtection);
    }
    if reply.status >= 400 && FILTERS.iter().any(|filter| reply.body.contains(filter)) {
        return Some(ErrorClass::InvalidOrder);
    }
    let part = PARTS.iter().find(|(host, _)| reply.url.starts_with(host)).map_or("spot", |(_, part)| part);
    let tables: Vec<&Table> = known.parts.get(part).into_iter().chain([&known.everywhere]).collect();
    let exact = |code: Option<&str>| tables.iter().find_map(|table| table.exact(code));
    let broad = |text: Option<&str>| tables.iter().find_map(|table| table.broad(text));

    // of several orders that were refused in one call, a lone one speaks for the call
    let said = match body.list() {
        Some([one]) => Some(one),
        Some(_) => None,
        None => body,
    };
    let message = said.text_of(&["msg"]);
    let code = said.get("code").text().filter(|code| *code != "0" && *code != "200");
    let by_words = || exact(message).or_else(|| broad(message));
    if code.is_none() {
        let failed = said.get("success").flag() == Some(false);
        return if failed { by_words().or(Some(ErrorClass::ExchangeError)) } else { None };
    }
    if message == Some("No need to change margin type.") {
        return Some(ErrorClass::MarginModeAlreadySet);
    }
    by_words().or_else(|| exact(code)).or(Some(ErrorClass::ExchangeError))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Venue;

    fn class(url: &str, body: &str) -> Option<ErrorClass> {
        Venue::Binance.read(&Reply { status: 400, url, body }).err().map(|error| error.class())
    }

    #[test]
    fn codes_are_those_of_the_part_that_was_asked() {
        let body = r#"{"code":-2022,"msg":"ReduceOnly Order is rejected."}"#;
        assert_eq!(class("https://api.binance.com/api/v3/order", body), Some(ErrorClass::BadResponse));
        assert_eq!(class("https://fapi.binance.com/fapi/v1/order", body), Some(ErrorClass::InvalidOrder));
    }

    #[test]
    fn a_lone_element_speaks_for_the_call() {
        let body = r#"[{"code":-2011,"msg":"Unknown order sent."}]"#;
        assert_eq!(class("https://api.binance.com/api/v3/openOrders", body), Some(ErrorClass::OrderNotFound));
    }
}

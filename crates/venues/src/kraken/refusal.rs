//! Kraken Spot REST, "Errors": `{"error":["EOrder:Insufficient funds"]}` with status 200. Kraken Futures:
//! `{"result":"error","error":"apiLimitExceeded"}` and `{"errors":[{"code":98}]}`. Of a batch each order may say its
//! own: `{"error":[],"result":{"orders":[{"error":"EOrder:Insufficient funds"}]}}`.

use crate::json::{Access as _, Json};
use crate::{ErrorClass, Exceptions};

pub(crate) fn refusal(known: &Exceptions, body: Option<&Json<'_>>) -> Option<ErrorClass> {
    let table = &known.everywhere;
    let of = |said: Option<&str>| table.exact(said).or_else(|| table.broad(said));
    let error = body?.get("error");
    let of_orders = || {
        let orders = body.get("result").get("orders").list().unwrap_or_default();
        let said = orders.iter().find_map(|order| order.text_of(&["error"]))?;
        of(Some(said)).or(Some(ErrorClass::ExchangeError))
    };
    match error.list() {
        Some([]) => of_orders(),
        Some(each) => each.iter().find_map(|one| of(one.text())).or(Some(ErrorClass::ExchangeError)),
        None => error.text().map(|said| of(Some(said)).unwrap_or(ErrorClass::ExchangeError)),
    }
}

#[cfg(test)]
mod tests {
    use crate::{ErrorClass, Reply, Venue};

    #[test]
    fn an_order_of_a_batch_may_be_refused_alone() {
        let class = |body| {
            let reply = Reply { status: 200, url: "https://example.org/", body };
            Venue::Kraken.read(&reply).err().map(|error| error.class())
        };
        let refused = r#"{"error":[],"result":{"orders":[{"txid":"O"},{"error":"EOrder:Insufficient funds"}]}}"#;
        assert_eq!(class(refused), Some(ErrorClass::InsufficientFunds));
        let refused = r#"{"error":[],"result":{"orders":[{"error":"EOrder:Never heard of"}]}}"#;
        assert_eq!(class(refused), Some(ErrorClass::ExchangeError));
        assert_eq!(class(r#"{"error":[],"result":{"orders":[{"txid":"O"}]}}"#), None);
    }
}

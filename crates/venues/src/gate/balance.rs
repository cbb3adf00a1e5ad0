//! What the account has: "List spot accounts", "Margin account list", "Retrieve cross margin account", "Query futures
//! account" and "Get unified account information".

use super::parse::raw;
use super::part::currency;
use crate::json::{Access as _, Json};
use crate::unified::{Balance, Balances, Raw};
use crate::{Fields, Value};

/// The balances of an answer. In one of isolated margin each market has its own two currencies.
pub(super) fn balances(body: &Json<'_>, isolated: bool) -> Balances {
    if let Some(Json::Object(members)) = body.get("balances") {
        return by_name(body, members);
    }
    let (info, all) = match body.list() {
        Some(all) => (Raw::of(body), all),
        None => (raw(&Value::List(vec![Value::of(body)])), std::slice::from_ref(body)),
    };
    let mut of = Vec::new();
    for entry in all {
        if isolated {
            add(&mut of, entry.get("base"));
            add(&mut of, entry.get("quote"));
        } else {
            of.extend(held(Some(entry)));
        }
    }
    complete(info, of)
}

/// An answer whose currencies are names; CCXT writes each into what belongs to it.
fn by_name<'t, N: AsRef<str>>(body: &Json<'t>, members: &[(N, Json<'t>)]) -> Balances {
    let mut named = Fields::new();
    let mut of = Vec::new();
    for (name, entry) in members {
        let name = name.as_ref();
        let Value::Object(fields) = Value::of(entry) else { continue };
        named.set(name, Value::Object(fields.with("currency", name)));
        of.push((currency(name), balance(Some(entry))));
    }
    let info = match Value::of(body) {
        Value::Object(fields) => raw(&Value::Object(fields.with("balances", Value::Object(named)))),
        _ => Raw::of(body),
    };
    complete(info, of)
}

fn complete(info: Raw, of: Vec<(String, Balance)>) -> Balances {
    let of = of.into_iter().map(|(currency, balance)| (currency, balance.completed())).collect();
    Balances { info, of, ..Balances::default() }
}

fn held(entry: Option<&Json<'_>>) -> Option<(String, Balance)> {
    Some((currency(entry.text_of(&["currency"])?), balance(entry)))
}

fn balance(entry: Option<&Json<'_>>) -> Balance {
    Balance {
        free: entry.number_of(&["available"]),
        used: entry.number_of(&["freeze", "locked"]),
        total: entry.number_of(&["total"]),
        debt: entry.number_of(&["borrowed"]),
    }
}

/// Adds to what is there of the same currency.
fn add(of: &mut Vec<(String, Balance)>, entry: Option<&Json<'_>>) {
    let Some((currency, more)) = held(entry) else { return };
    let Some((_, known)) = of.iter_mut().find(|(known, _)| *known == currency) else {
        of.push((currency, more));
        return;
    };
    let sum = |known: &mut Option<_>, more: Option<crate::Number>| {
        *known = match (*known, more) {
            (Some(known), Some(more)) => more.plus(known),
            (known, more) => known.or(more),
        };
    };
    sum(&mut known.free, more.free);
    sum(&mut known.used, more.used);
    sum(&mut known.total, more.total);
    sum(&mut known.debt, more.debt);
}

//! Balances: "Get Account List - Spot", "Get Account - Cross Margin", "Get Account - Isolated Margin" and
//! "Get Account - Futures".

use super::parse::{currency, data};
use crate::Number;
use crate::json::{Access as _, Json};
use crate::unified::{Balance, Balances, Raw};

/// Which part of the account a balance is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// One that the list of accounts names so.
    Listed(String),
    Cross,
    Isolated,
    /// The contract account, in a currency.
    Contracts(String),
}

pub(super) fn balances(body: &Json<'_>, part: Part) -> Balances {
    let of = match part {
        Part::Listed(kind) => data(body).each(|one| listed(one, &kind)).into_iter().flatten().collect(),
        Part::Cross => data(body).get("accounts").each(borrowing).into_iter().flatten().collect(),
        Part::Isolated => isolated(data(body)),
        Part::Contracts(asked) => vec![contracts(data(body), asked)],
    };
    let completed = |(currency, balance): (String, Balance)| (currency, balance.completed());
    Balances { info: Raw::of(body), of: Vec::into_iter(of).map(completed).collect(), ..Balances::default() }
}

fn listed(raw: &Json<'_>, kind: &str) -> Option<(String, Balance)> {
    let number = |name: &str| raw.number_of(&[name]);
    let balance =
        Balance { free: number("available"), used: number("holds"), total: number("balance"), ..Balance::default() };
    let of_kind = raw.get("type").text() == Some(kind);
    currency(raw.text_of(&["currency"])).filter(|_| of_kind).map(|currency| (currency, balance))
}

/// What may be borrowed too.
fn borrowing(raw: &Json<'_>) -> Option<(String, Balance)> {
    let number = |names: &[&str]| raw.number_of(names);
    let (owed, interest) = (number(&["liability"]), number(&["interest"]));
    let balance = Balance {
        free: number(&["availableBalance", "available"]),
        used: number(&["holdBalance", "hold"]),
        total: number(&["totalBalance", "total"]),
        debt: owed.and_then(|owed| owed.plus(interest?)),
    };
    Some((currency(raw.text_of(&["currency"]))?, balance))
}

/// Each market has an account of its own of both its currencies: the sums.
fn isolated(data: Option<&Json<'_>>) -> Vec<(String, Balance)> {
    let sum = |one: Option<Number>, other: Option<Number>| match (one, other) {
        (Some(one), Some(other)) => one.plus(other),
        (one, other) => one.or(other),
    };
    let mut all: Vec<(String, Balance)> = Vec::new();
    let accounts = data.get("assets").list().or_else(|| data.list()).unwrap_or_default().iter();
    let sides = accounts.flat_map(|account| [account.get("baseAsset"), account.get("quoteAsset")]).flatten();
    for (currency, balance) in sides.filter_map(borrowing) {
        match all.iter_mut().find(|(known, _)| *known == currency) {
            Some((_, known)) => {
                *known = Balance {
                    free: sum(known.free, balance.free),
                    used: sum(known.used, balance.used),
                    total: sum(known.total, balance.total),
                    debt: sum(known.debt, balance.debt),
                }
            }
            None => all.push((currency, balance)),
        }
    }
    all
}

fn contracts(data: Option<&Json<'_>>, asked: String) -> (String, Balance) {
    let number = |name: &str| data.number_of(&[name]);
    let balance = Balance { free: number("availableBalance"), total: number("accountEquity"), ..Balance::default() };
    (currency(data.text_of(&["currency"])).unwrap_or(asked), balance)
}

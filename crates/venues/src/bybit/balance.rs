//! What the account has: V5 "Get Wallet Balance" and "Get All Coins Balance".

use crate::json::{Access as _, Json};
use crate::unified::{Balance, Balances, Raw, Time};
use crate::{Number, Venue};

/// Kinds of account whose coins stand in a list of their own.
const WITH_COINS: [&str; 3] = ["UNIFIED", "CONTRACT", "SPOT"];

pub(super) fn balances(body: &Json<'_>) -> Balances {
    let result = body.get("result");
    let lists = ["loanAccountList", "list", "balance"];
    let of = match lists.iter().find_map(|name| result.get(name).list()) {
        Some(accounts) => accounts.iter().flat_map(account).collect(),
        None => {
            let (free, total) = (result.number_of(&["availableBalance"]), result.number_of(&["walletBalance"]));
            vec![("USDC".to_owned(), Balance { free, total, ..Balance::default() }.completed())]
        }
    };
    Balances { info: Raw::of(body), time: Time::parse(body.get("time").text()), of }
}

fn account(raw: &Json<'_>) -> Vec<(String, Balance)> {
    let with_coins = raw.text_of(&["accountType"]).is_some_and(|kind| WITH_COINS.contains(&kind));
    if with_coins {
        raw.get("coin").each(coin).into_iter().flatten().collect()
    } else {
        alone(raw).into_iter().collect()
    }
}

fn coin(raw: &Json<'_>) -> Option<(String, Balance)> {
    let free = raw.number_of(&["availableToWithdraw", "free"]);
    let held = || {
        let part = |name: &str| raw.number_of(&[name]).unwrap_or_default();
        part("locked").plus(part("totalPositionIM"))?.plus(part("totalOrderIM"))
    };
    let used = if free.is_some() { None } else { held() };
    let total = raw.number_of(&["walletBalance"]);
    let debt = both(raw, "borrowAmount", "accruedInterest");
    named(raw, &["coin"], Balance { free, used, total, debt })
}

fn alone(raw: &Json<'_>) -> Option<(String, Balance)> {
    let free = ["free", "availableBalanceWithoutConvert", "availableBalance", "transferBalance"];
    let balance = Balance {
        free: raw.number_of(&free),
        used: raw.number_of(&["locked"]),
        total: raw.number_of(&["total", "walletBalance"]),
        debt: both(raw, "loan", "interest"),
    };
    named(raw, &["tokenId", "coin", "currencyCoin"], balance)
}

fn named(raw: &Json<'_>, names: &[&str], balance: Balance) -> Option<(String, Balance)> {
    Some((Venue::Bybit.description().currency(raw.text_of(names)?), balance.completed()))
}

/// What is borrowed and what it cost so far.
fn both(raw: &Json<'_>, loan: &str, interest: &str) -> Option<Number> {
    raw.number_of(&[loan])?.plus(raw.number_of(&[interest])?)
}

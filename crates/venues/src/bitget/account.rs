//! The account's money and how it trades: "Get Deposit Address", "Transfer", "Get Single Account".

use super::parse::{currency, object};
use super::{networks, part};
use crate::exchange::Result;
use crate::json::{self, Access as _, Json};
use crate::query::Query;
use crate::unified::{DepositAddress, Leverage, Market, Raw, Time, Transfer};
use crate::{ErrorClass, Fields, Number, Value, VenueError};

/// Where it is asked what the account has, and for which part of it.
pub(super) fn balance(q: &Query<'_>) -> Result<(&'static str, Fields)> {
    let (kind, params) = part::kind(None, q.params.clone());
    let (mode, params) = part::margin_mode(params);
    match (kind.as_str(), mode.as_deref()) {
        ("swap" | "future", _) => {
            let (product, params) = part::product(None, params);
            Ok(("v2/mix/account/accounts", Fields::new().with("productType", product).and(params)))
        }
        (_, Some("isolated")) => Ok(("v2/margin/isolated/account/assets", params)),
        (_, Some("cross")) => Ok(("v2/margin/crossed/account/assets", params)),
        ("spot", _) => Ok(("v2/spot/account/assets", params)),
        (other, _) => Err(q.error(ErrorClass::NotSupported, &format!("knows no accounts of {other}"))),
    }
}

/// The exchange's name of an account.
pub(super) fn named(account: &str) -> Result<&'static str> {
    match account {
        "spot" | "funding" => Ok("spot"),
        "cross" => Ok("crossed_margin"),
        "isolated" => Ok("isolated_margin"),
        "swap" => Ok("usdt_futures"),
        "usdc_swap" => Ok("usdc_futures"),
        "future" => Ok("coin_futures"),
        "p2p" => Ok("p2p"),
        "uta" | "unified" => Ok("uta"),
        other => {
            let message = format!("bitget transfer() knows no account {other:?}");
            Err(VenueError::new(ErrorClass::BadRequest, &message))
        }
    }
}

/// CCXT's name of an account.
fn account(id: &str) -> &str {
    match id {
        "crossed_margin" => "cross",
        "isolated_margin" => "isolated",
        "usdt_futures" => "swap",
        "usdc_futures" => "usdc_swap",
        "coin_futures" => "future",
        other => other,
    }
}

pub(super) fn transfer(answer: &Json<'_>, code: &str) -> Transfer {
    let raw = object(answer.get("data"));
    let time = answer.get("requestTime").text();
    let words = |names: &[&str]| raw.text_of(names).map(|id| account(id).to_owned());
    let status = raw.text_of(&["status"]).map(str::to_lowercase);
    Transfer {
        info: told(raw, time),
        id: raw.string_of(&["transferId"]),
        time: Time::parse(time),
        currency: currency(raw, &["coin"]).or_else(|| Some(code.to_owned())),
        amount: raw.number_of(&["size"]),
        from_account: words(&["fromType"]),
        to_account: words(&["toType"]),
        status: status.map(|word| if word == "successful" { "ok".to_owned() } else { word }),
    }
}

/// What was said, with the time it was said at, as CCXT has it.
fn told(raw: &Json<'_>, time: Option<&str>) -> Raw {
    let said = match Value::of(raw) {
        Value::Object(said) => said,
        _ => Fields::new(),
    };
    let said = said.with_some("ts", time.map(|digits| Value::Digits(digits.to_owned()))).json();
    json::parse(&said).as_ref().map(Raw::of).unwrap_or_default()
}

pub(super) fn address(answer: &Json<'_>, code: &str) -> DepositAddress {
    let raw = object(answer.get("data"));
    let currency = currency(raw, &["coin"]).unwrap_or_else(|| code.to_owned());
    DepositAddress {
        info: Raw::of(raw),
        network: raw.text_of(&["chain"]).map(|id| networks::name(id, &currency)),
        currency: Some(currency),
        address: raw.string_of(&["address"]),
        tag: raw.string_of(&["tag"]),
    }
}

pub(super) fn leverage(answer: &Json<'_>, market: &Market) -> Leverage {
    let raw = object(answer.get("data"));
    let crossed = raw.get("marginMode").text() == Some("crossed");
    let number =
        |own: &str| -> Option<Number> { raw.number_of(&[if crossed { "crossedMarginLeverage" } else { own }]) };
    Leverage {
        info: Raw::of(raw),
        symbol: Some(market.symbol.clone()),
        margin_mode: Some(if crossed { "cross" } else { "isolated" }.to_owned()),
        long_leverage: number("isolatedLongLever"),
        short_leverage: number("isolatedShortLever"),
    }
}

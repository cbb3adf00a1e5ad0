//! Lists of orders and trades in answers.

use super::Dialect;
use crate::json::{self, Access as _, Json};
use crate::query::Page;
use crate::unified::{Order, Trade};
use crate::{Context, Dialect as _, Fields, Value};

/// The orders of an answer, oldest first; if a market was asked for, those of it only.
///
/// Of an object each member is one, told its name as its `id`, as CCXT has it.
pub(super) fn orders(data: Option<&Json<'_>>, context: Context<'_>, page: Page) -> Vec<Order> {
    let mut orders = match data {
        Some(Json::Object(members)) => {
            let of = |(name, value)| json::parse(&member(name, value).json()).map(|raw| Dialect.order(&raw, context));
            members.iter().map(|(name, value)| (name.as_ref(), value)).filter_map(of).collect()
        }
        list => list.each(|raw| Dialect.order(raw, context)),
    };
    orders.sort_by_key(|order| order.time.0);
    if let Some(market) = context.asked {
        orders.retain(|order| order.symbol.as_ref() == Some(&market.symbol));
    }
    page.of(orders, |order| order.time.0)
}

/// The orders that an answer says were done, by either name of their list.
pub(super) fn done<'v>(answer: &'v Json<'v>) -> Option<&'v Json<'v>> {
    let data = answer.get("data");
    ["resultList", "successList", "list"]
        .into_iter()
        .find_map(|name| data.get(name).filter(|list| list.list().is_some()))
}

/// A member of an object as an object of its own: elements by their places, letters by theirs.
fn member(name: &str, value: &Json<'_>) -> Fields {
    let mut fields = Fields::new().with("id", name);
    match Value::of(value) {
        Value::Object(members) => fields.and(members),
        Value::List(elements) => {
            elements.into_iter().enumerate().for_each(|(place, element)| fields.set(&place.to_string(), element));
            fields
        }
        Value::Text(text) => {
            text.chars().enumerate().for_each(|(place, letter)| fields.set(&place.to_string(), letter.to_string()));
            fields
        }
        Value::Null | Value::Flag(_) | Value::Digits(_) => fields,
    }
}

/// The trades of an answer, oldest first; if a market was asked for, those of it only.
pub(super) fn trades(data: Option<&Json<'_>>, context: Context<'_>, page: Page) -> Vec<Trade> {
    let mut trades = each_value(data, |raw| Dialect.trade(raw, context));
    trades.sort_by(|left, right| left.time.0.cmp(&right.time.0).then_with(|| left.id.cmp(&right.id)));
    if let Some(market) = context.asked {
        trades.retain(|trade| trade.symbol.as_ref() == Some(&market.symbol));
    }
    page.of(trades, |trade| trade.time.0)
}

/// What becomes of each element of a list, or of each member of an object.
pub(super) fn each_value<T>(data: Option<&Json<'_>>, mut one: impl FnMut(&Json<'_>) -> T) -> Vec<T> {
    match data {
        Some(Json::Object(members)) => members.iter().map(|(_, value)| one(value)).collect(),
        list => list.each(one),
    }
}

//! What scripts know of exchanges without asking one.

use orrery_venues::{ErrorClass, Number, Venue};
use rquickjs::{Array, Result, Value};
use serde_json::{Map, json};

use super::{Given, json};

/// Methods of CCXT that `has` of an exchange does not name.
const MORE: [&str; 22] = [
    "createLimitBuyOrder",
    "createLimitSellOrder",
    "createMarketBuyOrder",
    "createMarketSellOrder",
    "createLimitOrder",
    "createMarketOrder",
    "fetchFreeBalance",
    "fetchUsedBalance",
    "fetchTotalBalance",
    "fetchTradingLimits",
    "cancelOrderWithClientOrderId",
    "fetchOrderWithClientOrderId",
    "editLimitOrder",
    "editLimitBuyOrder",
    "editLimitSellOrder",
    "unWatchTicker",
    "unWatchTrades",
    "unWatchOrderBook",
    "unWatchOHLCV",
    "watchTicker",
    "watchOrderBook",
    "signIn",
];
/// The exchange that is simulated.
const PAPER: &str = "paper";

/// `classes()`: CCXT's classes of errors with their parents, parents first.
pub(super) fn classes<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let classes: Vec<_> =
        ErrorClass::ALL.iter().map(|class| [class.name(), class.parent().map_or("Error", ErrorClass::name)]).collect();
    json::parsed(given, &json!(classes).to_string())
}

/// `venues()`: the names of exchanges.
pub(super) fn venues<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let ids: Vec<_> = Venue::ALL.iter().map(|venue| venue.id()).chain([PAPER]).collect();
    json::parsed(given, &json!(ids).to_string())
}

/// `venue(id)`: its name, what it has, its lengths of candles.
pub(super) fn venue<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let id = given.text(0)?;
    let venue = id.parse::<Venue>();
    // what the simulated one has, the real one behind it has too; it has no description of its own
    let description = venue.as_ref().unwrap_or(&Venue::Bybit).description();
    let has: Map<_, _> =
        description.methods().map(|method| (method.to_owned(), description.has(method).into())).collect();
    let name = if venue.is_ok() { description.name.as_str() } else { "Paper" };
    let described = json!({ "name": name, "has": has, "timeframes": description.timeframes });
    json::parsed(given, &described.to_string())
}

/// `marketNames(id)`: symbols and ids by turns, of the markets that were kept.
pub(super) fn market_names<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let table = given.around.state.table(given.id(0));
    let array = Array::new(given.ctx.clone())?;
    for (place, name) in table.iter().flat_map(|table| table.names()).enumerate() {
        array.set(place, name)?;
    }
    Ok(array.into_value())
}

/// `market(id, place)`: one of them; `undefined` when they are not kept any more.
pub(super) fn market<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let table = given.around.state.table(given.id(0));
    let row = table.as_ref().and_then(|table| table.row(usize::try_from(given.id(1)).ok()?));
    row.map_or_else(|| given.undefined(), |row| json::parsed(given, row))
}

/// `isMethod(name)`
pub(super) fn is_method<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let name = given.text(0)?;
    given.give(is_known(&name))
}

fn is_known(name: &str) -> bool {
    let verb = name.find(|c: char| c.is_ascii_uppercase()).and_then(|end| name.get(..end));
    // `has` names kinds of markets beside methods
    let is_verb = verb.is_some_and(|verb| !matches!(verb, "" | "public" | "private"));
    let described = || Venue::ALL.iter().any(|venue| venue.description().methods().any(|method| method == name));
    MORE.contains(&name) || matches!(name, "transfer" | "withdraw") || is_verb && described()
}

/// `toStep(digits, step, up to nearest?)`: a number on the market's grid, as digits; `undefined` if that cannot be.
pub(super) fn to_step<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let (number, step) = (Number::parse(&given.text(0)?), Number::parse(&given.text(1)?));
    let (Some(number), Some(step)) = (number, step) else { return given.undefined() };
    let on_grid = if given.flag(2) { number.round_to(step) } else { number.cut_to(step) };
    match on_grid {
        Some(number) => given.give(number.to_string()),
        None => given.undefined(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_those_of_the_exchanges() {
        for name in ["fetchTicker", "createOrder", "createMarketBuyOrder", "watchTrades", "setLeverage", "transfer"] {
            assert!(is_known(name), "{name}");
        }
        for name in ["then", "toJSON", "spot", "publicAPI", "CORS", "fetchFortune", ""] {
            assert!(!is_known(name), "{name}");
        }
    }
}

//! Orders against the bounds of their markets, before anything is sent.

use crate::exchange::{NewOrder, Result};
use crate::unified::{Market, MarketKind, Range, Side};
use crate::{ErrorClass, Number, Value, Venue, VenueError};

/// Parameters that say what a market order is to cost: CCXT's, and exchanges' own.
const COSTS: [&str; 3] = ["cost", "quoteOrderQty", "funds"];
/// Values of the parameters `tgtCcy` (OKX) and `marketUnit` (Bybit) that make an amount a cost.
const IN_QUOTE: [&str; 2] = ["quote_ccy", "quoteCoin"];

/// Whether an order keeps to what its market says, as far as the market says it and the order gives numbers.
///
/// Errors: [`ErrorClass::InvalidOrder`], naming the number and the bound.
pub(crate) fn check(venue: Venue, market: &Market, order: &NewOrder) -> Result<()> {
    let limits = &market.limits;
    let within = |name: &str, number: Option<Number>, range: Range| {
        let fault = number.and_then(|number| fault(name, number, range));
        let refused = |fault| VenueError::new(ErrorClass::InvalidOrder, &format!("{venue} {} {fault}", market.symbol));
        fault.map_or(Ok(()), |fault| Err(refused(fault)))
    };
    let at_market = order.order_type.eq_ignore_ascii_case("market");
    let paid = by_cost(market, order, at_market);
    let whole_position = order.params.flag("closePosition");
    let amount = order.amount.filter(|_| paid.is_none() && !whole_position);
    let price = order.price.filter(|_| !at_market);
    within("amount", amount, limits.amount)?;
    if let Some(range) = limits.market.filter(|_| at_market) {
        within("amount of a market order", amount, range)?;
    }
    within("price", price, limits.price)?;
    // what is left of a position may be worth less than an order that makes one
    let reduces = order.params.flag("reduceOnly");
    let range = Range { min: limits.cost.min.filter(|_| !reduces), ..limits.cost };
    within("cost", paid.or_else(|| cost(market, amount?, price?)), range)
}

/// What a market order is to cost, if it is made by its cost.
fn by_cost(market: &Market, order: &NewOrder, at_market: bool) -> Option<Number> {
    let params = &order.params;
    let buys = market.kind == MarketKind::Spot && order.side == Side::Buy;
    let unpriced = params.get("createMarketBuyOrderRequiresPrice") == Some(&Value::Flag(false));
    let in_quote = params.text(&["tgtCcy", "marketUnit"]).is_some_and(|unit| IN_QUOTE.contains(&unit));
    match params.number(&COSTS) {
        _ if !at_market => None,
        Some(paid) => Some(paid),
        None if in_quote || (buys && unpriced) => order.amount,
        None if buys => order.amount?.times(order.price?),
        None => None,
    }
}

/// Price times amount; contracts that are settled in their base currency have none in the quote currency.
fn cost(market: &Market, amount: Number, price: Number) -> Option<Number> {
    match market.linear {
        Some(false) => None,
        _ => amount.times(price)?.times(market.contract_size.unwrap_or(1.into())),
    }
}

/// What is wrong with a number. A bound of zero is how exchanges say that there is none.
fn fault(name: &str, number: Number, range: Range) -> Option<String> {
    let (least, most) = (range.min.and_then(Number::nonzero), range.max.and_then(Number::nonzero));
    if let Some(least) = least.filter(|least| number < *least) {
        return Some(format!("{name} {number} is less than the least, {least}"));
    }
    let most = most.filter(|most| number > *most)?;
    Some(format!("{name} {number} is more than the most, {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tests::nowhere;
    use crate::unified::Markets;
    use crate::{Fields, json};

    /// BTC/USDT of Binance: 0.00001 to 9000 in BTC, from 5 USDT on, at market up to 100.
    fn market() -> Market {
        let raw = r#"{"symbols":[{"symbol":"BTCUSDT","baseAsset":"BTC","quoteAsset":"USDT","filters":[
            {"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000","tickSize":"0.01"},
            {"filterType":"LOT_SIZE","minQty":"0.00001","maxQty":"9000","stepSize":"0.00001"},
            {"filterType":"MARKET_LOT_SIZE","minQty":"0","maxQty":"100","stepSize":"0"},
            {"filterType":"NOTIONAL","minNotional":"5","maxNotional":"9000000"}]}]}"#;
        Venue::Binance.dialect().markets("", &json::parse(raw).unwrap()).remove(0)
    }

    fn order(order_type: &str, amount: &str, price: &str) -> NewOrder {
        NewOrder {
            symbol: "BTC/USDT".to_owned(),
            order_type: order_type.to_owned(),
            side: Side::Buy,
            amount: Number::parse(amount),
            price: Number::parse(price),
            params: Fields::new(),
        }
    }

    fn with(params: Fields, order: NewOrder) -> NewOrder {
        NewOrder { params, ..order }
    }

    #[test]
    fn what_is_beyond_a_bound_is_refused_by_name() {
        let cases = [
            (order("limit", "0.000001", "35000"), "amount 0.000001 is less than the least, 0.00001"),
            (order("limit", "9001", "35000"), "amount 9001 is more than the most, 9000"),
            (order("limit", "1", "0.001"), "price 0.001 is less than the least, 0.01"),
            (order("limit", "1", "2000000"), "price 2000000 is more than the most, 1000000"),
            (order("limit", "0.0001", "35000"), "cost 3.5 is less than the least, 5"),
            (order("limit", "8000", "35000"), "cost 280000000 is more than the most, 9000000"),
            (order("market", "101", ""), "amount of a market order 101 is more than the most, 100"),
            (order("market", "0.0001", "35000"), "cost 3.5 is less than the least, 5"),
            (with(Fields::new().with("cost", 4), order("market", "0", "")), "cost 4 is less than the least, 5"),
        ];
        for (order, message) in cases {
            let error = check(Venue::Binance, &market(), &order).unwrap_err();
            assert_eq!(error.class(), ErrorClass::InvalidOrder);
            assert!(error.to_string().contains(&format!("binance BTC/USDT {message}")), "{error}");
        }
    }

    #[tokio::test]
    async fn nothing_is_sent_of_orders_of_which_one_is_beyond() {
        let exchange = || {
            let exchange = nowhere(Venue::Binance, "key", "secret");
            exchange.set_markets(Markets::new(vec![market()]));
            exchange
        };
        let (good, bad) = (order("limit", "1", "35000"), order("limit", "1", "2000000"));
        let class = |made: Result<crate::unified::Order>| made.unwrap_err().class();
        assert_eq!(class(exchange().create_order(&good).await), ErrorClass::NetworkError);
        assert_eq!(class(exchange().create_order(&bad).await), ErrorClass::InvalidOrder);
        assert_eq!(class(exchange().edit_order("1", &bad).await), ErrorClass::InvalidOrder);
        assert_eq!(class(exchange().unbounded().create_order(&bad).await), ErrorClass::NetworkError);
        let several = exchange().create_orders(vec![good, bad], Fields::new()).await;
        assert_eq!(several.unwrap_err().class(), ErrorClass::InvalidOrder);
    }

    #[test]
    fn what_is_not_given_or_not_bounded_passes() {
        let unpriced = Fields::new().with("createMarketBuyOrderRequiresPrice", false);
        let orders = [
            order("limit", "0.001", "35000"),
            order("limit", "", "35000"),
            order("limit", "0.00001", ""),
            order("market", "0.00001", ""),
            with(Fields::new().with("cost", 50), order("market", "0", "")),
            with(unpriced, order("market", "200", "")),
            with(Fields::new().with("tgtCcy", "quote_ccy"), order("market", "200", "")),
            with(Fields::new().with("reduceOnly", true), order("limit", "0.0001", "35000")),
            with(Fields::new().with("closePosition", true), order("market", "0", "")),
        ];
        for order in orders {
            check(Venue::Binance, &market(), &order).unwrap();
        }
        let unbounded = Market { limits: crate::unified::Limits::default(), ..market() };
        check(Venue::Binance, &unbounded, &order("limit", "0.0000000001", "0.0000001")).unwrap();
        let in_coins = Market { linear: Some(false), ..market() };
        check(Venue::Binance, &in_coins, &order("limit", "0.0001", "35000")).unwrap();
    }
}

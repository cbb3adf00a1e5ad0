//! Trading (contract of the client, "Beyond the seed"): accounts at exchanges by their names, answers in CCXT's
//! structures, refusals that begin with CCXT's class.

use std::sync::Arc;

use http::StatusCode;
use orrery_app::venues::Failure;
use orrery_crypto::json::JsValue;
use orrery_kernel::{Error, ErrorCode, Result};
use orrery_venues::unified::Side;
use orrery_venues::{Desk, ErrorClass, Fields, NewOrder, Number, VenueError, json as venue_json};
use orrery_wallets::Account;
use serde_json::{Value, json};

use crate::call::Call;
use crate::reply::Reply;

/// Orders, trades or levels of one answer.
const LIMIT_MAX: u32 = 1_000;
/// Of orders and trades, where the client does not say.
const LIMIT: u32 = 100;
/// Bytes of further parameters, as JSON.
const PARAMS_BYTES_MAX: usize = 16_384;
/// Characters of a client's name of an order.
const NAME_MAX: usize = 64;

/// Why a method failed.
enum Failed {
    /// The account or its exchange.
    Venue(Failure),
    /// Anything before that.
    Ours(Error),
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self::Venue(failure)
    }
}

impl From<VenueError> for Failed {
    fn from(error: VenueError) -> Self {
        Self::Venue(error.into())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

type Answer = std::result::Result<Value, Failed>;

fn wrong(class: ErrorClass, text: &str) -> Failed {
    VenueError::new(class, text).into()
}

/// Is it one of these methods?
pub(crate) fn is_one(method: &str) -> bool {
    let all = ["createOrder", "getOrder", "cancelOrder", "listOrders", "listTrades", "getOrderBook", "getTicker"];
    all.contains(&method) || method == "getBalance"
}

pub(super) async fn answer(method: &str, call: &Call<'_>) -> Result<Reply> {
    let result = match method {
        "createOrder" => create(call).await,
        "getOrder" => get(call).await,
        "cancelOrder" => cancel(call).await,
        "listOrders" => orders(call).await,
        "listTrades" => trades(call).await,
        "getOrderBook" => book(call).await,
        "getTicker" => ticker(call).await,
        _ => balance(call).await,
    };
    match result {
        Ok(data) => Ok(Reply::ok(json!({ "webfix": "1.0", "success": true, "data": data }))),
        Err(Failed::Venue(unknown @ Failure::Unknown { .. })) => Ok(open_outcome(&unknown)),
        Err(Failed::Venue(failure)) => Err(Error::new(code(failure.class()), failure.to_string())),
        Err(Failed::Ours(error)) => Err(named(error)),
    }
}

/// The order's name comes along, for the client to ask by.
fn open_outcome(failure: &Failure) -> Reply {
    let mut body = json!({ "webfix": "1.0", "success": false, "error": failure.to_string(), "status": "unknown" });
    if let Failure::Unknown { order, .. } = failure {
        body["clientOrderId"] = order.as_str().into();
    }
    Reply { status: StatusCode::GATEWAY_TIMEOUT, body }
}

/// The status of a class. 401 is for this server's own sessions: clients take it for their end.
fn code(class: ErrorClass) -> ErrorCode {
    let of = [
        (ErrorClass::AuthenticationError, ErrorCode::Forbidden),
        (ErrorClass::InsufficientFunds, ErrorCode::InsufficientFunds),
        (ErrorClass::OrderNotFound, ErrorCode::NotFound),
        (ErrorClass::DuplicateOrderId, ErrorCode::Conflict),
        (ErrorClass::OperationRejected, ErrorCode::Conflict),
        (ErrorClass::RateLimitExceeded, ErrorCode::RateLimited),
        (ErrorClass::DDoSProtection, ErrorCode::RateLimited),
        (ErrorClass::ExchangeNotAvailable, ErrorCode::Unavailable),
        (ErrorClass::RequestTimeout, ErrorCode::Timeout),
        (ErrorClass::ExchangeError, ErrorCode::Invalid),
    ];
    of.into_iter().find(|(of, _)| class.is_a(*of)).map_or(ErrorCode::Upstream, |(_, code)| code)
}

/// An error of this server with the class that fits, as callers of these methods look for one.
fn named(error: Error) -> Error {
    let class = match error.code {
        ErrorCode::UnauthenticatedMissing
        | ErrorCode::UnauthenticatedInvalid
        | ErrorCode::UnauthenticatedExpired
        | ErrorCode::BadCredentials => ErrorClass::AuthenticationError,
        ErrorCode::Forbidden => ErrorClass::PermissionDenied,
        ErrorCode::RateLimited => ErrorClass::RateLimitExceeded,
        ErrorCode::Timeout => ErrorClass::RequestTimeout,
        ErrorCode::Unavailable => ErrorClass::ExchangeNotAvailable,
        ErrorCode::Internal | ErrorCode::Upstream => ErrorClass::ExchangeError,
        _ => ErrorClass::BadRequest,
    };
    Error { public: format!("{class}: {}", error.public).into(), ..error }
}

impl Call<'_> {
    /// The account that is named, for its owner, or for who may look at it.
    async fn account(&self, to_trade: bool) -> std::result::Result<Account, Failed> {
        let session = self.session().await?;
        self.shared.tiers.trade(&session, self.ctx.now).await?;
        let (nid, owner) = (self.text("nid")?, self.maybe_text("address")?);
        let view = self.shared.app.wallets.account(&session, owner, nid).await?;
        if to_trade && !view.own {
            return Err(Error::new(ErrorCode::Forbidden, "Only the account's owner may trade with it").into());
        }
        Ok(view.account)
    }

    /// The desk that tells of a market: the account's, or nobody's at the exchange that is named.
    async fn market_desk(&self) -> std::result::Result<Arc<dyn Desk>, Failed> {
        let venues = &self.shared.app.venues;
        let exchange = self.maybe_text("exchange")?;
        match exchange.filter(|_| self.maybe_text("nid").is_ok_and(|nid| nid.is_none())) {
            Some(exchange) => {
                self.shared.tiers.market(self.ctx.address, self.ctx.now).await?;
                Ok(venues.public(exchange).await?)
            }
            None => Ok(venues.desk(&self.account(false).await?).await?),
        }
    }

    fn needed(&self, field: &'static str) -> std::result::Result<&str, Failed> {
        let missing = || wrong(ErrorClass::ArgumentsRequired, &format!("{field} is missing"));
        self.maybe_text(field)?.filter(|text| !text.is_empty()).ok_or_else(missing)
    }

    fn some(&self, field: &'static str) -> std::result::Result<Option<&str>, Failed> {
        Ok(self.maybe_text(field)?.filter(|text| !text.is_empty()))
    }

    /// A number, or a text of one: exact where the client sent a text.
    fn digits(&self, field: &'static str) -> std::result::Result<Option<Number>, Failed> {
        let value = self.body.get(field).filter(|value| **value != JsValue::Null);
        let Some(value) = value else { return Ok(None) };
        let text = value.as_str().map(str::to_owned).or_else(|| value.to_json());
        let number = text.as_deref().and_then(Number::parse);
        number.map(Some).ok_or_else(|| wrong(ErrorClass::BadRequest, &format!("{field} is no number")))
    }

    fn limit(&self, otherwise: u32) -> std::result::Result<u32, Failed> {
        Ok(self.number("limit", otherwise, LIMIT_MAX)?.max(1))
    }

    fn since(&self) -> std::result::Result<Option<i64>, Failed> {
        let value = self.body.get("since").filter(|value| **value != JsValue::Null);
        let bad = || wrong(ErrorClass::BadRequest, "since is no time in milliseconds");
        value.map(|value| value.as_i64().ok_or_else(bad)).transpose()
    }

    /// CCXT's further parameters, as JSON text.
    fn params_text(&self) -> std::result::Result<String, Failed> {
        match self.body.get("params") {
            None | Some(JsValue::Null) => Ok("{}".to_owned()),
            Some(params @ JsValue::Object(_)) => {
                let text = params.to_json().unwrap_or_default();
                let long = || wrong(ErrorClass::BadRequest, "params are longer than 16 KiB");
                (text.len() <= PARAMS_BYTES_MAX).then_some(text).ok_or_else(long)
            }
            Some(_) => Err(wrong(ErrorClass::BadRequest, "params has to be an object")),
        }
    }

    fn params_value(&self) -> std::result::Result<Value, Failed> {
        Ok(serde_json::from_str(&self.params_text()?).unwrap_or_else(|_| json!({})))
    }

    fn params_fields(&self) -> std::result::Result<Fields, Failed> {
        let text = self.params_text()?;
        match venue_json::parse(&text).as_ref().map(orrery_venues::Value::of) {
            Some(orrery_venues::Value::Object(fields)) => Ok(fields),
            _ => Ok(Fields::new()),
        }
    }

    /// The exchange's name of an order.
    fn order_id(&self) -> std::result::Result<Option<&str>, Failed> {
        Ok(self.some("id")?.or(self.some("orderId")?))
    }

    /// The client's name of an order.
    fn client_order_id(&self) -> std::result::Result<Option<&str>, Failed> {
        let Some(name) = self.some("clientOrderId")? else { return Ok(None) };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b);
        let good = name.len() <= NAME_MAX && name.bytes().all(plain);
        let bad = || wrong(ErrorClass::BadRequest, "clientOrderId has to be 1 to 64 letters, digits and -_.:/");
        good.then_some(Some(name)).ok_or_else(bad)
    }
}

async fn create(call: &Call<'_>) -> Answer {
    let account = call.account(true).await?;
    let side = Side::parse(call.needed("side")?);
    let mut params = call.params_fields()?;
    if let Some(name) = call.client_order_id()? {
        params.set("clientOrderId", name);
    }
    let order = NewOrder {
        symbol: call.needed("symbol")?.to_owned(),
        order_type: call.needed("type")?.to_ascii_lowercase(),
        side: side.ok_or_else(|| wrong(ErrorClass::InvalidOrder, "side has to be buy or sell"))?,
        amount: call.digits("amount")?,
        price: call.digits("price")?,
        params,
    };
    Ok(call.shared.app.venues.place(&account, order).await?)
}

async fn get(call: &Call<'_>) -> Answer {
    let account = call.account(false).await?;
    let (id, name) = (call.order_id()?, call.client_order_id()?);
    let symbol = call.some("symbol")?.unwrap_or_default();
    Ok(call.shared.app.venues.order(&account, id, name, symbol).await?)
}

async fn cancel(call: &Call<'_>) -> Answer {
    let account = call.account(true).await?;
    let (id, name) = (call.order_id()?, call.client_order_id()?);
    let params = call.params_value()?;
    Ok(call.shared.app.venues.cancel(&account, id, name, call.some("symbol")?, params).await?)
}

/// The newest last, as CCXT sorts them.
async fn orders(call: &Call<'_>) -> Answer {
    let account = call.account(false).await?;
    let (symbol, since, limit) = (call.some("symbol")?, call.since()?, call.limit(LIMIT)?);
    let arguments = json!([symbol, since, limit, call.params_value()?]);
    let methods: &[&str] = match (call.some("status")?, symbol) {
        (Some("open"), _) | (None, None) => &["fetchOpenOrders"],
        (Some("closed"), _) => &["fetchClosedOrders"],
        (Some("canceled" | "cancelled"), _) => &["fetchCanceledOrders"],
        (Some("all"), _) | (None, Some(_)) => &["fetchOrders", "fetchOpenOrders", "fetchClosedOrders"],
        (Some(_), _) => return Err(wrong(ErrorClass::BadRequest, "status has to be open, closed, canceled or all")),
    };
    let venues = &call.shared.app.venues;
    let desk = venues.desk(&account).await?;
    let mut found = Vec::new();
    for (place, method) in methods.iter().enumerate() {
        match venues.read(&*desk, method, &arguments).await {
            Ok(Value::Array(orders)) => found.extend(orders),
            Ok(_) => {}
            // where all of them cannot be asked for at once, the parts are
            Err(error) if place + 1 < methods.len() && error.class() == ErrorClass::NotSupported => continue,
            Err(error) => return Err(error.into()),
        }
        if *method == "fetchOrders" {
            break;
        }
    }
    let time = |order: &Value| order.get("timestamp").and_then(Value::as_i64);
    found.sort_by_key(time);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    found.drain(..found.len().saturating_sub(limit));
    Ok(json!({ "total": found.len(), "orders": found }))
}

async fn trades(call: &Call<'_>) -> Answer {
    let account = call.account(false).await?;
    let arguments = json!([call.some("symbol")?, call.since()?, call.limit(LIMIT)?, call.params_value()?]);
    let venues = &call.shared.app.venues;
    let desk = venues.desk(&account).await?;
    let found = venues.read(&*desk, "fetchMyTrades", &arguments).await?;
    Ok(json!({ "total": found.as_array().map_or(0, Vec::len), "trades": found }))
}

async fn book(call: &Call<'_>) -> Answer {
    let symbol = call.needed("symbol")?;
    let asked = call.body.get("limit").is_some();
    let limit = call.limit(LIMIT)?;
    let desk = call.market_desk().await?;
    // exchanges take only some depths, so what was not asked for is left to them and cut
    let arguments = json!([symbol, asked.then_some(limit)]);
    let mut book = call.shared.app.venues.read(&*desk, "fetchOrderBook", &arguments).await?;
    for side in ["bids", "asks"] {
        if let Some(levels) = book.get_mut(side).and_then(Value::as_array_mut) {
            levels.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
    }
    Ok(book)
}

async fn ticker(call: &Call<'_>) -> Answer {
    let symbol = call.needed("symbol")?;
    let desk = call.market_desk().await?;
    Ok(call.shared.app.venues.read(&*desk, "fetchTicker", &json!([symbol])).await?)
}

async fn balance(call: &Call<'_>) -> Answer {
    let account = call.account(false).await?;
    let venues = &call.shared.app.venues;
    let desk = venues.desk(&account).await?;
    let found = venues.read(&*desk, "fetchBalance", &json!([call.params_value()?])).await?;
    let column = |name: &str| found.get(name).and_then(Value::as_object);
    let of = |name: &str, currency: &str| {
        column(name).and_then(|column| column.get(currency)).filter(|n| !n.is_null()).cloned().unwrap_or(0.into())
    };
    let currencies = column("total").into_iter().flatten().map(|(currency, _)| currency);
    let balances: serde_json::Map<String, Value> = currencies
        .map(|currency| {
            let one =
                json!({ "free": of("free", currency), "used": of("used", currency), "total": of("total", currency) });
            (currency.clone(), one)
        })
        .collect();
    let said = |name: &str| found.get(name).filter(|value| !value.is_null()).cloned();
    Ok(json!({
        "balances": balances,
        "timestamp": said("timestamp").unwrap_or_else(|| call.ctx.now.millis().into()),
        "datetime": said("datetime").unwrap_or_else(|| call.ctx.now.iso().into()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_of_an_exchange_sounds_like_the_end_of_a_session() {
        for class in ErrorClass::ALL {
            assert!(!matches!(code(*class), ErrorCode::UnauthenticatedMissing | ErrorCode::UnauthenticatedInvalid));
        }
        assert_eq!(code(ErrorClass::AccountNotEnabled), ErrorCode::Forbidden);
        assert_eq!(code(ErrorClass::OnMaintenance), ErrorCode::Unavailable);
        assert_eq!(code(ErrorClass::BadSymbol), ErrorCode::Invalid);
        assert_eq!(code(ErrorClass::BadResponse), ErrorCode::Upstream);
    }
}

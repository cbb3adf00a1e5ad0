//! An account at the exchange `paper`, by CCXT's names of methods.

use std::sync::Arc;

use async_trait::async_trait;
use orrery_venues::json::Json;
use orrery_venues::paper::Which;
use orrery_venues::unified::{Order, TradingFee};
use orrery_venues::{Arguments, Desk, ErrorClass, Found, NewOrder, Outcome, Permit, as_script, by_symbol, withheld};
use serde_json::{Map, Value, json};

use super::place::NAMES;
use super::room::Fail;
use super::{PaperExchange, Result, error};

/// Every method there is.
const METHODS: [&str; 29] = [
    "cancelAllOrders",
    "cancelOrder",
    "createLimitBuyOrder",
    "createLimitOrder",
    "createLimitSellOrder",
    "createMarketBuyOrder",
    "createMarketBuyOrderWithCost",
    "createMarketOrder",
    "createMarketOrderWithCost",
    "createMarketSellOrder",
    "createMarketSellOrderWithCost",
    "createOrder",
    "fetchBalance",
    "fetchCanceledOrders",
    "fetchClosedOrders",
    "fetchMarkets",
    "fetchMyTrades",
    "fetchOHLCV",
    "fetchOpenOrders",
    "fetchOrder",
    "fetchOrderBook",
    "fetchOrderTrades",
    "fetchOrders",
    "fetchStatus",
    "fetchTicker",
    "fetchTickers",
    "fetchTime",
    "fetchTrades",
    "fetchTradingFee",
];

/// One account; cheap to make.
pub(super) struct PaperDesk {
    pub exchange: Arc<PaperExchange>,
    /// As the journal knows it.
    pub account: String,
    /// What changes something is done only while it holds.
    pub permit: Permit,
}

impl PaperDesk {
    /// A name for an order that has none.
    fn name(&self, order: &NewOrder) -> String {
        order.params.text(&NAMES).map(str::to_owned).unwrap_or_else(|| {
            let mut bytes = [0; 12];
            self.exchange.ports.entropy.fill(&mut bytes);
            hex::encode(bytes)
        })
    }

    async fn create(&self, name: &str, order: &NewOrder) -> Result<Order, Fail> {
        let made = self.exchange.place(&self.account, name, order, &self.permit).await?;
        let stand = self.exchange.stand(&order.symbol)?;
        self.exchange.whole(stand, &made).await.map_err(Fail::Unknown)
    }

    fn markets(&self) -> impl Iterator<Item = orrery_venues::unified::Market> {
        self.exchange.stands.iter().map(|stand| stand.market.unified(self.exchange.settings.fees))
    }

    fn trading_fee(&self, symbol: &str) -> Result<TradingFee> {
        let market = self.exchange.stand(symbol)?.market.unified(self.exchange.settings.fees);
        Ok(TradingFee {
            info: market.info,
            symbol: Some(market.symbol),
            maker: market.maker,
            taker: market.taker,
            percentage: market.fee_rules.percentage,
            tier_based: market.fee_rules.tier_based,
        })
    }

    async fn orders(&self, a: &Arguments<'_, '_>, which: Which) -> Result<Value> {
        as_script(&self.exchange.orders(&self.account, a.text(0), which, a.page(1)).await?)
    }

    /// What is nobody's.
    async fn public(&self, a: &Arguments<'_, '_>, method: &str) -> Result<Option<Value>> {
        let exchange = &self.exchange;
        let now = exchange.ports.clock.now().millis();
        let found = match method {
            "fetchTime" => json!(now),
            "fetchStatus" => json!({ "status": "ok", "updated": now, "eta": null, "url": null, "info": {} }),
            "has" => Value::Object(METHODS.iter().map(|method| ((*method).to_owned(), json!(true))).collect()),
            "fetchMarkets" => as_script(&self.markets().collect::<Vec<_>>())?,
            "loadMarkets" => {
                let one = |market: orrery_venues::unified::Market| Ok((market.symbol.clone(), as_script(&market)?));
                Value::Object(self.markets().map(one).collect::<Result<Map<_, _>>>()?)
            }
            "fetchTicker" => as_script(&exchange.ticker(a.needed(0, "symbol")?).await?)?,
            "fetchTickers" => by_symbol(&exchange.tickers(a.texts(0).as_deref()).await?)?,
            "fetchOrderBook" => as_script(&exchange.book(a.needed(0, "symbol")?, a.whole(1)).await?)?,
            "fetchTrades" => as_script(&exchange.trades(a.needed(0, "symbol")?, a.page(1)).await?)?,
            "fetchOHLCV" => {
                let timeframe = a.text(1).unwrap_or("1m");
                as_script(&exchange.candles(a.needed(0, "symbol")?, timeframe, a.page(2))?)?
            }
            "fetchTradingFee" => as_script(&self.trading_fee(a.needed(0, "symbol")?)?)?,
            _ => return Ok(None),
        };
        Ok(Some(found))
    }

    /// What is the account's.
    async fn own(&self, a: &Arguments<'_, '_>, method: &str) -> Result<Value> {
        let exchange = &self.exchange;
        if method.starts_with("cancel") && !self.permit.holds() {
            return Err(withheld(self.id()));
        }
        match method {
            "fetchBalance" => as_script(&exchange.balance(&self.account).await?),
            "cancelOrder" => {
                let (stand, order) = exchange.cancel(&self.account, a.needed(0, "id")?).await.map_err(Fail::error)?;
                as_script(&exchange.whole(stand, &order).await?)
            }
            "cancelAllOrders" => {
                let all = exchange.cancel_all(&self.account, a.text(0)).await.map_err(Fail::error)?;
                let shown = all.iter().map(|(stand, order)| orrery_venues::paper::order(&stand.market, order, &[]));
                as_script(&shown.collect::<Vec<_>>())
            }
            "fetchOrder" => as_script(&self.order(a).await?),
            "fetchOrderTrades" => as_script(&self.order(a).await?.trades),
            "fetchOrders" => self.orders(a, Which::All).await,
            "fetchOpenOrders" => self.orders(a, Which::Live).await,
            "fetchClosedOrders" => self.orders(a, Which::Closed).await,
            "fetchCanceledOrders" => self.orders(a, Which::Canceled).await,
            "fetchMyTrades" => as_script(&exchange.my_trades(&self.account, a.text(0), a.page(1)).await?),
            _ => Err(error(ErrorClass::NotSupported, &format!("does not support {method}()"))),
        }
    }

    /// The order that is asked for by the exchange's name of it or by the account's.
    async fn order(&self, a: &Arguments<'_, '_>) -> Result<Order> {
        let exchange = &self.exchange;
        let params = a.params(2);
        let (stand, order) = match params.text(&NAMES) {
            Some(name) => {
                let none = || error(ErrorClass::OrderNotFound, &format!("has no order named {name} of this account"));
                let order = exchange.named(&self.account, name).await?.ok_or_else(none)?;
                (exchange.stand(&order.symbol)?, order)
            }
            None => exchange.order(&self.account, a.needed(0, "id")?).await?,
        };
        exchange.whole(stand, &order).await
    }
}

#[async_trait]
impl Desk for PaperDesk {
    fn id(&self) -> &'static str {
        "paper"
    }

    async fn call(&self, method: &str, arguments: &[Json<'_>]) -> Result<Value> {
        let a = Arguments::new(self.id(), method, arguments);
        if let Some(order) = a.order()? {
            return as_script(&self.create(&self.name(&order), &order).await.map_err(Fail::error)?);
        }
        match self.public(&a, method).await? {
            Some(found) => Ok(found),
            None => self.own(&a, method).await,
        }
    }

    async fn submit(&self, order: NewOrder) -> (String, Outcome) {
        let name = self.name(&order);
        let outcome = match self.create(&name, &order).await {
            Ok(order) => Outcome::Accepted(order),
            Err(Fail::Refused(error)) => Outcome::Rejected(error),
            Err(fail) => Outcome::Unknown(fail.error()),
        };
        (name, outcome)
    }

    async fn find(&self, client_order_id: &str, symbol: &str) -> Result<Found> {
        let stand = self.exchange.stand(symbol)?;
        // what was left half done is finished first, and then it is known
        self.exchange.bring_up(stand).await?;
        match self.exchange.named(&self.account, client_order_id).await? {
            Some(order) if order.symbol == symbol && order.status != orrery_venues::paper::PaperStatus::Rejected => {
                Ok(Found::There(self.exchange.whole(stand, &order).await?))
            }
            _ => Ok(Found::Nowhere),
        }
    }

    fn under(&self, permit: Permit) -> Arc<dyn Desk> {
        Arc::new(Self { exchange: self.exchange.clone(), account: self.account.clone(), permit })
    }
}

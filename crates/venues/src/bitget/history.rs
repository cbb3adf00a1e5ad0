//! Lists of the account's orders and trades: "Get Unfilled Orders", "Get History Orders", "Get Fills", and those of
//! margin, plan and contract orders.

use super::part;
use crate::exchange::{Result, required};
use crate::query::{Page, Query};
use crate::unified::Market;
use crate::{Fields, Venue};

/// How far back orders with borrowed money are asked for if nothing is said, in milliseconds.
const SPAN: i64 = 90 * 86_400_000;

/// What is asked, and where in the answer's `data` the list stands.
pub(super) struct List {
    pub path: &'static str,
    pub fields: Fields,
    pub page: Page,
    pub member: Option<&'static str>,
    /// Whether what is no list is none, and not the orders by their names.
    pub strict: bool,
}

/// What every list is asked with.
struct Asked {
    fields: Fields,
    params: Fields,
    kind: String,
    mode: Option<String>,
    trigger: bool,
    trailing: bool,
    page: Page,
}

impl Asked {
    fn of(q: &Query<'_>, market: Option<&Market>) -> Self {
        let (mode, params) = part::margin_mode(q.params.clone());
        let (kind, params) = part::kind(market, params);
        let (trigger, params) = part::trigger(params);
        let trailing = params.flag("trailing");
        let fields = Fields::new().with_some("symbol", market.map(|market| market.id.as_str()));
        let (fields, params) = part::until(fields, params.without(&["trailing"]));
        let fields = fields.with_some("startTime", q.page.since).with_some("limit", q.page.limit);
        Self { fields, params, kind, mode, trigger, trailing, page: q.page }
    }

    fn spot(&self) -> bool {
        self.kind == "spot"
    }

    /// Lists of contracts' orders and of those with borrowed money can be of one order.
    fn with_client(mut self) -> Self {
        if !self.spot() || self.mode.is_some() {
            let (client, params) = part::client_id(self.params);
            self.fields = self.fields.with_some("clientOid", client);
            self.params = params;
        }
        self
    }

    /// Lists that say nothing without a beginning.
    fn since(mut self, now: i64) -> Self {
        if self.page.since.is_none() {
            let since = now.saturating_sub(SPAN);
            self.page.since = Some(since);
            self.fields.set("startTime", since);
        }
        self
    }

    /// Which plan orders of contracts are asked for, if any are.
    fn plan(&self) -> Option<String> {
        let said = self.params.text(&["planType"]);
        match (self.trailing, self.trigger || said.is_some()) {
            (true, _) => Some(said.unwrap_or("track_plan").to_owned()),
            (false, true) => Some(said.unwrap_or("normal_plan").to_owned()),
            (false, false) => None,
        }
    }

    fn list(self, path: &'static str, member: Option<&'static str>) -> List {
        List { path, fields: self.fields.and(self.params), page: self.page, member, strict: false }
    }

    /// Of contracts' orders: the paths of plan orders and of others.
    fn of_contracts(mut self, market: Option<&Market>, plans: &'static str, others: &'static str) -> List {
        let plan = self.plan();
        let (product, params) = part::product(market, self.params);
        self.fields.set("productType", product);
        self.fields = self.fields.with_some("planType", plan.clone());
        self.params = params;
        self.list(if plan.is_some() { plans } else { others }, Some("entrustedList"))
    }
}

/// Orders that can be filled still.
pub(super) fn open(q: &Query<'_>, market: Option<&Market>) -> List {
    let asked = Asked::of(q, market).with_client();
    match asked.mode.as_deref() {
        _ if !asked.spot() => {
            asked.of_contracts(market, "v2/mix/order/orders-plan-pending", "v2/mix/order/orders-pending")
        }
        Some(mode) => {
            let path =
                if mode == "isolated" { "v2/margin/isolated/open-orders" } else { "v2/margin/crossed/open-orders" };
            asked.since(q.exchange.now()).list(path, Some("orderList"))
        }
        None if asked.trigger => asked.list("v2/spot/trade/current-plan-order", Some("orderList")),
        None => asked.list("v2/spot/trade/unfilled-orders", None),
    }
}

/// Orders that cannot be filled any more.
pub(super) fn past(q: &Query<'_>, market: Option<&Market>) -> Result<List> {
    let asked = Asked::of(q, market).with_client();
    let now = q.exchange.now();
    match asked.mode.as_deref() {
        _ if !asked.spot() => {
            Ok(asked.of_contracts(market, "v2/mix/order/orders-plan-history", "v2/mix/order/orders-history"))
        }
        Some(mode) => {
            let isolated = mode == "isolated";
            let path = if isolated { "v2/margin/isolated/history-orders" } else { "v2/margin/crossed/history-orders" };
            Ok(asked.since(now).list(path, Some("orderList")))
        }
        None if asked.trigger => {
            market.ok_or_else(|| required(Venue::Bitget, q.method, "symbol"))?;
            let mut asked = asked.since(now);
            if asked.fields.get("endTime").is_none() {
                asked.fields.set("endTime", now);
            }
            Ok(asked.list("v2/spot/trade/history-plan-order", Some("orderList")))
        }
        None => Ok(List { strict: true, ..asked.list("v2/spot/trade/history-orders", None) }),
    }
}

/// The account's trades.
pub(super) fn trades(q: &Query<'_>, market: &Market) -> List {
    let (mode, params) = part::margin_mode(q.params.clone());
    let (fields, params) = part::until(Fields::new().with("symbol", market.id.as_str()), params);
    let fields = fields.with_some("startTime", q.page.since).with_some("limit", q.page.limit);
    let list = |path, fields: Fields, params, member| List {
        path,
        fields: fields.and(params),
        page: q.page,
        member,
        strict: false,
    };
    if market.contract() {
        let (product, params) = part::product(Some(market), params);
        return list("v2/mix/order/fills", fields.with("productType", product), params, Some("fillList"));
    }
    let Some(mode) = mode else { return list("v2/spot/trade/fills", fields, params, None) };
    let path = if mode == "isolated" { "v2/margin/isolated/fills" } else { "v2/margin/crossed/fills" };
    let since = q.page.since.unwrap_or(q.exchange.now().saturating_sub(SPAN));
    list(path, fields.with("startTime", since), params, Some("fills"))
}

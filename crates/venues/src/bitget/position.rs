//! Positions: "Get All Positions", "Get Single Position", "Get Historical Position".

use super::part;
use crate::dialect::Context;
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::unified::{Market, Position, Raw, Time};
use crate::{Fields, Number};

/// What it costs to close a position, as a share of its worth.
const CLOSING_FEE: &str = "0.0006";

/// What is asked, and where in the answer's `data` the list stands.
pub(super) struct Positions {
    pub path: &'static str,
    pub fields: Fields,
    pub member: Option<&'static str>,
}

/// The positions of contracts like this one, or of those settled in USDT; those that are over, if they are asked for.
pub(super) fn ask(q: &Query<'_>, first: Option<&Market>) -> Positions {
    let (product, params) = part::product(first, q.params.clone());
    let method = params.text(&["method"]).unwrap_or_default();
    let past = params.flag("useHistoryEndpoint") || method.ends_with("HistoryPosition");
    let params = params.without(&["method"]);
    if past {
        let fields = Fields::new().with_some("symbol", first.map(|market| market.id.as_str()));
        let fields = fields.with("productType", product).and(params);
        return Positions { path: "v2/mix/position/history-position", fields, member: Some("list") };
    }
    let coin = match (first, product.as_str()) {
        (Some(market), _) => market.settle_id.as_deref(),
        (None, "USDC-FUTURES") => Some("USDC"),
        (None, "SUSDT-FUTURES") => Some("SUSDT"),
        (None, "SUSDC-FUTURES") => Some("SUSDC"),
        (None, _) => Some("USDT"),
    };
    let fields = Fields::new().with_some("marginCoin", coin).with("productType", product.as_str()).and(params);
    Positions { path: "v2/mix/position/all-position", fields, member: None }
}

pub(super) fn position(raw: &Json<'_>, context: Context<'_>) -> Position {
    let number = |names: &[&str]| raw.number_of(names);
    let (market, symbol) = context.symbol(raw.text_of(&["symbol"]), true);
    let mode = raw.text_of(&["marginMode"]).map(|word| if word == "crossed" { "cross" } else { word });
    let margin = number(&["marginSize", "positionBalance"]);
    let profit = number(&["unrealizedPL", "unrealisedPnl"]);
    let side = raw.text_of(&["holdSide", "posSide"]).and_then(|word| match word {
        "long" => Some("long"),
        "short" => Some("short"),
        _ => None,
    });
    let leverage = number(&["leverage"]);
    let amount = number(&["total", "openTotalPos"]);
    let entry = number(&["openPriceAvg", "openAvgPrice", "avgPrice"]);
    let kept_share = number(&["keepMarginRate"]);
    let mark = number(&["markPrice"]);
    let notional = amount.and_then(|amount| amount.times(mark?));
    let initial = match mode {
        Some("cross") => margin,
        _ => None,
    };
    let initial = initial.or_else(|| entry?.times(amount?)?.over(leverage?));
    let size = market.and_then(|market| market.contract_size);
    let contracts = amount.and_then(|amount| amount.over(size?)).or_else(|| number(&["closeTotalPos"]));
    let isolated = mode == Some("isolated");
    let reckoned = || Liquidation { margin: margin?, amount: amount?, entry: entry?, kept: kept_share? }.price(side);
    let liquidation = number(&["liquidationPrice"]).and_then(Number::nonzero);
    let to_close = notional.and_then(|notional| notional.times(Number::parse(CLOSING_FEE)?));
    let time = |names: &[&str]| Time::parse(raw.text_of(names));
    Position {
        info: Raw::of(raw),
        id: raw.string_of(&["orderId", "positionId"]),
        symbol,
        contracts,
        contract_size: size,
        unrealized_pnl: profit,
        realized_pnl: number(&["pnl", "curRealisedPnl", "cumRealisedPnl"]),
        leverage,
        liquidation_price: liquidation.or_else(|| isolated.then(reckoned)?),
        collateral: margin.filter(|_| isolated).and_then(|margin| margin.plus(profit?)),
        notional,
        mark_price: mark,
        last_price: number(&["closeAvgPrice", "closePriceAvg"]),
        entry_price: entry,
        time: time(&["cTime", "ctime", "createdTime"]),
        last_update: time(&["utime", "updatedTime"]).0,
        initial_margin: initial,
        initial_margin_percentage: initial.and_then(|initial| initial.over(notional?)),
        maintenance_margin: kept_share.and_then(|share| share.times(notional?)?.plus(to_close?)),
        maintenance_margin_percentage: kept_share,
        margin_ratio: number(&["marginRatio", "mmr"]),
        margin_mode: mode.map(str::to_owned),
        side,
        hedged: match raw.text_of(&["posMode", "holdMode"]) {
            Some("hedge_mode") => Some(true),
            Some("one_way_mode") => Some(false),
            _ => None,
        },
        percentage: profit.and_then(|profit| profit.over_to(initial?, 4)?.times(100.into())),
        ..Position::default()
    }
}

/// What the price follows from that a position with a margin of its own is closed at by force.
struct Liquidation {
    margin: Number,
    amount: Number,
    entry: Number,
    kept: Number,
}

impl Liquidation {
    fn price(&self, side: Option<&str>) -> Option<Number> {
        let one = Number::from(1);
        let after_fee = one.minus(Number::parse(CLOSING_FEE)?)?;
        let margin = self.margin.over(self.amount.nonzero()?)?;
        let short = side == Some("short");
        let (left, share) = if short {
            (self.entry.plus(margin)?, one.plus(self.kept)?)
        } else {
            (self.entry.minus(margin)?, one.minus(self.kept)?)
        };
        if side == Some("long") { left.over(share.times(after_fee)?) } else { left.times(after_fee)?.over(share) }
    }
}

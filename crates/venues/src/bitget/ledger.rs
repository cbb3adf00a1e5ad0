//! Changes of what the account has: "Get Account Bills" of the spot market and of contract markets.

use super::parse::{currency, object};
use super::part;
use crate::exchange::Result;
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::unified::{Fee, LedgerEntry, Markets, Raw, Time};
use crate::{Fields, Number};

/// What is asked, and where in the answer's `data` the list stands.
pub(super) struct Bills {
    pub path: &'static str,
    pub fields: Fields,
    pub member: Option<&'static str>,
}

pub(super) fn ask(q: &Query<'_>, markets: &Markets, code: Option<&str>) -> Result<Bills> {
    let market = q.params.text(&["symbol"]).map(|symbol| markets.of(symbol)).transpose()?;
    let (kind, params) = part::kind(market, q.params.clone().without(&["symbol"]));
    let coin = code.map(|code| q.currency(markets, code)).transpose()?;
    let (fields, params) = part::until(Fields::new().with_some("coin", coin), params);
    let fields = fields.with_some("startTime", q.page.since).with_some("limit", q.page.limit);
    if kind == "spot" {
        return Ok(Bills { path: "v2/spot/account/bills", fields: fields.and(params), member: None });
    }
    let (product, params) = part::product(market, params);
    let fields = fields.with_some("symbol", market.map(|market| market.id.as_str())).with("productType", product);
    Ok(Bills { path: "v2/mix/account/bill", fields: fields.and(params), member: Some("bills") })
}

/// A change; `asked` is the currency that was asked for.
pub(super) fn entry(raw: &Json<'_>, asked: Option<&str>) -> LedgerEntry {
    let number = |names: &[&str]| raw.number_of(names);
    let code = currency(raw, &["coin"]).or_else(|| asked.map(str::to_owned));
    let changed = number(&["size", "amount"]);
    let after = number(&["balance"]);
    let less = changed.is_some_and(|changed| changed < Number::default());
    LedgerEntry {
        info: Raw::of(object(Some(raw))),
        id: raw.string_of(&["billId", "id"]),
        time: Time::parse(raw.text_of(&["cTime", "ts"])),
        direction: Some(if less { "out" } else { "in" }),
        kind: raw.text_of(&["businessType", "groupType", "type"]).map(|word| kind(word).to_owned()),
        currency: code.clone(),
        amount: Some(changed.unwrap_or_default().abs()),
        before: after.and_then(|after| after.minus(changed?)),
        after,
        fee: Some(Fee { cost: number(&["fees", "fee"]).map(Number::abs), currency: code, rate: None }),
        ..LedgerEntry::default()
    }
}

fn kind(word: &str) -> &str {
    match word {
        "deposit" => "deposit",
        "withdraw" => "withdrawal",
        "contract_settle_fee" => "fee",
        "delivery_long" | "delivery_short" => "settlement",
        "cash_gift_issue" | "cash_gift_recycle" => "cashback",
        "bonus_issue" | "bonus_recycle" | "bonus_expired" => "rebate",
        "transfer"
        | "transfer_in"
        | "transfer_out"
        | "trans_to_cross"
        | "trans_from_cross"
        | "trans_to_exchange"
        | "trans_from_exchange"
        | "trans_to_isolated"
        | "trans_from_isolated"
        | "trans_to_contract"
        | "trans_from_contract"
        | "trans_to_otc"
        | "trans_from_otc" => "transfer",
        "buy"
        | "sell"
        | "open_long"
        | "close_long"
        | "open_short"
        | "close_short"
        | "force_close_long"
        | "force_close_short"
        | "burst_long_loss_query"
        | "burst_short_loss_query"
        | "force_buy"
        | "force_sell"
        | "burst_buy"
        | "burst_sell"
        | "strategy"
        | "trace"
        | "convert"
        | "pre_c2c"
        | "paptrading"
        | "cfd"
        | "stock" => "trade",
        "append_margin"
        | "adjust_down_lever_append_margin"
        | "reduce_margin"
        | "auto_append_margin"
        | "financial"
        | "loan"
        | "fait"
        | "ipo_prime"
        | "on_chain"
        | "debit"
        | "pay"
        | "compliance_wall"
        | "live"
        | "broker"
        | "rwa" => "transaction",
        other => other,
    }
}

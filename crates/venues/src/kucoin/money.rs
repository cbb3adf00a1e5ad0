//! What the account has and moves: which endpoint is asked.

use super::Dialect;
use super::account::{chain, contract_deposit_address, deposit_address, ledger_entry, part};
use super::balance::{Part, balances};
use super::market_data::{empty, permitted};
use super::params::{classic, high_frequency, kind, margin_mode, take, until};
use super::parse::{currency as code, data};
use super::sign::{Api, private};
use crate::exchange::Result;
use crate::json::{Access as _, Json};
use crate::query::Query;
use crate::unified::{Balances, DepositAddress, LedgerEntry, Raw, Time, Transfer};
use crate::{ErrorClass, Fields, Number, Verb};

/// The name under which is kept that accounts were asked for.
const ACCOUNTS: &str = "accounts";
/// The currency of a contract account's balance if none is asked for.
const SETTLED_IN: &str = "USDT";

impl Dialect {
    pub(super) async fn balance_of(&self, mut q: Query<'_>) -> Result<Balances> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let code = q.params.text(&["code"]).map(str::to_owned);
        let currency = |code: &str| q.currency(&markets, code).map(str::to_owned);
        let id = code.as_deref().map(currency).transpose()?;
        let asked = kind(&mut q.params, None);
        let part = part(&asked);
        if part == Some("contract") {
            let fields = Fields::new().with("currency", id.unwrap_or_else(|| SETTLED_IN.to_owned())).and(q.params);
            let request = private(q.exchange, Api::Contracts, Verb::Get, "v1/account-overview", &fields)?;
            let asked = code.unwrap_or_else(|| SETTLED_IN.to_owned());
            return q.exchange.ask(request, |body| balances(body, Part::Contracts(asked))).await;
        }
        let fast = high_frequency(q.exchange, &mut q.params);
        let mode = margin_mode(&mut q.params);
        let (path, fields, part) = match (mode.as_deref(), part) {
            (Some("isolated"), _) | (_, Some("isolated")) => {
                ("v3/isolated/accounts", Fields::new().with_some("balanceCurrency", id), Part::Isolated)
            }
            (Some("cross"), _) => ("v1/margin/account", Fields::new(), Part::Cross),
            (_, Some("margin")) if !fast => ("v1/margin/account", Fields::new(), Part::Cross),
            (_, part) => {
                let kind = if fast && part != Some("main") { "trade_hf" } else { part.unwrap_or(&asked) };
                let fields = Fields::new().with_some("currency", id).with("type", kind);
                ("v1/accounts", fields, Part::Listed(kind.to_owned()))
            }
        };
        let request = private(q.exchange, Api::Spot, Verb::Get, path, &fields.and(q.params))?;
        q.exchange.ask(request, |body| balances(body, part)).await
    }

    pub(super) async fn entries(&self, mut q: Query<'_>, currency: Option<&str>) -> Result<Vec<LedgerEntry>> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        if q.exchange.learnt(ACCOUNTS).is_none() {
            let request = private(q.exchange, Api::Spot, Verb::Get, "v1/accounts", &Fields::new())?;
            permitted(q.exchange.ask(request, |_| ()).await)?;
            q.exchange.learn(ACCOUNTS, "true");
        }
        let fast = high_frequency(q.exchange, &mut q.params);
        let contract = part(&kind(&mut q.params, None)) == Some("contract");
        let margin = margin_mode(&mut q.params).is_some();
        let id = currency.map(|code| q.currency(&markets, code)).transpose()?;
        let end = until(&mut q.params, "endAt");
        let (api, path, limit) = match (contract, fast) {
            (true, _) => (Api::Contracts, "v1/transaction-history", "maxCount"),
            (false, true) if margin => (Api::Spot, "v3/hf/margin/account/ledgers", "limit"),
            (false, true) => (Api::Spot, "v1/hf/accounts/ledgers", "limit"),
            (false, false) => (Api::Spot, "v1/accounts/ledgers", "pageSize"),
        };
        let fields = Fields::new().with_some("startAt", q.page.since).with_some("currency", id).and(end);
        let fields = fields.with_some(limit, q.page.limit).and(q.params);
        let read = |body: &Json<'_>| {
            let list = data(body).list().or_else(|| data(body).get("items").list());
            let list = list.or_else(|| data(body).get("dataList").list()).unwrap_or_default();
            list.iter().map(|raw| ledger_entry(raw, currency)).collect::<Vec<_>>()
        };
        let mut entries = q.exchange.ask(private(q.exchange, api, Verb::Get, path, &fields)?, read).await?;
        entries.retain(|entry| currency.is_none_or(|code| entry.currency.as_deref() == Some(code)));
        entries.sort_by_key(|entry| entry.time.0);
        Ok(q.page.of(entries, |entry| entry.time.0))
    }

    pub(super) async fn address_of(&self, mut q: Query<'_>, currency: &str) -> Result<DepositAddress> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let id = q.currency(&markets, currency)?;
        let of = take(&mut q.params, &["accountType", "defaultAccountType"]);
        let fields = Fields::new().with("currency", id);
        if of.as_deref().and_then(part) == Some("contract") {
            let fields = fields.and(q.params);
            let request = private(q.exchange, Api::Contracts, Verb::Get, "v1/deposit-address", &fields)?;
            return q.exchange.ask(request, |body| contract_deposit_address(body, id)).await?;
        }
        let network = take(&mut q.params, &["networkCode", "network"]);
        let fields = fields.with_some("chain", network.as_deref().map(chain)).and(q.params.clone());
        let request = private(q.exchange, Api::Spot, Verb::Get, "v1/deposit-addresses", &fields)?;
        let none = || q.error(ErrorClass::ExchangeError, "has no address of this currency; one can be made");
        let read = |body: &Json<'_>| data(body).ok_or_else(none).and_then(|raw| deposit_address(raw, currency));
        q.exchange.ask(request, read).await?
    }

    pub(super) async fn move_money(
        &self,
        mut q: Query<'_>,
        currency: &str,
        amount: Number,
        from: &str,
        to: &str,
    ) -> Result<Transfer> {
        classic(&mut q)?;
        let markets = q.markets().await?;
        let mut fields = Fields::new().with("currency", q.currency(&markets, currency)?).with("amount", amount);
        let kind = take(&mut q.params, &["transferType", "type"]).unwrap_or_else(|| "INTERNAL".to_owned());
        for (of, user) in [("PARENT_TO_SUB", "toUserId"), ("SUB_TO_PARENT", "fromUserId")] {
            if kind == of && q.params.get(user).is_none() {
                return Err(q.error(ErrorClass::ExchangeError, &format!("requires a {user} parameter for {of}")));
            }
        }
        if q.params.get("clientOid").is_none() {
            fields.set("clientOid", q.exchange.uuid());
        }
        let mut ends = Vec::new();
        for (name, tag) in [(from, "fromAccountTag"), (to, "toAccountTag")] {
            // a market stands for the account that is its own
            let market = markets.of(name).ok().or_else(|| markets.named(name, false));
            ends.push(match (part(&name.to_lowercase()), market) {
                (Some(part), _) => part.to_owned(),
                (None, Some(market)) => {
                    fields.set(tag, market.id.as_str());
                    "isolated".to_owned()
                }
                (None, None) => name.to_owned(),
            });
        }
        let [source, target] = ends.as_slice() else { return Err(empty(&q, "accounts")) };
        let inner = ends.iter().any(|end| matches!(end.as_str(), "trade_hf" | "pool"));
        let (path, fields) = if inner {
            ("v2/accounts/inner-transfer", fields.with("from", source.as_str()).with("to", target.as_str()))
        } else {
            let fields = fields
                .with("type", kind)
                .with("fromAccountType", source.to_uppercase())
                .with("toAccountType", target.to_uppercase());
            ("v3/accounts/universal-transfer", fields)
        };
        let read = |body: &Json<'_>| {
            let raw = data(body);
            Transfer {
                info: raw.map(Raw::of).unwrap_or_default(),
                id: raw.string_of(&["id", "applyId", "orderId"]),
                time: Time::parse(raw.text_of(&["createdAt", "time"])),
                currency: code(raw.text_of(&["currency"])).or_else(|| Some(currency.to_owned())),
                amount: Some(amount),
                from_account: Some(from.to_owned()),
                to_account: Some(to.to_owned()),
                status: Some("ok".to_owned()),
            }
        };
        q.exchange.ask(private(q.exchange, Api::Spot, Verb::Post, path, &fields.and(q.params))?, read).await
    }
}

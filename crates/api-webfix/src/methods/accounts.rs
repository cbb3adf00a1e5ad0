//! Exchange accounts (document, "Account Management API").

use orrery_app::venues::Snapshot;
use orrery_app::wallets::{MASK, View};
use orrery_kernel::{Error, Result};
use orrery_protocol::stels::ChannelName;
use orrery_wallets::{Account, SECRETS};
use serde_json::{Value, json};

use super::holdings::{orders, positions, wallet};
use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn balance_channel(account: &Account) -> String {
    let (address, exchange, nid) = (account.owner.clone(), account.exchange.clone(), account.nid.clone());
    ChannelName::Balance { address, exchange, nid }.to_string()
}

/// The account's fields, its secrets masked.
fn fields(account: &Account) -> Value {
    let mut raw: Value = serde_json::from_str(&account.public).unwrap_or_else(|_| json!({}));
    if let Value::Object(raw) = &mut raw {
        for secret in SECRETS {
            raw.insert(secret.into(), MASK.into());
        }
        raw.insert("exchange".into(), account.exchange.as_str().into());
    }
    raw
}

/// How the last look at the account's exchange went: when it was seen, and CCXT's class of what went wrong since.
fn add_look(raw: &mut Value, seen: Option<&Snapshot>) {
    raw["updated"] = seen.map(|seen| seen.at).filter(|at| *at > 0).map_or(Value::Null, Value::from);
    raw["error"] = seen.and_then(|seen| seen.error.clone()).map_or(Value::Null, Value::from);
}

/// `raw` of `account.balance.…`.
pub(crate) fn balance_raw(account: &Account, seen: Option<&Snapshot>) -> Value {
    let fields = fields(account);
    let or = |key: &str, otherwise: Value| fields.get(key).cloned().unwrap_or(otherwise);
    let mut raw = json!({
        "nid": account.nid,
        "exchange": account.exchange,
        "address": account.owner,
        "viewers": account.viewers,
        "workers": or("workers", json!([])),
        "connection": or("connection", Value::Bool(false)),
        "status": or("status", Value::Null),
        "note": or("note", Value::Null),
        "wallet": wallet(seen),
        "positions": positions(seen),
        "orders": orders(seen),
    });
    add_look(&mut raw, seen);
    raw
}

pub(super) async fn set(call: &Call<'_>) -> Result<Reply> {
    let session = call.session().await?;
    call.shared.tiers.account(&session, call.ctx.now).await?;
    let account = call.body.get("account").ok_or_else(|| Error::invalid("account", "account is missing"))?;
    let proof = (call.text("publicKey")?, call.text("address")?, call.text("signature")?);
    let stored = call.shared.app.wallets.set_account(&call.ctx, &session, account, proof).await?;
    call.shared.app.venues.account_set(&stored);
    call.shared.tell_balance(&stored).await;
    let channel = balance_channel(&stored);
    Ok(Reply::ok(json!({
        "key": ["account", stored.owner, stored.exchange, stored.nid],
        "value": {
            "raw": fields(&stored),
            "channel": channel,
            "module": "account",
            "widget": "account",
            "timestamp": stored.at.millis(),
        },
    })))
}

pub(super) async fn list(call: &Call<'_>) -> Result<Reply> {
    let session = call.session().await?;
    let seen = call.shared.app.wallets.accounts(&session).await?;
    let entry = |(view, seen): (&View, Option<Snapshot>)| {
        let account = &view.account;
        let mut raw = fields(account);
        raw["address"] = account.owner.as_str().into();
        raw["publicKey"] = account.public_key.as_str().into();
        raw["signature"] = account.signature.as_str().into();
        raw["timestamp"] = account.at.millis().into();
        raw["wallet"] = wallet(seen.as_ref());
        add_look(&mut raw, seen.as_ref());
        if !view.own
            && let Value::Object(raw) = &mut raw
        {
            // how the owner trades is the owner's affair
            raw.remove("protocol");
        }
        json!({
            "channel": balance_channel(account),
            "module": "account",
            "widget": "account",
            "raw": raw,
            "timestamp": account.at.millis(),
        })
    };
    Ok(Reply::ok(Value::Array(with_snapshots(call, &seen).await.into_iter().map(entry).collect())))
}

/// What each account was seen to hold.
async fn with_snapshots<'v>(call: &Call<'_>, views: &'v [View]) -> Vec<(&'v View, Option<Snapshot>)> {
    let mut all = Vec::with_capacity(views.len());
    for view in views {
        all.push((view, call.shared.app.venues.snapshot(&view.account).await));
    }
    all
}

pub(super) async fn info(call: &Call<'_>) -> Result<Reply> {
    call.shared.tiers.wallet(call.ctx.address, call.ctx.now).await?;
    let address = call.text("address")?;
    let session = call.maybe_session().await?;
    let seen = call.shared.app.wallets.accounts_of(address, session.as_ref()).await?;
    let item = |(view, seen): (&View, Option<Snapshot>)| {
        let seen = seen.as_ref();
        let account = &view.account;
        let stored = fields(account);
        let or = |key: &str, otherwise: Value| stored.get(key).cloned().unwrap_or(otherwise);
        let mut item = json!({
            "nid": account.nid,
            "address": account.owner,
            "exchange": account.exchange,
            "wallet": wallet(seen),
            "positions": positions(seen),
            "orders": orders(seen),
            "connection": or("connection", Value::Bool(false)),
            "note": or("note", Value::Null),
            "viewers": account.viewers,
            "workers": or("workers", json!([])),
        });
        add_look(&mut item, seen);
        if view.own {
            item["protocol"] = or("protocol", Value::Null);
        }
        item
    };
    Ok(Reply::ok(Value::Array(with_snapshots(call, &seen).await.into_iter().map(item).collect())))
}

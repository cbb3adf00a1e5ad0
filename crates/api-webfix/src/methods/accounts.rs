//! Exchange accounts (document, "Account Management API").

use orrery_app::wallets::{MASK, View};
use orrery_kernel::{Error, Result};
use orrery_protocol::stels::ChannelName;
use orrery_wallets::{Account, SECRETS};
use serde_json::{Value, json};

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

/// A wallet that no venue was asked about yet, in the shape that clients read.
fn empty_wallet() -> Value {
    let zero = "0";
    json!({ "info": { "result": { "list": [{
        "totalEquity": zero,
        "totalWalletBalance": zero,
        "totalAvailableBalance": zero,
        "totalPerpUPL": zero,
        "totalInitialMargin": zero,
        "totalMaintenanceMargin": zero,
        "accountLTV": zero,
        "accountIMRate": zero,
        "accountMMRate": zero,
        "coin": [],
    }] } } })
}

/// `raw` of `account.balance.…`.
pub(crate) fn balance_raw(account: &Account) -> Value {
    let fields = fields(account);
    let or = |key: &str, otherwise: Value| fields.get(key).cloned().unwrap_or(otherwise);
    json!({
        "nid": account.nid,
        "exchange": account.exchange,
        "address": account.owner,
        "viewers": account.viewers,
        "workers": or("workers", json!([])),
        "connection": or("connection", Value::Bool(false)),
        "status": or("status", Value::Null),
        "note": or("note", Value::Null),
        "wallet": empty_wallet(),
    })
}

pub(super) async fn set(call: &Call<'_>) -> Result<Reply> {
    let session = call.session().await?;
    call.shared.tiers.account(&session, call.ctx.now).await?;
    let account = call.body.get("account").ok_or_else(|| Error::invalid("account", "account is missing"))?;
    let proof = (call.text("publicKey")?, call.text("address")?, call.text("signature")?);
    let stored = call.shared.app.wallets.set_account(&call.ctx, &session, account, proof).await?;
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
    let entry = |view: &View| {
        let account = &view.account;
        let mut raw = fields(account);
        raw["address"] = account.owner.as_str().into();
        raw["publicKey"] = account.public_key.as_str().into();
        raw["signature"] = account.signature.as_str().into();
        raw["timestamp"] = account.at.millis().into();
        raw["wallet"] = empty_wallet();
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
    Ok(Reply::ok(Value::Array(seen.iter().map(entry).collect())))
}

pub(super) async fn info(call: &Call<'_>) -> Result<Reply> {
    call.shared.tiers.wallet(call.ctx.address, call.ctx.now).await?;
    let address = call.text("address")?;
    let session = call.maybe_session().await?;
    let seen = call.shared.app.wallets.accounts_of(address, session.as_ref()).await?;
    let item = |view: &View| {
        let account = &view.account;
        let stored = fields(account);
        let or = |key: &str, otherwise: Value| stored.get(key).cloned().unwrap_or(otherwise);
        let mut item = json!({
            "nid": account.nid,
            "address": account.owner,
            "exchange": account.exchange,
            "wallet": empty_wallet(),
            "positions": [],
            "orders": { "spot": [], "futures": [] },
            "connection": or("connection", Value::Bool(false)),
            "note": or("note", Value::Null),
            "viewers": account.viewers,
            "workers": or("workers", json!([])),
        });
        if view.own {
            item["protocol"] = or("protocol", Value::Null);
        }
        item
    };
    Ok(Reply::ok(Value::Array(seen.iter().map(item).collect())))
}

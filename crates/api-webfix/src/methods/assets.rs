//! Tokens and transactions (contract of the client, "Beyond the seed").

use orrery_app::wallets::{Balance, PAGE_MAX, tst};
use orrery_crypto::json::JsValue;
use orrery_crypto::transaction::TOKEN_DOMAIN;
use orrery_kernel::{Asset, Error, Result};
use orrery_wallets::{Token, Transaction, TransactionQuery};
use serde_json::{Value, json};

use crate::call::Call;
use crate::reply::Reply;

/// Transactions in an overview.
const RECENT: u32 = 20;

fn token_id<'a>(call: &'a Call<'_>) -> Result<Option<&'a str>> {
    // the currency's own code is a name of its token too
    Ok(call
        .maybe_text("token_id")?
        .map(|id| if id == Asset::TST.code() { call.shared.app.wallets.token() } else { id }))
}

fn shown(genesis: &Value, (address, public_key, signature): (&str, &str, &str), at: i64, network: &str) -> Value {
    let id = genesis.pointer("/token/id").and_then(Value::as_str).unwrap_or_default();
    json!({
        "channel": format!("{network}.token.{id}"),
        "module": "token",
        "widget": "token",
        "raw": {
            "genesis": genesis,
            "address": address,
            "publicKey": public_key,
            "signature": signature,
            "status": "confirmed",
            "timestamp": at,
        },
        "timestamp": at,
    })
}

pub(super) async fn list(call: &Call<'_>) -> Result<Reply> {
    let wallets = &call.shared.app.wallets;
    let network = wallets.network();
    let now = call.ctx.now.millis();
    let mut assets = vec![shown(&wallets.native_genesis().to_serde(), ("", "", ""), now, network)];
    assets.extend(wallets.tokens().await?.iter().map(|token: &Token| {
        let genesis: Value = serde_json::from_str(&token.genesis).unwrap_or_default();
        shown(&genesis, (&token.issuer, &token.public_key, &token.signature), token.at.millis(), network)
    }));
    let total = assets.len();
    Ok(Reply::result(
        json!({ "success": true, "assets": assets, "total": total, "network": network, "timestamp": now }),
    ))
}

pub(super) async fn set(call: &Call<'_>) -> Result<Reply> {
    let session = call.session().await?;
    let genesis = call.body.get("genesis").ok_or_else(|| Error::invalid("genesis", "genesis is missing"))?;
    let address = call.text("address")?;
    if address != session.address {
        let code = orrery_kernel::ErrorCode::Forbidden;
        return Err(Error::new(code, "The session is of another wallet"));
    }
    let domain: Vec<&str> = match call.body.get("domain") {
        None | Some(JsValue::Null) => TOKEN_DOMAIN.to_vec(),
        Some(JsValue::Array(parts)) if parts.len() <= 8 => parts
            .iter()
            .map(JsValue::as_str)
            .collect::<Option<_>>()
            .ok_or_else(|| Error::invalid("domain", "domain has to be a list of texts"))?,
        Some(JsValue::String(text)) => text.to_text().split(':').take(8).collect(),
        Some(_) => return Err(Error::invalid("domain", "domain has to be a list of texts")),
    };
    let proof = (call.text("publicKey")?, call.text("signature")?);
    let stored = call.shared.app.wallets.set_token(&call.ctx, &session, genesis, proof, &domain).await?;
    Ok(Reply::ok(json!({
        "webfix": "1.0",
        "success": true,
        "id": stored.id,
        "txId": stored.id,
        "result": { "success": true, "id": stored.id, "timestamp": stored.at.millis() },
    })))
}

fn balance_fields(call: &Call<'_>, balance: &Balance) -> Value {
    let totals = balance.totals;
    json!({
        "token_id": call.shared.app.wallets.token(),
        "balance": tst(balance.held),
        "decimals": Asset::TST.decimals(),
        "currency": Asset::TST.code(),
        "symbol": Asset::TST.code(),
        // what no transaction explains was granted
        "initial_balance": tst(balance.held - totals.received + totals.sent + totals.fees),
        "total_received": tst(totals.received),
        "total_sent": tst(totals.sent),
        "total_fees": tst(totals.fees),
        "transaction_count": totals.count,
    })
}

pub(super) async fn balances(call: &Call<'_>) -> Result<Reply> {
    call.session().await?;
    let address = call.text("address")?;
    let wallets = &call.shared.app.wallets;
    let balance = wallets.balance(address).await?;
    let query = TransactionQuery { address: Some(address.into()), limit: RECENT, ..TransactionQuery::default() };
    let (recent, _) = wallets.transactions(&query).await?;
    Ok(Reply::result(json!({
        "success": true,
        "address": address,
        "network": wallets.network(),
        "balances": [balance_fields(call, &balance)],
        "total": 1,
        "recent_transactions": recent.iter().map(|t| line(call, t)).collect::<Vec<_>>(),
        "timestamp": call.ctx.now.millis(),
    })))
}

pub(super) async fn balance(call: &Call<'_>) -> Result<Reply> {
    let address = call.text("address")?;
    let wallets = &call.shared.app.wallets;
    if token_id(call)?.is_some_and(|id| id != wallets.token()) {
        return Err(Error::invalid("token_id", "token_id is a token whose units this ledger does not hold"));
    }
    let mut fields = balance_fields(call, &wallets.balance(address).await?);
    fields["address"] = address.into();
    Ok(Reply::result(fields))
}

fn line(call: &Call<'_>, transaction: &Transaction) -> Value {
    let network = call.shared.app.wallets.network();
    json!({
        "transaction": serde_json::from_str::<Value>(&transaction.body).unwrap_or_default(),
        "status": transaction.state.name(),
        "submitted_at": transaction.at.millis(),
        "tx_hash": transaction.hash,
        "pool_key": [network, "pool", transaction.kind.name(), transaction.hash],
    })
}

fn query(call: &Call<'_>, address: Option<&str>) -> Result<TransactionQuery> {
    let confirmed = match call.maybe_text("status")? {
        None | Some("all" | "any" | "") => None,
        Some("confirmed" | "success" | "completed") => Some(true),
        Some("pending") => Some(false),
        Some(_) => return Err(Error::invalid("status", "status has to be all, confirmed or pending")),
    };
    Ok(TransactionQuery {
        address: address.map(str::to_owned),
        token: token_id(call)?.map(str::to_owned),
        confirmed,
        offset: call.number("offset", 0, u32::MAX / 2)?,
        limit: call.number("limit", 100, PAGE_MAX)?,
    })
}

pub(super) async fn transactions(call: &Call<'_>) -> Result<Reply> {
    let query = query(call, call.maybe_text("address")?)?;
    let (found, total) = call.shared.app.wallets.transactions(&query).await?;
    Ok(Reply::result(json!({
        "success": true,
        "transactions": found.iter().map(|t| line(call, t)).collect::<Vec<_>>(),
        "total": total,
        "limit": query.limit,
        "offset": query.offset,
    })))
}

pub(super) async fn by_hash(call: &Call<'_>) -> Result<Reply> {
    let found = call.shared.app.wallets.transaction(call.text("tx_hash")?).await?;
    let mut shown = line(call, &found);
    shown["success"] = true.into();
    Ok(Reply::result(shown))
}

pub(super) async fn submit(call: &Call<'_>) -> Result<Reply> {
    call.session().await?;
    let sent = call.body.get("transaction").filter(|t| t.as_object().is_some());
    let sent = sent.ok_or_else(|| Error::invalid("transaction", "transaction has to be an object"))?;
    let done = call.shared.app.wallets.submit(&call.ctx, sent).await?;
    call.shared.tell_transaction(&done).await;
    let mut result = line(call, &done.transaction);
    if let Value::Object(result) = &mut result {
        result.remove("transaction");
        result.insert("success".into(), true.into());
        result.insert("duplicate".into(), done.replay.into());
        result.insert("timestamp".into(), call.ctx.now.millis().into());
    }
    Ok(Reply::result(result))
}

/// `transactions`: params are the network and an address.
pub(super) async fn overview(call: &Call<'_>) -> Result<Reply> {
    let address = match call.params.get(1) {
        Some(address) => address.as_str(),
        None => {
            call.maybe_text("address")?.ok_or_else(|| Error::invalid("params", "params[1] has to be an address"))?
        }
    };
    let wallets = &call.shared.app.wallets;
    let balance = wallets.balance(address).await?;
    let (found, total) = wallets.transactions(&query(call, Some(address))?).await?;
    Ok(Reply::result(json!({
        "success": true,
        "transactions": found.iter().map(|t| line(call, t)).collect::<Vec<_>>(),
        "balance": balance_fields(call, &balance),
        "total": total,
    })))
}

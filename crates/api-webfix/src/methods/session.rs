//! Logging in and out (contract of the client, "Login").

use http::{HeaderMap, header};
use orrery_crypto::json::JsValue;
use orrery_kernel::{Error, Result};
use orrery_wallets::Action;
use serde_json::{Value, json};

use crate::call::Call;
use crate::reply::Reply;

/// Longest name that the answer repeats.
const ECHOED_BYTES_MAX: usize = 256;

pub(super) async fn connect(call: &Call<'_>) -> Result<Reply> {
    let inner = call.body.get("payload").and_then(|payload| payload.get("body"));
    let inner = inner.ok_or_else(|| Error::invalid("payload", "payload.body is missing"))?;
    open(call, inner, Action::Login).await
}

pub(super) async fn developer(call: &Call<'_>) -> Result<Reply> {
    open(call, call.body, Action::Developer).await
}

async fn open(call: &Call<'_>, body: &JsValue, action: Action) -> Result<Reply> {
    call.shared.tiers.login(call.ctx.address, call.ctx.now).await?;
    let wallets = &call.shared.app.wallets;
    let title = echoed(call, "title")?.unwrap_or("heterogen");
    let nid = echoed(call, "nid")?.unwrap_or_else(|| wallets.node());
    let opened = wallets.login(&call.ctx, body, action).await?;
    let asked = call.body.get("api").and_then(JsValue::as_str);
    let (api, socket) = addresses(call.shared.public_url.as_deref(), call.headers, asked, call.shared.tls);
    let token = opened.token.expose();
    let raw = json!({
        "session": token,
        "token": token,
        "address": opened.session.address,
        "expires": opened.session.expires_at.millis(),
        "info": info(call, title, nid, &api, &socket),
    });
    let channel = format!("{}.session", wallets.network());
    Ok(Reply::ok(json!({
        "webfix": "1.0",
        "channel": channel,
        "module": "session",
        "widget": "session",
        "raw": raw,
        "timestamp": call.ctx.now.millis(),
    })))
}

/// A name that the answer repeats; what is no text is passed over.
fn echoed<'c>(call: &'c Call<'_>, field: &'static str) -> Result<Option<&'c str>> {
    let name = call.body.get(field).and_then(JsValue::as_str);
    if name.is_some_and(|name| name.len() > ECHOED_BYTES_MAX) {
        return Err(Error::invalid(field, format!("{field} has to be at most {ECHOED_BYTES_MAX} bytes")));
    }
    Ok(name)
}

fn info(call: &Call<'_>, title: &str, nid: &str, api: &str, socket: &str) -> Value {
    let wallets = &call.shared.app.wallets;
    json!({
        "network": wallets.network(),
        "title": title,
        "nid": nid,
        "pid": wallets.node(),
        "api": api,
        "connector": { "socket": socket, "protocols": ["webfix"] },
        "developer": true,
    })
}

/// Where the client finds the server from now on: as the operator says; else where it found it, with the scheme
/// that it used if it says so.
fn addresses(public: Option<&str>, headers: &HeaderMap, asked: Option<&str>, tls: bool) -> (String, String) {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("localhost");
    let same = |url: &&str| {
        let authority = url.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
        url.starts_with("http") && authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    let api = match (public, asked.filter(same)) {
        (Some(public), _) => public.to_owned(),
        (None, Some(asked)) => asked.to_owned(),
        (None, None) => format!("{}://{host}", if tls { "https" } else { "http" }),
    };
    let api = api.trim_end_matches('/').to_owned();
    // http → ws, https → wss
    let socket = api.replacen("http", "ws", 1);
    (api, socket)
}

pub(super) async fn end(call: &Call<'_>) -> Result<Reply> {
    let session = call.session().await?;
    let everywhere = call.body.get("everywhere").and_then(JsValue::as_bool).unwrap_or(false);
    let ended = if everywhere {
        call.shared.app.wallets.logout_everywhere(&call.ctx, &session).await?
    } else {
        call.shared.app.wallets.logout(&call.ctx, &session).await?;
        1
    };
    call.shared.recheck_sessions();
    Ok(Reply::result(json!({ "success": true, "ended": ended })))
}

/// The session proves the wallet, the bearer token the user.
pub(super) async fn link(call: &Call<'_>) -> Result<Reply> {
    let (session, user) = both(call).await?;
    let wallets = &call.shared.app.wallets;
    wallets.link(&call.ctx, &session, user).await?;
    Ok(Reply::result(json!({ "success": true, "user": user.0, "wallets": wallets.wallets_of(user).await? })))
}

pub(super) async fn unlink(call: &Call<'_>) -> Result<Reply> {
    let (session, user) = both(call).await?;
    let wallets = &call.shared.app.wallets;
    let unlinked = wallets.unlink(&call.ctx, &session, user).await?;
    Ok(Reply::result(json!({ "success": unlinked, "wallets": wallets.wallets_of(user).await? })))
}

async fn both(call: &Call<'_>) -> Result<(orrery_wallets::Session, orrery_kernel::UserId)> {
    let session = call.session().await?;
    let bearer = call.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim).unwrap_or_default();
    let missing = || {
        let code = orrery_kernel::ErrorCode::UnauthenticatedMissing;
        Error::new(code, "A user's token is needed too: header Authorization")
    };
    if bearer.is_empty() {
        return Err(missing());
    }
    let caller = call.shared.app.auth.authenticate(bearer, call.ctx.now).await?;
    Ok((session, caller.user))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_client_stays_where_it_is() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("h:1"));
        let at = |public, asked, tls| addresses(public, &headers, asked, tls).0;
        assert_eq!(at(None, None, false), "http://h:1");
        assert_eq!(at(None, None, true), "https://h:1");
        assert_eq!(at(None, Some("https://h:1/"), false), "https://h:1");
        assert_eq!(at(None, Some("https://evil:1"), false), "http://h:1", "another's word about another place");
        assert_eq!(at(Some("https://o.example"), Some("http://h:1"), false), "https://o.example");
        assert_eq!(addresses(None, &headers, Some("https://h:1"), false).1, "wss://h:1");
    }
}

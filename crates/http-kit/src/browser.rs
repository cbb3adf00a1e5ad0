//! Callers that may be browsers: sessions in cookies, and what keeps other sites from using them.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use orrery_app::auth::{Anchor, LoggedIn};
use orrery_app::{App, Ctx};
use orrery_identity::{Caller, Proof};
use orrery_kernel::{Error, ErrorCode};

use crate::extract::meta;
use crate::layers::{Facts, same_host};
use crate::{ErrorShape, Fail, RequestMeta, bearer};

/// Header with a session's name.
pub const SESSION_HEADER: &str = "x-session-id";
/// Header with the token against forged requests.
pub const CSRF_HEADER: &str = "x-csrf-token";
/// The session cookie.
const COOKIE: &str = "session_id";
/// The same on TLS; browsers take the prefix as a promise about where it is from.
const COOKIE_TLS: &str = "__Host-session_id";

/// A caller with a bearer token, an API key, a session's name in `X-Session-ID` or in a cookie, or the operator at the
/// machine itself. Writes with a cookie, or with nothing, carry the token against forged requests.
pub struct Known<S>(pub Ctx, pub PhantomData<S>);

impl<S: ErrorShape> FromRequestParts<Arc<App>> for Known<S> {
    type Rejection = Fail<S>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let meta = meta(parts)?;
        let caller = caller(parts, app, meta, app.auth.local_operator()).await?;
        if let Some(facts) = parts.extensions.get::<Facts>() {
            facts.set_principal(kind(&caller.proof));
        }
        Ok(Self(meta.ctx(Some(caller)), PhantomData))
    }
}

/// How the log calls a proof.
pub(crate) fn kind(proof: &Proof) -> &'static str {
    match proof {
        Proof::Session(_) => "session",
        Proof::ApiKey(_) => "api-key",
        Proof::Local => "local",
    }
}

/// A [`Known`] caller who has an account: not the operator at the machine itself.
pub struct Own<S>(pub Ctx, pub PhantomData<S>);

impl<S: ErrorShape> FromRequestParts<Arc<App>> for Own<S> {
    type Rejection = Fail<S>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let meta = meta(parts)?;
        let caller = caller(parts, app, meta, None).await?;
        if let Some(facts) = parts.extensions.get::<Facts>() {
            facts.set_principal(kind(&caller.proof));
        }
        Ok(Self(meta.ctx(Some(caller)), PhantomData))
    }
}

async fn caller(parts: &Parts, app: &App, meta: &RequestMeta, local: Option<Caller>) -> Result<Caller, Error> {
    if is_write(&parts.method) {
        same_site(parts)?;
    }
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return app.auth.authenticate(bearer(parts)?, meta.now).await;
    }
    if let Some(name) = text(&parts.headers, SESSION_HEADER) {
        return app.auth.authenticate_name(name, meta.now).await;
    }
    let anchor = cookie(parts, app, meta);
    let refused = match &anchor {
        Some(Anchor::Session(id)) => match app.auth.authenticate_session(id, meta.now).await {
            Ok(caller) => {
                forgery(parts, app, anchor.as_ref())?;
                return Ok(caller);
            }
            Err(e) if e.code == ErrorCode::Unavailable => return Err(e),
            Err(e) => e,
        },
        _ => Error::new(ErrorCode::UnauthenticatedMissing, "Access token required"),
    };
    // what is left of a login that is over counts like nothing
    let anchor = anchor.filter(|anchor| matches!(anchor, Anchor::Guest(_)));
    match local.filter(|_| meta.local) {
        Some(operator) => {
            same_site(parts)?;
            forgery(parts, app, anchor.as_ref())?;
            Ok(operator)
        }
        None => Err(refused),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|text| !text.is_empty())
}

fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Refuses what a page of another site made a browser send. Browsers say where a request is from; what says nothing is
/// no browser.
///
/// # Errors
/// `Forbidden`.
pub fn same_site(parts: &Parts) -> Result<(), Error> {
    let own = match (text(&parts.headers, "sec-fetch-site"), parts.headers.get(header::ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
            origin.to_str().is_ok_and(|origin| same_host(origin, host, &parts.uri))
        }
        (None, None) => true,
    };
    if own { Ok(()) } else { Err(Error::new(ErrorCode::Forbidden, "Requests from other sites are not allowed")) }
}

/// Refuses a write without the token that belongs to `anchor`.
fn forgery(parts: &Parts, app: &App, anchor: Option<&Anchor>) -> Result<(), Error> {
    let good = || text(&parts.headers, CSRF_HEADER).is_some_and(|token| app.auth.is_csrf_token(token, anchor));
    if !is_write(&parts.method) || good() {
        Ok(())
    } else {
        Err(Error::new(ErrorCode::Forbidden, "CSRF token validation failed"))
    }
}

fn cookie_name(meta: &RequestMeta) -> &'static str {
    if meta.tls { COOKIE_TLS } else { COOKIE }
}

/// The anchor that the cookie names. Of several cookies of the name, the first that this server made counts: other
/// servers on other ports of this host share the browser's cookies.
pub fn cookie(parts: &Parts, app: &App, meta: &RequestMeta) -> Option<Anchor> {
    let all = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs
        .filter(|(name, _)| *name == cookie_name(meta))
        .find_map(|(_, value)| app.auth.read_session_name(value.trim_matches('"')))
}

fn set_cookie(meta: &RequestMeta, value: &str, max_age: u64) -> Option<HeaderValue> {
    let secure = if meta.tls { "; Secure" } else { "" };
    let name = cookie_name(meta);
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

/// The cookie of a browser that has not logged in, for a day.
pub fn guest_cookie(app: &App, meta: &RequestMeta, anchor: &Anchor) -> Option<HeaderValue> {
    set_cookie(meta, app.auth.session_name(anchor).expose(), 86_400)
}

/// The cookie of a login.
pub fn login_cookie(meta: &RequestMeta, logged_in: &LoggedIn) -> Option<HeaderValue> {
    set_cookie(meta, logged_in.session.expose(), logged_in.lifetime.as_secs())
}

/// Takes the cookie back.
pub fn no_cookie(meta: &RequestMeta) -> Option<HeaderValue> {
    set_cookie(meta, "", 0)
}

/// The anchor of a caller who is known, or of a browser that is not; a new one where there is none. `true`: it is new.
///
/// # Errors
/// When the proof that came along is not good.
pub async fn anchor(parts: &Parts, app: &App, meta: &RequestMeta) -> Result<(Anchor, bool), Error> {
    let session = |caller: Caller| match caller.proof {
        Proof::Session(id) => Some(Anchor::Session(id)),
        Proof::ApiKey(_) | Proof::Local => None,
    };
    let known = if parts.headers.contains_key(header::AUTHORIZATION) {
        session(app.auth.authenticate(bearer(parts)?, meta.now).await?)
    } else if let Some(name) = text(&parts.headers, SESSION_HEADER) {
        session(app.auth.authenticate_name(name, meta.now).await?)
    } else {
        match cookie(parts, app, meta) {
            Some(Anchor::Session(id)) => app.auth.authenticate_session(&id, meta.now).await.ok().and_then(session),
            guest => guest,
        }
    };
    Ok(known.map_or_else(|| (app.auth.new_guest(), true), |anchor| (anchor, false)))
}

//! The page: hand-written HTML, CSS and JavaScript modules, part of the binary. No build step, no
//! third-party code, nothing loaded from elsewhere.
//!
//! *Invariant:* the pages run under [`CSP`] without exceptions, so nothing inline: no `<script>` with
//! a body, no `style` or `on…` attribute. The tests of this crate scan for them.

mod assets;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use crate::assets::{ASSETS, Asset, INDEX};

/// The policy of every answer of this crate. `connect-src 'self'` covers the page's own WebSocket.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// `GET /` and `GET /setup` (the same document; its script reads the address), and everything under
/// `/assets/`. `HEAD` works; `If-None-Match` is answered with 304. There is no fallback: what is not
/// listed is left to the router that this one is merged into.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let pages = ["/", "/setup"].into_iter().map(|path| (path, &INDEX));
    let assets = ASSETS.iter().map(|asset| (asset.path, asset));
    pages.chain(assets).fold(Router::new(), |router, (path, asset)| {
        let tag = tag(asset.body);
        router.route(path, get(move |headers: HeaderMap| async move { answer(asset, &tag, &headers) }))
    })
}

/// A strong validator: the content's own hash.
fn tag(body: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(body));
    // half of SHA-256 is far more than a few dozen files need
    let (short, _) = digest.split_at(digest.len() / 2);
    format!("\"{short}\"")
}

fn answer(asset: &Asset, tag: &str, headers: &HeaderMap) -> Response {
    let unchanged = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| matches(value, tag));
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type))], asset.body).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in FIXED_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, value);
    }
    response
}

/// Names carry no version, so a browser asks each time and is told 304.
const FIXED_HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-cache"),
    (header::CONTENT_SECURITY_POLICY, CSP),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Weak comparison over a list of validators (RFC 9110, 13.1.2).
fn matches(header: &HeaderValue, tag: &str) -> bool {
    let Ok(list) = header.to_str() else { return false };
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests;

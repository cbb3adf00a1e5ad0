//! Headers that every answer carries.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Name of the request id's header.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Adds what browsers should be told. A route that set a header of its own keeps it.
pub fn secure(headers: &mut HeaderMap) {
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::X_FRAME_OPTIONS, "DENY");
    default(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    default(header::REFERRER_POLICY, "no-referrer");
    // balances and tokens must not stay in caches; the page's files say otherwise themselves
    default(header::CACHE_CONTROL, "no-store");
}

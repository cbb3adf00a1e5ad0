//! What is kept of a socket's first request for as long as the socket lives. The library keeps all of the request that
//! it was given, so it is given what is read later and nothing else.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use hyper::upgrade::OnUpgrade;
use orrery_app::hub::DirectSocket;
use orrery_http_kit::RequestMeta;
use orrery_http_kit::browser::same_site;

/// What the library reads; cookies and tokens are not kept.
const KEPT: [HeaderName; 2] = [header::CONTENT_TYPE, header::SEC_WEBSOCKET_KEY];

/// What a socket's task knows of the request that the socket began with; among its extensions.
pub(crate) struct Opening {
    pub(crate) address: IpAddr,
    /// Client program.
    pub(crate) agent: Arc<str>,
    /// From this machine itself, and no page of another site.
    pub(crate) here: bool,
    /// The connection's own socket.
    pub(crate) direct: Option<DirectSocket>,
}

/// Makes a request's address and header fields memory of their own. As they come they are pieces of what was read
/// from the connection, and one of them keeps all of that: 16 kB a socket.
pub(crate) async fn own(request: Request) -> Request {
    let (mut parts, body) = request.into_parts();
    let mut known = std::mem::take(&mut parts.extensions);
    let here = same_site(&parts).is_ok();
    if let Some(RequestMeta { address, agent, local, .. }) = known.remove() {
        let opening = Opening { address, agent, here: here && local, direct: known.remove() };
        parts.extensions.insert(Arc::new(opening));
    }
    if let Some(upgrade) = known.remove::<OnUpgrade>() {
        parts.extensions.insert(upgrade);
    }
    // what was an address is one again
    if let Ok(uri) = Uri::try_from(parts.uri.to_string()) {
        parts.uri = uri;
    }
    let read = std::mem::take(&mut parts.headers);
    let kept: Vec<_> = KEPT.into_iter().filter_map(|name| Some((name.clone(), read.get(&name)?))).collect();
    parts.headers = HeaderMap::with_capacity(kept.len());
    for (name, value) in kept {
        // what was a value is one again
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            parts.headers.insert(name, value);
        }
    }
    Request::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use axum::extract::OriginalUri;
    use bytes::Bytes;
    use orrery_kernel::Timestamp;

    use super::*;

    fn meta(local: bool) -> RequestMeta {
        RequestMeta {
            request_id: "r".into(),
            address: [127, 0, 0, 1].into(),
            agent: "a".into(),
            now: Timestamp::from_secs(0),
            local,
            tls: false,
        }
    }

    #[tokio::test]
    async fn nothing_of_what_was_read_is_kept() {
        let read = Bytes::from("/socket.io/?EIO=4&transport=websocket|dGhlIHNhbXBsZSBub24=|token".to_owned());
        let value = |range| HeaderValue::from_maybe_shared(read.slice(range)).unwrap();
        let mut request = Request::new(axum::body::Body::empty());
        *request.uri_mut() = Uri::from_maybe_shared(read.slice(..37)).unwrap();
        request.headers_mut().insert(header::SEC_WEBSOCKET_KEY, value(38..58));
        request.headers_mut().insert(header::AUTHORIZATION, value(59..64));
        let original = OriginalUri(request.uri().clone());
        request.extensions_mut().insert(original);
        request.extensions_mut().insert(meta(true));
        let request = own(request).await;
        assert!(read.is_unique(), "a piece of it is still somewhere");
        assert_eq!(request.uri(), "/socket.io/?EIO=4&transport=websocket");
        assert_eq!(request.headers()[header::SEC_WEBSOCKET_KEY], "dGhlIHNhbXBsZSBub24=");
        assert_eq!(request.headers().len(), 1, "nobody reads the rest");
        assert_eq!(request.extensions().len(), 1);
        assert!(request.extensions().get::<Arc<Opening>>().unwrap().here);
    }

    #[tokio::test]
    async fn a_page_of_another_site_is_not_from_here() {
        for (local, origin, here) in [
            (true, None, true),
            (true, Some("http://localhost:8000"), true),
            (true, Some("https://example.org"), false),
            (false, None, false),
        ] {
            let mut request = Request::new(axum::body::Body::empty());
            request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost:8000"));
            if let Some(origin) = origin {
                request.headers_mut().insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            request.extensions_mut().insert(meta(local));
            let request = own(request).await;
            assert_eq!(request.extensions().get::<Arc<Opening>>().unwrap().here, here, "{local} {origin:?}");
        }
    }
}

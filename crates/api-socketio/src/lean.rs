//! What the library keeps of a socket's first request, for as long as the socket lives: its address and header fields.

use axum::extract::{OriginalUri, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

/// What the library and the socket's task read; cookies and tokens are not kept.
const KEPT: [HeaderName; 5] =
    [header::CONTENT_TYPE, header::HOST, header::ORIGIN, header::SEC_WEBSOCKET_KEY, SEC_FETCH_SITE];
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Makes a request's address and header fields memory of their own. As they come they are pieces of what was read
/// from the connection, and one of them keeps all of that: 16 kB a socket.
pub(crate) async fn own(request: Request) -> Request {
    let (mut parts, body) = request.into_parts();
    // what was an address is one again
    if let Ok(uri) = Uri::try_from(parts.uri.to_string()) {
        if let Some(original) = parts.extensions.get_mut::<OriginalUri>() {
            original.0 = uri.clone();
        }
        parts.uri = uri;
    }
    let kept: Vec<_> = KEPT.into_iter().filter_map(|name| Some((name.clone(), parts.headers.get(&name)?))).collect();
    let mut headers = HeaderMap::with_capacity(kept.len());
    for (name, value) in kept {
        // what was a value is one again
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.insert(name, value);
        }
    }
    parts.headers = headers;
    Request::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn nothing_of_what_was_read_is_kept() {
        let read = Bytes::from("/socket.io/?EIO=4&transport=websocket|https://example.org|token".to_owned());
        let value = |range| HeaderValue::from_maybe_shared(read.slice(range)).unwrap();
        let mut request = Request::new(axum::body::Body::empty());
        *request.uri_mut() = Uri::from_maybe_shared(read.slice(..37)).unwrap();
        request.headers_mut().insert(header::ORIGIN, value(38..57));
        request.headers_mut().insert(header::AUTHORIZATION, value(58..63));
        let original = OriginalUri(request.uri().clone());
        request.extensions_mut().insert(original);
        let request = own(request).await;
        assert!(read.is_unique(), "a piece of it is still somewhere");
        assert_eq!(request.uri(), "/socket.io/?EIO=4&transport=websocket");
        assert_eq!(request.headers()[header::ORIGIN], "https://example.org");
        assert_eq!(request.headers().len(), 1, "nobody reads the rest");
    }
}

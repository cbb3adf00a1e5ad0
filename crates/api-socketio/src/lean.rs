//! What the library keeps of a socket's first request, for as long as the socket lives: its address and header fields.

use axum::extract::{OriginalUri, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

/// Makes a request's address and header fields memory of their own. As they come they are pieces of what was read
/// from the connection, and one of them keeps all of that: 16 kB a socket.
pub(crate) async fn own(request: Request) -> Request {
    let (mut parts, body) = request.into_parts();
    let uri = parts.uri.to_string();
    // what was one is one again
    if let Ok(uri) = Uri::try_from(uri) {
        if let Some(original) = parts.extensions.get_mut::<OriginalUri>() {
            original.0 = uri.clone();
        }
        parts.uri = uri;
    }
    let mut headers = HeaderMap::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        headers.append(own_name(name), own_value(value));
    }
    parts.headers = headers;
    Request::from_parts(parts, body)
}

fn own_name(name: &HeaderName) -> HeaderName {
    HeaderName::from_bytes(name.as_str().as_bytes()).unwrap_or_else(|_| name.clone())
}

fn own_value(value: &HeaderValue) -> HeaderValue {
    let mut own = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
    own.set_sensitive(value.is_sensitive());
    own
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn nothing_of_what_was_read_is_kept() {
        let read = Bytes::from("/socket.io/?EIO=4&transport=websocket|secret|x-unusual-name".to_owned());
        let (uri, value) = (read.slice(..37), read.slice(38..44));
        let mut request = Request::new(axum::body::Body::empty());
        *request.uri_mut() = Uri::from_maybe_shared(uri).unwrap();
        let mut sensitive = HeaderValue::from_maybe_shared(value).unwrap();
        sensitive.set_sensitive(true);
        request.headers_mut().append("x-unusual-name", sensitive);
        request.headers_mut().append("x-unusual-name", HeaderValue::from_static("again"));
        let original = OriginalUri(request.uri().clone());
        request.extensions_mut().insert(original);
        let request = own(request).await;
        assert!(read.is_unique(), "a piece of it is still somewhere");
        assert_eq!(request.uri(), "/socket.io/?EIO=4&transport=websocket");
        let values: Vec<_> = request.headers().get_all("x-unusual-name").iter().collect();
        assert_eq!(values, ["secret", "again"]);
        assert!(values[0].is_sensitive() && !values[1].is_sensitive());
    }
}

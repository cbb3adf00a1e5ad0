//! What becomes of a request when its answer leads elsewhere (WHATWG Fetch, "HTTP-redirect fetch").

use orrery_workers::egress::{EgressError, FetchRequest};
use url::Url;

/// Redirections of one request.
pub(crate) const REDIRECTS_MAX: u32 = 10;
/// Headers that say who asks; another origin does not get them.
const PERSONAL: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Does an answer of this status lead elsewhere?
pub(crate) fn leads_elsewhere(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The request as it is made there.
///
/// Errors: an address that is none.
pub(crate) fn followed(
    mut request: FetchRequest,
    from: &Url,
    status: u16,
    location: &str,
) -> Result<FetchRequest, EgressError> {
    let to = from.join(location).map_err(|_| EgressError::Invalid("the answer leads to no address".into()))?;
    let posted = request.method == "POST";
    if matches!(status, 301 | 302) && posted || status == 303 && !matches!(&*request.method, "GET" | "HEAD") {
        request.method = "GET".into();
        request.body = None;
        request.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    }
    if from.origin() != to.origin() {
        request.headers.retain(|(name, _)| !PERSONAL.contains(&&*name.to_ascii_lowercase()));
    }
    request.url = to.into();
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str) -> FetchRequest {
        let pair = |name: &str| (name.to_owned(), "x".to_owned());
        FetchRequest {
            url: "https://a.example/1".into(),
            method: method.into(),
            headers: vec![pair("Authorization"), pair("Content-Type"), pair("X-Mine")],
            body: (method == "POST").then(|| b"x".to_vec()),
            ..FetchRequest::default()
        }
    }

    fn names(request: &FetchRequest) -> Vec<&str> {
        request.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn what_is_posted_is_asked_for_elsewhere() {
        let from = Url::parse("https://a.example/1").unwrap();
        let there = followed(request("POST"), &from, 302, "/2").unwrap();
        assert_eq!((&*there.url, &*there.method, there.body.is_none()), ("https://a.example/2", "GET", true));
        assert_eq!(names(&there), ["Authorization", "X-Mine"]);
        let again = followed(request("POST"), &from, 307, "/2").unwrap();
        assert_eq!((&*again.method, again.body.is_some()), ("POST", true));
    }

    #[test]
    fn another_origin_does_not_learn_who_asks() {
        let from = Url::parse("https://a.example/1").unwrap();
        for to in ["https://b.example/", "http://a.example/", "https://a.example:444/", "//b.example"] {
            assert_eq!(names(&followed(request("GET"), &from, 301, to).unwrap()), ["Content-Type", "X-Mine"], "{to}");
        }
        assert!(followed(request("GET"), &from, 301, "http://").is_err());
    }
}

//! Requests over HTTP.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use orrery_workers::egress::{
    EgressError, FETCH_BYTES_MAX, FetchRequest, FetchResponse, HEADERS_MAX, Policy, Redirect, Refusal, Scheme,
};
use url::Url;

use crate::redirect::{REDIRECTS_MAX, followed, leads_elsewhere};
use crate::resolve::{Judging, Resolver, said};

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(15);
/// Most bytes of an answer's headers that a script is told.
const HEADER_BYTES_MAX: usize = 64 * 1_024;
/// Headers that belong to the connection; what a script says of them is not sent.
pub(crate) const CONNECTION: [&str; 11] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "keep-alive",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-connection",
];

/// A client that connects to admitted addresses alone, follows nothing by itself and knows no proxy.
pub(crate) fn client(
    policy: Arc<Policy>,
    resolver: Arc<dyn Resolver>,
    connect: Duration,
) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(connect)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent("orrery")
        .no_proxy()
        .pool_max_idle_per_host(2)
        .pool_idle_timeout(IDLE)
        .dns_resolver(Arc::new(Judging { policy, resolver }))
        .build()
}

/// Makes a request and what its redirections ask for.
pub(crate) async fn fetch(
    client: &reqwest::Client,
    policy: &Policy,
    mut request: FetchRequest,
) -> Result<FetchResponse, EgressError> {
    for count in 0..=REDIRECTS_MAX {
        let url = judged(policy, Scheme::Http, &request.url)?;
        let response = once(client, &url, &request).await?;
        let status = response.status().as_u16();
        let location = response.headers().get(http::header::LOCATION).and_then(|to| to.to_str().ok());
        let Some(location) = location.filter(|_| leads_elsewhere(status)).map(str::to_owned) else {
            return read(response, &url, count > 0).await;
        };
        match request.redirect {
            Redirect::Manual => return read(response, &url, false).await,
            Redirect::Error => return Err(EgressError::Broken("the answer leads elsewhere".into())),
            Redirect::Follow => request = followed(request, &url, status, &location)?,
        }
    }
    Err(EgressError::Broken(format!("there are more than {REDIRECTS_MAX} redirections")))
}

/// An address that may be asked for.
///
/// Errors: [`EgressError::Invalid`] for what is none, [`EgressError::Refused`].
pub(crate) fn judged(policy: &Policy, by: Scheme, text: &str) -> Result<Url, EgressError> {
    let invalid = || EgressError::Invalid("the address cannot be read".into());
    let mut url = Url::parse(text).map_err(|_| invalid())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::Userinfo.into());
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    policy.admit(by, url.scheme(), &host, url.port_or_known_default().unwrap_or_default())?;
    if host.is_empty() {
        return Err(invalid());
    }
    url.set_fragment(None);
    Ok(url)
}

async fn once(client: &reqwest::Client, url: &Url, request: &FetchRequest) -> Result<reqwest::Response, EgressError> {
    let invalid = |what: &str| EgressError::Invalid(format!("the request has a {what} that cannot be sent"));
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| invalid("method"))?;
    if request.headers.len() > HEADERS_MAX {
        return Err(EgressError::Invalid(format!("the request has more than {HEADERS_MAX} headers")));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name: HeaderName = name.parse().map_err(|_| invalid("header"))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid("header"))?;
        if !CONNECTION.contains(&name.as_str()) {
            headers.append(name, value);
        }
    }
    let mut builder = client.request(method, url.clone()).headers(headers);
    if let Some(body) = &request.body {
        if body.len() > FETCH_BYTES_MAX {
            return Err(EgressError::TooLarge(FETCH_BYTES_MAX));
        }
        builder = builder.body(body.clone());
    }
    builder.send().await.map_err(|error| failed(&error))
}

async fn read(mut response: reqwest::Response, url: &Url, redirected: bool) -> Result<FetchResponse, EgressError> {
    let status = response.status();
    let (mut headers, mut bytes) = (Vec::new(), 0);
    for (name, value) in response.headers().iter().take(HEADERS_MAX) {
        bytes += name.as_str().len() + value.len();
        if bytes > HEADER_BYTES_MAX {
            break;
        }
        // each byte is a letter, as fetch has it
        headers.push((name.as_str().to_owned(), value.as_bytes().iter().copied().map(char::from).collect()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + chunk.len() > FETCH_BYTES_MAX {
            return Err(EgressError::TooLarge(FETCH_BYTES_MAX));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(FetchResponse {
        url: url.to_string(),
        status: status.as_u16(),
        status_text: status.canonical_reason().unwrap_or_default().to_owned(),
        headers,
        redirected,
        body,
    })
}

/// Why, without an address that the script did not name.
fn failed(error: &reqwest::Error) -> EgressError {
    if let Some(said) = said(error) {
        return said;
    }
    if error.is_timeout() {
        return EgressError::Timeout;
    }
    let why = if error.is_connect() { "no connection could be made" } else { "the connection broke" };
    EgressError::Broken(why.into())
}

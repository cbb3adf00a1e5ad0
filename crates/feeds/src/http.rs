//! One HTTP client for all feeds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use orrery_kernel::{Entropy, Secret};
use orrery_market::FeedError;

/// Bound on an answer: the longest chart is some 200 KiB.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Tries of a call that fails in a way that may pass.
const TRIES: u32 = 3;
/// Longest wait that a source may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// How a client reaches its source.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything up to the path, without a slash at the end; `http` or `https`.
    pub base_url: String,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time for a whole call.
    pub timeout: Duration,
    /// The first wait before another try; later ones double. Each is shortened at random.
    pub retry_wait: Duration,
    /// A header with a key, for sources that know their callers.
    pub key: Option<(&'static str, Secret<String>)>,
}

impl Options {
    /// The usual time-outs.
    pub fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(15),
            retry_wait: Duration::from_secs(1),
            key: None,
        }
    }
}

/// A client that cannot be made of the options.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not an `http` or `https` URL with a host.
    #[error("{0} is not an http or https URL")]
    Url(String),
    /// The HTTP library refused.
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    /// The key holds characters that a header cannot carry.
    #[error("the API key cannot be sent in a header")]
    Key,
}

/// Makes ring the TLS provider of the process; later calls change nothing.
pub fn install_tls() {
    // an error says that there is one already
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What a source said before about an endpoint, for conditional requests.
#[derive(Clone)]
struct Validators {
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

/// Calls one source.
pub struct FeedClient {
    client: reqwest::Client,
    source: &'static str,
    options: Options,
    entropy: Arc<dyn Entropy>,
    validators: Mutex<HashMap<String, Validators>>,
}

impl FeedClient {
    /// A client of `source`. Never follows a redirect: the operator named the host.
    pub fn new(source: &'static str, options: Options, entropy: Arc<dyn Entropy>) -> Result<Self, OpenError> {
        install_tls();
        let url = reqwest::Url::parse(&options.base_url)
            .ok()
            .filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
        if url.is_none() {
            return Err(OpenError::Url(options.base_url));
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some((name, key)) = &options.key {
            let mut value = HeaderValue::from_str(key.expose()).map_err(|_| OpenError::Key)?;
            value.set_sensitive(true);
            headers.insert(*name, value);
        }
        let client = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers)
            .user_agent("orrery")
            .pool_max_idle_per_host(2)
            .build()?;
        Ok(Self { client, source, options, entropy, validators: Mutex::default() })
    }

    /// `GET base_url + path`; `None` when the source says that nothing changed. `endpoint` names the
    /// call in figures. A 404 is a bad answer.
    pub(crate) async fn get(&self, endpoint: &'static str, path: &str) -> Result<Option<Bytes>, FeedError> {
        match self.try_get(endpoint, path).await? {
            Answer::Body(bytes) => Ok(Some(bytes)),
            Answer::Unchanged => Ok(None),
            Answer::NotHere => Err(FeedError::Bad(format!("{endpoint}: 404"))),
        }
    }

    /// Like [`FeedClient::get`], but a 404 is an answer too.
    pub(crate) async fn try_get(&self, endpoint: &'static str, path: &str) -> Result<Answer, FeedError> {
        let mut wait = self.options.retry_wait;
        let mut tries = 1;
        loop {
            let result = self.once(path).await;
            let outcome = match &result {
                Ok(Answer::Unchanged) => "unchanged",
                Ok(_) => "ok",
                Err(FeedError::RateLimited { .. }) => "rate_limited",
                Err(FeedError::Unavailable(_)) => "unavailable",
                Err(FeedError::Bad(_)) => "bad",
            };
            let labels = [("source", self.source), ("endpoint", endpoint), ("outcome", outcome)];
            metrics::counter!("upstream_requests_total", &labels).increment(1);
            match result {
                Err(FeedError::Unavailable(why)) if tries < TRIES => {
                    tracing::debug!(source = self.source, endpoint, why, tries, "call failed; trying again");
                    tokio::time::sleep(self.jittered(wait)).await;
                    wait *= 2;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    /// Between half of `wait` and all of it.
    fn jittered(&self, wait: Duration) -> Duration {
        let mut bits = [0; 2];
        self.entropy.fill(&mut bits);
        wait / 2 + wait / 2 * u32::from(u16::from_le_bytes(bits)) / u32::from(u16::MAX)
    }

    async fn once(&self, path: &str) -> Result<Answer, FeedError> {
        let known = self.validators.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        let mut request = self.client.get(format!("{}{path}", self.options.base_url));
        if let Some(known) = known {
            if let Some(etag) = known.etag {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            if let Some(modified) = known.modified {
                request = request.header(header::IF_MODIFIED_SINCE, modified);
            }
        }
        // the library's error text holds the URL, whose query may hold a key
        let unavailable = |e: reqwest::Error| FeedError::Unavailable(e.without_url().to_string());
        let mut response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return Ok(Answer::Unchanged),
            StatusCode::NOT_FOUND => return Ok(Answer::NotHere),
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(FeedError::RateLimited { retry_after: retry_after(response.headers()) });
            }
            s if s.is_server_error() || s == StatusCode::REQUEST_TIMEOUT => {
                return Err(FeedError::Unavailable(format!("status {status}")));
            }
            _ => return Err(FeedError::Bad(format!("status {status}"))),
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(FeedError::Bad(format!("an answer of more than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let validator = |name| response.headers().get(name).cloned();
        let fresh = Validators { etag: validator(header::ETAG), modified: validator(header::LAST_MODIFIED) };
        // paths are ours, so there are only as many as there are endpoints
        self.validators.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), fresh);
        Ok(Answer::Body(body.freeze()))
    }

    /// Forgets what the source said about a path, when its answer turned out to be of no use.
    pub(crate) fn forget(&self, path: &str) {
        self.validators.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }
}

/// An answer of a source.
#[derive(Debug)]
pub(crate) enum Answer {
    Body(Bytes),
    Unchanged,
    NotHere,
}

/// Seconds, or an HTTP date against the source's own `Date` (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).map(str::trim);
    let value = text(header::RETRY_AFTER)?;
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = |t: &str| chrono::DateTime::parse_from_rfc2822(t).ok();
            (date(value)? - date(text(header::DATE)?)?).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

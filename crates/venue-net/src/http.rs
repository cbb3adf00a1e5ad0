//! Requests over HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use orrery_kernel::{Entropy, Secret};
use orrery_venues::{Answer, ErrorClass, Permit, Request, Transport, Venue, VenueError, Verb, withheld};
use tokio::time::Instant;

use crate::permitted::{Permitted, Withheld};
use crate::{Bases, Throttle};

/// Bound on an answer, in bytes: the longest list of markets is some 20 MiB.
const ANSWER_BYTES_MAX: usize = 48 << 20;
/// Tries of a question that may be asked twice.
const TRIES: u32 = 3;
/// The first wait before another try; later ones double, and each is shortened at random.
const RETRY_WAIT: Duration = Duration::from_millis(500);
/// Longest an exchange can ask to be left alone.
const HOLD_MAX: Duration = Duration::from_secs(3_600);
/// How long it is left alone if it does not say.
const HOLD: Duration = Duration::from_secs(5);

/// How an exchange is reached.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Other bases than the exchange's own.
    pub bases: Bases,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time for a whole call.
    pub timeout: Duration,
    /// A proxy that requests go through: `http://` or `https://`, with or without user and password.
    pub proxy: Option<Secret<String>>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            bases: Bases::default(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(15),
            proxy: None,
        }
    }
}

/// A client that cannot be made of the options.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The proxy's address is none.
    #[error("the proxy of {0} is no address of one")]
    Proxy(Venue),
    /// The HTTP library refused.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// Carries requests to one exchange, within its rate.
pub struct HttpTransport {
    venue: Venue,
    client: reqwest::Client,
    bases: Bases,
    throttle: Arc<Throttle>,
    entropy: Arc<dyn Entropy>,
}

impl HttpTransport {
    /// A way to the exchange; all that ask it share the throttle. Redirects are not followed: a signed request goes
    /// where it was signed for.
    ///
    /// Errors: [`OpenError`].
    pub fn new(
        venue: Venue,
        options: &HttpOptions,
        throttle: Arc<Throttle>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        // an error says that there is a provider already
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("orrery")
            .no_proxy()
            .pool_max_idle_per_host(4);
        if let Some(proxy) = &options.proxy {
            let proxy = reqwest::Proxy::all(proxy.expose()).map_err(|_| OpenError::Proxy(venue))?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(OpenError::Client)?;
        Ok(Self { venue, client, bases: options.bases.clone(), throttle, entropy })
    }

    /// An error that names neither the address nor what it was signed with.
    fn failed(&self, error: &reqwest::Error) -> VenueError {
        if Withheld::caused(error) {
            return withheld(self.venue);
        }
        let (class, why) = if error.is_timeout() {
            (ErrorClass::RequestTimeout, "no answer came in time")
        } else if error.is_connect() {
            (ErrorClass::NetworkError, "no connection could be made")
        } else {
            (ErrorClass::NetworkError, "the connection broke")
        };
        VenueError::new(class, &format!("{}: {why}", self.venue))
    }

    async fn once(&self, request: &Request, permit: &Permit) -> Result<Answer, VenueError> {
        request.check(permit, self.venue)?;
        let method = match request.verb {
            Verb::Get => http::Method::GET,
            Verb::Post => http::Method::POST,
            Verb::Put => http::Method::PUT,
            Verb::Patch => http::Method::PATCH,
            Verb::Delete => http::Method::DELETE,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let mut value = HeaderValue::from_str(value).map_err(|_| self.error("a header cannot be sent"))?;
            value.set_sensitive(true);
            headers.insert(*name, value);
        }
        if let Some((name, value)) = self.bases.header() {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let mut builder = self.client.request(method, self.bases.rest(&request.url)).headers(headers);
        if let Some(body) = &request.body {
            builder = builder.body(match permit.ends() && request.verb != Verb::Get {
                true => reqwest::Body::wrap(Permitted::new(body.clone(), permit.clone())),
                false => body.clone().into(),
            });
        }
        let mut response = builder.send().await.map_err(|error| self.failed(&error))?;
        let status = response.status();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::IM_A_TEAPOT) {
            let pause = retry_after(response.headers()).unwrap_or(HOLD);
            self.throttle.hold(pause, Instant::now());
            tracing::warn!(venue = %self.venue, seconds = pause.as_secs(), "the exchange wants to be left alone");
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(VenueError::new(
                    ErrorClass::BadResponse,
                    &format!("{}: the answer is too long", self.venue),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        let unread = |_| VenueError::new(ErrorClass::BadResponse, &format!("{}: the answer is not UTF-8", self.venue));
        Ok(Answer { status: status.as_u16(), body: String::from_utf8(body).map_err(unread)? })
    }

    fn error(&self, why: &str) -> VenueError {
        VenueError::new(ErrorClass::BadRequest, &format!("{}: {why}", self.venue))
    }

    /// Between half of `wait` and all of it.
    fn jittered(&self, wait: Duration) -> Duration {
        let mut bits = [0; 2];
        self.entropy.fill(&mut bits);
        wait / 2 + wait / 2 * u32::from(u16::from_le_bytes(bits)) / u32::from(u16::MAX)
    }
}

#[async_trait]
impl Transport for HttpTransport {
    /// A question (`GET`) is asked up to three times if no answer comes, or one of a server between; anything else once.
    /// The permit is asked when the request's turn has come, and of one with a body again when that is written.
    async fn send(&self, request: Request, permit: &Permit) -> Result<Answer, VenueError> {
        let cost = self.venue.cost(request.verb, &request.url);
        let mut wait = RETRY_WAIT;
        let mut tries = 1;
        loop {
            let turn = self
                .throttle
                .take(cost, Instant::now())
                .map_err(|busy| VenueError::new(ErrorClass::RateLimitExceeded, &format!("{}: {busy}", self.venue)))?;
            tokio::time::sleep(turn).await;
            let result = self.once(&request, permit).await;
            let outcome = match &result {
                Ok(answer) if answer.status < 400 => "ok",
                Ok(answer) if answer.status == 429 => "rate_limited",
                Ok(answer) if answer.status >= 500 => "unavailable",
                Ok(_) => "refused",
                Err(_) => "failed",
            };
            let labels = [("venue", self.venue.id()), ("outcome", outcome)];
            metrics::counter!("venue_requests_total", &labels).increment(1);
            let passes = matches!(outcome, "failed" | "unavailable");
            if !passes || request.verb != Verb::Get || tries == TRIES {
                return result;
            }
            tokio::time::sleep(self.jittered(wait)).await;
            (wait, tries) = (wait * 2, tries + 1);
        }
    }
}

/// Seconds (RFC 9110 section 10.2.3); exchanges send no dates.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(HOLD_MAX))
}

//! The way out for scripts: requests and sockets, to addresses that the policy admits and to no other; and the ports
//! at which they answer requests themselves.
//!
//! A name is asked for its addresses once, each of them is judged, and the connection is made to one that was. An
//! answer that leads elsewhere is judged anew. What is admitted is decided in `orrery_workers::egress`.

mod fetch;
mod redirect;
mod resolve;
mod serve;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orrery_workers::egress::{Egress, EgressError, EgressSocket, FetchRequest, FetchResponse, Policy};
use tokio::sync::Semaphore;

pub use resolve::{Resolver, SystemResolver};
pub use serve::{NetIngress, ServeTimes};

/// Requests under way at a time, of all scripts together; more wait, within their time.
const FETCHES_MAX: usize = 256;
/// Open sockets of all scripts together; more are refused.
const SOCKETS_MAX: usize = 2_000;

/// Times that a script is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// To connect, with TLS and the upgrade.
    pub connect: Duration,
    /// For a whole request with its redirections.
    pub fetch: Duration,
    /// To hand a message of a socket to the operating system.
    pub send: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), fetch: Duration::from_secs(30), send: Duration::from_secs(30) }
    }
}

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for scripts cannot be made")]
pub struct OpenError(#[source] reqwest::Error);

/// The way out over the network.
pub struct NetEgress {
    policy: Arc<Policy>,
    resolver: Arc<dyn Resolver>,
    client: reqwest::Client,
    times: Times,
    fetches: Semaphore,
    sockets: Arc<Semaphore>,
}

impl NetEgress {
    /// To what the policy admits; names are asked for their addresses by the resolver.
    ///
    /// Errors: those of making the HTTP client.
    pub fn new(policy: Policy, resolver: Arc<dyn Resolver>, times: Times) -> Result<Self, OpenError> {
        // an error says that there is a provider already
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Arc::new(policy);
        let client = fetch::client(policy.clone(), resolver.clone(), times.connect).map_err(OpenError)?;
        Ok(Self {
            policy,
            resolver,
            client,
            times,
            fetches: Semaphore::new(FETCHES_MAX),
            sockets: Arc::new(Semaphore::new(SOCKETS_MAX)),
        })
    }
}

#[async_trait]
impl Egress for NetEgress {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, EgressError> {
        let fetched = async {
            let Ok(_turn) = self.fetches.acquire().await else { return Err(EgressError::Timeout) };
            fetch::fetch(&self.client, &self.policy, request).await
        };
        tokio::time::timeout(self.times.fetch, fetched).await.map_err(|_| EgressError::Timeout)?
    }

    async fn open(&self, url: &str, protocols: &[String]) -> Result<Box<dyn EgressSocket>, EgressError> {
        let full = |_| EgressError::Broken("this node has too many open sockets".into());
        let room = self.sockets.clone().try_acquire_owned().map_err(full)?;
        let opened = socket::open(&self.policy, &*self.resolver, url, protocols);
        let opened = tokio::time::timeout(self.times.connect, opened).await.map_err(|_| EgressError::Timeout)??;
        Ok(Box::new(opened.with(self.times.send, room)))
    }
}

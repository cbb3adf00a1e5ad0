//! What the end-to-end tests share: the real server as a child process, a client, a stand-in for
//! the market data services, and waiting for a condition in place of waiting for a time.

pub mod client;
pub mod exchange;
pub mod gateway;
pub mod localtunnel;
pub mod proxy;
pub mod socket;
pub mod upstream;

use std::time::Duration;

pub use client::{Answer, Client};
pub use exchange::Exchange;
pub use gateway::{
    Exported, Gateway, Options, Program, documented_routes, entries_of, gateway_binary, node_binary, poller_binary,
    repository,
};
pub use localtunnel::LocaltunnelHost;
pub use proxy::Proxy;
pub use upstream::{Mode, Upstream};

/// Asks `poll` until it answers, at most `limit` long; panics with `what` and the last complaint.
///
/// `poll` says what it saw instead as its error, so that a failure explains itself.
pub async fn eventually<T>(what: &str, limit: Duration, mut poll: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut last = "nothing was seen".to_owned();
    let found = tokio::time::timeout(limit, async {
        loop {
            match poll().await {
                Ok(value) => return value,
                Err(seen) => last = seen,
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    })
    .await;
    found.unwrap_or_else(|_| panic!("{what}: not within {limit:?}; last seen: {last}"))
}

/// Runs `count` numbered futures at once, each a task of its own, and gives their results in order.
pub async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    make: impl Fn(usize) -> F,
) -> Vec<T> {
    let mut set = tokio::task::JoinSet::new();
    for n in 0..count {
        let future = make(n);
        set.spawn(async move { (n, future.await) });
    }
    let mut results: Vec<(usize, T)> = set.join_all().await;
    results.sort_by_key(|(n, _)| *n);
    results.into_iter().map(|(_, value)| value).collect()
}

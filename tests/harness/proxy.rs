//! A TCP proxy on loopback that cuts and delays what passes.
#![expect(clippy::disallowed_methods, reason = "a test's own tasks; they end with the proxy")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

struct State {
    target: SocketAddr,
    refuse: AtomicBool,
    delay_ms: AtomicU64,
    cut: broadcast::Sender<()>,
}

/// A link that can fail.
pub struct Proxy {
    state: Arc<State>,
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Begins to pass everything on to a loopback port.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap_or_else(|e| panic!("no port: {e}"));
        let port = listener.local_addr().map_or(0, |a| a.port());
        let state = Arc::new(State {
            target: SocketAddr::from(([127, 0, 0, 1], target)),
            refuse: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            cut: broadcast::channel(1).0,
        });
        let task = tokio::spawn(accept(listener, state.clone()));
        Self { state, port, task }
    }

    /// Where clients connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every connection is cut now; new ones are taken.
    pub fn cut(&self) {
        // an error says that nothing is connected
        let _ = self.state.cut.send(());
    }

    /// Every connection is cut and new ones end at once, until `false` is said.
    pub fn refuse(&self, refuse: bool) {
        self.state.refuse.store(refuse, Ordering::SeqCst);
        if refuse {
            self.cut();
        }
    }

    /// What passes waits this long, each way.
    pub fn delay(&self, by: Duration) {
        self.state.delay_ms.store(u64::try_from(by.as_millis()).unwrap_or(0), Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        if state.refuse.load(Ordering::SeqCst) {
            continue;
        }
        let state = state.clone();
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(state.target).await else { return };
            let mut cut = state.cut.subscribe();
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::select! {
                () = pass(from_client, to_server, &state) => {}
                () = pass(from_server, to_client, &state) => {}
                _ = cut.recv() => {}
            }
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) {
    let mut buffer = vec![0; 16_384];
    loop {
        let Ok(n) = from.read(&mut buffer).await else { return };
        let Some(part) = buffer.get(..n).filter(|p| !p.is_empty()) else { return };
        let delay = state.delay_ms.load(Ordering::SeqCst);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if to.write_all(part).await.is_err() {
            return;
        }
    }
}

//! A localtunnel host on the loopback: gives out places, and brings requests to whoever took one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A host, until it is dropped.
pub struct LocaltunnelHost {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<TcpStream>>>,
    tasks: Vec<JoinHandle<()>>,
    places: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Drop for LocaltunnelHost {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.lose();
    }
}

/// The head of a request, as text.
async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte).await, Ok(1)) {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl LocaltunnelHost {
    /// Starts one, whose places are at `http://NAME.lt.example`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap_or_else(|e| panic!("no port: {e}"));
        let address = listener.local_addr().unwrap_or_else(|e| panic!("no address: {e}"));
        let (sender, receiver) = mpsc::channel(64);
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let places: Arc<Mutex<Option<JoinHandle<()>>>> = Arc::default();
        let (log, place) = (asked.clone(), places.clone());
        let serve = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let head = head(&mut stream).await;
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let name = if path == "/?new" { "tidy-owl-7" } else { path.trim_start_matches('/') };
                let Ok(own) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await else { return };
                let port = own.local_addr().map(|a| a.port()).unwrap_or_default();
                let sender = sender.clone();
                let bring = tokio::spawn(async move {
                    while let Ok((stream, _)) = own.accept().await {
                        if sender.send(stream).await.is_err() {
                            return;
                        }
                    }
                });
                let before = place.lock().unwrap_or_else(PoisonError::into_inner).replace(bring);
                before.iter().for_each(JoinHandle::abort);
                let body =
                    format!(r#"{{"id":"{name}","port":{port},"max_conn_count":3,"url":"http://{name}.lt.example"}}"#);
                log.lock().unwrap_or_else(PoisonError::into_inner).push(path);
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let waiting = Arc::new(tokio::sync::Mutex::new(receiver));
        Self { address, asked, waiting, tasks: vec![serve], places }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that places were asked for with.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes no connections any more at the place it gave.
    pub fn lose(&self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).take().iter().for_each(JoinHandle::abort);
    }

    /// A connection that somebody holds ready.
    pub async fn connection(&self) -> TcpStream {
        let taken = tokio::time::timeout(Duration::from_secs(30), async { self.waiting.lock().await.recv().await });
        taken.await.ok().flatten().unwrap_or_else(|| panic!("nobody holds a connection ready"))
    }

    /// Forgets connections that were closed meanwhile. Gives the number that was forgotten.
    pub async fn forget(&self) -> usize {
        let (mut waiting, mut forgotten) = (self.waiting.lock().await, 0);
        while waiting.try_recv().is_ok() {
            forgotten += 1;
        }
        forgotten
    }

    /// Brings a request of the internet's; gives status and whole answer.
    pub async fn bring(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let mut stream = self.connection().await;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n");
        let mut answer = Vec::new();
        let talk = async {
            stream.write_all(&[head.as_bytes(), body].concat()).await?;
            stream.read_to_end(&mut answer).await
        };
        tokio::time::timeout(Duration::from_secs(30), talk)
            .await
            .unwrap_or_else(|_| panic!("{method} {path}: no answer through the tunnel"))
            .unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("{method} {path}: no answer: {text:?}")), text)
    }
}

//! A small server as one would write it with tokio-tungstenite: a task and a bounded queue a connection. What
//! comes on `/?pub` is passed on to every other connection.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

type Subscribers = Arc<Mutex<Vec<mpsc::Sender<Message>>>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let subscribers = Subscribers::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        #[expect(clippy::disallowed_methods, reason = "a program of its own")]
        tokio::spawn(serve(stream, subscribers.clone()));
    }
}

async fn serve(stream: tokio::net::TcpStream, subscribers: Subscribers) -> anyhow::Result<()> {
    let mut publishes = false;
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let look = |request: &Request, response: Response| {
        publishes = request.uri().query() == Some("pub");
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, look).await?;
    let (mut sink, mut source) = socket.split();
    if publishes {
        while let Some(message) = source.next().await {
            let Message::Text(text) = message? else { continue };
            let subscribers = subscribers.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for subscriber in subscribers {
                // waits for the slowest, since dropping would be no comparison
                let _ = subscriber.send(Message::Text(text.clone())).await;
            }
        }
        return Ok(());
    }
    let (sender, mut queue) = mpsc::channel(256);
    subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    loop {
        tokio::select! {
            message = queue.recv() => {
                let Some(message) = message else { return Ok(()) };
                sink.feed(message).await?;
                while let Ok(more) = queue.try_recv() {
                    sink.feed(more).await?;
                }
                sink.flush().await?;
            }
            message = source.next() => {
                if message.is_none() {
                    return Ok(());
                }
            }
        }
    }
}

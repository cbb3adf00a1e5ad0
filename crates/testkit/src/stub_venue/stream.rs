//! The side that tells.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::{Inner, Word, recorded};

pub(super) async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    while let Ok((stream, _)) = listener.accept().await {
        let inner = inner.clone();
        tokio::spawn(async move {
            inner.sockets.fetch_add(1, Ordering::SeqCst);
            talk(stream, &inner).await;
            inner.sockets.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// A frame that asks for something is answered by what a test has said, else by all that was recorded.
async fn talk(stream: TcpStream, inner: &Inner) {
    let mut words = inner.words.subscribe();
    #[expect(clippy::result_large_err, reason = "the library's own kind of answer")]
    let asked = |request: &Request, response: Response| {
        let token = request.headers().get("authorization").and_then(|token| token.to_str().ok());
        let address = request.uri().to_string();
        inner.state().handshakes.push((address, token.unwrap_or_default().to_owned()));
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, asked).await else { return };
    loop {
        tokio::select! {
            word = words.recv() => match word {
                Ok(Word::Text(text)) => if socket.send(Message::text(text)).await.is_err() { return },
                Ok(Word::Cut) | Err(RecvError::Closed) => return,
                Err(RecvError::Lagged(_)) => {}
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(frame))) => {
                    for message in replies(inner, frame.as_str()) {
                        if socket.send(Message::text(message)).await.is_err() {
                            return;
                        }
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

fn replies(inner: &Inner, frame: &str) -> Vec<String> {
    let mut state = inner.state();
    state.frames.push(frame.to_owned());
    if let Some(answer) = recorded::login(inner.venue, frame) {
        return vec![answer.to_owned()];
    }
    let asks = frame.to_lowercase().contains("sub") || frame.contains("ticket");
    if !asks || frame.to_lowercase().contains("unsub") {
        return Vec::new();
    }
    if state.on_frame.is_empty() {
        return recorded::messages(inner.venue);
    }
    let said = state.on_frame.iter().filter(|(part, _)| frame.contains(part));
    said.flat_map(|(_, messages)| messages.iter().cloned()).collect()
}

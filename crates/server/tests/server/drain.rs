//! The end of a server.

use tokio::net::TcpStream;

use super::support::{PATIENCE, Server, connect, exchange, get_with, read_answer, start, until_closed};
use tokio::io::AsyncWriteExt;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Begins to drain in the background and gives what waits for its end.
fn drain(server: &Server) -> tokio::sync::oneshot::Receiver<()> {
    server.draining.send_replace(true);
    let (done, ended) = tokio::sync::oneshot::channel();
    let (serving, tasks) = (server.serving.clone(), server.tasks.clone());
    #[expect(clippy::disallowed_methods, reason = "a test's own task")]
    tokio::spawn(async move {
        serving.drain().await;
        tasks.drain().await;
        let _ = done.send(());
    });
    ended
}

#[tokio::test]
async fn running_requests_finish_and_newcomers_are_told() {
    let server = start().await;
    let mut idle = connect(&server).await;
    assert_eq!(exchange(&mut idle, GET).await.unwrap().status, 200);
    let mut silent = connect(&server).await;
    let mut busy = connect(&server).await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    server.began.notified().await;

    let ended = drain(&server);
    until_closed(&mut idle).await;
    until_closed(&mut silent).await;
    let late = get_with(&server, "/", "").await;
    assert_eq!((late.status, late.header("retry-after")), (503, Some("1")));
    assert_eq!(late.header("connection"), Some("close"));
    assert_ne!(get_with(&server, "/health", "").await.status, 503, "the health route itself answers");

    server.go.notify_one();
    let answer = read_answer(&mut busy).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
    tokio::time::timeout(PATIENCE, ended).await.expect("the drain ends").unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "the socket is closed");
}

#[tokio::test]
async fn requests_that_only_wait_for_news_do_not_hold_it_up() {
    let server = start().await;
    let mut poll = connect(&server).await;
    poll.write_all(b"GET /poll/x HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    server.began.notified().await;
    let ended = drain(&server);
    assert_eq!(read_answer(&mut poll).await.unwrap().status, 503);
    tokio::time::timeout(PATIENCE, ended).await.expect("the drain ends").unwrap();
}

#[tokio::test]
async fn an_idle_server_ends_at_once() {
    let server = start().await;
    tokio::time::timeout(PATIENCE, drain(&server)).await.expect("the drain ends").unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_taken_port_is_a_clear_error() {
    let server = start().await;
    let spec = orrery_server::config::ListenSpec {
        host: "127.0.0.1".into(),
        port: server.address.port(),
        surface: orrery_server::config::Surface::All,
    };
    let text = orrery_server::listen::bind(&[spec]).await.expect_err("taken").to_string();
    assert!(text.contains("taken by another program") && text.contains("PORT"), "{text}");
    assert_eq!(get_with(&server, "/", "").await.status, 200, "and the owner is left alone");
}

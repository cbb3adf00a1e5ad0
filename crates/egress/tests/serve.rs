//! Ports at which scripts answer, asked over the loopback.

#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use orrery_egress::{NetIngress, ServeTimes};
use orrery_workers::ingress::{Ingress as _, IngressAnswer, IngressError, IngressListener, Ports, REQUEST_BYTES_MAX};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn ingress(times: ServeTimes) -> NetIngress {
    NetIngress::new(LOOPBACK, Ports::parse("1024-65535").unwrap(), times)
}

async fn listen(times: ServeTimes) -> (SocketAddr, Arc<dyn IngressListener>) {
    let listener = ingress(times).listen(0).await.unwrap();
    (listener.address(), listener.into())
}

/// What is answered to these bytes until the connection ends.
async fn ask(at: SocketAddr, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    // an answer may come with a reset, where what was sent was not read
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn get() -> Vec<u8> {
    b"GET /a?b HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".to_vec()
}

fn answer(status: u16, body: &str) -> IngressAnswer {
    IngressAnswer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

#[tokio::test]
async fn a_request_is_given_and_answered() {
    let (at, listener) = listen(ServeTimes::default()).await;
    let sent = b"POST /a?b HTTP/1.1\r\nhost: h\r\nx-a: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
    let script = async {
        let request = listener.next().await.unwrap();
        assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "http://h/a?b"));
        assert_eq!(request.body, b"hi");
        assert!(request.headers.contains(&("x-a".into(), "1".into())));
        let headers = [("x-b", "2"), ("connection", "upgrade"), ("content-length", "1")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        listener.answer(request.id, IngressAnswer { headers, ..answer(202, "done") }).await.unwrap();
        // nobody waits for it any more
        listener.answer(request.id, answer(200, "")).await.unwrap();
    };
    let (text, ()) = tokio::join!(ask(at, sent), script);
    assert!(text.starts_with("HTTP/1.1 202") && text.ends_with("\r\n\r\ndone"), "{text}");
    assert!(text.contains("x-b: 2") && !text.contains("upgrade"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let (at, listener) = listen(ServeTimes::default()).await;
    let script = async {
        let request = listener.next().await.unwrap();
        for (name, value) in [("a b", "1"), ("a", "1\r\nb: 2")] {
            let headers = vec![(name.to_owned(), value.to_owned())];
            let refused = listener.answer(request.id, IngressAnswer { headers, ..answer(200, "") }).await;
            assert!(matches!(refused, Err(IngressError::Invalid(_))), "{refused:?}");
        }
        for status in [0, 101, 1_000] {
            assert!(listener.answer(request.id, answer(status, "")).await.is_err(), "{status}");
        }
        listener.answer(request.id, answer(200, "at last")).await.unwrap();
    };
    let sent = get();
    let (text, ()) = tokio::join!(ask(at, &sent), script);
    assert!(text.ends_with("at last"), "{text}");
}

#[tokio::test]
async fn bounds_are_told() {
    let times = ServeTimes { answer: Duration::from_millis(50), request: Duration::from_millis(200) };
    let (at, listener) = listen(times).await;
    let head = format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", REQUEST_BYTES_MAX + 1);
    let large = ask(at, &[head.into_bytes(), vec![b'x'; REQUEST_BYTES_MAX + 1]].concat()).await;
    assert!(large.starts_with("HTTP/1.1 413"), "{large}");
    let late = ask(at, &get()).await;
    assert!(late.starts_with("HTTP/1.1 504"), "{late}");
    let slow = ask(at, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\nconnection: close\r\n\r\n1").await;
    assert!(slow.starts_with("HTTP/1.1 408"), "{slow}");
    // a head that never ends is not waited for
    ask(at, b"GET / HTTP/1.1\r\n").await;
    drop(listener);
}

#[tokio::test]
async fn no_request_comes_after_the_end() {
    let (at, listener) = listen(ServeTimes::default()).await;
    let waiting = listener.clone();
    let (next, ()) = tokio::join!(waiting.next(), async { listener.close() });
    assert_eq!(next, None);
    assert_eq!(listener.next().await, None);
    for _ in 0..1_000 {
        if TcpStream::connect(at).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it still listens");
}

#[tokio::test]
async fn ports_that_are_not_admitted_or_taken() {
    let ports = Ports::parse("1024-65535").unwrap();
    let some = NetIngress::new(LOOPBACK, ports.without([20_000]), ServeTimes::default());
    for port in [80, 20_000] {
        assert!(matches!(some.listen(port).await, Err(IngressError::Refused(at)) if at == port));
    }
    let none = NetIngress::new(LOOPBACK, Ports::none(), ServeTimes::default());
    assert!(matches!(none.listen(0).await, Err(IngressError::Refused(0))));
    let first = some.listen(0).await.unwrap();
    let port = first.address().port();
    assert!(matches!(some.listen(port).await, Err(IngressError::InUse(at)) if at == port));
}

//! localtunnel's protocol against hosts that do not keep to it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by its panic")]

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orrery_tunnel_net::Localtunnel;
use orrery_tunnels::{Asked, Heard, Name, Opened, TunnelError, TunnelProvider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Heard for Ear {
    fn opened(&self, opened: Opened) {
        self.0.lock().unwrap().push(opened.url().to_owned());
    }

    fn line(&self, _: &str) {}
}

/// What a tunnel says for which the host answers with `answer`.
async fn carried(answer: String) -> (TunnelError, Vec<String>) {
    let host = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", host.local_addr().unwrap());
    let serve = async {
        let (mut stream, _) = host.accept().await.unwrap();
        let mut request = vec![0; 4_096];
        let n = stream.read(&mut request).await.unwrap();
        let request = String::from_utf8_lossy(&request[..n]).into_owned();
        assert!(request.starts_with("GET /my-app HTTP/1.1\r\n"), "{request}");
        // one who is answered too much goes away early
        let _ = stream.write_all(answer.as_bytes()).await;
        drop(stream);
        std::future::pending::<()>().await;
    };
    let ear = Arc::new(Ear::default());
    let tunnels = Localtunnel::new(&url).unwrap();
    let asked = Asked { name: Name::new("my-app"), token: None };
    let carry = tunnels.carry(&asked, 9, ear.clone());
    let error = tokio::select! {
        () = serve => panic!("it serves for ever"),
        error = tokio::time::timeout(Duration::from_secs(60), carry) => error.unwrap(),
    };
    let opened = ear.0.lock().unwrap().clone();
    (error, opened)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn strange_answers_open_nothing() {
    for answer in [
        ok("hello"),
        ok("{}"),
        ok(r#"{"id":"x","port":0,"url":"https://x.example"}"#),
        ok(r#"{"id":"x","port":70000,"url":"https://x.example"}"#),
        ok(r#"{"id":"x","port":9,"url":"javascript:alert(1)"}"#),
        ok(&format!(r#"{{"id":"{}","port":9,"url":"https://x.example"}}"#, "x".repeat(100_000))),
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "nonsense".to_owned(),
    ] {
        let shown: String = answer.chars().take(120).collect();
        let (error, opened) = carried(answer).await;
        assert!(matches!(error, TunnelError::Unreachable(_)), "{shown}: {error:?}");
        assert!(opened.is_empty(), "{shown}");
    }
}

#[tokio::test]
async fn a_refusal_is_passed_on() {
    let body = r#"{"message":"Invalid subdomain."}"#;
    let answer = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    assert_eq!(carried(answer).await.0, TunnelError::Refused("Invalid subdomain.".into()));
}

#[tokio::test]
async fn a_place_that_takes_nobody_is_given_up() {
    // port 9 of the loopback refuses
    let (error, opened) = carried(ok(r#"{"id":"x","port":9,"url":"https://x.example","max_conn_count":2}"#)).await;
    assert!(matches!(error, TunnelError::Ended(_)), "{error:?}");
    assert_eq!(opened, ["https://x.example"]);
}

#[test]
fn only_addresses_are_hosts() {
    for bad in ["", "x", "ftp://x", "file:///etc/passwd", "http://"] {
        assert!(Localtunnel::new(bad).is_err(), "{bad}");
    }
}

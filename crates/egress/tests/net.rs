//! The way out, beside a server on the loopback that the policy names. What is refused is decided before anything is
//! sent: names lead where a fake resolver says, and no refused address is ever connected to.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "for tests, where a panic is a failed test and tasks end with the runtime"
)]

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{SinkExt as _, StreamExt as _};
use orrery_egress::{NetEgress, Resolver, Times};
use orrery_workers::egress::{
    Egress as _, EgressError, FETCH_BYTES_MAX, FetchRequest, FetchResponse, Message, Policy, Redirect, Refusal,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Every name leads there; counts how often it was asked.
struct Leads(IpAddr, AtomicUsize);

#[async_trait]
impl Resolver for Leads {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok(vec![self.0])
    }
}

fn leads(to: &str) -> Arc<Leads> {
    Arc::new(Leads(to.parse().unwrap(), AtomicUsize::new(0)))
}

fn egress(policy: Policy, resolver: Arc<Leads>) -> NetEgress {
    let times = Times { connect: Duration::from_secs(5), fetch: Duration::from_secs(10), ..Times::default() };
    NetEgress::new(policy, resolver, times).unwrap()
}

fn allowing(host: &str) -> Policy {
    Policy::new(false, &[host.to_owned()]).unwrap()
}

fn get(url: &str) -> FetchRequest {
    FetchRequest { url: url.to_owned(), method: "GET".into(), ..FetchRequest::default() }
}

fn refused(result: Result<FetchResponse, EgressError>) -> Refusal {
    match result {
        Err(EgressError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Answers each connection's first request with what is said for its path; gives the port.
async fn server(answer: fn(&str) -> Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    let mut more = [0; 1_024];
                    let read = stream.read(&mut more).await.unwrap_or(0);
                    if read == 0 {
                        return;
                    }
                    head.extend_from_slice(&more[..read]);
                }
                // who hears only part of it hangs up
                let _ = stream.write_all(&answer(&String::from_utf8_lossy(&head))).await;
            });
        }
    });
    port
}

fn said(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes()
}

fn pages(head: &str) -> Vec<u8> {
    let path = head.split(' ').nth(1).unwrap_or_default();
    match path {
        "/echo" => said("200 OK", "x-a: 1\r\nx-a: 2\r\n", head),
        "/metadata" => said("302 Found", "location: http://169.254.169.254/latest\r\n", ""),
        "/name" => said("302 Found", "location: http://metadata.example/\r\n", ""),
        "/on" => said("302 Found", "location: /echo\r\n", ""),
        "/round" => said("302 Found", "location: /round\r\n", ""),
        "/file" => said("302 Found", "location: file:///etc/passwd\r\n", ""),
        "/large" => said("200 OK", "", &"x".repeat(FETCH_BYTES_MAX + 1)),
        _ => said("404 Not Found", "", "nothing here"),
    }
}

#[tokio::test]
async fn addresses_that_are_not_the_internets_are_refused_before_anything_is_sent() {
    let resolver = leads("93.184.216.34");
    let egress = egress(Policy::default(), resolver.clone());
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:8000/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://10.0.0.1./",
    ] {
        assert!(matches!(refused(egress.fetch(get(url)).await), Refusal::Address(_)), "{url}");
    }
    assert_eq!(refused(egress.fetch(get("file:///etc/passwd")).await), Refusal::Scheme("file".into()));
    assert_eq!(refused(egress.fetch(get("http://u:p@example.com/")).await), Refusal::Userinfo);
    let socket = egress.open("ws://169.254.169.254/", &[]).await.err();
    assert!(matches!(socket, Some(EgressError::Refused(_))), "{socket:?}");
    assert_eq!(resolver.1.load(Ordering::SeqCst), 0, "no name was asked for");
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused() {
    for to in ["169.254.169.254", "127.0.0.1", "10.0.0.7", "::1", "::ffff:127.0.0.1"] {
        let resolver = leads(to);
        let egress = egress(Policy::default(), resolver.clone());
        let refusal = refused(egress.fetch(get("http://rebound.example/")).await);
        assert_eq!(refusal, Refusal::Address("rebound.example".into()), "{to}");
        let socket = egress.open("ws://rebound.example/", &[]).await.err();
        assert_eq!(socket, Some(EgressError::Refused(refusal)));
        assert_eq!(resolver.1.load(Ordering::SeqCst), 2, "each was asked for once");
    }
}

#[tokio::test]
async fn a_request_is_made_and_its_answer_read() {
    let port = server(pages).await;
    let egress = egress(allowing("127.0.0.1"), leads("93.184.216.34"));
    let headers = vec![("x-mine".to_owned(), "yes".to_owned()), ("host".to_owned(), "other".to_owned())];
    let request = FetchRequest { headers, ..get(&format!("http://127.0.0.1:{port}/echo#part")) };
    let answer = egress.fetch(request).await.unwrap();
    let body = String::from_utf8(answer.body).unwrap();
    assert!(body.contains("x-mine: yes") && !body.contains("other"), "{body}");
    assert_eq!((answer.status, &*answer.status_text, answer.redirected), (200, "OK", false));
    assert_eq!(answer.headers.iter().filter(|(name, _)| name == "x-a").count(), 2);
    assert_eq!(egress.fetch(get(&format!("http://127.0.0.1:{port}/no"))).await.unwrap().status, 404);
}

#[tokio::test]
async fn every_redirection_is_judged_anew() {
    let port = server(pages).await;
    // the name leads to a private address, which is found out when it is followed
    let egress = egress(allowing("127.0.0.1"), leads("169.254.169.254"));
    let of = |path: &str| get(&format!("http://127.0.0.1:{port}{path}"));
    assert!(matches!(refused(egress.fetch(of("/metadata")).await), Refusal::Address(_)));
    assert!(matches!(refused(egress.fetch(of("/name")).await), Refusal::Address(_)));
    assert_eq!(refused(egress.fetch(of("/file")).await), Refusal::Scheme("file".into()));
    let followed = egress.fetch(of("/on")).await.unwrap();
    assert!(followed.redirected && followed.url.ends_with("/echo"));
    let manual = egress.fetch(FetchRequest { redirect: Redirect::Manual, ..of("/on") }).await.unwrap();
    assert_eq!((manual.status, manual.redirected), (302, false));
    let error = egress.fetch(FetchRequest { redirect: Redirect::Error, ..of("/on") }).await;
    assert!(matches!(error, Err(EgressError::Broken(_))));
    assert!(matches!(egress.fetch(of("/round")).await, Err(EgressError::Broken(_))));
}

#[tokio::test]
async fn a_huge_answer_is_not_kept() {
    let port = server(pages).await;
    let egress = egress(allowing("127.0.0.1"), leads("93.184.216.34"));
    let large = egress.fetch(get(&format!("http://127.0.0.1:{port}/large"))).await;
    assert_eq!(large, Err(EgressError::TooLarge(FETCH_BYTES_MAX)));
}

#[tokio::test]
async fn a_named_host_is_reached_where_it_leads() {
    let port = server(pages).await;
    let egress = egress(allowing("stub.internal"), leads("127.0.0.1"));
    assert_eq!(egress.fetch(get(&format!("http://stub.internal:{port}/on"))).await.unwrap().status, 200);
    assert!(matches!(refused(egress.fetch(get(&format!("http://other.internal:{port}/"))).await), Refusal::Address(_)));
}

#[tokio::test]
async fn messages_go_over_a_socket_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() || socket.send(message).await.is_err() {
                break;
            }
        }
        let _ = socket.close(None).await;
    });
    let egress = egress(allowing(&format!("127.0.0.1:{port}")), leads("93.184.216.34"));
    let socket = egress.open(&format!("ws://127.0.0.1:{port}/"), &[]).await.unwrap();
    for message in [Message::Text("hello".into()), Message::Bytes(vec![1, 2, 3])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap(), message);
    }
    socket.send(Message::Close { code: 1000, reason: "done".into() }).await.unwrap();
    assert!(matches!(socket.next().await, Ok(Message::Close { .. }) | Err(EgressError::Broken(_))));
}

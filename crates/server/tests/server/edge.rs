//! What stands before every route.

use std::time::Duration;

use orrery_server::listen::Bounds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{
    Answer, ask, bounds, connect, exchange, get_with, options, read_answer, start, start_with, until_closed,
};

fn error(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 1, "only the documented member: {body}");
    body["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn requests_beyond_bounds_are_refused_in_shape() {
    let server = start().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(1_001));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-A: b\r\n".repeat(60));
    let fat = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n", "b".repeat(20_000));
    let big =
        "POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n".to_owned();
    for (request, status) in [
        (long, 414),
        (many, 431),
        (fat, 431),
        (big, 413),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), 421),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 421),
        ("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 405),
    ] {
        let answer = ask(&server, &request).await;
        assert_eq!(answer.status, status, "{request:.60}");
        assert!(!error(&answer).is_empty());
        assert_eq!(answer.header("x-request-id").unwrap().len(), 32, "{request:.60}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(get_with(&server, "/", "").await.body, "hello");
}

#[tokio::test]
async fn what_cannot_even_be_read_is_refused_in_shape_too() {
    let server = start().await;
    let endless = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(100_000));
    let crowd = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-A: b\r\n".repeat(2_000));
    let huge = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n", "b".repeat(600_000));
    for (request, status) in [
        (endless, 414),
        (crowd, 431),
        (huge, 431),
        ("rubbish\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost localhost\r\n\r\n".into(), 400),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".into(), 400),
    ] {
        let mut io = connect(&server).await;
        let answer = exchange(&mut io, request.as_bytes()).await.expect("an answer");
        assert_eq!(answer.status, status, "{request:.60}");
        assert!(!error(&answer).is_empty());
        assert_eq!(answer.header("x-request-id").unwrap().len(), 32);
        until_closed(&mut io).await;
    }
}

#[tokio::test]
async fn request_ids_are_kept_only_when_plain() {
    let server = start().await;
    let id = |a: &Answer| a.header("x-request-id").unwrap().to_owned();
    assert_eq!(id(&get_with(&server, "/", "X-Request-ID: abc-1.2_3\r\n").await), "abc-1.2_3");
    let long = format!("X-Request-ID: {}\r\n", "a".repeat(65));
    for bad in ["X-Request-ID: a b\r\n", "X-Request-ID: <x>\r\n", "X-Request-ID: \r\n", long.as_str()] {
        let given = id(&get_with(&server, "/", bad).await);
        assert!(given.len() == 32 && given.bytes().all(|b| b.is_ascii_hexdigit()), "{bad} gave {given}");
    }
    let (a, b) = (get_with(&server, "/nope", "").await, get_with(&server, "/nope", "").await);
    assert_ne!(id(&a), id(&b));
}

#[tokio::test]
async fn a_panic_is_one_requests_failure() {
    let server = start().await;
    let mut io = connect(&server).await;
    let answer = exchange(&mut io, b"GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(answer.status, 500);
    assert_eq!(error(&answer), "Internal server error");
    assert!(answer.header("x-request-id").is_some());
    let next = exchange(&mut io, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(next.body, "hello", "even the connection lives on");
    assert!(!server.tasks.failed());
}

#[tokio::test]
async fn a_client_that_sends_too_much_still_reads_its_answer() {
    let server = start().await;
    let bytes = 3 << 20;
    let body = vec![b'x'; bytes];
    for path in ["/body", "/ignore"] {
        for chunked in [false, true] {
            let mut request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
            if chunked {
                request.extend(format!("Transfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n").bytes());
                request.extend(&body);
                request.extend(b"\r\n0\r\n\r\n");
            } else {
                request.extend(format!("Content-Length: {bytes}\r\n\r\n").bytes());
                request.extend(&body);
            }
            let mut io = connect(&server).await;
            // the whole request first, as simple clients do
            let answer = exchange(&mut io, &request).await.expect("an answer, no reset");
            let want = if path == "/ignore" && chunked { 200 } else { 413 };
            assert_eq!(answer.status, want, "{path} chunked={chunked}");
        }
    }
}

#[tokio::test]
async fn dawdlers_lose_their_connection() {
    let short = Bounds { header_timeout: Duration::from_millis(200), ..bounds() };
    let server = start_with(options(), short, None).await;
    for begin in ["", "P", "PRI * HT", "GET / HTTP/1.1\r\nHost: local", "GET / HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut io = connect(&server).await;
        io.write_all(begin.as_bytes()).await.unwrap();
        until_closed(&mut io).await;
    }
    let mut kept = connect(&server).await;
    assert_eq!(exchange(&mut kept, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap().status, 200);
    until_closed(&mut kept).await;
}

#[tokio::test]
async fn a_body_that_stops_is_408() {
    let mut o = options();
    o.body_timeout = Duration::from_millis(200);
    let server = start_with(o, bounds(), None).await;
    let request = "POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf of it";
    let answer = ask(&server, request).await;
    assert_eq!(answer.status, 408);
    assert_eq!(error(&answer), "The request body took too long");
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_a_place() {
    let server = start_with(options(), Bounds { connections: 1, ..bounds() }, None).await;
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut first = connect(&server).await;
    assert_eq!(exchange(&mut first, request).await.unwrap().status, 200);
    let mut second = connect(&server).await;
    second.write_all(request).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_u8()).await;
    assert!(early.is_err(), "the only place is taken");
    drop(first);
    assert_eq!(read_answer(&mut second).await.unwrap().status, 200);
}

#[tokio::test]
async fn upgrades_work_and_keep_their_place() {
    let server = start_with(options(), Bounds { connections: 1, ..bounds() }, None).await;
    let mut io = connect(&server).await;
    let request = b"GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n";
    let answer = exchange(&mut io, request).await.unwrap();
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("test")));
    assert!(answer.header("x-request-id").is_some());
    let mut second = connect(&server).await;
    second.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_u8()).await;
    assert!(early.is_err(), "an upgraded socket counts");
    io.write_all(b"ping").await.unwrap();
    let mut word = [0; 4];
    io.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"PING");
    assert_eq!(read_answer(&mut second).await.unwrap().status, 200);
}

#[tokio::test]
async fn forwarded_addresses_need_a_trusted_peer() {
    let plain = start().await;
    assert_eq!(get_with(&plain, "/whoami", "X-Forwarded-For: 1.2.3.4\r\n").await.body, "127.0.0.1");
    let mut o = options();
    o.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let behind = start_with(o, bounds(), None).await;
    assert_eq!(get_with(&behind, "/whoami", "X-Forwarded-For: 9.9.9.9, 1.2.3.4\r\n").await.body, "1.2.3.4");
}

#[tokio::test]
async fn made_up_paths_and_methods_add_no_series() {
    orrery_server::telemetry::figures();
    let server = start().await;
    let mut io = connect(&server).await;
    for i in 0..300 {
        let request = format!("GET /made-up-{i}/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(exchange(&mut io, request.as_bytes()).await.unwrap().status, 404);
        let request = format!("VERB{i} /item/{i}?q=secret-{i} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(exchange(&mut io, request.as_bytes()).await.unwrap().status, 405);
    }
    let text = orrery_server::telemetry::figures().render();
    let counted: Vec<&str> = text.lines().filter(|l| l.starts_with("http_requests_total{")).collect();
    assert!(counted.iter().any(|l| l.contains(r#"endpoint="unmatched""#)), "{counted:?}");
    assert!(counted.iter().any(|l| l.contains(r#"method="OTHER",endpoint="/item/{id}",status="405""#)), "{counted:?}");
    assert!(!text.contains("made-up") && !text.contains("VERB") && !text.contains("secret-"));
    assert!(text.contains("http_request_latency_seconds_bucket{"), "a histogram with buckets");
}

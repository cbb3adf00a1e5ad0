//! Scripts that try to get out, or to take more than there is.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::bench::{bench, bench_allowing};

/// No packet leaves: each address is refused when it is judged, and the name when it was looked up.
#[tokio::test]
async fn the_machines_description_of_itself_is_not_reached() {
    let bench = bench().await;
    let script = r#"
      const refused = [];
      for (const url of ["http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://127.0.0.1:1/",
        "http://2852039166/", "http://metadata.example/", "http://[::ffff:169.254.169.254]/"]) {
        try { await fetch(url); refused.push("REACHED " + url) } catch (error) { refused.push(error.name) }
      }
      const socket = new WebSocket("ws://169.254.169.254/");
      refused.push(await new Promise((resolve) => { socket.onclose = (event) => resolve(event.code) }));
      return refused"#;
    let seen = bench.value(script, bench.free()).await;
    let denied = "PermissionDenied";
    assert_eq!(seen, json!([denied, denied, denied, denied, denied, denied, 1006]));
    bench.tasks.drain().await;
}

#[tokio::test]
async fn a_huge_answer_and_a_redirection_inside_are_errors_of_the_script() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut head = [0; 2_048];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let answer = if head.starts_with("GET /large") {
                format!("HTTP/1.1 200 OK\r\ncontent-length: 6000000\r\n\r\n{}", "x".repeat(6_000_000))
            } else if head.starts_with("GET /inside") {
                let to = "http://169.254.169.254/latest";
                format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            } else {
                "HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"ok\":true}".to_owned()
            };
            // who heard enough hangs up
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    };
    let bench = bench_allowing(&[address.to_string()]).await;
    let script = format!(
        r#"
      const name = async (path) => {{
        try {{ return (await (await fetch("http://{address}" + path)).json()).ok }} catch (error) {{ return error.name }}
      }};
      return [await name("/"), await name("/large"), await name("/inside")]"#
    );
    let seen = tokio::select! {
        seen = bench.value(&script, bench.free()) => seen,
        () = serve => panic!("the server ended"),
    };
    assert_eq!(seen, json!([true, "RangeError", "PermissionDenied"]));
    bench.tasks.drain().await;
}

#[tokio::test]
async fn a_flood_of_calls_keeps_to_its_pace_and_harms_nobody() {
    let bench = bench().await;
    let flood = r#"
      const all = [];
      for (let i = 0; i < 4000; i++) all.push(Stels.net.get(["k", i]).then(() => 1, (error) => error.name));
      return (await Promise.all(all)).filter((one) => one === 1).length"#;
    let neighbour = "await Stels.net.set(['n'], 1); return (await Stels.net.get(['n'])).value";
    let other = orrery_app::fleet::Running { sid: "w-2".into(), owner: "gOther".into(), ..bench.free() };
    let began = tokio::time::Instant::now();
    let (flooded, quiet) = tokio::join!(bench.value(flood, bench.free()), bench.value(neighbour, other));
    assert_eq!((flooded, quiet), (json!(4_000), json!(1)));
    // a second's worth at once, the others at the pace of a run
    assert!(began.elapsed() > std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    bench.tasks.drain().await;
}

#[tokio::test]
async fn what_is_too_large_is_an_error_of_the_script() {
    let bench = bench().await;
    let script = r#"
      const names = [];
      for (const act of [() => Stels.net.set(["x".repeat(5000)], 1), () => Stels.net.set(["a"], "x".repeat(100000)),
        () => Stels.net.atomic().set(["a"], 1).check({ key: ["a"], versionstamp: "zz" }).commit(),
        () => Stels.webfix({ channel: ["x".repeat(300)], raw: 1 })]) {
        try { await act(); names.push("DONE") } catch (error) { names.push(error.name) }
      }
      return names"#;
    let seen = bench.value(script, bench.free()).await;
    assert_eq!(seen, json!(["TypeError", "TypeError", "TypeError", "TypeError"]));
    bench.tasks.drain().await;
}

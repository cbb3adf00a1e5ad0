//! Scripts that answer requests themselves.

use orrery_workers::script::End;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::bench::{Bench, bench, bench_allowing, call, class};

/// A port that is free, and a bench whose scripts may ask it.
async fn asking() -> (u16, Bench) {
    let port = orrery_testkit::servers::free_port().unwrap();
    (port, bench_allowing(&[format!("127.0.0.1:{port}")]).await)
}

#[tokio::test]
async fn a_script_answers_and_ends_when_it_is_shut_down() {
    let (port, bench) = asking().await;
    let script = format!(
        r#"
      const server = Deno.serve({{ port: {port} }}, async (request, info) => {{
        const url = new URL(request.url);
        if (url.pathname === "/echo") return new Response(await request.text(), {{ status: 201 }});
        if (url.pathname === "/cookies") {{
          const headers = new Headers();
          headers.append("set-cookie", "a=1");
          headers.append("set-cookie", "b=2");
          headers.append("content-length", "7");
          return new Response(null, {{ headers }});
        }}
        if (url.pathname === "/throw") throw new Error("on purpose");
        if (url.pathname === "/none") return "no response";
        return Response.json({{ method: request.method, query: url.searchParams.get("q"),
          host: info.remoteAddr.hostname, agent: request.headers.get("x-agent") }});
      }});
      await Stels.sleep(100);
      const base = "http://127.0.0.1:{port}";
      const seen = [];
      seen.push(await (await fetch(base + "/?q=é", {{ headers: {{ "x-agent": "me" }} }})).json());
      const echo = await fetch(base + "/echo", {{ method: "POST", body: "äöü" }});
      seen.push([echo.status, await echo.text()]);
      seen.push((await fetch(base + "/cookies")).headers.getSetCookie());
      seen.push((await fetch(base + "/throw")).status, (await fetch(base + "/none")).status);
      await server.shutdown();
      seen.push(server.addr.port === {port});
      try {{ await fetch(base) }} catch (error) {{ seen.push(error.name) }}
      return seen"#
    );
    let seen = bench.value(&script, bench.free()).await;
    let first = json!({ "method": "GET", "query": "é", "host": "127.0.0.1", "agent": "me" });
    assert_eq!(seen, json!([first, [201, "äöü"], ["a=1", "b=2"], 500, 500, true, "NetworkError"]));
    let lines = bench.lines.all();
    assert!(lines.iter().any(|line| line.starts_with("Listening on http://127.0.0.1:")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("on purpose")), "{lines:?}");
    bench.tasks.drain().await;
}

#[tokio::test]
async fn a_server_lives_as_long_as_its_run() {
    let (port, bench) = asking().await;
    let running = bench.free();
    let stop = running.stop.clone();
    let script = format!("Deno.serve({{ port: {port} }}, () => new Response('here')); return 1");
    let ask = async {
        // it listens soon
        let mut stream = loop {
            match TcpStream::connect(("127.0.0.1", port)).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        };
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 4_096];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer[..read]).ends_with("here"));
        stop.now();
        // what was kept open ends with it
        assert_eq!(stream.read(&mut answer).await.unwrap_or(0), 0);
    };
    let (outcome, ()) = tokio::join!(bench.run(&script, running), ask);
    assert_eq!(outcome.end, End::Stopped);
    TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    bench.tasks.drain().await;
}

#[tokio::test]
async fn ports_are_the_nodes_to_give() {
    let bench = bench().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let script = format!(
        "const of = async (port) => {{
           try {{ await Deno.serve({{ port }}, () => new Response()).finished }} catch (error) {{ return error.name }}
         }};
         const wrong = (make) => {{ try {{ make() }} catch (error) {{ return error.name }} }};
         return [await of({port}), await of(80), wrong(() => Deno.serve({{ port: 70000 }}, () => 1)),
           wrong(() => Deno.serve({{ port: 8123 }}))]"
    );
    let seen = bench.value(&script, bench.free()).await;
    assert_eq!(seen, json!(["AddrInUse", "PermissionDenied", "RangeError", "TypeError"]));
    let host = bench.host(&bench.free());
    for _ in 0..4 {
        call(&host, "serve.listen", json!([{ "port": 0 }])).await.unwrap();
    }
    assert_eq!(class(&call(&host, "serve.listen", json!([{ "port": 0 }])).await), "QuotaExceeded");
    assert_eq!(class(&call(&host, "serve.fly", json!([])).await), "NotSupported");
    bench.tasks.drain().await;
}

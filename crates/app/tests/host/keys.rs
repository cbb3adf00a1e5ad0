//! The scripts' store and what they say on channels.

use std::time::Duration;

use orrery_app::fleet::Hosts as _;
use orrery_app::fleet::host::{HostSettings, WorkerHosts};
use orrery_kernel::Clock as _;
use orrery_workers::kv::Quota;
use serde_json::json;

use crate::bench::{TTL, bench, call, class, is_ended};

#[tokio::test(start_paused = true)]
async fn values_are_set_read_listed_and_taken_away() {
    let bench = bench().await;
    let host = bench.host(&bench.free());
    let missing = call(&host, "net.get", json!([["a"]])).await.unwrap();
    assert_eq!(missing, json!({ "key": ["a"], "value": null, "versionstamp": null }));
    for n in 0..250 {
        call(&host, "net.set", json!([["a", n], { "z": n, "b": 1 }, {}])).await.unwrap();
    }
    let raw = host.call("net.get", r#"[["a",7]]"#).await.unwrap();
    assert!(raw.contains(r#"{"z":7,"b":1}"#) || raw.contains(r#"{"b":1,"z":7}"#), "{raw}");
    let (mut cursor, mut seen) = (json!(null), Vec::new());
    loop {
        let page =
            call(&host, "net.list", json!([{ "prefix": ["a"], "limit": 1_000, "cursor": cursor }])).await.unwrap();
        seen.extend(page["entries"].as_array().unwrap().iter().map(|entry| entry["key"][1].as_f64().unwrap()));
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen, (0..250).map(f64::from).collect::<Vec<_>>(), "numbers sort as numbers");
    let back = json!([{ "prefix": ["a"], "start": ["a", 3], "end": ["a", 9], "reverse": true, "limit": 2 }]);
    let back = call(&host, "net.list", back).await.unwrap();
    assert_eq!(back["entries"][0]["key"], json!(["a", 8.0]));
    assert_eq!(back["entries"][1]["key"], json!(["a", 7.0]));
    call(&host, "net.delete", json!([["a", 7]])).await.unwrap();
    assert_eq!(call(&host, "net.get", json!([["a", 7]])).await.unwrap()["value"], json!(null));
    assert_eq!(
        call(&host, "local.get", json!([["a", 8]])).await.unwrap()["value"],
        json!(null),
        "nodes' own are others"
    );
    bench.clock.advance(Duration::from_secs(1));
    call(&host, "net.set", json!([["short"], 1, { "expireIn": 500 }])).await.unwrap();
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(call(&host, "net.get", json!([["short"]])).await.unwrap()["value"], json!(null));
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_made_whole_or_not() {
    let bench = bench().await;
    let host = bench.host(&bench.free());
    let set = json!({ "type": "set", "key": ["a"], "value": 1 });
    let first = json!([{ "checks": [{ "key": ["a"], "versionstamp": null }], "mutations": [set] }]);
    let done = call(&host, "net.commit", first.clone()).await.unwrap();
    assert_eq!(done["ok"], true);
    assert_eq!(call(&host, "net.commit", first).await.unwrap(), json!({ "ok": false }));
    let stamp = done["versionstamp"].clone();
    let more = json!([{ "checks": [{ "key": ["a"], "versionstamp": stamp }], "mutations": [
        { "type": "delete", "key": ["a"] }, { "type": "set", "key": ["b", true, { "bytes": "AQ==" }], "value": null }] }]);
    assert_eq!(call(&host, "net.commit", more).await.unwrap()["ok"], true);
    let bad = json!([{ "checks": [{ "key": ["a"], "versionstamp": "12" }], "mutations": [] }]);
    assert_eq!(class(&call(&host, "net.commit", bad).await), "TypeError");
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_a_change_here_or_on_another_node() {
    let bench = bench().await;
    let host = bench.host(&bench.free());
    let other = bench.another().host(bench.free());
    let watch = call(&host, "net.watch", json!([[["a"], ["b"]], [null, null]]));
    let change = async {
        tokio::task::yield_now().await;
        call(&other, "net.set", json!([["b"], 2])).await.unwrap();
    };
    let (seen, ()) = tokio::join!(watch, change);
    let seen = seen.unwrap();
    assert_eq!((&seen[0]["value"], &seen[1]["value"]), (&json!(null), &json!(2)));
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_refused() {
    let bench = bench().await;
    let settings = HostSettings { quota: Quota { keys: 2, bytes: 10_000 }, ..HostSettings::default() };
    let host = WorkerHosts::new(bench.ports.clone(), settings, &bench.tasks).host(bench.free());
    for n in 0..2 {
        call(&host, "net.set", json!([[n], n])).await.unwrap();
    }
    assert_eq!(class(&call(&host, "net.set", json!([[2], 2])).await), "QuotaExceeded");
    assert_eq!(class(&call(&host, "net.set", json!([[0], "x".repeat(70_000)])).await), "TypeError");
    assert_eq!(class(&call(&host, "net.set", json!([[], 1])).await), "TypeError");
    assert_eq!(class(&call(&host, "net.set", json!([["k".repeat(3_000)], 1])).await), "TypeError");
    assert_eq!(class(&call(&host, "net.set", json!([["a"], 1, { "expireIn": -1 }])).await), "RangeError");
    assert_eq!(class(&call(&host, "net.fly", json!([])).await), "NotSupported");
    assert_eq!(class(&call(&host, "fly", json!([])).await), "NotSupported");
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_said_is_kept_and_told_to_the_owner() {
    let bench = bench().await;
    let host = bench.host(&bench.free());
    let said = json!([{ "brain": "net", "method": "set", "channel": ["backup", 1_700_000_000_000_i64], "module": "m",
        "raw": { "a": 1 }, "timestamp": 5 }]);
    assert_eq!(call(&host, "webfix", said).await.unwrap(), json!(null));
    let kept = call(&host, "net.get", json!([["backup", 1_700_000_000_000_i64]])).await.unwrap();
    assert_eq!(kept["value"]["raw"], json!({ "a": 1 }));
    let got = json!([{ "brain": "net", "method": "get", "channel": ["backup", 1_700_000_000_000_i64], "module": null,
        "raw": null, "timestamp": 5 }]);
    assert_eq!(call(&host, "webfix", got).await.unwrap()["value"]["timestamp"], 5);
    let heard = bench.heard.0.lock().unwrap().clone();
    assert_eq!(heard, [("gOwner".into(), "backup.1700000000000".into(), json!({ "a": 1 }))]);
    bench.tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn who_lost_its_lease_writes_nothing_and_ends() {
    let bench = bench().await;
    let old = bench.running(bench.leader("a/1").await);
    let host = bench.host(&old);
    call(&host, "net.set", json!([["a"], 1])).await.unwrap();
    bench.clock.advance(TTL);
    // the node was paused, and believes that it leads still
    old.right.prolong(bench.clock.now().plus(TTL));
    let _new = bench.leader("b/1").await;
    assert_eq!(class(&call(&host, "net.set", json!([["a"], 2])).await), "LeaseLost");
    assert!(is_ended(&old));
    let said = json!([{ "brain": "net", "method": "set", "channel": ["a"], "raw": 2, "timestamp": 5 }]);
    let again = bench.running(bench.leader("b/1").await);
    again.right.end();
    let host = bench.host(&again);
    for (method, arguments) in [
        ("webfix", said),
        ("net.get", json!([["a"]])),
        ("local.set", json!([["a"], 1])),
        ("fetch", json!([{ "url": "http://x.example/", "method": "GET", "headers": [], "redirect": "follow" }])),
        ("socket.open", json!([{ "url": "ws://x.example/", "protocols": [] }])),
        ("cex.binance.createOrder", json!({ "config": null, "arguments": ["BTC/USDT", "limit", "buy", 1, 1] })),
        ("cex.binance.fetchTicker", json!({ "config": null, "arguments": ["BTC/USDT"] })),
        ("cex.binance.cancelOrder", json!({ "config": null, "arguments": ["1", "BTC/USDT"] })),
    ] {
        assert_eq!(class(&call(&host, method, arguments).await), "LeaseLost", "{method}");
    }
    assert!(is_ended(&again) && bench.stub.seen().is_empty());
    assert!(bench.heard.0.lock().unwrap().is_empty());
    bench.tasks.drain().await;
}

//! Workers through the real program: what can be saved, what they were, how they move, how they run and what they write.

use std::time::Duration;

use e2e::{Answer, Gateway, eventually};
use serde_json::{Value, json};

use super::webfix::{Holder, roomy, until};

/// A budget of errors lasts a quarter of a minute; this machine may be busy.
const PATIENCE: Duration = Duration::from_secs(90);

async fn made(holder: &Holder, body: Value) -> Value {
    holder.call("setWorker", &[], &body).await.expect(200).body
}

fn sid(worker: &Value) -> String {
    worker["value"]["raw"]["sid"].as_str().unwrap().to_owned()
}

fn details(answer: &Answer) -> (&Value, &Value, &Value) {
    let details = &answer.body["error"]["details"];
    (&details["field"], &details["line"], &details["column"])
}

#[tokio::test]
async fn scripts_are_checked_when_they_are_saved() {
    let gateway = Gateway::start(roomy()).await;
    let ann = Holder::login(&gateway, 1).await;
    let refused = async |body: Value| ann.call("setWorker", &[], &body).await.expect(400);
    let broken = refused(json!({"scriptContent": "logger.info('a')\nconst b = = 1\n"})).await;
    assert_eq!(details(&broken), (&json!("scriptContent"), &json!(2), &json!(11)), "{}", broken.body);
    let typed = refused(json!({"scriptContent": "type A = {\n  b: string\nlogger.info('a')"})).await;
    assert_eq!(details(&typed).0, "scriptContent");
    assert!(details(&typed).1.as_u64().is_some_and(|line| line > 1), "{}", typed.body);
    let import = refused(json!({"scriptContent": "import x from 'lodash'\nlogger.info(x)"})).await;
    assert!(import.body["error"]["message"].as_str().unwrap().contains("lodash"), "{}", import.body);
    let package = refused(json!({"scriptContent": "1", "dependencies": ["gliesereum", "lodash"]})).await;
    assert_eq!(details(&package).0, "dependencies");
    assert_eq!(details(&refused(json!({"scriptContent": "1", "version": "9"})).await).0, "version");
    assert_eq!(details(&refused(json!({"scriptContent": "1", "schedule": "61 * * * *"})).await).0, "schedule");
    let script =
        "const levels: number[] = [1, 2]\nfor (const level of levels) await Stels.sleep(level as number)\nreturn 1";
    let good = made(&ann, json!({"scriptContent": script, "schedule": "*/5 * * * *", "isolation": "process"})).await;
    assert_eq!(good["value"]["raw"]["script"], script);
    // an update is checked as well, and changes nothing when it is refused
    let mut raw = good["value"]["raw"].clone();
    raw["script"] = json!("await (");
    let body = json!({"channel": good["value"]["channel"], "raw": raw});
    let answer = ann.call("updateWorker", &[], &body).await.expect(400);
    assert_eq!((details(&answer).0, details(&answer).1), (&json!("raw.script"), &json!(1)));
    let listed = ann.call("listWorkers", &[], &json!({})).await.expect(200).body;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]), (1, &good));
}

#[tokio::test]
async fn workers_go_back_to_what_they_were() {
    let gateway = Gateway::start(roomy()).await;
    let (ann, eve) = (Holder::login(&gateway, 1).await, Holder::login(&gateway, 2).await);
    let first = made(&ann, json!({"scriptContent": "logger.info('one')\n", "note": "v1"})).await;
    let (sid, mut raw) = (sid(&first), first["value"]["raw"].clone());
    raw["script"] = json!("logger.info('two')\n");
    raw["note"] = json!("v2");
    let body = json!({"channel": first["value"]["channel"], "raw": raw});
    let second = ann.call("updateWorker", &[], &body).await.expect(200).body;
    let diff = ann.call("getWorkerDiff", &[], &json!({"workerId": sid})).await.expect(200).body;
    assert_eq!(diff["script"]["diff"], "@@ -1,1 +1,1 @@\n-logger.info('one')\n+logger.info('two')\n");
    assert_eq!(diff["changes"], json!([{"field": "note", "before": "v1", "after": "v2"}]));
    let back = json!({"workerId": sid, "to": first["versionstamp"], "versionstamp": second["versionstamp"]});
    assert_eq!(eve.call("rollbackWorker", &[], &back).await.status, 403);
    let third = ann.call("rollbackWorker", &[], &back).await.expect(200).body;
    assert_eq!(third["value"]["raw"], first["value"]["raw"]);
    assert_eq!(ann.call("rollbackWorker", &[], &back).await.status, 409, "it has changed since");
    let history = ann.call("getWorkerHistory", &[], &json!({"workerId": sid})).await.expect(200).body;
    let stamps: Vec<&Value> = history.as_array().unwrap().iter().map(|version| &version["versionstamp"]).collect();
    assert_eq!(stamps, [&third["versionstamp"], &second["versionstamp"], &first["versionstamp"]]);
    for method in ["getWorkerDiff", "getWorkerRuns", "getWorkerHistory"] {
        assert_eq!(eve.call(method, &[], &json!({"workerId": sid})).await.status, 404, "{method}");
    }
    let runs = ann.call("getWorkerRuns", &[], &json!({"workerId": sid})).await.expect(200).body;
    assert_eq!(runs["runs"], json!([]));
}

#[tokio::test]
async fn workers_move_to_another_server() {
    let (here, there) = (Gateway::start(roomy()).await, Gateway::start(roomy()).await);
    let (ann, again) = (Holder::login(&here, 1).await, Holder::login(&there, 1).await);
    let script =
        "const cex = new Stels.runtime.cex.bybit({\n  apiKey: 'a-key-of-mine',\n  secret: 'not for you',\n})\n";
    made(&ann, json!({"scriptContent": script, "executionMode": "leader", "priority": "low", "dryRun": true})).await;
    made(&ann, json!({"scriptContent": "logger.info('two')", "note": "second"})).await;
    let exported = ann.call("exportWorkers", &[], &json!({})).await.expect(200).body;
    let text = exported.to_string();
    assert!(!text.contains("a-key-of-mine") && !text.contains("not for you"), "{text}");
    let imported = again.call("importWorkers", &[], &exported).await.expect(200).body;
    assert_eq!((&imported["imported"], &imported["failed"]), (&json!(2), &json!(0)));
    let listed = again.call("listWorkers", &[], &json!({})).await.expect(200).body;
    let moved = listed.as_array().unwrap().iter().find(|worker| worker["value"]["raw"]["priority"] == "low").unwrap();
    let raw = &moved["value"]["raw"];
    assert_eq!(
        (&raw["executionMode"], &raw["dryRun"], &raw["active"]),
        (&json!("leader"), &json!(true), &json!(false))
    );
    let only = json!({"workerIds": [exported["workers"][0]["sid"]]});
    assert_eq!(ann.call("exportWorkers", &[], &only).await.expect(200).body["workers"].as_array().unwrap().len(), 1);
    assert_eq!(again.call("exportWorkers", &[], &only).await.status, 404);
}

#[tokio::test]
async fn logs_are_their_owners() {
    let mut gateway = Gateway::start(roomy()).await;
    let (ann, eve) = (Holder::login(&gateway, 1).await, Holder::login(&gateway, 2).await);
    let sid = sid(&made(&ann, json!({"scriptContent": "logger.info('one')"})).await);
    let stream = format!("/api/worker/logs/stream?sid={sid}&follow=false");
    let client = gateway.client();
    assert_eq!(client.send("GET", &stream, &[], None).await.status, 401);
    assert_eq!(eve.get(&stream).await.status, 404);
    let empty = ann.get(&stream).await.expect(200);
    assert!(empty.header("content-type").unwrap().starts_with("text/event-stream"));
    let wanted = format!("data: {{\"sid\":\"{sid}\",\"type\":\"connected\"}}\n\ndata: {{\"type\":\"complete\"}}\n\n");
    assert_eq!(String::from_utf8_lossy(&empty.bytes), wanted);
    let sizes = ann.get(&format!("/api/worker/logs?sid={sid}")).await.expect(200).body;
    assert_eq!((&sizes["total"], &sizes["logs"][0]["exists"]), (&json!(1), &json!(false)));
    let none = eve.get(&format!("/api/worker/logs?sid={sid}")).await.expect(404).body;
    assert_eq!(none["sid"], sid.as_str());
    assert!(none["error"].is_string());
    let asked = [("origin", "https://app.stels.example"), ("access-control-request-headers", "stels-session")];
    let preflight = client.send("OPTIONS", &stream, &asked, None).await.expect(204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    // one who follows does not keep the server from stopping
    let open = ann.open(&gateway, &format!("/api/worker/logs/stream?sid={sid}")).await;
    let (text, status) = tokio::join!(open.text(), gateway.stop());
    let text = text.unwrap();
    assert!(status.success() && text.ends_with("\"type\":\"error\"}\n\n"), "{status} {text}");
}

/// What is counted of a worker once it is `so`.
async fn counted(holder: &Holder, sid: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, PATIENCE, async || {
        let stats = holder.call("getWorkerStats", &[], &json!({})).await.expect(200).body;
        let line = stats["workers"].as_array().unwrap().iter().find(|line| line["sid"] == sid).unwrap().clone();
        if so(&line) { Ok(line) } else { Err(line.to_string()) }
    })
    .await
}

/// All that a worker wrote, once it has `part` in it.
async fn written(holder: &Holder, sid: &str, part: &str) -> String {
    eventually(part, PATIENCE, async || {
        let answer = holder.get(&format!("/api/worker/logs/stream?sid={sid}&follow=false")).await.expect(200);
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        if text.contains(part) { Ok(text) } else { Err(text) }
    })
    .await
}

#[tokio::test]
async fn a_worker_runs_and_is_watched() {
    let gateway = Gateway::start(roomy().env("ORRERY_NODE__ID", "s-0001")).await;
    let ann = Holder::login(&gateway, 1).await;
    let script = "logger.info(`beat of ${Stels.config.nid}`)\nawait Stels.sleep(50)";
    let worker = made(&ann, json!({"scriptContent": script, "executionMode": "leader", "active": true})).await;
    let sid = sid(&worker);
    let mut stream = ann.open(&gateway, &format!("/api/worker/logs/stream?sid={sid}")).await;
    let mut text = String::new();
    while text.matches("[INFO] beat of s-0001").count() < 3 {
        let more = tokio::time::timeout(PATIENCE, stream.chunk()).await.expect("lines come").unwrap();
        text.push_str(std::str::from_utf8(&more.expect("the stream goes on")).unwrap());
    }
    let counts = counted(&ann, &sid, "runs are counted", |line| line["executions"].as_i64() >= Some(3)).await;
    assert_eq!((&counts["isRunning"], &counts["nodes"]), (&json!(true), &json!(["s-0001"])));
    assert_eq!((&counts["errors"], &counts["errorRate"]), (&json!(0), &json!("0.00%")));
    assert!(counts["lastRun"].is_i64());
    let leader = ann.call("getLeaderInfo", &[], &json!({"workerId": sid})).await.expect(200).body;
    assert_eq!((&leader["hasLeader"], &leader["leader"]), (&json!(true), &json!("s-0001")));
    assert!(leader["expiresIn"].as_i64().is_some_and(|left| left > 0 && left <= 60_000), "{leader}");
    let nodes = ann.call("listNodes", &[], &json!({})).await.expect(200).body;
    assert_eq!((&nodes["total"], &nodes["nodes"][0]["nid"]), (&json!(1), &json!("s-0001")));
    eventually("runs are written down", PATIENCE, async || {
        let runs = ann.call("getWorkerRuns", &[], &json!({"workerId": sid})).await.expect(200).body;
        let good = runs["runs"].as_array().unwrap().iter().any(|run| run["outcome"] == "good");
        good.then_some(()).ok_or_else(|| runs.to_string())
    })
    .await;
    // another script is another run
    let mut raw = worker["value"]["raw"].clone();
    raw["script"] = json!("logger.warn('changed')\nawait Stels.sleep(86400000)");
    let change = json!({"channel": worker["value"]["channel"], "raw": raw});
    ann.call("updateWorker", &[], &change).await.expect(200);
    written(&ann, &sid, "[WARN] changed").await;
    let stopped = ann.call("stopAllWorkers", &[], &json!({})).await.expect(200).body;
    assert_eq!((&stopped["stopped"], &stopped["failed"]), (&json!(1), &json!(0)));
    counted(&ann, &sid, "it is stopped", |line| line["isRunning"] == false).await;
    eventually("nobody leads it", PATIENCE, async || {
        let leader = ann.call("getLeaderInfo", &[], &json!({"workerId": sid})).await.expect(200).body;
        (leader["hasLeader"] == false).then_some(()).ok_or_else(|| leader.to_string())
    })
    .await;
    let sizes = ann.get(&format!("/api/worker/logs?sid={sid}")).await.expect(200).body;
    assert!(sizes["logs"][0]["lines"].as_u64() >= Some(4), "{sizes}");
}

#[tokio::test]
async fn a_budget_of_errors_ends_and_its_owner_hears_of_it() {
    let gateway = Gateway::start(roomy()).await;
    let ann = Holder::login(&gateway, 1).await;
    let mut socket = ann.socket(&gateway).await;
    let body = json!({"scriptContent": "throw new Error('no luck')", "priority": "low", "active": true});
    let sid = sid(&made(&ann, body).await);
    until(&mut socket, |frame| frame["channel"] == format!("worker.alert.{sid}")).await;
    // what was counted is written down once a second
    let whole = |line: &serde_json::Value| line["stopped"][0]["reason"] == "errors" && line["executions"] == 5;
    let counts = counted(&ann, &sid, "it gave up", whole).await;
    assert_eq!(
        (&counts["errors"], &counts["executions"], &counts["criticalErrors"]),
        (&json!(5), &json!(5), &json!(5))
    );
    assert!(counts["lastError"].as_str().unwrap().contains("no luck"), "{counts}");
    assert_eq!((&counts["isRunning"], &counts["errorRate"]), (&json!(false), &json!("100.00%")));
}

#[tokio::test]
async fn a_dry_run_places_paper_orders() {
    let gateway = Gateway::start(roomy().args(&["demo"])).await;
    let ann = Holder::login(&gateway, 1).await;
    let script = "const cex = new Stels.runtime.cex.bybit({ apiKey: 'k', secret: 's' })\n\
        const order = await cex.createMarketBuyOrder('BTC/USDT', 0.001)\n\
        logger.info(`order ${order.id} is ${order.status}`)\n";
    let body = json!({"scriptContent": script, "mode": "single", "dryRun": true, "active": true});
    let sid = sid(&made(&ann, body).await);
    written(&ann, &sid, "[INFO] order BTCUSDT-").await;
    counted(&ann, &sid, "it is done", |line| line["stopped"][0]["reason"] == "done").await;
}

//! The wire shapes of this surface, over in-memory stores and a clock that stands still.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::Request;
use http_body_util::BodyExt;
use orrery_api_localhost::{Backup, Limits, Options, Steps, System};
use orrery_app::App;
use orrery_app::tasks::Tasks;
use orrery_http_kit::RequestMeta;
use orrery_http_kit::layers::Recent;
use orrery_identity::rate::Policy;
use orrery_identity::{Email, Role};
use orrery_kernel::{Result, Secret, Timestamp};
use orrery_market::{Chart, FeedError, PriceFeed, Sentiment, SentimentFeed, SpotPrice, Timeframe};
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use serde_json::{Value, json};
use tower::ServiceExt;

/// 2024-01-01T12:00:00Z, as in the document's samples.
const NOW: Timestamp = Timestamp::from_secs(1_704_110_400);
const PASSWORD: &str = "correct horse";

/// No market: nothing here asks for one.
struct NoFeed;

#[async_trait]
impl PriceFeed for NoFeed {
    fn source(&self) -> &'static str {
        "none"
    }

    async fn latest(&self, _: Timestamp) -> std::result::Result<Option<SpotPrice>, FeedError> {
        Ok(None)
    }

    async fn chart(&self, _: Timeframe, _: Timestamp) -> std::result::Result<Option<Chart>, FeedError> {
        Ok(None)
    }
}

#[async_trait]
impl SentimentFeed for NoFeed {
    fn source(&self) -> &'static str {
        "none"
    }

    async fn latest(&self, _: Timestamp) -> std::result::Result<Option<Sentiment>, FeedError> {
        Ok(None)
    }
}

struct Steady;

#[async_trait]
impl System for Steady {
    fn version(&self) -> &'static str {
        "1.2.3"
    }

    async fn backup(&self, steps: &dyn Steps) -> Result<Backup> {
        steps.step("database", 50).await;
        Ok(Backup { name: "2024-01-01T12-00-00-000Z".into(), bytes: 4_096, entries: 7, files: 2 })
    }
}

struct House {
    app: Arc<App>,
    tasks: Tasks,
    token: String,
}

fn meta() -> RequestMeta {
    RequestMeta {
        request_id: "test".into(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        agent: "test".into(),
        now: NOW,
        local: false,
        tls: false,
    }
}

/// Chances differ from run to run, for tasks of the house draw from the same source: their places hold words.
fn steady_chances() -> insta::internals::SettingsBindDropGuard {
    let mut shown = insta::Settings::clone_current();
    shown.add_filter("_1704110400_[0-9a-f]{8}", "_1704110400_[chance]");
    shown.add_filter("\"err_([0-9]+)_[0-9]+\"", "\"err_${1}_[chance]\"");
    shown.bind_to_scope()
}

impl House {
    async fn open() -> Self {
        let ports = ports(Arc::new(ManualClock::at(NOW)), Arc::new(SeededEntropy::new(7)), Arc::new(NoFeed));
        let tasks = Tasks::new();
        let app = App::start(ports, settings(), &tasks).await.unwrap();
        let (email, password) = (Email::parse("op@example.com").unwrap(), Secret::new(PASSWORD.to_owned()));
        app.auth.operator_create_user(&email, "Operator", &password, Role::Operator).await.unwrap();
        let session = app.auth.login(&meta().ctx(None), "op@example.com", &password).await.unwrap();
        Self { app, tasks, token: session.token.expose().clone() }
    }

    async fn send(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
        let many = Policy::refuse(1_000, Duration::from_secs(60));
        let limits = Limits { api: many, upload: many, command: many, auth: many, tunnel: many };
        let options = Options { limits, system: Arc::new(Steady), recent: Recent::default() };
        let request = Request::builder().method(method).uri(path).header("content-type", kind);
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(meta());
        let router = orrery_api_localhost::router(&self.app, &options).with_state(self.app.clone());
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, "application/json", Vec::new()).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, body) = self.send("POST", path, "application/json", body.to_string().into_bytes()).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn upload(&self, path: &str, parts: &[(&str, Option<&str>, &str)]) -> Value {
        let mut body = String::new();
        for (name, file, content) in parts {
            let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
            body.push_str(&format!(
                "--B\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n"
            ));
        }
        body.push_str("--B--\r\n");
        let (status, body) = self.send("POST", path, "multipart/form-data; boundary=B", body.into_bytes()).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

#[tokio::test]
async fn documents() {
    let _shown = steady_chances();
    let house = House::open().await;
    let stored = house.post("/api/data", &json!({"key": "config", "value": {"theme": "dark"}})).await;
    insta::assert_json_snapshot!("data_store", stored);
    insta::assert_json_snapshot!("data_get", house.get("/api/data/config").await);
    insta::assert_json_snapshot!("data_all", house.get("/api/data").await);
    let removed = house.send("DELETE", "/api/v1/data/config", "application/json", Vec::new()).await;
    insta::assert_json_snapshot!("data_remove", removed.1);
    let missing = house.send("GET", "/api/data/config", "application/json", Vec::new()).await;
    assert_eq!(missing.0, 404);
    insta::assert_json_snapshot!("failure_not_found", missing.1);
    let bad = house.send("POST", "/api/data", "application/json", b"{\"value\":1}".to_vec()).await;
    assert_eq!(bad.0, 400);
    insta::assert_json_snapshot!("failure_validation", bad.1);
    house.tasks.drain().await;
}

#[tokio::test]
async fn files() {
    let _shown = steady_chances();
    let house = House::open().await;
    let uploaded = house.upload("/api/files/upload", &[("file", Some("document.pdf"), "0123456789")]).await;
    insta::assert_json_snapshot!("files_upload", uploaded);
    insta::assert_json_snapshot!("files_list", house.get("/api/files/list").await);
    insta::assert_json_snapshot!("files_storage_info", house.get("/api/files/storage-info").await);
    let path = format!("/api/files/delete/{}", uploaded["filename"].as_str().unwrap());
    let removed = house.send("DELETE", &path, "application/json", Vec::new()).await;
    insta::assert_json_snapshot!("files_delete", removed.1);
    house.tasks.drain().await;
}

#[tokio::test]
async fn programs() {
    let _shown = steady_chances();
    let house = House::open().await;
    let parts = [("file", Some("my_script.py"), "print(1)"), ("description", None, "prints one")];
    let single = house.upload("/api/programs/upload", &parts).await;
    insta::assert_json_snapshot!("programs_upload", single);
    let parts = [
        ("project_name", None, "web"),
        ("path_app.py", None, "src/app.py"),
        ("files[]", Some("app.py"), "print(2)"),
        ("files[]", Some("notes.txt"), "words"),
    ];
    let project = house.upload("/api/programs/upload-multiple", &parts).await;
    insta::assert_json_snapshot!("programs_project", project);
    let id = project["project_id"].as_str().unwrap();
    insta::assert_json_snapshot!("programs_list", house.get("/api/programs/list").await);
    insta::assert_json_snapshot!("programs_info", house.get(&format!("/api/programs/info/{id}")).await);
    insta::assert_json_snapshot!("programs_files", house.get(&format!("/api/programs/project/{id}/files")).await);
    let path = format!("/api/programs/project/{id}/set-main");
    insta::assert_json_snapshot!("programs_set_main", house.post(&path, &json!({"main_file": "src/app.py"})).await);
    insta::assert_json_snapshot!("programs_storage_info", house.get("/api/programs/storage-info").await);
    house.tasks.drain().await;
}

#[tokio::test]
async fn the_system() {
    let _shown = steady_chances();
    let house = House::open().await;
    insta::assert_json_snapshot!("health", house.get("/api/v1/health").await);
    insta::assert_json_snapshot!("dashboard", house.get("/api/v1/dashboard").await);
    insta::assert_json_snapshot!("backup", house.post("/api/v1/backup", &json!({})).await);
    let off = house.send("POST", "/api/execute", "application/json", b"{\"command\":\"id\"}".to_vec()).await;
    assert_eq!(off.0, 503);
    insta::assert_json_snapshot!("failure_commands_off", off.1);
    house.tasks.drain().await;
}

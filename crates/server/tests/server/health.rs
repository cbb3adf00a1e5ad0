//! The health routes over use cases in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use orrery_app::tasks::Tasks;
use orrery_kernel::{Clock, StoreError};
use orrery_server::health::{Health, Probe, router};
use orrery_server::system::SystemClock;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;

use super::support::in_memory;

pub struct Database(pub AtomicBool);

#[async_trait]
impl Probe for Database {
    async fn health(&self) -> Result<(), StoreError> {
        if self.0.load(Ordering::Relaxed) { Ok(()) } else { Err(StoreError::Unavailable("cut".into())) }
    }
}

#[tokio::test]
async fn health_tells_what_works() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = Tasks::new();
    let (_, app) = in_memory(dir.path(), &[], &tasks).await;
    let database = Arc::new(Database(AtomicBool::new(true)));
    let (drain, draining) = watch::channel(false);
    let health = Arc::new(Health {
        redis: None,
        app: app.clone(),
        database: database.clone(),
        draining,
        started: SystemClock.now(),
        metrics: true,
        dropped: Vec::new(),
    });
    let routes = router(health);
    let get = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = routes.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.into_body().collect().await.unwrap().to_bytes())
    };
    let json = async |path: &str| {
        let (status, body) = get(path).await;
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };

    let (status, body) = json("/health").await;
    assert_eq!((status, &body["status"]), (200, &Value::from("degraded")), "no price yet is no failure");
    assert_eq!(body["price"]["available"], false);
    assert_eq!(body["price"]["stale"], true);
    assert_eq!(json("/api/health").await.1["external_apis"], "unavailable");

    app.market.poll_price().await.unwrap();
    let (_, body) = json("/health").await;
    assert_eq!((&body["price"]["available"], &body["price"]["stale"]), (&true.into(), &false.into()));
    assert_eq!(body["feeds"]["price"]["source"], "simulated");
    assert!(body["timestamp"].is_string() && body["version"].is_string() && body["uptime_s"].is_u64());
    let (status, body) = json("/api/health").await;
    assert_eq!(status, 200);
    for (key, want) in [
        ("status", "OK"),
        ("server", "BitTrade API Server"),
        ("database", "connected"),
        ("redis", "not configured"),
        ("external_apis", "degraded"),
    ] {
        assert_eq!(body[key], want, "{key}");
    }

    let (status, body) = get("/metrics").await;
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&body).contains("process_resident_memory_bytes"));

    database.0.store(false, Ordering::Relaxed);
    let (status, body) = json("/health").await;
    assert_eq!((status, &body["status"], &body["database"]), (503, &"unhealthy".into(), &"unavailable".into()));
    assert_eq!(json("/api/health").await.0, 503);
    database.0.store(true, Ordering::Relaxed);
    assert_eq!(json("/health").await.0, 200);

    drain.send_replace(true);
    let (status, body) = json("/health").await;
    assert_eq!((status, &body["status"]), (503, &"draining".into()));
    tasks.drain().await;
}

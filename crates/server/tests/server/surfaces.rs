//! What each surface serves, and to whom.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Body;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use orrery_app::tasks::Tasks;
use orrery_http_kit::layers::Edge;
use orrery_kernel::Clock;
use orrery_server::config::Surface;
use orrery_server::health::Health;
use orrery_server::router::Surfaces;
use orrery_server::system::SystemClock;
use orrery_server::tunnels::LoopbackDoors;
use tokio::sync::watch;

use super::health::Database;
use super::support::{bounds, in_memory};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NAMED: &str = "https://trade.example.org";

struct Served {
    surfaces: Surfaces,
    tasks: Tasks,
    _dir: tempfile::TempDir,
    _draining: watch::Sender<bool>,
}

async fn served() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let tasks = Tasks::new();
    let (config, app) = in_memory(dir.path(), &[("ORRERY_CORS__ALLOWED_ORIGINS", NAMED)], &tasks).await;
    let (sender, draining) = watch::channel(false);
    let health = Arc::new(Health {
        redis: None,
        app: app.clone(),
        database: Arc::new(Database(AtomicBool::new(true))),
        draining: draining.clone(),
        started: SystemClock.now(),
        metrics: true,
        dropped: Vec::new(),
    });
    let doors = LoopbackDoors::new(bounds(), &tasks);
    let surfaces = Surfaces::new(&config, &app, health, &tasks, &draining, &doors, None);
    Served { surfaces, tasks, _dir: dir, _draining: sender }
}

async fn send(edge: &Edge, request: http::request::Builder, body: &'static str) -> Response<Body> {
    let request = request.header(header::HOST, "localhost").body(Body::from(body)).unwrap();
    edge.call(request, PEER).await.unwrap()
}

async fn text(answer: Response<Body>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_surface_serves_its_own_routes() {
    let served = served().await;
    for (surface, trading) in [(Surface::All, true), (Surface::BitTrade, true), (Surface::Aether, false)] {
        let edge = served.surfaces.edge(surface);
        for (path, there) in [
            ("/", true),
            ("/health", true),
            ("/api/health", true),
            ("/metrics", true),
            ("/api/balance", trading),
            ("/api/openapi.json", trading),
            ("/socket.io/?EIO=4&transport=polling", trading),
            ("/api/nothing", false),
        ] {
            let answer = send(&edge, Request::get(path), "").await;
            let found = answer.status() != StatusCode::NOT_FOUND;
            assert_eq!(found, there, "{surface:?} {path}");
            if !found {
                assert_eq!(text(answer).await, r#"{"error":"Endpoint not found"}"#);
            }
        }
    }
    let edge = served.surfaces.edge(Surface::All);
    for (path, allow) in [("/health", "GET,HEAD"), ("/api/trade", "POST")] {
        let answer = send(&edge, Request::patch(path), "").await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()[header::ALLOW], allow);
        assert_eq!(text(answer).await, r#"{"error":"Method not allowed"}"#);
    }
    served.tasks.drain().await;
}

#[tokio::test]
async fn a_long_polling_session_lasts_beyond_one_request() {
    let served = served().await;
    let edge = served.surfaces.edge(Surface::All);
    let opened = text(send(&edge, Request::get("/socket.io/?EIO=4&transport=polling"), "").await).await;
    let id = opened.split(r#""sid":""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
    // through the other listener's copy, as two connections of one client may come
    let edge = served.surfaces.edge(Surface::BitTrade);
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={id}");
    let answer = send(&edge, Request::post(&path).header(header::CONTENT_TYPE, "text/plain"), "40").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let packets = text(send(&edge, Request::get(&path), "").await).await;
    assert!(packets.starts_with("40{"), "{packets}");
    served.tasks.drain().await;
}

#[tokio::test]
async fn only_named_origins_may_read_and_open_sockets() {
    let served = served().await;
    let edge = served.surfaces.edge(Surface::All);
    let allowed = |a: &Response<Body>| a.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).cloned();
    for path in ["/api/market-rates", "/socket.io/?EIO=4&transport=polling"] {
        let named = send(&edge, Request::get(path).header(header::ORIGIN, NAMED), "").await;
        assert_eq!(allowed(&named).unwrap(), NAMED, "{path}");
        for foreign in ["https://evil.example", "http://localhost:3000", "null"] {
            let answer = send(&edge, Request::get(path).header(header::ORIGIN, foreign), "").await;
            assert_eq!(allowed(&answer), None, "{path} {foreign}");
            assert_eq!(answer.headers()[header::VARY], "origin");
        }
    }
    let preflight = |origin: &str| {
        Request::options("/api/trade").header(header::ORIGIN, origin).header("access-control-request-method", "POST")
    };
    let answer = send(&edge, preflight(NAMED), "").await;
    assert_eq!(allowed(&answer).unwrap(), NAMED);
    assert!(answer.headers()["access-control-allow-headers"].to_str().unwrap().contains("idempotency-key"));
    assert_eq!(allowed(&send(&edge, preflight("https://evil.example"), "").await), None);
    let plain = send(&edge, Request::options("/api/trade"), "").await;
    assert_eq!(plain.status(), StatusCode::METHOD_NOT_ALLOWED, "OPTIONS that is no preflight is a method like others");

    let upgrade = |origin: &str| {
        Request::get("/socket.io/?EIO=4&transport=websocket")
            .header(header::ORIGIN, origin)
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "Upgrade")
    };
    for (origin, refused) in [("https://evil.example", true), ("http://localhost", false), (NAMED, false)] {
        let status = send(&edge, upgrade(origin), "").await.status();
        assert_eq!(status == StatusCode::FORBIDDEN, refused, "{origin} {status}");
    }
    let page = send(&edge, Request::get("/").header(header::ORIGIN, NAMED), "").await;
    assert_eq!(allowed(&page), None, "only the API is opened");
    served.tasks.drain().await;
}

//! Tunnels of the real server: by localtunnel's protocol, and by programs that print what the real ones do.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::{Gateway, LocaltunnelHost, Options, eventually};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// The line of a quick tunnel's banner, among what stands around it.
pub(super) const CLOUDFLARED: &str = r#"
echo "2024-01-01T12:00:00Z INF Thank you for trying Cloudflare Tunnel. (https://www.cloudflare.com/website-terms/)" >&2
echo "2024-01-01T12:00:01Z INF Requesting new quick Tunnel on trycloudflare.com..." >&2
echo "2024-01-01T12:00:02Z INF +--------------------------------------------------------------------------------------------+" >&2
echo "2024-01-01T12:00:02Z INF |  https://quiet-red-fox.trycloudflare.com                                                   |" >&2
echo "2024-01-01T12:00:02Z INF +--------------------------------------------------------------------------------------------+" >&2
"#;

pub(super) const NGROK: &str = r#"
echo "t=2024-01-01T12:00:00+0000 lvl=info msg=\"client session established\" obj=csess authtoken=$NGROK_AUTHTOKEN"
echo "t=2024-01-01T12:00:01+0000 lvl=info msg=\"started tunnel\" obj=tunnels name=command_line addr=http://$2 url=https://my-app.ngrok.app"
"#;

/// Programs in a folder of their own, with what they leave there.
pub(super) struct Programs(tempfile::TempDir);

impl Programs {
    pub(super) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("orrery-tools-").tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A program that notes its arguments, environment and process, does `script`, and a child of it that goes on.
    pub(super) fn add(&self, name: &str, script: &str) {
        let place = self.path().display();
        let text = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > {place}/{name}.argv\nenv > {place}/{name}.env\n{script}\n\
             (setsid sleep 1000 & echo $! > {place}/{name}.child)\necho $$ > {place}/{name}.pid\nexec sleep 1000\n"
        );
        let file = self.path().join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).unwrap_or_default()
    }

    /// The processes of a program, once they are noted.
    pub(super) async fn processes(&self, name: &str) -> Vec<PathBuf> {
        eventually("the program runs", PATIENCE, async || {
            let ids = [self.read(&format!("{name}.pid")), self.read(&format!("{name}.child"))];
            let found: Vec<_> = ids.iter().filter_map(|id| id.trim().parse::<u32>().ok()).collect();
            if found.len() == 2 { Ok(found) } else { Err(format!("{ids:?}")) }
        })
        .await
        .into_iter()
        .map(|id| PathBuf::from(format!("/proc/{id}")))
        .collect()
    }

    pub(super) fn options(&self) -> Options {
        let path = format!("{}:/usr/bin:/bin", self.path().display());
        Options::default().env("ORRERY_EXEC__PATH", &path)
    }
}

pub(super) async fn gone(processes: &[PathBuf]) {
    eventually("every process of it is gone", PATIENCE, async || {
        // what ended and is not waited for yet runs no more
        let runs =
            |place: &&PathBuf| std::fs::read_to_string(place.join("stat")).is_ok_and(|stat| !stat.contains(") Z"));
        let left: Vec<_> = processes.iter().filter(runs).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

#[tokio::test]
async fn localtunnel_brings_strangers() {
    let host = LocaltunnelHost::start().await;
    let options = Options::default().env("ORRERY_TUNNELS__LOCALTUNNEL_HOST", &host.url());
    let gateway = Gateway::start(options.env("ORRERY_AUTH__LOCAL_OPERATOR", "on")).await;
    let operator = gateway.user_of_role("op@example.com", "operator").await;
    let stopped = operator.get("/api/localtunnel/status").await.expect(200);
    assert_eq!((stopped.text("status"), &stopped.body["public_url"]), ("stopped", &Value::Null));

    // without a body, a name or a content type
    let started = operator.send("POST", "/api/localtunnel/start", &[], None).await.expect(200);
    assert_eq!(started.text("message"), "Localtunnel started");
    assert_eq!(started.text("public_url"), "http://tidy-owl-7.lt.example");
    assert_eq!((started.text("service"), started.text("status")), ("localtunnel", "running"));
    // a second start is the same tunnel
    let again = operator.post("/api/localtunnel/start", &json!({"subdomain": "other"})).await.expect(200);
    assert_eq!(again.text("public_url"), "http://tidy-owl-7.lt.example");
    assert_eq!(host.asked(), ["/?new"]);

    let local = gateway.client();
    local.get("/api/data").await.expect(200);
    for name in ["tidy-owl-7.lt.example", "localhost", "127.0.0.1"] {
        let (status, answer) = host.bring("GET", "/health", &[("host", name)], b"").await;
        assert!(status == 200 && answer.contains("\"status\""), "{name}: {answer}");
        // at the machine itself this would be the operator
        let (status, answer) = host.bring("GET", "/api/data", &[("host", name)], b"").await;
        assert!(status == 401 && answer.contains("\"success\":false"), "{name}: {answer}");
    }
    let (status, answer) = host.bring("GET", "/health", &[("host", "evil.example")], b"").await;
    assert_eq!(status, 421, "{answer}");
    for path in ["/api/execute", "/api/terminal/create", "/api/v1/localtunnel/stop", "/api/programs/execute/x"] {
        let (status, answer) = host.bring("POST", path, &[("host", "localhost")], b"{}").await;
        assert!(status == 403 && answer.contains("tunnels.scope"), "{path}: {answer}");
    }
    assert_eq!(host.bring("GET", "/metrics", &[("host", "localhost")], b"").await.0, 403);

    // with an account, and many bytes in both directions
    let bearer = format!("Bearer {}", operator.token().unwrap());
    let text = "x".repeat(200_000);
    let body = json!({"key": "big", "value": {"text": text}}).to_string();
    let headers =
        [("host", "tidy-owl-7.lt.example"), ("authorization", bearer.as_str()), ("content-type", "application/json")];
    let (status, answer) = host.bring("POST", "/api/data", &headers, body.as_bytes()).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = host.bring("GET", "/api/data/big", &headers, b"").await;
    assert!(status == 200 && answer.contains(&text), "{status}");

    let all = operator.get("/api/tunnels/status").await.expect(200);
    assert_eq!(all.body["tunnels"]["localtunnel"]["status"], "running", "{}", all.body);
    assert_eq!(all.body["tunnels"]["ngrok"], json!({"status": "stopped", "public_url": null}));
    let stopped = operator.post("/api/localtunnel/stop", &json!({})).await.expect(200);
    assert_eq!((stopped.text("message"), stopped.text("status")), ("Localtunnel stopped", "stopped"));
    eventually("no connection is held any more", PATIENCE, async || {
        host.forget().await;
        let mut left = Err("none was held".to_owned());
        if tokio::time::timeout(Duration::from_millis(300), host.connection()).await.is_err() {
            left = Ok(());
        }
        left
    })
    .await;
    operator.post("/api/localtunnel/stop", &json!({})).await.expect(200);
    for bad in [json!({"subdomain": "a b"}), json!({"subdomain": "../x"}), json!({"auth_token": "a\nb"})] {
        let refused = operator.post("/api/localtunnel/start", &bad).await.expect(400);
        assert!(refused.body["details"]["field"].is_string(), "{}", refused.body);
    }
    let trader = gateway.client().register("trader@example.com").await;
    trader.post("/api/localtunnel/start", &json!({})).await.expect(403);
    local.get("/api/tunnels/status").await.expect(200);
}

#[tokio::test]
async fn a_localtunnel_that_is_lost_is_asked_for_again() {
    let host = LocaltunnelHost::start().await;
    let gateway = Gateway::start(Options::default().env("ORRERY_TUNNELS__LOCALTUNNEL_HOST", &host.url())).await;
    let operator = gateway.user_of_role("op@example.com", "operator").await;
    let started = operator.post("/api/localtunnel/start", &json!({"subdomain": "my-app"})).await.expect(200);
    assert_eq!(started.text("public_url"), "http://my-app.lt.example");
    host.lose();
    // those that are held end with the listener's own; the others are refused
    eventually("it is asked for by its name", Duration::from_secs(60), async || {
        host.forget().await;
        let asked = host.asked();
        if asked == ["/my-app", "/my-app"] { Ok(()) } else { Err(format!("{asked:?}")) }
    })
    .await;
    eventually("it is open again", PATIENCE, async || {
        let status = operator.get("/api/localtunnel/status").await.expect(200);
        if status.text("state") == "running" { Ok(()) } else { Err(status.body.to_string()) }
    })
    .await;
    assert_eq!(host.bring("GET", "/health", &[("host", "my-app.lt.example")], b"").await.0, 200);
}

#[tokio::test]
async fn programs_open_tunnels_and_end_with_them() {
    let programs = Programs::new();
    programs.add("cloudflared", CLOUDFLARED);
    programs.add("ngrok", NGROK);
    let mut gateway = Gateway::start(programs.options()).await;
    let operator = gateway.user_of_role("op@example.com", "operator").await;
    let started = operator.post("/api/cloudflared/start", &json!({})).await.expect(200);
    assert_eq!(started.text("public_url"), "https://quiet-red-fox.trycloudflare.com");
    assert_eq!(started.text("message"), "Cloudflared tunnel started");
    let argv = programs.read("cloudflared.argv");
    let door = argv.lines().find_map(|line| line.strip_prefix("http://127.0.0.1:")).unwrap().to_owned();
    assert!(argv.lines().any(|line| line == "tunnel") && argv.contains("--url"), "{argv}");
    assert_ne!(format!("127.0.0.1:{door}"), gateway.host(), "a tunnel has a listener of its own");
    let through = e2e::Client::new(&format!("http://127.0.0.1:{door}"));
    through.get("/health").await.expect(200);
    through.get("/api/data").await.expect(401);
    let processes = programs.processes("cloudflared").await;
    operator.post("/api/cloudflared/stop", &json!({})).await.expect(200);
    gone(&processes).await;
    assert!(through.try_send("GET", "/health", &[], None).await.is_err(), "its listener is closed");

    // the token is in the environment alone
    let body = json!({"subdomain": "my-app", "auth_token": "2abcPLANTEDtoken"});
    let started = operator.post("/api/ngrok/start", &body).await.expect(200);
    assert_eq!(started.text("public_url"), "https://my-app.ngrok.app");
    assert!(!started.body.to_string().contains("PLANTED"), "{}", started.body);
    assert!(programs.read("ngrok.env").contains("NGROK_AUTHTOKEN=2abcPLANTEDtoken"));
    let argv = programs.read("ngrok.argv");
    assert!(argv.contains("my-app.ngrok.app") && !argv.contains("PLANTED"), "{argv}");
    for secret in ["JWT", "ORRERY_"] {
        assert!(!programs.read("ngrok.env").contains(secret), "the server's environment is its own");
    }
    let status = operator.get("/api/ngrok/status").await.expect(200);
    assert!(status.body["log"].to_string().contains("client session established"), "{}", status.body);
    assert!(!status.body.to_string().contains("PLANTED") && !gateway.logs().contains("PLANTED"));
    let processes = programs.processes("ngrok").await;
    gateway.kill9();
    gone(&processes).await;
}

#[tokio::test]
async fn an_orderly_end_takes_the_programs_along() {
    let programs = Programs::new();
    programs.add("cloudflared", CLOUDFLARED);
    let mut gateway = Gateway::start(programs.options()).await;
    let operator = gateway.user_of_role("op@example.com", "operator").await;
    let started = operator.post("/api/mobile/tunnel/start", &json!({})).await.expect(200);
    assert_eq!(started.body["data"]["url"], "https://quiet-red-fox.trycloudflare.com", "{}", started.body);
    let processes = programs.processes("cloudflared").await;
    let all = operator.post("/api/tunnels/stop-all", &json!({})).await.expect(200);
    assert_eq!(all.body["results"], json!({"ngrok": true, "localtunnel": true, "cloudflared": true}));
    gone(&processes).await;
    std::fs::remove_file(programs.path().join("cloudflared.pid")).unwrap();
    operator.post("/api/cloudflared/start", &json!({})).await.expect(200);
    let processes = programs.processes("cloudflared").await;
    assert!(gateway.stop().await.success());
    gone(&processes).await;
}

#[tokio::test]
async fn what_is_missing_or_fails_is_said() {
    let programs = Programs::new();
    let gateway = Gateway::start(programs.options().env("ORRERY_TUNNELS__START_TIMEOUT_S", "2")).await;
    let operator = gateway.user_of_role("op@example.com", "operator").await;
    for (service, place) in [("ngrok", "https://ngrok.com/download"), ("cloudflared", "developers.cloudflare.com")] {
        let path = format!("/api/{service}/start");
        // the real one may be among this machine's programs
        if Path::new("/usr/bin").join(service).exists() || Path::new("/bin").join(service).exists() {
            continue;
        }
        let missing = operator.post(&path, &json!({})).await.expect(503);
        let text = missing.text("error");
        assert!(text.contains("not installed") && text.contains(place), "{text}");
        let status = operator.get(&format!("/api/{service}/status")).await.expect(200);
        assert!(status.text("status").starts_with("error: "), "{}", status.body);
    }
    let unreachable = operator.post("/api/localtunnel/start", &json!({})).await.expect(502);
    assert_eq!(unreachable.text("category"), "external_service");

    programs.add("ngrok", "echo 'ERROR:  authentication failed: ERR_NGROK_4018' >&2\nexit 1\n");
    let failed = operator.post("/api/ngrok/start", &json!({})).await.expect(502);
    assert!(failed.text("error").contains("ERR_NGROK_4018"), "{}", failed.body);
    programs.add("cloudflared", "yes 'INF nothing yet' | head -c 3000000 >&2\n");
    let late = operator.post("/api/cloudflared/start", &json!({})).await.expect(502);
    assert!(late.text("error").contains("within 2 seconds"), "{}", late.body);
    gone(&programs.processes("cloudflared").await).await;
}

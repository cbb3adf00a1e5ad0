//! The official `socket.io-client`, the documented web client's calls and a browser, by Node.js.

use std::io::Write;
use std::process::{Command, Stdio};

use e2e::client::PASSWORD;
use e2e::{Gateway, Options, repository};

/// A summary of this run goes where this names, for `cargo xtask test` to count.
const SUMMARY: &str = "ORRERY_NODE_SUMMARY";

#[tokio::test]
async fn clients_in_javascript() {
    run(
        // sockets from this machine are nobody's until they say whose they are
        Options::default().env("RATE_LIMIT_MESSAGES", "1000000").env("ORRERY_AUTH__LOCAL_OPERATOR", "off"),
        &["socketio.test.mjs", "bittrade.test.mjs", "page.test.mjs", "money.test.mjs", "channels.test.mjs"],
    )
    .await;
}

/// On a house of its own, since its administrator changes the rates; at a listener for this client alone,
/// beside another.
#[tokio::test]
async fn a_session_of_the_web_client() {
    let listeners = "127.0.0.1:0=bittrade,127.0.0.1:0=aether";
    run(Options::default().env("ORRERY_LISTEN", listeners), &["client.test.mjs"]).await;
}

/// The gateway speaks TLS itself, with a certificate of nobody's that these clients trust.
#[tokio::test]
async fn clients_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let options = Options::default().env("RATE_LIMIT_MESSAGES", "1000000");
    run(options.tls(&certificate, &key), &["tls.test.mjs"]).await;
}

/// What the operator at the machine itself does, told on topics.
#[tokio::test]
async fn topics_of_the_host() {
    run(Options::default(), &["host.test.mjs"]).await;
}

#[test]
fn every_file_of_tests_is_run() {
    let here = include_str!("js.rs");
    for file in std::fs::read_dir(repository().join("tests/js")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".test.mjs") || here.contains(&format!("\"{name}\"")), "{name}");
    }
}

async fn run(options: Options, files: &[&str]) {
    let folder = repository().join("tests/js");
    let version = Command::new("node").arg("--version").output();
    assert!(
        version.is_ok_and(|v| v.status.success()),
        "Node.js is missing: apt-get update && apt-get install -y nodejs npm chromium"
    );
    assert!(
        folder.join("node_modules/socket.io-client").is_dir(),
        "the clients are not installed: (cd tests/js && npm install), or cargo xtask test"
    );
    let gateway = Gateway::start(options.args(&["demo"])).await;
    gateway.user_of_role("root@example.com", "admin").await;
    let output = Command::new("node")
        .args(["--test", "--test-reporter=tap"])
        .args(files)
        .current_dir(&folder)
        .env("ORRERY_URL", gateway.base())
        .envs(gateway.options().certificate().map(|trusted| ("NODE_EXTRA_CA_CERTS", trusted)))
        .env("ORRERY_ADMIN_EMAIL", "root@example.com")
        .env("ORRERY_ADMIN_PASSWORD", PASSWORD)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(path) = std::env::var_os(SUMMARY) {
        let mut summary = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        let closing = text.lines().filter(|line| line.starts_with("# "));
        summary.write_all(closing.map(|line| format!("{line}\n")).collect::<String>().as_bytes()).unwrap();
    }
    let count = |name: &str| -> u64 {
        let line = text.lines().rev().find_map(|l| l.strip_prefix("# ")?.strip_prefix(name));
        line.and_then(|n| n.trim().parse().ok()).unwrap_or_else(|| panic!("node says nothing of {name}: {text}"))
    };
    let seen = format!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{seen}");
    assert!(count("pass ") > 0, "no test ran: {seen}");
    assert_eq!((count("fail "), count("cancelled "), count("skipped "), count("todo ")), (0, 0, 0, 0), "{seen}");
}

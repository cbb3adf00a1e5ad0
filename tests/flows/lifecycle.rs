//! Starting, stopping, being configured wrongly, being backed up, being tampered with.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use e2e::{Gateway, Options, eventually};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::desk;

/// A run that must fail, and its words.
#[track_caller]
fn fails(options: &Options, args: &[&str]) -> String {
    let data = tempfile::tempdir().unwrap();
    fails_in(data.path(), options, args)
}

#[track_caller]
fn fails_in(data: &std::path::Path, options: &Options, args: &[&str]) -> String {
    let output = options.run(data, args, "");
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{args:?} did not fail: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[tokio::test]
async fn a_busy_port_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = fails(&Options::default().env("ORRERY_LISTEN", &address), &["serve"]);
    assert!(said.contains(&address), "{said}");
    assert!(said.contains("taken"), "{said}");
}

#[tokio::test]
async fn the_first_signal_drains() {
    let mut gateway = Gateway::start(Options::default()).await;
    let mut slow = TcpStream::connect(gateway.host()).unwrap();
    let body = r#"{"email":"ann@example.com","password":"whatever-1"}"#;
    let head = format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        gateway.host(),
        body.len()
    );
    slow.write_all(head.as_bytes()).unwrap();
    slow.write_all(&body.as_bytes()[..10]).unwrap();
    // the request is under way once the server has read its head: a later one on another connection was answered
    gateway.client().get("/health").await.expect(200);
    gateway.signal("TERM");
    eventually("nobody new is let in", Duration::from_secs(20), async || match TcpStream::connect(gateway.host()) {
        Err(_) => Ok(()),
        Ok(mut stream) => {
            // accepted by the kernel at most; or told that the server drains
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let _ = stream.write_all(
                format!("GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.host()).as_bytes(),
            );
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            if answer.contains(" 200 ") { Err("a new request was served".to_owned()) } else { Ok(()) }
        }
    })
    .await;
    assert_eq!(gateway.has_ended(), None, "a request is under way");
    slow.write_all(&body.as_bytes()[10..]).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(gateway.wait().await.success());
}

#[tokio::test]
async fn the_second_signal_aborts() {
    // more patience than this test has
    let mut gateway = Gateway::start(Options::default().env("ORRERY_SERVER__SHUTDOWN_GRACE_S", "600")).await;
    let mut stuck = TcpStream::connect(gateway.host()).unwrap();
    let head = format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        gateway.host()
    );
    stuck.write_all(head.as_bytes()).unwrap();
    gateway.client().get("/health").await.expect(200);
    gateway.signal("TERM");
    eventually("it drains", Duration::from_secs(20), async || {
        if gateway.output().contains("drain") { Ok(()) } else { Err("no word of it".to_owned()) }
    })
    .await;
    assert_eq!(gateway.has_ended(), None);
    gateway.signal("INT");
    let status = gateway.wait().await;
    assert!(!status.success(), "an abort is no clean end");
}

#[tokio::test]
async fn an_idle_server_stops_at_once_and_starts_again() {
    let (mut gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    user.trade("buy", "100", "inr", None).await.expect(200);
    let journal = gateway.journal();
    // a kept connection doesn't hold it up
    assert!(gateway.stop().await.success());
    gateway.cli(&["ledger", "verify"]);
    assert_eq!(gateway.journal(), journal);
    gateway.restart().await;
    let user = gateway.client().with_token(user.token().unwrap());
    assert_eq!(user.funds().await, (90_000, 2_442));
    // the last price is there before the source is asked
    user.get("/api/market-rates").await.expect(200);
}

#[tokio::test]
async fn mistakes_of_configuration_are_named() {
    let base = Options::default;
    let said = fails(&base().env("ORRERY_MARKET__MAX_AEG", "5"), &["serve"]);
    assert!(said.contains("max_aeg") || said.contains("MAX_AEG"), "{said}");
    assert!(said.to_lowercase().contains("max_age"), "the nearest known key: {said}");
    for (name, value, part) in [
        ("ORRERY_MARKET__MAX_AGE", "soon", "max_age"),
        ("ORRERY_MARKET__MAX_AGE", "-1", "max_age"),
        ("ORRERY_MARKET__SELL_MULTIPLIER", "92", "multiplier"),
        ("ORRERY_LISTEN", "nonsense", "listen"),
        ("ORRERY_LISTEN", "127.0.0.1:0=nowhere", "nowhere"),
        ("ORRERY_LISTEN", "127.0.0.1:99999", "99999"),
        ("ORRERY_LISTEN", "0.0.0.0:0", "allow-plain-http"),
        ("DATABASE_URL", "mysql://localhost/x", "mysql"),
        ("DB_PORT", "3306", "MySQL"),
        ("PORT", "none", "PORT"),
        ("COINGECKO_API_URL", "not a url", "COINGECKO_API_URL"),
        ("ORRERY_SERVER__DATA_DIR_TYPO", "x", "data_dir"),
        ("ORRERY_TLS__CERT", "/nonexistent.pem", "tls"),
    ] {
        let said = fails(&base().env(name, value), &["serve"]);
        let (said, part) = (said.to_lowercase(), part.to_lowercase());
        assert!(said.contains(&part) || said.contains(&name.to_lowercase()), "{name}={value}: {said}");
    }
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("orrery.toml"), "[market]\nmax_agee = 5\n").unwrap();
    let said = fails_in(data.path(), &base(), &["serve"]);
    assert!(said.contains("max_age") && said.contains("orrery.toml"), "{said}");
    std::fs::write(data.path().join("orrery.toml"), "[market\n").unwrap();
    assert!(fails_in(data.path(), &base(), &["serve"]).contains("orrery.toml"));
    for args in [["nonsense"].as_slice(), &["ledger"], &["user", "create"], &["serve", "--no-such-flag"]] {
        fails(&base(), args);
    }
}

#[tokio::test]
async fn settings_come_from_four_places() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(
        data.path().join("orrery.toml"),
        "[market]\nmax_age = 77\nprice_poll_s = 44\n[ledger]\nqueue = 99\n",
    )
    .unwrap();
    let options = Options::default().without("ORRERY_MARKET__PRICE_POLL_S").env("ORRERY_LEDGER__QUEUE", "98");
    let options = options.env("JWT_SECRET", "a-secret-of-the-operator-that-is-long-enough-0123456789");
    let output = options.run(data.path(), &["config", "print", "--set", "market.max_age=55"], "");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    let line = |key: &str| {
        shown
            .lines()
            .find(|l| l.split_once(" =").is_some_and(|(k, _)| k == key))
            .unwrap_or_else(|| panic!("no {key} in {shown}"))
    };
    assert!(line("max_age").contains("55"), "{shown}");
    assert!(line("price_poll_s").contains("44") && line("price_poll_s").contains("orrery.toml"), "{shown}");
    assert!(line("queue").contains("98") && line("queue").contains("ORRERY_LEDGER__QUEUE"), "{shown}");
    assert!(line("jwt_secret").contains("redacted") && line("jwt_secret").contains("JWT_SECRET"), "{shown}");
    assert!(line("buy_multiplier").contains("91"), "{shown}");
}

#[tokio::test]
async fn port_replaces_the_port() {
    // a port that was free a moment ago
    let port = orrery_testkit::servers::free_port().unwrap();
    let gateway = Gateway::start(Options::default().without("ORRERY_LISTEN").env("PORT", &port.to_string())).await;
    assert_eq!(gateway.base(), format!("http://127.0.0.1:{port}"));
    let both = Options::default().env("ORRERY_LISTEN", "127.0.0.1:0=bittrade,127.0.0.1:0").env("PORT", "1");
    Gateway::start(both).await.client().get("/api/health").await.expect(200);
}

#[tokio::test]
async fn help_and_doctor() {
    let gateway = Gateway::start(Options::default()).await;
    let help = gateway.cli(&["--help"]);
    for word in ["serve", "demo", "doctor", "user", "ledger", "backup", "restore", "openapi", "Examples"] {
        assert!(help.contains(word), "no {word} in {help}");
    }
    gateway.cli(&["--version"]);
    let doctor = gateway.command(&["doctor"], "");
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.success(), "{said}");
    assert!(said.contains("database") && said.contains("ledger"), "{said}");
    let bad = Options::default().env("DATABASE_URL", "sqlite:///nonexistent/folder/x.db");
    let data = tempfile::tempdir().unwrap();
    assert!(!bad.run(data.path(), &["doctor"], "").status.success(), "what it finds shows in its exit code");
}

#[tokio::test]
async fn a_backup_of_a_running_server_restores() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    user.trade("buy", "100", "inr", Some("before")).await.expect(200);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy");
    let to = to.to_str().unwrap();
    gateway.cli(&["backup", "--to", to]);
    let journal = gateway.journal();
    user.trade("buy", "200", "inr", Some("after")).await.expect(200);

    let data = Arc::new(tempfile::tempdir().unwrap());
    let options = gateway.options().clone();
    let output = options.run(data.path(), &["restore", "--from", to, "--verify"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let restored = Gateway::start_in(data.clone(), options.clone()).await;
    assert_eq!(restored.journal(), journal);
    let again = restored.client().login("ann@example.com").await;
    assert_eq!(again.funds().await, (90_000, 2_442));
    // keys are part of it
    let replay = again.trade("buy", "100", "inr", Some("before")).await.expect(200);
    assert_eq!(replay.header("idempotent-replay"), Some("true"));
    // what is there is not overwritten, and a damaged copy is not taken
    let output = options.run(data.path(), &["restore", "--from", to], "");
    assert!(!output.status.success(), "restored over a running database");
    let database = std::fs::read_dir(to)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "db"))
        .unwrap();
    let mut bytes = std::fs::read(&database).unwrap();
    let at = bytes.len() - 700;
    bytes[at] ^= 0x55;
    std::fs::write(&database, bytes).unwrap();
    let empty = tempfile::tempdir().unwrap();
    let output = options.run(empty.path(), &["restore", "--from", to, "--verify"], "");
    assert!(!output.status.success(), "a damaged backup was restored");
    assert!(!empty.path().join("orrery.db").exists());
}

/// Runs statements on a stopped server's database, behind its triggers.
async fn tamper(gateway: &Gateway, statements: &[&'static str]) {
    let options = SqliteConnectOptions::new().filename(gateway.database()).foreign_keys(false);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in statements {
        let done = sqlx::query(*statement).execute(&mut connection).await.unwrap();
        if !statement.starts_with("DROP") {
            assert!(done.rows_affected() > 0, "{statement} changed nothing");
        }
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn tampering_is_found() {
    let (mut gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    for n in 0..5 {
        user.trade("buy", "10", "inr", Some(&format!("k{n}"))).await.expect(200);
    }
    assert!(gateway.stop().await.success());
    gateway.cli(&["ledger", "verify"]);
    let original = std::fs::read(gateway.database()).unwrap();
    for (what, statements) in [
        (
            "an amount",
            ["DROP TRIGGER legs_keep", "UPDATE legs SET amount = amount + 1 WHERE seq = 3 AND n = 0"].as_slice(),
        ),
        ("a balance", &["UPDATE accounts SET balance = balance + 100 WHERE code = 'user:1/INR/available'"]),
        ("an actor", &["DROP TRIGGER journal_keep", "UPDATE journal SET actor = 'user:2' WHERE seq = 3"]),
        ("a hash", &["DROP TRIGGER journal_keep", "UPDATE journal SET hash = zeroblob(32) WHERE seq = 3"]),
        (
            "the last entry",
            &[
                "DROP TRIGGER journal_hold",
                "DROP TRIGGER legs_hold",
                "DROP TRIGGER statement_hold",
                "DELETE FROM legs WHERE seq = 6",
                "DELETE FROM statement WHERE seq = 6",
                "DELETE FROM journal WHERE seq = 6",
            ],
        ),
        ("an entry in the middle", &["DROP TRIGGER journal_hold", "DELETE FROM journal WHERE seq = 3"]),
        (
            "a price",
            &[
                "DROP TRIGGER snapshots_keep",
                "UPDATE snapshots SET buy_rate = buy_rate - 100, sell_rate = sell_rate - 100",
            ],
        ),
        ("an outcome", &["DROP TRIGGER idempotency_hold", "DELETE FROM idempotency WHERE key = 'k3'"]),
    ] {
        std::fs::write(gateway.database(), &original).unwrap();
        for side in ["-wal", "-shm"] {
            let mut name = gateway.database().into_os_string();
            name.push(side);
            let _ = std::fs::remove_file(name);
        }
        gateway.cli(&["ledger", "verify"]);
        tamper(&gateway, statements).await;
        let output = gateway.command(&["ledger", "verify"], "");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{what} was changed and not found: {said}");
    }
}

#[tokio::test]
async fn the_journal_takes_no_changes() {
    let (mut gateway, _upstream) = desk().await;
    gateway.funded("ann@example.com", "1000", 0).await;
    assert!(gateway.stop().await.success());
    let options = SqliteConnectOptions::new().filename(gateway.database());
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in [
        "UPDATE journal SET kind = 2",
        "DELETE FROM journal",
        "UPDATE legs SET amount = 1",
        "DELETE FROM legs",
        "INSERT INTO journal (seq, kind, actor, idem_key, at, prev, hash) VALUES (9, 1, 'a', 'k', 1, zeroblob(32), zeroblob(32))",
        "INSERT OR REPLACE INTO journal (seq, kind, actor, idem_key, at, prev, hash) VALUES (1, 1, 'a', 'k', 1, zeroblob(32), zeroblob(32))",
        "UPDATE accounts SET balance = -1 WHERE code = 'user:1/INR/available'",
        "DELETE FROM accounts",
    ] {
        let done = sqlx::query(statement).execute(&mut connection).await;
        assert!(done.is_err(), "{statement} was let through");
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap();
    assert_eq!(mode, "wal");
    connection.close().await.unwrap();
}

#[tokio::test]
async fn two_commands_at_once_share_the_database() {
    let (gateway, _upstream) = desk().await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let (options, data) = (gateway.options().clone(), gateway.data_dir().to_owned());
            std::thread::spawn(move || {
                let key = format!("t{n}");
                options.run(
                    &data,
                    &["ledger", "deposit", "--email", "ann@example.com", "--inr", "10", "--key", &key],
                    "",
                )
            })
        })
        .collect();
    for n in 0..20 {
        user.trade("buy", "1", "inr", Some(&format!("n{n}"))).await.expect(200);
    }
    for thread in threads {
        let output = thread.join().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    eventually("all of it shows", Duration::from_secs(5), async || {
        let funds = user.funds().await.0;
        if funds == 102_000 { Ok(()) } else { Err(funds.to_string()) }
    })
    .await;
    assert_eq!(gateway.journal().0.len(), 25);
    gateway.cli(&["ledger", "verify"]);
}

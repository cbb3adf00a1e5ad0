//! Layers, aliases, faults and what is shown of them.

use std::path::Path;

use super::*;

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn sources(cwd: &Path, env: &[(&str, &str)]) -> Sources {
    Sources {
        env: env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        cwd: cwd.to_owned(),
        ..Sources::default()
    }
}

fn errors(env: &[(&str, &str)]) -> String {
    load(&sources(dir().path(), env)).expect_err("must be refused").to_string()
}

fn origin(loaded: &Loaded, key: &str) -> (String, String) {
    let shown = loaded.values.iter().find(|v| v.key == key).unwrap();
    (shown.value.clone(), shown.origin.clone())
}

#[test]
fn defaults_are_usable_as_they_are() {
    let d = dir();
    let loaded = load(&sources(d.path(), &[])).unwrap();
    let c = &loaded.config;
    assert_eq!(c.server.listen[0].to_string(), "127.0.0.1:8000");
    assert_eq!(c.server.data_dir, d.path().join("orrery-data"));
    assert_eq!(c.database.file(), Some(d.path().join("orrery-data/orrery.db").as_path()));
    assert_eq!(c.market.max_age, Duration::from_secs(90));
    assert_eq!(c.market.source, Source::CoinGecko);
    assert_eq!(c.auth.jwt_expires, Duration::from_secs(86_400));
    assert!(c.welcome.is_none());
    assert!(loaded.notes.is_empty());
    assert!(loaded.values.iter().all(|v| v.origin == "default"), "{:?}", loaded.values);
}

#[test]
fn flags_beat_environment_beats_file_beats_defaults() {
    let d = dir();
    std::fs::write(d.path().join("orrery.toml"), "[market]\nmax_age = 10\nprice_poll_s = 11\nfetch_timeout_s = 12\n")
        .unwrap();
    let mut s = sources(d.path(), &[("ORRERY_MARKET__MAX_AGE", "20"), ("ORRERY_MARKET__PRICE_POLL_S", "21")]);
    s.flags.push(("market.max_age".into(), "30".into(), "flag --set".into()));
    let loaded = load(&s).unwrap();
    let file = format!("file {}", d.path().join("orrery.toml").display());
    assert_eq!(origin(&loaded, "market.max_age"), ("30".into(), "flag --set".into()));
    assert_eq!(origin(&loaded, "market.price_poll_s"), ("21".into(), "env ORRERY_MARKET__PRICE_POLL_S".into()));
    assert_eq!(origin(&loaded, "market.fetch_timeout_s"), ("12".into(), file));
    assert_eq!(origin(&loaded, "market.source"), ("\"coingecko\"".into(), "default".into()));
    assert_eq!(loaded.config.market.max_age, Duration::from_secs(30));
}

#[test]
fn the_file_is_named_or_here_or_in_the_data_directory() {
    let d = dir();
    let write = |name: &str, age: u32| {
        let path = d.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("[market]\nmax_age = {age}\n")).unwrap();
    };
    let age = |s: &Sources| load(s).unwrap().config.market.max_age.as_secs();
    write("data/orrery.toml", 1);
    assert_eq!(age(&sources(d.path(), &[("ORRERY_DATA_DIR", "data")])), 1);
    write("orrery.toml", 2);
    assert_eq!(age(&sources(d.path(), &[("ORRERY_DATA_DIR", "data")])), 2);
    write("other.toml", 3);
    assert_eq!(age(&sources(d.path(), &[("ORRERY_CONFIG", "other.toml")])), 3);
    write("flag.toml", 4);
    let mut s = sources(d.path(), &[("ORRERY_CONFIG", "other.toml")]);
    s.file = Some("flag.toml".into());
    assert_eq!(age(&s), 4);
    s.file = Some("absent.toml".into());
    assert!(load(&s).unwrap_err().to_string().contains("no configuration file"));
    let demo = Sources { demo: true, ..sources(d.path(), &[]) };
    assert_eq!(age(&demo), 90, "demo reads no file that is not named");
}

#[test]
fn names_of_the_documents_stand_for_keys() {
    let d = dir();
    let secret = "0123456789abcdef0123456789abcdef";
    let env = [
        ("PORT", "3001"),
        ("NODE_ENV", "production"),
        ("DEBUG", "express:*,bittrade:*"),
        ("JWT_SECRET", secret),
        ("JWT_EXPIRES_S", "3600"),
        ("JWT_ALGORITHM", "HS256"),
        ("DATABASE_URL", "sqlite://x.db"),
        ("COINGECKO_API_URL", "http://127.0.0.1:9/api/v3/"),
        ("FEAR_GREED_API_URL", "http://127.0.0.1:9/fng"),
        ("ENABLE_METRICS", "false"),
        ("REDIS_URL", ""),
    ];
    let loaded = load(&sources(d.path(), &env)).unwrap();
    let c = &loaded.config;
    assert_eq!(c.server.listen[0].to_string(), "127.0.0.1:3001");
    assert_eq!(c.log.format, LogFormat::Json);
    assert!(c.log.level.contains("orrery_api_bittrade=debug"));
    assert_eq!(c.auth.jwt_secret.as_ref().unwrap().expose(), secret);
    assert_eq!(c.auth.jwt_expires.as_secs(), 3_600);
    assert_eq!(c.database.file(), Some(d.path().join("x.db").as_path()));
    assert_eq!(c.market.coingecko_url, "http://127.0.0.1:9/api/v3");
    assert_eq!(c.market.fear_greed_url, "http://127.0.0.1:9/fng");
    assert!(!c.metrics);
    assert_eq!(origin(&loaded, "server.listen"), ("[\"127.0.0.1:3001\"]".into(), "env PORT".into()));
    let printed = print(&loaded);
    assert!(!printed.contains(secret), "secrets are redacted");
    assert!(printed.contains("jwt_secret = [redacted]"), "{printed}");
}

#[test]
fn listen_replaces_the_whole_listener() {
    let d = dir();
    let env = [("PORT", "1"), ("ORRERY_LISTEN", "127.0.0.1:2, localhost:3=bittrade")];
    let listen = load(&sources(d.path(), &env)).unwrap().config.server.listen;
    assert_eq!(listen.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1:2", "localhost:3=bittrade"]);
    let env = [("ORRERY_LISTEN", "127.0.0.1:2"), ("ORRERY_SERVER__LISTEN", "127.0.0.1:4")];
    let listen = load(&sources(d.path(), &env)).unwrap().config.server.listen;
    assert_eq!(listen[0].port, 4, "the precise name wins");
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    for (env, near) in [
        ("ORRERY_MARKET__MAXAGE", "ORRERY_MARKET__MAX_AGE"),
        ("ORRERY_SERVER__LISTN", "ORRERY_SERVER__LISTEN"),
        ("ORRERY_LISTENS", "ORRERY_SERVER__LISTEN"),
        ("ORRERY_CACHE__MAX_AGE", "ORRERY_MARKET__MAX_AGE"),
    ] {
        let text = errors(&[(env, "1")]);
        assert!(text.contains(env) && text.contains(&format!("did you mean {near}?")), "{text}");
    }
    let d = dir();
    let text = "max_age = 3\n[market]\nsorce = \"simulated\"\n[serve]\nport = 1\n";
    std::fs::write(d.path().join("orrery.toml"), text).unwrap();
    let text = load(&sources(d.path(), &[])).unwrap_err().to_string();
    for part in
        ["max_age (file", "did you mean market.max_age?", "did you mean market.source?", "unknown key serve.port"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn what_this_version_cannot_do_is_refused() {
    for (env, words) in [
        (vec![("DATABASE_URL", "postgres:hunter2")], vec!["postgres://user", "DATABASE_URL"]),
        (vec![("DATABASE_URL", "mysql://u@h:3306?password=hunter2")], vec!["MySQL isn't supported"]),
        (vec![("DB_HOST", "db"), ("DB_PORT", "3306")], vec!["MySQL isn't supported"]),
        (vec![("REDIS_URL", "http://:hunter2@h")], vec!["redis://", "REDIS_URL"]),
        (vec![("ORRERY_MARKET__POLL", "sometimes")], vec!["auto, on or off"]),
        (vec![("JWT_ALGORITHM", "none")], vec!["HS256"]),
    ] {
        let text = errors(&env);
        assert!(words.iter().all(|w| text.contains(w)), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let d = dir();
    let aether = [
        ("WS_HOST", "localhost"),
        ("WS_PORT", "8123"),
        ("WS_PATH", "/live"),
        ("RATE_LIMIT_CONNECTIONS", "50000"),
        ("RATE_LIMIT_MESSAGES", "7"),
        ("RATE_LIMIT_WINDOW_S", "30"),
        ("METRICS_PORT", "9090"),
        ("JWT_ALGORITHM", "HS512"),
    ];
    let c = load(&sources(d.path(), &aether)).unwrap().config;
    assert_eq!(c.server.listen[0].to_string(), "localhost:8123");
    assert_eq!((c.realtime.path.as_str(), c.realtime.connections_per_user), ("/live", 50_000));
    assert_eq!((c.realtime.messages, c.realtime.window.as_secs(), c.metrics_port), (7, 30, Some(9_090)));
    assert_eq!(c.auth.jwt_algorithm, orrery_crypto::Algorithm::Hs512);
    let off = load(&sources(d.path(), &[("METRICS_PORT", "9090"), ("ENABLE_METRICS", "false")])).unwrap().config;
    assert_eq!(off.metrics_port, None);
    let listen = [("WS_PORT", "8123"), ("ORRERY_LISTEN", "127.0.0.1:9")];
    assert_eq!(load(&sources(d.path(), &listen)).unwrap().config.server.listen[0].to_string(), "127.0.0.1:9");
    for (name, bad) in [("WS_PATH", "/api/x"), ("WS_PATH", "ws"), ("RATE_LIMIT_CONNECTIONS", "0"), ("WS_HOST", "a b")] {
        assert!(load(&sources(d.path(), &[(name, bad)])).is_err(), "{name}={bad}");
    }
}

#[test]
fn every_fault_names_key_value_and_origin() {
    let text = errors(&[
        ("ORRERY_MARKET__MAX_AGE", "soon"),
        ("ORRERY_LEDGER__BATCH", "0"),
        ("ORRERY_MARKET__SELL_MULTIPLIER", "92"),
        ("ORRERY_LEDGER__FLOOR_INR", "1e3"),
        ("ORRERY_LOG__LEVEL", "loud=very"),
        ("ORRERY_CORS__ALLOWED_ORIGINS", "*"),
        ("ORRERY_SERVER__TRUSTED_PROXIES", "10.0.0.0/40"),
        ("PORT", "seventy"),
    ]);
    for part in [
        "market.max_age = \"soon\" (env ORRERY_MARKET__MAX_AGE): must be a whole number",
        "ledger.batch = 0 (env ORRERY_LEDGER__BATCH): must be a whole number from 1 to 256",
        "market.sell_multiplier = \"92\"",
        "ledger.floor_inr = \"1e3\"",
        "log.level = \"loud=very\"",
        "cors.allowed_origins = [\"*\"]",
        "server.trusted_proxies = [\"10.0.0.0/40\"]",
        "server.listen = seventy (env PORT)",
    ] {
        assert!(text.contains(part), "{part}\nin {text}");
    }
}

#[test]
fn beyond_loopback_needs_tls_or_a_word() {
    let far = ("ORRERY_LISTEN", "0.0.0.0:8000");
    let text = errors(&[far]);
    assert!(text.contains("--allow-plain-http") && text.contains("tls.cert"), "{text}");
    let d = dir();
    for more in [("ORRERY_SERVER__ALLOW_PLAIN_HTTP", "true"), ("ORRERY_SERVER__TRUSTED_PROXIES", "127.0.0.1")] {
        load(&sources(d.path(), &[far, more])).unwrap();
    }
    load(&sources(d.path(), &[far, ("ORRERY_TLS__CERT", "c.pem"), ("ORRERY_TLS__KEY", "k.pem")])).unwrap();
    assert!(errors(&[("ORRERY_TLS__CERT", "c.pem")]).contains("tls.key"));
}

#[test]
fn demo_is_simulated_whatever_else_is_said() {
    let d = dir();
    let demo = Sources { demo: true, ..sources(d.path(), &[("ORRERY_MARKET__SOURCE", "coingecko")]) };
    let c = load(&demo).unwrap().config;
    assert_eq!(c.market.source, Source::Simulated);
    assert_eq!(c.welcome, Some(orrery_app::trading::Welcome { inr: 1_000_000, btc: 0 }));
    assert_eq!(c.server.data_dir, d.path().join("orrery-data/demo"));
    assert!(c.cors.allow_localhost);
    assert_eq!(c.market.price_poll, std::time::Duration::from_secs(2));
    let named = Sources { demo: true, ..sources(d.path(), &[("ORRERY_DATA_DIR", "mine")]) };
    assert_eq!(load(&named).unwrap().config.server.data_dir, d.path().join("mine"));
}

#[test]
fn floors_may_be_negative() {
    let d = dir();
    let env = [("ORRERY_LEDGER__FLOOR_INR", "-50000.00"), ("ORRERY_LEDGER__FLOOR_BTC", "0")];
    let ledger = load(&sources(d.path(), &env)).unwrap().config.ledger;
    assert_eq!((ledger.floor_inr, ledger.floor_btc), (Some(-5_000_000), Some(0)));
}

#[test]
fn what_is_printed_can_be_read_again() {
    let d = dir();
    let first = load(&sources(d.path(), &[("ORRERY_MARKET__MAX_AGE", "7")])).unwrap();
    let printed = print(&first);
    let sections: Vec<&str> = printed.lines().filter(|l| l.starts_with('[')).collect();
    assert_eq!(sections[..3], ["[server]", "[tls]", "[database]"], "in the reference's order");
    std::fs::write(d.path().join("orrery.toml"), printed).unwrap();
    let again = load(&sources(d.path(), &[])).unwrap();
    assert_eq!(again.config.market.max_age.as_secs(), 7);
    let values = |l: &Loaded| l.values.iter().map(|v| (v.key.clone(), v.value.clone())).collect::<Vec<_>>();
    assert_eq!(values(&first), values(&again));
}

#[test]
fn every_key_is_explained_and_the_page_is_current() {
    let page = docs::markdown();
    for key in Tree::defaults().unwrap().keys() {
        let row = page.lines().find(|l| l.contains(&format!("`{}`", alias::variable(key)))).unwrap();
        let meaning = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        assert!(!meaning.is_empty(), "{key} has no explanation");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");
    let stored = std::fs::read_to_string(path).unwrap();
    assert!(stored == page, "docs/config.md is out of date: orrery-gateway config reference > docs/config.md");
}

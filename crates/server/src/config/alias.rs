//! The environment: `ORRERY_…`, and the names that the BitTrade and Aether documents use.

use super::tree::Tree;
use super::{ListenSpec, Problem, check};

/// Names of the documents that stand for a key, as they are.
const ALIASES: [(&str, &str); 14] = [
    ("JWT_SECRET", "auth.jwt_secret"),
    ("NGROK_AUTHTOKEN", "tunnels.ngrok_authtoken"),
    ("JWT_EXPIRES_S", "auth.jwt_expires_s"),
    ("DATABASE_URL", "database.url"),
    ("REDIS_URL", "redis.url"),
    ("COINGECKO_API_URL", "market.coingecko_url"),
    ("FEAR_GREED_API_URL", "market.fear_greed_url"),
    ("ENABLE_METRICS", "metrics.enabled"),
    ("METRICS_PORT", "metrics.port"),
    ("JWT_ALGORITHM", "auth.jwt_algorithm"),
    ("WS_PATH", "realtime.path"),
    ("RATE_LIMIT_CONNECTIONS", "realtime.connections_per_user"),
    ("RATE_LIMIT_MESSAGES", "realtime.messages"),
    ("RATE_LIMIT_WINDOW_S", "realtime.window_s"),
];

/// Spellings fixed for programs that start the server.
const FIXED: [(&str, &str); 3] =
    [("ORRERY_LISTEN", "server.listen"), ("ORRERY_DATA_DIR", "server.data_dir"), ("ORRERY_NETWORK", "stels.network")];

const POSTGRES: [&str; 5] = ["DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD"];
const REDIS: [&str; 4] = ["REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_DB"];

/// Targets that `DEBUG=bittrade:*` makes talkative.
const BITTRADE_DEBUG: &str = "orrery_api_bittrade=debug,orrery_api_socketio=debug,orrery_app=debug";

/// Adds the environment's layers: documents' names first, then the fixed spellings, then
/// `ORRERY_SECTION__KEY`, so that the most precise name wins.
pub fn add_environment(
    tree: &mut Tree,
    env: &[(String, String)],
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) {
    // an empty variable of a document counts as none, as its programs treat it
    let get = |name: &str| env.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str());

    for (name, key) in ALIASES {
        if let Some(value) = get(name) {
            tree.add_text(key, value, &format!("env {name}"), problems);
        }
    }
    if let Some(host) = get("WS_HOST") {
        add_host(tree, host, "env WS_HOST", problems);
    }
    if let Some(port) = get("WS_PORT") {
        add_port(tree, port, "env WS_PORT", problems);
    }
    if let Some(port) = get("PORT") {
        add_port(tree, port, "env PORT", problems);
    }
    if get("NODE_ENV") == Some("production") {
        tree.add_text("log.format", "json", "env NODE_ENV", problems);
    }
    if let Some(value) = get("DEBUG") {
        let names_us = |part: &str| part == "*" || part.starts_with("bittrade");
        if value.split([',', ' ']).any(names_us) {
            let level = tree.get("log.level").and_then(|(v, _)| v.as_str().map(str::to_owned)).unwrap_or_default();
            tree.add_text("log.level", &format!("{level},{BITTRADE_DEBUG}"), "env DEBUG", problems);
        }
    }
    add_postgres(tree, &get, problems, notes);
    add_redis(tree, &get, problems, notes);
    for (name, key) in FIXED {
        if let Some(value) = get(name) {
            tree.add_text(key, value, &format!("env {name}"), problems);
        }
    }
    for (name, value) in env {
        let Some(rest) = name.strip_prefix("ORRERY_") else { continue };
        let other = FIXED.iter().any(|(fixed, _)| fixed == name);
        // ORRERY_CONFIG names the file; ORRERY_TEST_ is for the project's own tests
        if other || rest == "CONFIG" || rest.starts_with("TEST_") {
            continue;
        }
        let key = rest.to_ascii_lowercase().replace("__", ".");
        if tree.keys().any(|known| known == key) {
            tree.add_text(&key, value, &format!("env {name}"), problems);
        } else {
            let near = tree.nearest(&key).map(variable).unwrap_or_default();
            problems.push(Problem::general(format!("unknown environment variable {name}; did you mean {near}?")));
        }
    }
}

/// The variable of a key: `ORRERY_SECTION__KEY`, `ORRERY_VENUES__BINANCE__REST_URL`.
pub fn variable(key: &str) -> String {
    format!("ORRERY_{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Replaces the port of the first listener.
pub fn add_port(tree: &mut Tree, port: &str, origin: &str, problems: &mut Vec<Problem>) {
    let Ok(number) = port.trim().parse::<u16>() else {
        return problems.push(Problem::at("server.listen", port, origin, "must be a port from 0 to 65535"));
    };
    change_first(tree, origin, problems, |spec| spec.port = number);
}

/// Replaces the host of the first listener.
fn add_host(tree: &mut Tree, host: &str, origin: &str, problems: &mut Vec<Problem>) {
    if check::listen(&format!("{host}:0")).is_err() {
        return problems.push(Problem::at("server.listen", host, origin, "must be a host's name or address"));
    }
    change_first(tree, origin, problems, |spec| host.clone_into(&mut spec.host));
}

fn change_first(tree: &mut Tree, origin: &str, problems: &mut Vec<Problem>, change: impl FnOnce(&mut ListenSpec)) {
    let mut specs: Vec<String> = tree
        .get("server.listen")
        .and_then(|(v, _)| Some(v.as_array()?.iter().filter_map(|i| i.as_str().map(str::to_owned)).collect()))
        .unwrap_or_default();
    if let Some(first) = specs.first_mut()
        && let Ok(mut spec) = check::listen(first)
    {
        change(&mut spec);
        *first = spec.to_string();
    }
    tree.add_text("server.listen", &specs.join(","), origin, problems);
}

/// A part of a URL, with what would end it encoded.
fn encoded(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `user:password@` of the parts that are there.
fn login(user: Option<&str>, password: Option<&str>) -> String {
    match (user, password) {
        (None, None) => String::new(),
        (Some(user), None) => format!("{}@", encoded(user)),
        (user, Some(password)) => format!("{}:{}@", encoded(user.unwrap_or_default()), encoded(password)),
    }
}

/// `DB_HOST` and its like make a Postgres URL where there is no `DATABASE_URL`.
fn add_postgres<'a>(
    tree: &mut Tree,
    get: &impl Fn(&str) -> Option<&'a str>,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) {
    let set: Vec<&str> = POSTGRES.into_iter().filter(|name| get(name).is_some()).collect();
    if set.is_empty() {
        return;
    }
    let names = set.join(", ");
    if get("DATABASE_URL").is_some() {
        notes.push(format!("{names}: not used, since DATABASE_URL is set"));
    } else if get("DB_PORT").is_some_and(|port| port.trim() == "3306") {
        problems.push(Problem::general(
            "DB_PORT=3306 is MySQL's port, and MySQL isn't supported; unset the DB_ variables to use SQLite",
        ));
    } else {
        let user = get("DB_USER").unwrap_or("orrery");
        let url = format!(
            "postgres://{}{}:{}/{}",
            login(Some(user), get("DB_PASSWORD")),
            get("DB_HOST").unwrap_or("127.0.0.1"),
            get("DB_PORT").unwrap_or("5432").trim(),
            encoded(get("DB_NAME").unwrap_or(user)),
        );
        tree.add_text("database.url", &url, &format!("env {names}"), problems);
    }
}

/// `REDIS_HOST` and its like make a Redis URL where there is no `REDIS_URL`.
fn add_redis<'a>(
    tree: &mut Tree,
    get: &impl Fn(&str) -> Option<&'a str>,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) {
    let set: Vec<&str> = REDIS.into_iter().filter(|name| get(name).is_some()).collect();
    if set.is_empty() {
        return;
    }
    let names = set.join(", ");
    if get("REDIS_URL").is_some() {
        notes.push(format!("{names}: not used, since REDIS_URL is set"));
    } else if let Some(host) = get("REDIS_HOST") {
        let port = get("REDIS_PORT").unwrap_or("6379").trim();
        let database = get("REDIS_DB").map(|db| format!("/{}", encoded(db.trim()))).unwrap_or_default();
        let url = format!("redis://{}{host}:{port}{database}", login(None, get("REDIS_PASSWORD")));
        tree.add_text("redis.url", &url, &format!("env {names}"), problems);
    } else {
        notes.push(format!("{names}: not used without REDIS_HOST or REDIS_URL"));
    }
}

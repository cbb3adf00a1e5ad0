//! The configuration: read, merged and checked whole before anything is opened.
//!
//! `defaults.toml` is both the lowest layer and the reference. Only this module knows the
//! environment and figment.

mod alias;
mod check;
pub mod docs;
mod exec;
mod files;
mod fred;
mod market;
mod node;
mod print;
mod problem;
mod realtime;
mod server;
mod stels;
mod tree;
mod tunnels;
mod venues;
mod workers;

use std::path::PathBuf;
use std::time::Duration;

pub use check::{ListenSpec, Surface};
pub use files::Files;
pub use fred::{Fred, Series};
pub use market::{Market, Source};
pub use node::Node;
use orrery_identity::rate::Policy;
use orrery_kernel::{Asset, Secret, parse_minor};
pub use print::print;
pub use problem::{ConfigError, Problem};
pub use realtime::Realtime;
pub use server::Server;
pub use stels::Stels;
use tree::Tree;
pub use tunnels::{Scope, Tunnels};
pub use venues::Venues;

/// Everything that values may come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Directory that relative paths start from.
    pub cwd: PathBuf,
    /// `--config`; it must exist.
    pub file: Option<PathBuf>,
    /// `(key, value, origin)` of flags, in order.
    pub flags: Vec<(String, String, String)>,
    /// Started as `demo`: simulated prices, a data directory of its own, no file unless named.
    pub demo: bool,
}

impl Sources {
    /// The process's own environment and directory. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let env = std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
        Self { env: env.collect(), cwd: std::env::current_dir().unwrap_or_default(), ..Self::default() }
    }
}

/// A good configuration and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Each key as shown by `config print`; secrets are redacted already.
    pub values: Vec<Shown>,
    /// What the operator should know, such as variables without effect.
    pub notes: Vec<String>,
}

/// A key, its value as TOML, and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `section.key`.
    pub key: String,
    /// TOML.
    pub value: String,
    /// `default`, `file …`, `env …`, `flag …`.
    pub origin: String,
}

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Sockets, directory, bounds.
    pub server: Server,
    /// Certificate and key files.
    pub tls: Option<TlsFiles>,
    /// Database.
    pub database: Database,
    /// Redis, where there is one: a URL that may hold a password.
    pub redis: Option<Secret<String>>,
    /// Accounts.
    pub auth: Auth,
    /// Market data.
    pub market: Market,
    /// Ledger.
    pub ledger: Ledger,
    /// Requests in a time.
    pub limits: Limits,
    /// Other origins.
    pub cors: Cors,
    /// Logs.
    pub log: Log,
    /// WebSocket channels.
    pub realtime: Realtime,
    /// The STELS surface.
    pub stels: Stels,
    /// Files and programs.
    pub files: Files,
    /// Folder of an outside web UI; absolute.
    pub ui_dir: Option<PathBuf>,
    /// Exchanges.
    pub venues: Venues,
    /// Figures of the economy.
    pub fred: Fred,
    /// `[exec]` and `[sandbox]`.
    pub exec: exec::Exec,
    /// `[tunnels]`.
    pub tunnels: Tunnels,
    /// This node.
    pub node: Node,
    /// Running scripts.
    pub workers: workers::Workers,
    /// File of the master keys; absolute.
    pub key_file: PathBuf,
    /// Millionths of TST for each wallet's first login; only in `demo`.
    pub welcome_tst: Option<i64>,
    /// Is `/metrics` served?
    pub metrics: bool,
    /// A listener for figures alone.
    pub metrics_port: Option<u16>,
    /// Mount what the official Socket.IO suites need; for tests only.
    pub socketio_suite: bool,
    /// Money for each new user; only in `demo`.
    pub welcome: Option<orrery_app::trading::Welcome>,
}

/// `[tls]`; paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Chain.
    pub cert: PathBuf,
    /// Key.
    pub key: PathBuf,
}

/// Where the database is.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// Absolute path of a SQLite file; `sqlite::memory:` for what is not kept.
    Sqlite(PathBuf),
    /// A `postgres://` URL, which may hold a password.
    Postgres(Secret<String>),
}

/// `[database]`.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where.
    pub url: DatabaseUrl,
    /// Reading connections.
    pub readers: u32,
}

/// `[auth]`.
#[derive(Clone, Debug)]
pub struct Auth {
    /// When set by the operator; else it lives in the data directory.
    pub jwt_secret: Option<Secret<String>>,
    /// Where the secret is from, for errors about it.
    pub jwt_secret_origin: String,
    /// How tokens are signed.
    pub jwt_algorithm: orrery_crypto::Algorithm,
    /// Session and token.
    pub jwt_expires: Duration,
    /// May anybody register?
    pub open_registration: bool,
    /// An hour an address.
    pub registrations_per_hour: u32,
    /// In 15 minutes.
    pub account_failures: u32,
    /// In 15 minutes.
    pub address_failures: u32,
    /// At the same time.
    pub hash_workers: usize,
    /// Waiting.
    pub hash_queue: usize,
    /// Are requests from this machine the operator's?
    pub local_operator: bool,
}

/// `[ledger]`.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Waiting commands.
    pub queue: usize,
    /// Commands a commit.
    pub batch: usize,
    /// Paise; `None` is no floor.
    pub floor_inr: Option<i64>,
    /// Satoshis; `None` is no floor.
    pub floor_btc: Option<i64>,
}

/// `[limits]`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A user in the window.
    pub user_requests: u32,
    /// An address in the window.
    pub address_requests: u32,
    /// The window.
    pub window: Duration,
    /// The Localhost document's routes from an address.
    pub api: Policy,
    /// Uploads from an address.
    pub upload: Policy,
    /// Commands from an address.
    pub command: Policy,
    /// Failed logins from an address.
    pub auth: Policy,
    /// Tunnels from an address.
    pub tunnel: Policy,
    /// WebFix worker methods of a session.
    pub webfix_worker: Policy,
    /// `setAccount` of a session.
    pub webfix_account: Policy,
    /// `getWalletInfo` from an address.
    pub webfix_wallet: Policy,
    /// Wallets' logins from an address.
    pub webfix_login: Policy,
    /// Trading methods of a session, or from an address.
    pub webfix_trade: Policy,
}

/// `[cors]`.
#[derive(Clone, Debug)]
pub struct Cors {
    /// As browsers send them.
    pub allowed_origins: Vec<String>,
    /// Every port of loopback names too.
    pub allow_localhost: bool,
}

/// Form of the log on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    Auto,
    /// For people.
    Pretty,
    /// For programs.
    Json,
}

/// `[log]`.
#[derive(Clone, Debug)]
pub struct Log {
    /// Standard output.
    pub format: LogFormat,
    /// Filter directives.
    pub level: String,
    /// Days kept; 0 writes none.
    pub files: usize,
}

/// The value of a variable, also before everything is loaded.
fn variable<'a>(sources: &'a Sources, name: &str) -> Option<&'a str> {
    sources.env.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
}

/// The file to read: named, or `orrery.toml` here, or in the data directory.
fn find_file(sources: &Sources) -> Result<Option<PathBuf>, Problem> {
    let named = sources.file.clone().or_else(|| variable(sources, "ORRERY_CONFIG").map(PathBuf::from));
    if let Some(path) = named {
        let path = sources.cwd.join(path);
        return if path.is_file() {
            Ok(Some(path))
        } else {
            Err(Problem::general(format!("there is no configuration file {}", path.display())))
        };
    }
    if sources.demo {
        // invented money must not follow settings that were made for a real server
        return Ok(None);
    }
    let flag =
        sources.flags.iter().rev().find(|(key, ..)| key == "server.data_dir").map(|(_, value, _)| value.as_str());
    let data = flag
        .or_else(|| variable(sources, "ORRERY_SERVER__DATA_DIR"))
        .or_else(|| variable(sources, "ORRERY_DATA_DIR"))
        .unwrap_or("orrery-data");
    let candidates = [sources.cwd.join("orrery.toml"), sources.cwd.join(data).join("orrery.toml")];
    Ok(candidates.into_iter().find(|path| path.is_file()))
}

/// Reads all layers and checks them.
///
/// # Errors
/// Every fault that was found, each with key, value and origin.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    let mut tree = Tree::defaults().map_err(|p| ConfigError(vec![p]))?;
    if sources.demo {
        tree.add_text("server.data_dir", "./orrery-data/demo", "demo", &mut problems);
        tree.add_text("cors.allow_localhost", "true", "demo", &mut problems);
        tree.add_text("auth.local_operator", "true", "demo", &mut problems);
        // nobody is asked for these prices, and a newcomer should see one move
        tree.add_text("market.price_poll_s", "2", "demo", &mut problems);
    }
    match find_file(sources) {
        Ok(Some(path)) => match std::fs::read_to_string(&path) {
            Ok(text) => tree.add_toml(&text, &format!("file {}", path.display()), &mut problems),
            Err(e) => problems.push(Problem::general(format!("{} cannot be read: {e}", path.display()))),
        },
        Ok(None) => {}
        Err(problem) => problems.push(problem),
    }
    alias::add_environment(&mut tree, &sources.env, &mut problems, &mut notes);
    for (key, value, origin) in &sources.flags {
        if key == "server.port" {
            alias::add_port(&mut tree, value, origin, &mut problems);
        } else {
            tree.add_text(key, value, origin, &mut problems);
        }
    }
    if sources.demo {
        tree.add_text("market.source", "simulated", "demo", &mut problems);
    }
    let mut reader = check::Reader::new(&tree);
    let config = read(&mut reader, sources);
    problems.append(&mut reader.problems);
    let Some(config) = config.filter(|_| problems.is_empty()) else {
        return Err(ConfigError(problems));
    };
    let values = tree.keys().filter_map(|key| {
        let (value, origin) = tree.get(key)?;
        Some(Shown { key: key.to_owned(), value: print::redact(key, &tree::show(&value)), origin })
    });
    Ok(Loaded { config, values: values.collect(), notes })
}

/// `None` only together with a problem.
fn read(r: &mut check::Reader<'_>, sources: &Sources) -> Option<Config> {
    let server = server::read(r, &sources.cwd);
    let tls = match (r.optional("tls.cert"), r.optional("tls.key")) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert: sources.cwd.join(cert), key: sources.cwd.join(key) }),
        (None, None) => None,
        (Some(_), None) => {
            r.fault("tls.key", "tls.cert is set, so the private key's file must be named too");
            None
        }
        (None, Some(_)) => {
            r.fault("tls.cert", "tls.key is set, so the certificate's file must be named too");
            None
        }
    };
    let open = r.flag("server.allow_plain_http") || !server.trusted_proxies.is_empty();
    if let Some(beyond) = server.listen.iter().find(|l| !l.is_loopback())
        && tls.is_none()
        && !open
    {
        r.fault(
            "server.listen",
            format!(
                "{beyond} can be reached from other machines, and without TLS passwords and tokens would cross the \
                 network for anyone to read; set tls.cert and tls.key, or name the proxy that adds TLS in \
                 server.trusted_proxies, or say --allow-plain-http if the network is yours"
            ),
        );
    }
    let location = match r.optional("database.url") {
        None => DatabaseUrl::Sqlite(server.data_dir.join("orrery.db")),
        Some(url) if url.to_ascii_lowercase().starts_with("postgres") => {
            if let Err(message) = check::database_url(&url) {
                r.fault("database.url", message);
            }
            if sources.demo {
                r.fault("database.url", "the demo keeps to SQLite in its own data directory; unset it");
            }
            DatabaseUrl::Postgres(Secret::new(url))
        }
        Some(url) => {
            if let Err(message) = check::database_url(&url) {
                r.fault("database.url", message);
            }
            let rest = url.split_once(':').map_or("", |(_, rest)| rest);
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            DatabaseUrl::Sqlite(sources.cwd.join(rest))
        }
    };
    let redis = r.optional("redis.url");
    if redis.as_ref().is_some_and(|url| !url.starts_with("redis://")) {
        r.fault("redis.url", "must be empty or like redis://host:6379");
    }
    let redis = redis.map(Secret::new);
    let database = Database { url: location, readers: r.whole("database.readers", "", 1..=64) };
    let auth = Auth {
        jwt_secret: r.optional("auth.jwt_secret").map(Secret::new),
        jwt_secret_origin: r.origin("auth.jwt_secret"),
        jwt_algorithm: orrery_crypto::Algorithm::parse(&r.text("auth.jwt_algorithm")).unwrap_or_else(|| {
            r.fault("auth.jwt_algorithm", "must be HS256, HS384 or HS512: tokens are signed with nothing else");
            orrery_crypto::Algorithm::Hs256
        }),
        jwt_expires: r.seconds("auth.jwt_expires_s", 1..=31_536_000),
        open_registration: r.flag("auth.open_registration"),
        registrations_per_hour: r.whole("auth.registrations_per_hour", "", 1..=1_000_000),
        account_failures: r.whole("auth.account_failures", "", 1..=1_000),
        address_failures: r.whole("auth.address_failures", "", 1..=1_000_000),
        hash_workers: r.whole("auth.hash_workers", "", 1..=64),
        hash_queue: r.whole("auth.hash_queue", "", 1..=100_000),
        local_operator: read_local_operator(r, &server),
    };
    let market = market::read(r);
    let ledger = Ledger {
        queue: r.whole("ledger.queue", "", 1..=1_000_000),
        batch: r.whole("ledger.batch", "", 1..=256),
        floor_inr: read_floor(r, "ledger.floor_inr", Asset::INR),
        floor_btc: read_floor(r, "ledger.floor_btc", Asset::BTC),
    };
    let limits = Limits {
        user_requests: r.whole("limits.bittrade_user_max", "", 1..=1_000_000_000),
        address_requests: r.whole("limits.bittrade_address_max", "", 1..=1_000_000_000),
        window: r.seconds("limits.bittrade_window_s", 1..=86_400),
        api: read_tier(r, "api"),
        upload: read_tier(r, "upload"),
        command: read_tier(r, "command"),
        auth: read_tier(r, "auth"),
        tunnel: read_tier(r, "tunnel"),
        webfix_worker: read_tier(r, "webfix_worker"),
        webfix_account: read_tier(r, "webfix_account"),
        webfix_wallet: read_tier(r, "webfix_wallet"),
        webfix_login: read_tier(r, "webfix_login"),
        webfix_trade: read_tier(r, "webfix_trade"),
    };
    for origin in r.list("cors.allowed_origins") {
        if let Err(message) = check::origin(&origin) {
            r.fault("cors.allowed_origins", message);
        }
    }
    let cors =
        Cors { allowed_origins: r.list("cors.allowed_origins"), allow_localhost: r.flag("cors.allow_localhost") };
    let format = match r.text("log.format").as_str() {
        "auto" => LogFormat::Auto,
        "pretty" => LogFormat::Pretty,
        "json" => LogFormat::Json,
        _ => {
            r.fault("log.format", "must be auto, pretty or json");
            LogFormat::Auto
        }
    };
    let level = r.checked("log.level", |text| {
        let parsed = tracing_subscriber::EnvFilter::builder().parse(text);
        parsed.map(|_| ()).map_err(|e| format!("must be error, warn, info, debug, trace or target=level: {e}"))
    });
    let log = Log { format, level, files: r.whole("log.files", "days", 0..=3_650) };
    let money = |r: &mut check::Reader<'_>, key: &str, asset: Asset| {
        let text = r.text(key);
        parse_minor(&text, asset.decimals()).unwrap_or_else(|e| {
            r.fault(key, e.to_string());
            0
        })
    };
    let (inr, btc) = (money(r, "demo.welcome_inr", Asset::INR), money(r, "demo.welcome_btc", Asset::BTC));
    let welcome = (sources.demo && (inr > 0 || btc > 0)).then_some(orrery_app::trading::Welcome { inr, btc });
    let tst = money(r, "demo.welcome_tst", Asset::TST);
    let welcome_tst = (sources.demo && tst > 0).then_some(tst);
    let realtime = realtime::read(r);
    let (stels, venues, node) = (stels::read(r), venues::read(r), node::read(r));
    let files = files::read(r);
    let ui_dir = r.optional("ui.dir").map(|path| sources.cwd.join(path));
    if ui_dir.as_ref().is_some_and(|path| !path.is_dir()) {
        r.fault("ui.dir", "must be a folder of pages (index.html, or templates and static)");
    }
    let fred = fred::read(r);
    let workers = workers::read(r, &sources.cwd);
    let exec = exec::read(r, sources);
    let open_to_others = auth.local_operator && server.listen.iter().any(|listener| !listener.is_loopback());
    let tunnels = tunnels::read(r, sources, open_to_others);
    let key_file = match r.optional("secrets.key_file") {
        Some(path) => sources.cwd.join(path),
        None => server.data_dir.join(crate::master_keys::FILE),
    };
    let metrics = r.flag("metrics.enabled");
    let metrics_port = Some(r.whole("metrics.port", "", 0..=65_535)).filter(|port| *port != 0 && metrics);
    let socketio_suite = variable(sources, "ORRERY_TEST__SOCKETIO_SUITE") == Some("on");
    Some(Config {
        server,
        tls,
        database,
        redis,
        auth,
        market: market?,
        ledger,
        limits,
        realtime,
        stels,
        files,
        ui_dir,
        venues,
        fred,
        exec,
        tunnels,
        node,
        workers,
        key_file,
        welcome_tst,
        cors,
        log,
        metrics,
        metrics_port,
        socketio_suite,
        welcome,
    })
}

/// Nobody is asked who they are, so only this machine may reach it.
fn read_local_operator(r: &mut check::Reader<'_>, server: &Server) -> bool {
    const KEY: &str = "auth.local_operator";
    let on = r.flag(KEY);
    match server.listen.iter().find(|l| !l.is_loopback()).filter(|_| on) {
        None => on,
        // the demo's own wish, not the operator's
        Some(_) if r.origin(KEY) == "demo" => false,
        Some(beyond) => {
            let text = format!("cannot be on while {beyond} is listened to: whoever reaches it could run commands");
            r.fault(KEY, text);
            false
        }
    }
}

/// A tier's `_max` and `_window_s`.
fn read_tier(r: &mut check::Reader<'_>, name: &str) -> Policy {
    let max = r.whole(&format!("limits.{name}_max"), "", 1..=1_000_000_000);
    Policy::refuse(max, r.seconds(&format!("limits.{name}_window_s"), 1..=86_400))
}

/// A floor in minor units; it may be negative.
fn read_floor(r: &mut check::Reader<'_>, key: &str, asset: Asset) -> Option<i64> {
    let text = r.optional(key)?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
    match parse_minor(digits, asset.decimals()) {
        Ok(minor) => Some(sign * minor),
        Err(e) => {
            r.fault(key, e.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests;

impl Database {
    /// The file, if it is SQLite's.
    pub fn file(&self) -> Option<&std::path::Path> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => Some(path),
            DatabaseUrl::Postgres(_) => None,
        }
    }
}

impl Config {
    /// Does this gateway fetch prices and run what follows from them?
    pub fn polls(&self) -> bool {
        self.market.poll.unwrap_or(self.database.file().is_some())
    }

    /// Does this gateway run workers?
    pub fn runs_workers(&self) -> bool {
        self.workers.embedded.unwrap_or(self.database.file().is_some())
    }
}

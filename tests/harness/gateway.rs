//! The real server as a child process: a directory of its own, a free port, all output kept.
//!
//! Only processes started here are signalled, by their id. Whatever still runs when a [`Gateway`]
//! goes out of scope is killed, and if the test is failing its output is printed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Client, Upstream, eventually};

/// How long a start, a stop or a command of the server may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The server's program, built if need be: once for each process of the test runner, which costs a
/// moment when it is up to date. `ORRERY_TEST_GATEWAY` names one to take as it is.
pub fn gateway_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| named_or_built("ORRERY_TEST_GATEWAY", "orrery-gateway"))
}

/// The poller's program; `ORRERY_TEST_POLLER` names one to take as it is.
pub fn poller_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| named_or_built("ORRERY_TEST_POLLER", "orrery-poller"))
}

/// The program that runs workers; `ORRERY_TEST_NODE` names one to take as it is.
pub fn node_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| named_or_built("ORRERY_TEST_NODE", "orrery-node"))
}

/// The server's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `orrery-gateway`.
    Gateway,
    /// `orrery-poller`.
    Poller,
    /// `orrery-node`.
    Node,
}

impl Program {
    fn binary(self) -> &'static Path {
        match self {
            Self::Gateway => gateway_binary(),
            Self::Poller => poller_binary(),
            Self::Node => node_binary(),
        }
    }
}

fn named_or_built(variable: &str, name: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "{variable} names {}, which is no file", path.display());
            path
        }
        None => build(name),
    }
}

fn build(name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // the whole workspace's features, or the dependencies would be built a second time
    let output = Command::new(cargo)
        .args(["build", "--workspace", "--bin", name, "--message-format=json-render-diagnostics"])
        .current_dir(repository())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|e| panic!("cargo doesn't start: {e}"));
    assert!(output.status.success(), "{name} doesn't build");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|m| m["reason"] == "compiler-artifact" && m["target"]["name"] == name)
        .find_map(|m| m["executable"].as_str().map(PathBuf::from))
        .unwrap_or_else(|| panic!("cargo named no program {name}"))
}

/// Exchanges, as their variables are named; none of them is to hear of a test.
const VENUES: [&str; 10] =
    ["BINANCE", "BYBIT", "OKX", "COINBASE", "KRAKEN", "KUCOIN", "HTX", "GATE", "BITGET", "UPBIT"];

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Command and flags; `serve` unless changed.
    pub args: Vec<String>,
    /// Which program.
    pub program: Program,
    /// Environment. Nothing else of the test's own reaches the server but `PATH` and `HOME`.
    pub env: BTreeMap<String, String>,
}

impl Default for Options {
    /// `serve` on a free port with an unreachable price source and limits that a test doesn't meet.
    fn default() -> Self {
        let env = [
            ("ORRERY_LISTEN", "127.0.0.1:0"),
            // port 9 of the loopback: refused at once, so that nothing leaves the machine
            ("COINGECKO_API_URL", "http://127.0.0.1:9/api/v3"),
            ("FEAR_GREED_API_URL", "http://127.0.0.1:9/fng"),
            ("ORRERY_LIMITS__BITTRADE_USER_MAX", "1000000"),
            ("ORRERY_LIMITS__BITTRADE_ADDRESS_MAX", "1000000"),
            ("ORRERY_AUTH__REGISTRATIONS_PER_HOUR", "100000"),
            ("ORRERY_AUTH__ADDRESS_FAILURES", "100000"),
            ("ORRERY_LIMITS__API_MAX", "1000000"),
            ("ORRERY_LIMITS__UPLOAD_MAX", "1000000"),
            ("ORRERY_LIMITS__COMMAND_MAX", "1000000"),
            ("ORRERY_LIMITS__AUTH_MAX", "1000000"),
            ("ORRERY_LIMITS__TUNNEL_MAX", "1000000"),
            ("ORRERY_MARKET__PRICE_POLL_S", "1"),
            ("ORRERY_TUNNELS__LOCALTUNNEL_HOST", "http://127.0.0.1:9"),
        ];
        let mut env: BTreeMap<String, String> = env.map(|(k, v)| (k.into(), v.into())).into();
        for venue in VENUES {
            env.insert(format!("ORRERY_VENUES__{venue}__REST_URL"), "http://127.0.0.1:9".into());
            env.insert(format!("ORRERY_VENUES__{venue}__WS_URL"), "ws://127.0.0.1:9".into());
        }
        Self { args: vec!["serve".into()], program: Program::Gateway, env }
    }
}

impl Options {
    /// Prices from a stand-in.
    #[must_use]
    pub fn upstream(self, upstream: &Upstream) -> Self {
        self.env("COINGECKO_API_URL", &upstream.coingecko()).env("FEAR_GREED_API_URL", &upstream.fear_greed())
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Speaks TLS with this certificate and key, which clients of the gateway then trust.
    #[must_use]
    pub fn tls(self, certificate: &Path, key: &Path) -> Self {
        self.env("ORRERY_TLS__CERT", &certificate.display().to_string())
            .env("ORRERY_TLS__KEY", &key.display().to_string())
    }

    /// The file of the certificate.
    pub fn certificate(&self) -> Option<&str> {
        self.env.get("ORRERY_TLS__CERT").map(String::as_str)
    }

    /// Leaves a variable out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Starts `orrery-poller`, which takes no arguments.
    #[must_use]
    pub fn poller(self) -> Self {
        Self { program: Program::Poller, args: Vec::new(), ..self }
    }

    /// Starts `orrery-node`, which takes no arguments.
    #[must_use]
    pub fn node(self) -> Self {
        Self { program: Program::Node, args: Vec::new(), ..self }
    }

    /// Sets command and flags.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args = args.iter().map(|a| (*a).to_owned()).collect();
        self
    }

    /// The program with this environment and a data directory, ready for arguments.
    pub fn command(&self, data_dir: &Path) -> Command {
        let mut command = Command::new(self.program.binary());
        command.env_clear().envs(&self.env).env("ORRERY_DATA_DIR", data_dir).current_dir(data_dir);
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, data_dir: &Path, args: &[&str], input: &str) -> Output {
        let mut command = self.command(data_dir);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("orrery-gateway {args:?} doesn't start: {e}"));
        let mut stdin = child.stdin.take().unwrap_or_else(|| panic!("no input"));
        // a command that reads nothing may be gone already
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().unwrap_or_else(|e| panic!("orrery-gateway {args:?}: {e}"))
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Collects a stream until its end.
    fn collect(&self, stream: impl Read + Send + 'static) {
        let lines = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                lines.lock().push(String::from_utf8_lossy(&line).into_owned());
            }
        });
    }
}

/// A running (or stopped) server with its data directory.
pub struct Gateway {
    options: Options,
    data: Arc<TempDir>,
    child: Child,
    ended: Option<ExitStatus>,
    base: String,
    stdout: Lines,
    stderr: Lines,
}

impl Gateway {
    /// Starts a server on a new data directory and waits until it answers.
    pub async fn start(options: Options) -> Self {
        let data = tempfile::Builder::new().prefix("orrery-e2e-").tempdir();
        Self::start_in(Arc::new(data.unwrap_or_else(|e| panic!("no temporary directory: {e}"))), options).await
    }

    /// Starts a server on a given data directory and waits until it answers.
    pub async fn start_in(data: Arc<TempDir>, options: Options) -> Self {
        let mut gateway = Self::spawn(data, options);
        gateway.ready().await;
        gateway
    }

    /// Starts a server without waiting for anything.
    pub fn spawn(data: Arc<TempDir>, options: Options) -> Self {
        let mut command = options.command(data.path());
        command.args(&options.args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("orrery-gateway doesn't start: {e}"));
        let (stdout, stderr) = (Lines::default(), Lines::default());
        if let Some(stream) = child.stdout.take() {
            stdout.collect(stream);
        }
        if let Some(stream) = child.stderr.take() {
            stderr.collect(stream);
        }
        Self { options, data, child, ended: None, base: String::new(), stdout, stderr }
    }

    /// Waits for the line with the bound address, then for an answer.
    pub async fn ready(&mut self) {
        let base = eventually("orrery-gateway prints its address", PATIENCE, async || {
            if let Some(status) = self.has_ended() {
                panic!("orrery-gateway ended ({status}) instead of starting");
            }
            bound_address(&self.stdout.lock()).ok_or_else(|| "no line with http://HOST:PORT".to_owned())
        })
        .await;
        self.base = base;
        let client = self.client();
        eventually("orrery-gateway answers /health", PATIENCE, async || {
            match client.try_send("GET", "/health", &[], None).await {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(format!("{} {}", answer.status, answer.body)),
                Err(e) => Err(e.to_string()),
            }
        })
        .await;
    }

    /// The address it is bound to, `http://127.0.0.1:PORT`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        self.base.split_once("://").map_or("", |(_, host)| host)
    }

    /// A client without a token.
    pub fn client(&self) -> Client {
        Client::trusting(&self.base, self.options.certificate().map(Path::new))
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.data.path().join("orrery.db")
    }

    /// The options it was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it printed so far, standard output first.
    pub fn output(&self) -> String {
        let (out, err) = (self.stdout.lock().join("\n"), self.stderr.lock().join("\n"));
        format!("{out}\n{err}")
    }

    /// Everything it printed and logged so far, the log files included.
    pub fn logs(&self) -> String {
        let mut text = self.output();
        for entry in std::fs::read_dir(self.data_dir().join("logs")).into_iter().flatten().flatten() {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap_or_default()));
        }
        text
    }

    /// Runs a command of the same program in the same environment to its end, while the server may run.
    pub fn command(&self, args: &[&str], input: &str) -> Output {
        self.options.run(self.data_dir(), args, input)
    }

    /// The same, and it must succeed; gives its standard output.
    #[track_caller]
    pub fn cli(&self, args: &[&str]) -> String {
        self.cli_with(args, "")
    }

    /// The same with an input.
    #[track_caller]
    pub fn cli_with(&self, args: &[&str], input: &str) -> String {
        let output = self.command(args, input);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "orrery-gateway {args:?} ({}): {out}{err}", output.status);
        out.into_owned()
    }

    /// Gives a user money from the command line and waits until the running server shows it.
    pub async fn deposit(&self, client: &Client, email: &str, inr: Option<&str>, btc_sat: Option<i64>) {
        let before = client.funds().await;
        let mut expected = before;
        if let Some(inr) = inr {
            self.cli(&["ledger", "deposit", "--email", email, "--inr", inr]);
            expected.0 += paise(inr);
        }
        if let Some(sat) = btc_sat {
            self.cli(&["ledger", "deposit", "--email", email, "--btc-sat", &sat.to_string()]);
            expected.1 += sat;
        }
        eventually("the deposit shows in the balance", Duration::from_secs(5), async || {
            let seen = client.funds().await;
            if seen == expected { Ok(()) } else { Err(format!("{seen:?} in place of {expected:?}")) }
        })
        .await;
    }

    /// Registers a user, gives them rupees and satoshis, and returns their client.
    pub async fn funded(&self, email: &str, inr: &str, btc_sat: i64) -> Client {
        let client = self.client().register(email).await;
        self.deposit(&client, email, Some(inr), (btc_sat > 0).then_some(btc_sat)).await;
        client
    }

    /// Creates a user from the command line and logs in.
    pub async fn user_of_role(&self, email: &str, role: &str) -> Client {
        let password = crate::client::PASSWORD;
        self.cli_with(
            &["user", "create", "--email", email, "--password-stdin", "--role", role],
            &format!("{password}\n"),
        );
        self.client().login(email).await
    }

    /// Waits until there is a price to trade at; gives `(buy, sell)` in whole rupees.
    pub async fn priced(&self) -> (i64, i64) {
        let client = self.client();
        eventually("a price is there", PATIENCE, async || {
            let answer = client.get("/api/market-rates").await;
            match answer.status {
                200 if answer.body["stale"] != true => Ok((answer.int("buy_rate_inr"), answer.int("sell_rate_inr"))),
                _ => Err(format!("{} {}", answer.status, answer.body)),
            }
        })
        .await
    }

    /// Waits until the price in whole dollars is `usd`.
    pub async fn price_is(&self, usd: i64) {
        let client = self.client();
        eventually("the price arrives", PATIENCE, async || {
            let answer = client.get("/api/market-rates").await;
            let there = answer.status == 200 && answer.int("btc_usd_price") == usd;
            if there { Ok(()) } else { Err(format!("{} {}", answer.status, answer.body)) }
        })
        .await;
    }

    /// Number of journal entries and the journal's head, by `ledger export`.
    #[track_caller]
    pub fn journal(&self) -> (Vec<String>, String) {
        journal_of(&self.cli(&["ledger", "export"]))
    }

    /// Sends a signal by name (`TERM`, `INT`, `HUP`) to this child only.
    pub fn signal(&self, name: &str) {
        let script = format!("kill -s {name} {}", self.pid());
        let status = Command::new("sh").args(["-c", &script]).status().unwrap_or_else(|e| panic!("{script}: {e}"));
        assert!(status.success(), "{script}: {status}");
    }

    /// The status, once it has ended.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap_or_else(|e| panic!("cannot wait: {e}"));
        }
        self.ended
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> ExitStatus {
        eventually("orrery-gateway ends", PATIENCE, async || self.has_ended().ok_or_else(|| "still running".to_owned()))
            .await
    }

    /// SIGTERM, then waits for its end.
    pub async fn stop(&mut self) -> ExitStatus {
        if self.has_ended().is_none() {
            self.signal("TERM");
        }
        self.wait().await
    }

    /// SIGKILL, then waits for its end.
    pub fn kill9(&mut self) {
        if self.has_ended().is_none() {
            // it may end on its own in between
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
    }

    /// Starts it again on the same data, with the same options, on a new port. It must have ended.
    pub async fn restart(&mut self) {
        let options = self.options.clone();
        self.restart_with(options).await;
    }

    /// The same with other options.
    pub async fn restart_with(&mut self, options: Options) {
        assert!(self.has_ended().is_some(), "restart of a running server");
        *self = Self::start_in(self.data.clone(), options).await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("--- output of orrery-gateway (pid {}) ---\n{}\n---", self.pid(), self.output());
        }
    }
}

/// The first `http://HOST:PORT` that stands in the lines; log lines, which are JSON, don't count.
fn bound_address(lines: &[String]) -> Option<String> {
    lines.iter().filter(|line| !line.starts_with('{')).find_map(|line| {
        let scheme = ["http://", "https://"].into_iter().find(|scheme| line.contains(scheme))?;
        let rest = &line[line.find(scheme)? + scheme.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]-".contains(c))).unwrap_or(rest.len());
        let host = &rest[..end];
        let (_, port) = host.rsplit_once(':')?;
        port.parse::<u16>().ok().filter(|port| *port > 0).map(|_| format!("{scheme}{host}"))
    })
}

/// Reads of `openapi`: method, path, and whether a JSON body is wanted.
pub fn documented_routes(openapi: &str) -> Vec<(String, String, bool)> {
    let document: serde_json::Value = serde_json::from_str(openapi).unwrap_or_else(|e| panic!("openapi: {e}"));
    let paths = document["paths"].as_object().unwrap_or_else(|| panic!("openapi has no paths"));
    let mut routes = Vec::new();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                let body = operation["requestBody"]["content"]["application/json"].is_object();
                routes.push((method.to_uppercase(), path.clone(), body));
            }
        }
    }
    assert!(!routes.is_empty(), "openapi names no route");
    routes
}

/// A journal entry as `ledger export` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Place in the journal.
    pub seq: i64,
    /// Who asked, `user:7`.
    pub actor: String,
    /// Idempotency key.
    pub key: String,
}

/// The entries of an export and the head, which stands last.
#[track_caller]
pub fn entries_of(export: &str) -> (Vec<Exported>, String) {
    let (lines, head) = journal_of(export);
    let entry = |line: &String| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [seq, _, actor, key, ..] = fields.as_slice() else { panic!("not an entry: {line}") };
        let seq = seq.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        Exported { seq, actor: (*actor).to_owned(), key: (*key).to_owned() }
    };
    (lines.iter().map(entry).collect(), head)
}

/// The entry lines of an export and the head, which stands last.
#[track_caller]
pub fn journal_of(export: &str) -> (Vec<String>, String) {
    let mut lines: Vec<String> = export.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect();
    let last = lines.pop().unwrap_or_else(|| panic!("an empty export"));
    let head = last.split(|c: char| !c.is_ascii_hexdigit()).rfind(|word| word.len() == 64);
    (lines, head.unwrap_or_else(|| panic!("no head in the export's last line: {last}")).to_owned())
}

/// Rupees as text to paise.
fn paise(inr: &str) -> i64 {
    let (whole, fraction) = inr.split_once('.').unwrap_or((inr, ""));
    format!("{whole}{fraction:0<2}").parse().unwrap_or_else(|e| panic!("{inr}: {e}"))
}

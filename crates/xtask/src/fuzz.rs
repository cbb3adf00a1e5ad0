//! `schemathesis`: the OpenAPI document of a real server, asked from outside with requests made from it, good and bad.
//! By itself it asks everything; as a step of the suites it asks what fits into its time, if it is there at all.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::run::{Watch, cargo, program, quiet, shown, target_dir};

/// The one that the checks below are written for.
const VERSION: &str = "4.32.5";
/// Others that take the same arguments.
const MAJOR: &str = "4.";
/// What is asked when there is time: requests for each operation in each phase.
const ALL: [&str; 4] = ["--phases", "examples,coverage,fuzzing", "--max-examples", "10"];
/// What is asked as a step of the suites: a few requests for each operation, again and again until its seconds are over.
const BOUNDED: [&str; 6] = ["--phases", "examples,fuzzing", "--max-examples", "2", "--max-time", "30"];
/// Then it is ended, and has failed.
const BOUNDED_MAX: Duration = Duration::from_secs(60);
/// Who asks; others are made first, for small numbers are what requests are made of, and one of them may be deleted.
const WHO: &str = "fuzzer@example.com";
const OTHERS: [&str; 4] = ["a@example.com", "b@example.com", "c@example.com", "d@example.com"];
const PASSWORD: &str = "orrery-fuzz-Passw0rd-8315";
/// Longest time that the server may take to say where it listens, or to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is found is a fault, whatever was asked.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,ignored_auth";
/// What it has to be told of our media types.
const HOOKS: &str = include_str!("fuzz_hooks.py");
/// Exchanges, as their variables are named; none of them is to hear of a test.
const VENUES: [&str; 10] =
    ["BINANCE", "BYBIT", "OKX", "COINBASE", "KRAKEN", "KUCOIN", "HTX", "GATE", "BITGET", "UPBIT"];

/// Where it is installed.
fn home() -> Result<PathBuf> {
    Ok(target_dir()?.join("xtask").join(format!("schemathesis-{VERSION}")))
}

/// The one that is there: installed before, or on the path.
pub(crate) fn found() -> Result<Option<PathBuf>> {
    let fits = |tool: &PathBuf| {
        let version = quiet(program(&tool.to_string_lossy()).arg("--version")).unwrap_or_default();
        version.split_whitespace().any(|word| word.starts_with(MAJOR))
    };
    Ok([home()?.join("bin/schemathesis"), PathBuf::from("schemathesis")].into_iter().find(fits))
}

/// Schemathesis in an environment of its own below the target directory, made when there is none.
pub(crate) fn install() -> Result<PathBuf> {
    let home = home()?;
    let installed = home.join("bin/schemathesis");
    if quiet(program(&installed.to_string_lossy()).arg("--version")).is_some_and(|v| v.contains(VERSION)) {
        return Ok(installed);
    }
    println!("schemathesis is missing: installing {VERSION} once, into {}", home.display());
    let home = home.to_string_lossy().into_owned();
    let made = shown(program("python3").args(["-m", "venv", "--clear", &home]))?;
    let wanted = format!("schemathesis=={VERSION}");
    if !made || !shown(program(&format!("{home}/bin/pip")).args(["install", "--quiet", &wanted]))? {
        bail!("install it by hand (Debian: python3-venv; then pip install {wanted}) into {home}");
    }
    Ok(installed)
}

/// A server that ends with this.
struct Server {
    child: Child,
    base: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended on its own, which the run has shown by then
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The gateway on data of its own, which reaches nothing beyond this machine and has no limits that a run would meet.
fn gateway(binary: &Path, data: &Path) -> Command {
    let mut command = program(&binary.to_string_lossy());
    command.env_clear().current_dir(data).env("PATH", "/usr/bin:/bin").env("HOME", data);
    command.env("ORRERY_DATA_DIR", data).env("ORRERY_LISTEN", "127.0.0.1:0");
    // port 9 of the loopback: refused at once
    let nowhere = "http://127.0.0.1:9";
    for name in ["COINGECKO_API_URL", "FEAR_GREED_API_URL", "ORRERY_TUNNELS__LOCALTUNNEL_HOST"] {
        command.env(name, nowhere);
    }
    for venue in VENUES {
        command.env(format!("ORRERY_VENUES__{venue}__REST_URL"), nowhere);
        command.env(format!("ORRERY_VENUES__{venue}__WS_URL"), "ws://127.0.0.1:9");
    }
    for limit in ["API", "UPLOAD", "COMMAND", "AUTH", "TUNNEL", "BITTRADE_USER", "BITTRADE_ADDRESS"] {
        command.env(format!("ORRERY_LIMITS__{limit}_MAX"), "1000000");
    }
    command.env("ORRERY_AUTH__REGISTRATIONS_PER_HOUR", "100000").env("ORRERY_AUTH__ADDRESS_FAILURES", "100000");
    // commands are made up too: they neither wait long nor reach anything
    command.env("ORRERY_EXEC__NET", "none").env("ORRERY_EXEC__TIMEOUT_S", "2").env("ORRERY_EXEC__TIMEOUT_MAX_S", "2");
    command
}

fn start(binary: &Path, data: &Path) -> Result<Server> {
    let log = std::fs::File::create(data.join("stderr.txt")).context("the server's log")?;
    let mut command = gateway(binary, data);
    let mut child = command.arg("serve").stdout(Stdio::piped()).stderr(log).spawn().context("the gateway")?;
    let out = child.stdout.take().context("the gateway has no output")?;
    let mut server = Server { child, base: String::new() };
    let mut lines = BufReader::new(out).lines();
    for line in lines.by_ref() {
        let line = line.context("the gateway's output")?;
        if let Some(at) = line.find("http://127.0.0.1:").filter(|_| !line.starts_with('{')) {
            server.base = line[at..].split_whitespace().next().unwrap_or_default().trim_end_matches('/').to_owned();
            break;
        }
    }
    if server.base.is_empty() {
        bail!("the gateway ended before it listened; see {}", data.join("stderr.txt").display());
    }
    // what it prints from now on is nobody's, but its pipe must not fill up
    std::thread::spawn(move || lines.for_each(drop));
    Ok(server)
}

fn create(binary: &Path, data: &Path, email: &str, role: &str) -> Result<()> {
    let mut command = gateway(binary, data);
    command.args(["user", "create", "--email", email, "--role", role, "--password-stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("the gateway")?;
    let mut input = child.stdin.take().context("no input")?;
    writeln!(input, "{PASSWORD}").context("the password")?;
    drop(input);
    if !child.wait()?.success() {
        bail!("the user {email} was not made");
    }
    Ok(())
}

/// Logs in by hand: one request is no reason for an HTTP client.
fn token(base: &str) -> Result<String> {
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).context("the gateway does not listen")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let body = format!(r#"{{"email":"{WHO}","password":"{PASSWORD}"}}"#);
    write!(
        stream,
        "POST /api/auth/login HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.take(65_536).read_to_string(&mut answer).context("the answer to the login")?;
    let rest = answer.split_once("\"token\":\"").map(|(_, rest)| rest);
    let token = rest.and_then(|rest| rest.split('"').next()).context("the login was refused")?;
    Ok(token.to_owned())
}

/// `cargo xtask schemathesis`.
pub(crate) fn schemathesis_run(arguments: &[String]) -> Result<bool> {
    let tool = install()?;
    if !shown(cargo().args(["build", "--workspace", "--bin", "orrery-gateway"]))? {
        return Ok(false);
    }
    asked(&tool, |command| shown(command.args(ALL).args(arguments)))
}

/// The step of the suites, with a server that is built.
pub(crate) fn bounded(tool: &Path) -> Result<bool> {
    asked(tool, |command| {
        let mut child = command.args(BOUNDED).spawn().context("schemathesis does not start")?;
        let watch = Watch::start();
        while watch.elapsed() < BOUNDED_MAX {
            if let Some(status) = child.try_wait()? {
                return Ok(status.success());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("it did not end within {} seconds", BOUNDED_MAX.as_secs());
        child.kill()?;
        child.wait()?;
        Ok(false)
    })
}

/// Starts a server, and has `run` run schemathesis with what it is told every time.
fn asked(tool: &Path, run: impl FnOnce(&mut Command) -> Result<bool>) -> Result<bool> {
    let target = target_dir()?;
    let (binary, data) = (target.join("debug/orrery-gateway"), target.join("xtask/schemathesis-data"));
    // one of an earlier run is of no use
    let _ = std::fs::remove_dir_all(&data);
    std::fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    for email in OTHERS {
        create(&binary, &data, email, "trader")?;
    }
    create(&binary, &data, WHO, "admin")?;
    let mut server = start(&binary, &data)?;
    let bearer = format!("Authorization: Bearer {}", token(&server.base)?);
    let mut command = program(&tool.to_string_lossy());
    std::fs::write(data.join("fuzz_hooks.py"), HOOKS).context("the hooks")?;
    command.current_dir(&data).env("SCHEMATHESIS_HOOKS", "fuzz_hooks").env("PYTHONPATH", &data);
    command.arg("run").arg(format!("{}/api/openapi.json", server.base));
    command.args(["--checks", CHECKS, "--workers", "2", "--seed", "1", "--no-shrink", "--continue-on-failure"]);
    command.args(["--request-timeout", "60", "--suppress-health-check", "all", "--warnings", "off"]);
    command.args(["--generation-database", "none", "--header", &bearer]);
    // it would end the session that all other requests are made in
    command.args(["--exclude-path", "/api/auth/logout"]);
    // a tunnel leads out of the machine
    command.args(["--exclude-path-regex", "(ngrok|localtunnel|cloudflared|tunnel)/start$"]);
    let good = run(&mut command)?;
    if let Some(status) = server.child.try_wait()? {
        println!("the gateway ended: {status}");
        return Ok(false);
    }
    if !good {
        println!("what the gateway said stands in {}", data.join("logs").display());
    }
    Ok(good)
}

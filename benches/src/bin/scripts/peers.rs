//! The same by other runtimes, on the same machine in the same minutes: threads and processes of Node.js, workers and
//! processes of Deno, isolates of workerd.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::fleet::{proportional, resident};
use crate::{line, now};

/// Processes that are started one after the other and then measured together.
const PROCESSES: usize = 20;
/// Services of workerd beside the one that is there anyway.
const SERVICES: usize = 200;
/// What a process runs.
const ON: &str = "console.log('on'); setTimeout(() => {}, 1e9)";

struct Peers {
    deno: PathBuf,
    workerd: PathBuf,
    folder: PathBuf,
}

/// Runs all of them; `folder` is `benches/peers` after `npm install`.
pub async fn run(folder: &Path) -> Result<()> {
    let modules = std::env::var_os("NODE_PATH").map_or_else(|| folder.join("node_modules"), PathBuf::from);
    let peers = Peers {
        deno: modules.join("@deno/linux-x64-glibc/deno"),
        workerd: modules.join("@cloudflare/workerd-linux-64/bin/workerd"),
        folder: folder.to_owned(),
    };
    for program in [&peers.deno, &peers.workerd] {
        if !program.exists() {
            bail!("{} is not there: run `npm install` in {}", program.display(), folder.display());
        }
    }
    let node = || Command::new("node");
    let deno = || {
        let mut command = Command::new(&peers.deno);
        command.args(["run", "--allow-all", "--no-lock", "--quiet"]).env("DENO_NO_UPDATE_CHECK", "1");
        command
    };
    peers.threads("Node.js worker_thread", node(), "50").await?;
    peers.threads("Deno Worker", deno(), "30").await?;
    peers.services().await?;
    let file = tempfile::Builder::new().suffix(".mjs").tempfile()?;
    std::fs::write(file.path(), ON)?;
    processes("Node.js process", node, file.path()).await?;
    processes("Deno process", deno, file.path()).await?;
    peers.figures("Node.js", node()).await?;
    peers.figures("Deno", deno()).await?;
    Ok(())
}

async fn answer(mut command: Command) -> Result<Value> {
    let output = command.stdin(Stdio::null()).output().await?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Peers {
    /// Workers within one process.
    async fn threads(&self, name: &str, mut command: Command, count: &str) -> Result<()> {
        command.arg(self.folder.join("workers.mjs")).arg(count);
        let seen = answer(command).await?;
        let times = seen["ms"].as_array().context("no times")?.iter().filter_map(Value::as_f64).collect();
        line(name, times, seen["kilobytes"].as_f64())
    }

    /// Computing, and calls between a worker and who started it.
    async fn figures(&self, name: &str, mut command: Command) -> Result<()> {
        command.arg(self.folder.join("figures.mjs"));
        let seen = answer(command).await?;
        println!("{name:<24} EMA and RSI over 100,000 candles: ms at best {}, first {}", seen["best"], seen["first"]);
        println!("{name:<24} calls of a worker to its parent and back: {} a second", seen["calls"]);
        Ok(())
    }

    /// Isolates of one process: what each of 200 more adds to the start and to the memory.
    async fn services(&self) -> Result<()> {
        let ((few, less), (many, more)) = (self.serve(1).await?, self.serve(1 + SERVICES).await?);
        let each = |more: f64, less: f64| (more - less) / SERVICES as f64;
        line("workerd isolate", vec![each(many, few)], Some(each(more, less)))
    }

    /// Milliseconds until the last of the services has answered, and kB of the process then.
    async fn serve(&self, services: usize) -> Result<(f64, f64)> {
        let folder = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut text = String::from("using Workerd = import \"/workerd/workerd.capnp\";\n");
        text.push_str("const config :Workerd.Config = (services = [\n");
        for n in 0..services {
            write!(text, "(name = \"s{n}\", worker = (serviceWorkerScript = \"")?;
            text.push_str("console.log('on'); addEventListener('fetch', (e) => e.respondWith(new Response('on')))\",");
            text.push_str(" compatibilityDate = \"2025-01-01\")),\n");
        }
        let last = services - 1;
        writeln!(text, "], sockets = [(name = \"http\", address = \"127.0.0.1:{port}\", service = \"s{last}\")]);")?;
        let config = folder.path().join("config.capnp");
        std::fs::write(&config, text)?;
        let began = now();
        let mut child = Command::new(&self.workerd)
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        while !is_on(port).await {
            if began.elapsed() > Duration::from_secs(20) {
                bail!("workerd does not answer");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let time = began.elapsed().as_secs_f64() * 1e3;
        let memory = resident(child.id().context("workerd ended")?)?;
        child.kill().await?;
        Ok((time, memory))
    }
}

async fn is_on(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await?;
        Ok::<_, std::io::Error>(seen)
    };
    ask.await.is_ok_and(|seen| seen.starts_with(b"HTTP/1.1 200"))
}

/// A process for each script.
async fn processes(name: &str, program: impl Fn() -> Command, file: &Path) -> Result<()> {
    let (mut times, mut alive) = (Vec::new(), Vec::<Child>::new());
    for _ in 0..PROCESSES {
        let began = now();
        let mut command = program();
        let mut child = command.arg(file).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut first = String::new();
        let output = child.stdout.as_mut().context("no output")?;
        BufReader::new(output).read_line(&mut first).await?;
        if first.trim() != "on" {
            bail!("{name} says {first:?}");
        }
        times.push(began.elapsed().as_secs_f64() * 1e3);
        alive.push(child);
    }
    let all: f64 = alive.iter().filter_map(|child| proportional(child.id()?).ok()).sum();
    for child in &mut alive {
        child.kill().await?;
    }
    line(name, times, Some(all / PROCESSES as f64))
}

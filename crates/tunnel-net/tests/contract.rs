//! The contract of who makes tunnels, kept by localtunnel's protocol and by the programs of the others.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, whose tasks end with its runtime")]

use std::io::Read;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command as Process, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orrery_exec::{Command, Ending, Exit, Finished, Heard, Layers, Limits, Output, RunError, Runner, Stream, What};
use orrery_testkit::tunnels::{Far, provider_suite};
use orrery_tunnel_net::{Localtunnel, Tool, ToolSetup};
use orrery_tunnels::{Kind, TunnelProvider};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A localtunnel host on the loopback.
struct Host {
    provider: Arc<Localtunnel>,
    asked: Mutex<Vec<String>>,
    refuses: Mutex<Option<&'static str>>,
    /// Connections that are held ready.
    held: Arc<AtomicUsize>,
    /// Changes when places are lost.
    lost: watch::Sender<()>,
}

impl Host {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let provider = Arc::new(Localtunnel::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap());
        let (asked, refuses, held) = (Mutex::default(), Mutex::default(), Arc::default());
        let host = Arc::new(Self { provider, asked, refuses, held, lost: watch::Sender::new(()) });
        let serving = host.clone();
        tokio::spawn(async move {
            loop {
                serving.answer(listener.accept().await.unwrap().0).await;
            }
        });
        host
    }

    async fn answer(&self, mut stream: TcpStream) {
        let mut head = vec![0; 4_096];
        let n = stream.read(&mut head).await.unwrap();
        self.asked.lock().unwrap().push(String::from_utf8_lossy(&head[..n]).into_owned());
        let refuses = *self.refuses.lock().unwrap();
        let (status, body) = match refuses {
            Some(words) => ("403 Forbidden", format!(r#"{{"message":"{words}"}}"#)),
            None => {
                let port = self.place().await;
                (
                    "200 OK",
                    format!(r#"{{"id":"given","port":{port},"max_conn_count":1,"url":"https://given.example"}}"#),
                )
            }
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    /// A place that takes connections until it is lost.
    async fn place(&self) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (held, mut lost) = (self.held.clone(), self.lost.subscribe());
        tokio::spawn(async move {
            while let Some((mut stream, _)) = tokio::select! {
                accepted = listener.accept() => accepted.ok(),
                _ = lost.changed() => None,
            } {
                held.fetch_add(1, Ordering::SeqCst);
                let (held, mut lost, mut byte) = (held.clone(), lost.clone(), [0]);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = stream.read(&mut byte) => {}
                        _ = lost.changed() => {}
                    }
                    held.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        port
    }
}

#[async_trait]
impl Far for Host {
    fn provider(&self) -> Arc<dyn TunnelProvider> {
        self.provider.clone()
    }

    async fn lose(&self) {
        self.lost.send_replace(());
    }

    async fn refuse(&self, words: &'static str) {
        *self.refuses.lock().unwrap() = Some(words);
    }

    fn goes_on(&self) -> bool {
        self.held.load(Ordering::SeqCst) > 0
    }

    fn readable(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Runs programs as they are: what it is to end is one process.
struct Plain;

/// A process, until it is dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn listen(mut from: impl Read, stream: Stream, heard: &dyn Heard) {
    let mut bytes = [0; 1_024];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        heard.heard(stream, &bytes[..n]);
    }
}

async fn ended(child: &mut Child) -> ExitStatus {
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[async_trait]
impl Runner for Plain {
    async fn run(&self, command: Command, _: Limits, heard: Option<Arc<dyn Heard>>) -> Result<Finished, RunError> {
        let What::Program { program, arguments } = command.what else { panic!("no shell is needed") };
        let mut process = Process::new(program);
        process.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").envs(command.env).stdin(Stdio::null());
        let mut child = Started(process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let (out, err, heard) = (child.0.stdout.take().unwrap(), child.0.stderr.take().unwrap(), heard.unwrap());
        let other = heard.clone();
        let reading = [
            tokio::task::spawn_blocking(move || listen(out, Stream::Out, &*heard)),
            tokio::task::spawn_blocking(move || listen(err, Stream::Err, &*other)),
        ];
        let status = ended(&mut child.0).await;
        for reading in reading {
            reading.await.unwrap();
        }
        let ending = Ending::Exited(status.code().map_or(Exit::Signal(9), Exit::Code));
        let nothing = || Output::new(0).finish();
        Ok(Finished { ending, stdout: nothing(), stderr: nothing(), took: Duration::ZERO })
    }

    async fn layers(&self) -> Layers {
        Layers::default()
    }
}

/// A program that prints what the real one does.
struct Program {
    kind: Kind,
    folder: tempfile::TempDir,
    provider: Arc<Tool>,
}

impl Program {
    fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setup = ToolSetup {
            runner: Arc::new(Plain),
            path: folder.path().to_str().unwrap().to_owned(),
            home: None,
            ngrok_token: None,
        };
        let provider = Arc::new(if kind == Kind::Ngrok { Tool::ngrok(setup) } else { Tool::cloudflared(setup) });
        let program = Self { kind, folder, provider };
        let opens = if kind == Kind::Ngrok {
            "echo 'lvl=info msg=\"started tunnel\" url=https://given.ngrok.app'"
        } else {
            "echo 'INF |  https://given.trycloudflare.com  |' >&2"
        };
        program.does(&format!("{opens}\nexec sleep 1000"));
        program
    }

    fn does(&self, script: &str) {
        let place = self.folder.path().display();
        let text = format!("#!/bin/sh\necho $$ > {place}/pid\necho \"$@\" >> {place}/argv\n{script}\n");
        // written apart: a program that is written to cannot be started
        let (new, file) = (self.folder.path().join("new"), self.folder.path().join(self.kind.name()));
        std::fs::write(&new, text).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(&new, &file).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

#[async_trait]
impl Far for Program {
    fn provider(&self) -> Arc<dyn TunnelProvider> {
        self.provider.clone()
    }

    async fn lose(&self) {
        assert!(Process::new("kill").arg(self.read("pid").trim()).status().unwrap().success());
    }

    async fn refuse(&self, words: &'static str) {
        self.does(&format!("echo 'ERROR: {words}' >&2\nexit 1"));
    }

    fn goes_on(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.read("pid").trim()));
        stat.is_ok_and(|stat| !stat.contains(") Z"))
    }

    fn readable(&self) -> Vec<String> {
        self.read("argv").lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn localtunnel() {
    provider_suite(&*Host::start().await).await;
}

#[tokio::test]
async fn ngrok() {
    provider_suite(&Program::new(Kind::Ngrok)).await;
}

#[tokio::test]
async fn cloudflared() {
    provider_suite(&Program::new(Kind::Cloudflared)).await;
}

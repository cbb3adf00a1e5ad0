//! Private PostgreSQL and Redis servers on free loopback ports, in folders of their own.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Names the server that database suites use: `postgres://USER@127.0.0.1:PORT/DATABASE`.
pub const POSTGRES: &str = "ORRERY_TEST_POSTGRES";
/// Names the server that cache suites use: `redis://127.0.0.1:PORT`.
pub const REDIS: &str = "ORRERY_TEST_REDIS";

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(50);

/// The address of the server that the environment names.
///
/// # Panics
/// Without one: a suite that needs a server must not pass for want of it.
pub fn named(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run `cargo xtask test`, or wrap your command: target/debug/with-servers COMMAND")
    })
}

/// Ports that the system gives to nobody who asks for any (Linux: from 32,768 on).
const PORTS: std::ops::Range<u16> = 10_240..32_000;

/// A port that nobody listens on. It is none of those that the system gives out by itself, so that it is still free when
/// a server is told to listen on it.
pub fn free_port() -> io::Result<u16> {
    let any = || TcpListener::bind(("127.0.0.1", 0))?.local_addr().map(|address| address.port());
    // each process has other keys, and so has each call
    let mut at_random = (0..100_u32).map(|turn| {
        let bits = RandomState::new().hash_one(turn);
        PORTS.start + u16::try_from(bits % PORTS.len() as u64).unwrap_or_default()
    });
    at_random.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).map_or_else(any, Ok)
}

fn wait_for(port: u16, child: &mut Child, what: &str) -> io::Result<()> {
    let mut waited = Duration::ZERO;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("{what} ended at once: {status}")));
        }
        if waited >= PATIENCE {
            return Err(io::Error::other(format!("{what} does not answer")));
        }
        std::thread::sleep(STEP);
        waited += STEP;
    }
    Ok(())
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{:?}: {}: {said}", command.get_program(), output.status)))
}

/// A folder that goes with its owner.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("orrery-{name}-{}-{}", std::process::id(), free_port()?));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // what cannot be removed stays in the folder for temporary files
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A PostgreSQL server with its own data.
#[derive(Debug)]
pub struct PostgresServer {
    folder: Folder,
    port: u16,
    child: Option<Child>,
}

/// Where the server's programs are: Debian keeps them off the path.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|v| v.path().join("bin").join(name)).filter(|p| p.exists()).max();
    newest.unwrap_or_else(|| name.into())
}

/// The program as a user that is not root, which PostgreSQL refuses.
fn as_server(name: &str) -> Command {
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| {
        use std::os::unix::fs::MetadataExt;
        m.uid() == 0
    });
    if !root {
        return Command::new(program(name));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program(name));
    command
}

impl PostgresServer {
    /// Makes a cluster and starts it. Durable as a real one.
    ///
    /// # Errors
    /// When it cannot be made or does not answer.
    pub fn start() -> io::Result<Self> {
        let folder = Folder::new("postgres")?;
        // an error means that we are not root, and then it is ours already
        let _ = run(Command::new("chown").arg("postgres:").arg(&folder.0));
        let data = folder.0.join("data");
        let mut init = as_server("initdb");
        init.current_dir("/").arg("-D").arg(&data);
        run(init.args(["-U", "orrery", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]))?;
        let mut server = Self { folder, port: free_port()?, child: None };
        server.start_again()?;
        Ok(server)
    }

    /// Starts it where it was stopped.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start_again(&mut self) -> io::Result<()> {
        let log = std::fs::File::create(self.folder.0.join("server.log"))?;
        let mut command = as_server("postgres");
        command.current_dir("/").arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"] {
            command.args(["-c", setting]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        let up = wait_for(self.port, &mut child, "postgres");
        self.child = Some(child);
        up?;
        self.ready()
    }

    /// Waits until it takes connections: after a crash it recovers first.
    fn ready(&self) -> io::Result<()> {
        let mut waited = Duration::ZERO;
        loop {
            let mut ask = Command::new(program("pg_isready"));
            let port = self.port.to_string();
            if run(ask.args(["-q", "-h", "127.0.0.1", "-p", &port])).is_ok() {
                return Ok(());
            }
            if waited >= PATIENCE {
                return Err(io::Error::other("postgres takes no connections"));
            }
            std::thread::sleep(STEP);
            waited += STEP;
        }
    }

    /// `pg_ctl stop -m immediate`: as if the power went.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop_immediately(&mut self) -> io::Result<()> {
        let stopped = run(as_server("pg_ctl").current_dir("/").arg("-D").arg(self.data()).args([
            "stop",
            "-m",
            "immediate",
            "-w",
        ]));
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        stopped
    }

    fn data(&self) -> PathBuf {
        self.folder.0.join("data")
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("postgres://orrery@127.0.0.1:{}/postgres", self.port)
    }

    /// Where its programs are, for those that use them.
    pub fn program(name: &str) -> PathBuf {
        program(name)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.child.is_some() {
            // the data goes anyway
            let _ = self.stop_immediately();
        }
    }
}

/// A Redis server that keeps nothing on disk.
#[derive(Debug)]
pub struct RedisServer {
    folder: Folder,
    port: u16,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts one.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start() -> io::Result<Self> {
        let mut server = Self { folder: Folder::new("redis")?, port: free_port()?, child: None };
        server.start_again()?;
        Ok(server)
    }

    /// Starts it where it was stopped, empty.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start_again(&mut self) -> io::Result<()> {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port"]).arg(self.port.to_string());
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(path(&self.folder.0));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let up = wait_for(self.port, &mut child, "redis-server");
        self.child = Some(child);
        up
    }

    /// Ends it at once.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn stop_immediately(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

fn path(path: &Path) -> &std::ffi::OsStr {
    path.as_os_str()
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // an error means that it is gone
        let _ = self.stop_immediately();
    }
}

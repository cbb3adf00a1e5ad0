//! Tunnels that the programs of their makers open: ngrok, cloudflared.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use orrery_exec::{Command, Ending, Limits, NetPolicy, Profile, RunError, Runner, Stream, What};
use orrery_kernel::Secret;
use orrery_tunnels::{
    Asked, Heard, Kind, Lines, Name, Opened, TunnelError, TunnelProvider, cloudflared_url, ngrok_url, redact,
};

/// Domain of ngrok's names that have none.
const NGROK_DOMAIN: &str = "ngrok.app";
/// Where ngrok's program looks for the token.
const NGROK_TOKEN: &str = "NGROK_AUTHTOKEN";

/// How such a program is run.
#[derive(Clone)]
pub struct ToolSetup {
    /// Runs it, and ends it with this process.
    pub runner: Arc<dyn Runner>,
    /// Where it is looked for: directories with colons between them.
    pub path: String,
    /// The operator's home, where its own configuration is; `None` where there is none.
    pub home: Option<PathBuf>,
    /// What proves to ngrok whose the tunnel is, unless it is asked for with another. `None`: what its own
    /// configuration says.
    pub ngrok_token: Option<Secret<String>>,
}

/// Tunnels that a program opens.
pub struct Tool {
    kind: Kind,
    setup: ToolSetup,
}

impl Tool {
    /// ngrok's.
    pub fn ngrok(setup: ToolSetup) -> Self {
        Self { kind: Kind::Ngrok, setup }
    }

    /// Cloudflare's quick tunnels.
    pub fn cloudflared(setup: ToolSetup) -> Self {
        Self { kind: Kind::Cloudflared, setup }
    }

    fn advice(&self) -> &'static str {
        match self.kind {
            Kind::Ngrok => "get it from https://ngrok.com/download and put it on the server's PATH",
            _ => {
                "get it from https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/downloads/ \
                 and put it on the server's PATH"
            }
        }
    }

    /// The program's place.
    fn program(&self) -> Option<PathBuf> {
        let executable =
            |path: &PathBuf| path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0);
        let directories = self.setup.path.split(':').map(Path::new).filter(|place| place.is_absolute());
        directories.map(|place| place.join(self.kind.name())).find(executable)
    }

    fn arguments(&self, name: Option<&Name>, port: u16) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        if self.kind == Kind::Cloudflared {
            let door = format!("http://127.0.0.1:{port}");
            return words(&["tunnel", "--no-autoupdate", "--url", &door]);
        }
        let mut arguments = words(&["http", &format!("127.0.0.1:{port}"), "--log", "stdout", "--log-format", "logfmt"]);
        if let Some(name) = name {
            let name = name.as_str();
            let domain = if name.contains('.') { name.to_owned() } else { format!("{name}.{NGROK_DOMAIN}") };
            arguments.extend(["--domain".to_owned(), domain]);
        }
        arguments
    }

    fn command(&self, program: &Path, asked: &Asked, token: Option<&Secret<String>>, port: u16) -> Command {
        let mut env = Vec::new();
        env.extend(self.setup.home.as_ref().map(|home| ("HOME".to_owned(), home.to_string_lossy().into_owned())));
        // an argument could be read by everybody on the machine
        env.extend(token.map(|token| (NGROK_TOKEN.to_owned(), token.expose().clone())));
        let what = What::Program {
            program: program.to_string_lossy().into_owned(),
            arguments: self.arguments(asked.name.as_ref(), port),
        };
        Command { profile: Profile::Off, net: NetPolicy::All, env, ..Command::new(what, "/") }
    }
}

/// It runs for as long as the tunnel does; its output is listened to, not kept.
const LIMITS: Limits = Limits {
    wall: None,
    cpu: None,
    output: 4_096,
    file: 1_024 * 1_024 * 1_024,
    files: 4_096,
    processes: 1_024,
    memory: 64 * 1_024 * 1_024 * 1_024,
};

/// Listens to the program.
struct Listening {
    kind: Kind,
    token: Option<Secret<String>>,
    heard: Arc<dyn Heard>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    out: Lines,
    err: Lines,
    /// The last line that told of something bad, and else the last.
    last: String,
    bad: bool,
}

impl Listening {
    fn line(&self, state: &mut State, line: &str) {
        let plain = redact(line, self.token.as_ref().map(|token| token.expose().as_str()));
        self.heard.line(&plain);
        let url = if self.kind == Kind::Ngrok { ngrok_url(line) } else { cloudflared_url(line) };
        if let Some(opened) = url.and_then(|url| Opened::new(url, None)) {
            self.heard.opened(opened);
        }
        let lower = plain.to_ascii_lowercase();
        let bad = ["err", "fail", "crit"].iter().any(|word| lower.contains(word));
        if !plain.trim().is_empty() && (bad || !state.bad) {
            state.last = plain.trim().chars().take(300).collect();
            state.bad = bad;
        }
    }

    fn last(&self) -> String {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).last.clone()
    }
}

impl orrery_exec::Heard for Listening {
    fn heard(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = match stream {
            Stream::Out => state.out.push(bytes),
            Stream::Err => state.err.push(bytes),
        };
        for line in lines {
            self.line(&mut state, &line);
        }
    }
}

#[async_trait]
impl TunnelProvider for Tool {
    fn kind(&self) -> Kind {
        self.kind
    }

    async fn carry(&self, asked: &Asked, port: u16, heard: Arc<dyn Heard>) -> TunnelError {
        let name = self.kind.name();
        let Some(program) = self.program() else {
            return TunnelError::Missing { tool: name, advice: self.advice() };
        };
        let token = match self.kind {
            Kind::Ngrok => asked.token.clone().or_else(|| self.setup.ngrok_token.clone()),
            _ => None,
        };
        let command = self.command(&program, asked, token.as_ref(), port);
        let listening = Arc::new(Listening { kind: self.kind, token, heard, state: Mutex::default() });
        let run = self.setup.runner.run(command, LIMITS, Some(listening.clone())).await;
        let last = listening.last();
        let said = if last.is_empty() { String::new() } else { format!(": {last}") };
        match run {
            Ok(finished) => match finished.ending {
                Ending::Exited(exit) => TunnelError::Ended(format!("{name} ended with code {}{said}", exit.code())),
                Ending::TimedOut => TunnelError::Ended(format!("{name} was ended{said}")),
            },
            Err(RunError::NotStarted(text)) => TunnelError::Unavailable(format!("{name} cannot be started: {text}")),
            Err(error) => TunnelError::Unavailable(format!("{name} cannot be run now: {error}")),
        }
    }
}

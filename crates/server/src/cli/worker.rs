//! `worker run`: a script tried out, without a server.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use orrery_app::fleet::{Hosts as _, LogSink, Right, Running, Secrets};
use orrery_app::tasks::Tasks;
use orrery_crypto::Wallet;
use orrery_kernel::Clock;
use orrery_workers::egress::Policy;
use orrery_workers::script::{End, Isolation, Level, Limits, Outcome, Run, Setting, Source};
use orrery_workers::{SCRIPT_BYTES_MAX, Stop, VERSIONS};

use super::args::WorkerRun;
use super::output::{complain, say};
use crate::alone::Alone;

/// What a process ends with that was interrupted, as shells have it.
const INTERRUPTED: u8 = 130;
/// How long a script that is asked to stop may take; beyond the runtime's own time it is ended by a second signal.
const GRACE: Duration = Duration::from_secs(5);

/// Prints lines as the server's logs have them.
struct Printer(Arc<dyn Clock>, Arc<Secrets>);

impl LogSink for Printer {
    fn line(&self, _: &str, level: Level, text: &str) {
        let text = self.1.redact(text);
        say(&format!("[{}] [{}] {text}", self.0.now().iso(), level.name().to_uppercase()));
    }
}

fn read(file: &Path) -> Result<String> {
    let named = || file.display().to_string();
    let mut text = String::new();
    let most = u64::try_from(SCRIPT_BYTES_MAX).unwrap_or(u64::MAX);
    std::fs::File::open(file).with_context(named)?.take(most + 1).read_to_string(&mut text).with_context(named)?;
    if text.len() > SCRIPT_BYTES_MAX {
        bail!("{}: a script has at most {SCRIPT_BYTES_MAX} bytes", file.display());
    }
    Ok(text)
}

pub async fn run_file(command: &WorkerRun) -> Result<ExitCode> {
    let text = read(&command.file)?;
    let policy = Policy::new(command.allow_private, &command.allow_host)?;
    let tasks = Tasks::new();
    let alone = Alone::start(command.seed, policy, command.modules.clone(), &tasks).await?;
    let mut dependencies = vec!["gliesereum".to_owned()];
    dependencies.extend(command.dependency.iter().cloned());
    let version = VERSIONS.last().copied().unwrap_or_default();
    let program = match alone.scripts.prepare(&Source { text: &text, dependencies: &dependencies, version }) {
        Ok(program) => program,
        Err(fault) => {
            complain(&located(&command.file, fault.place, &fault.message));
            return Ok(ExitCode::FAILURE);
        }
    };
    let owner = Wallet::generate(&*alone.entropy).address().to_owned();
    let (stop, secrets) = (Stop::new(), Arc::new(Secrets::default()));
    let running = Running {
        sid: "local".into(),
        owner: owner.clone(),
        node: "local".into(),
        account: None,
        dry_run: !command.live,
        right: Right::unlimited(),
        stop: stop.clone(),
        log: Arc::new(Printer(alone.clock.clone(), secrets.clone())),
        secrets,
    };
    let setting = Setting {
        sid: running.sid.clone(),
        nid: running.node.clone(),
        network: "testnet".into(),
        account: None,
        protocol: None,
        owner: Some(owner),
        start_time: alone.clock.now().millis(),
        epoch: 0,
    };
    let host = alone.hosts.host(running);
    let limits = Limits { grace: GRACE, ..Limits::default() };
    let run = Run { program, host, setting, limits, stop: stop.clone(), isolation: Isolation::Shared };
    let outcome = interruptible(alone.scripts.run(run), &stop).await;
    tasks.drain().await;
    Ok(told(&command.file, &outcome))
}

/// The first signal asks the script to stop, the second ends it.
async fn interruptible(run: impl Future<Output = Outcome>, stop: &Stop) -> Outcome {
    let signals = async {
        loop {
            // without signals there is nothing to wait for
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            if stop.urgency() == orrery_workers::Urgency::Run { stop.gently() } else { stop.now() }
        }
    };
    tokio::select! {
        outcome = run => outcome,
        () = signals => std::future::pending().await,
    }
}

fn located(file: &Path, place: Option<(u32, u32)>, message: &str) -> String {
    match place {
        Some((line, column)) => format!("error: {}:{line}:{column}: {message}", file.display()),
        None => format!("error: {}: {message}", file.display()),
    }
}

/// Says how it ended, where that is not as it should.
fn told(file: &Path, outcome: &Outcome) -> ExitCode {
    let failed = |message: &str| {
        complain(&located(file, None, message));
        ExitCode::FAILURE
    };
    match &outcome.end {
        End::Returned(_) => ExitCode::SUCCESS,
        End::Stopped => ExitCode::from(INTERRUPTED),
        End::Threw(thrown) => {
            complain(&located(file, thrown.place, &format!("{}: {}", thrown.class, thrown.message)));
            if !thrown.stack.is_empty() {
                complain(thrown.stack.trim_end());
            }
            ExitCode::FAILURE
        }
        End::Exceeded(limit) => failed(&format!("the script {limit}")),
        End::Wedged => failed("the script does not react"),
        End::Failed(why) => failed(why),
    }
}

//! Runs and terminals on this machine: the ports' contracts, escapes, programs in terminals.

#![expect(clippy::unwrap_used, reason = "tests")]

mod escapes;
mod lives;
mod terminals;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orrery_exec::{Bounds, Command, Ending, Exit, Finished, Layer, Limits, RunError, Runner as _, Wanted};
use orrery_exec_unix::{Setup, Unix};

/// The program of the tests that can be a runner.
pub fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/runs")
}

/// A machine as it is configured for a server: with a data directory that is hidden, and a workspace in it.
pub struct Machine {
    pub unix: Arc<Unix>,
    pub workspace: PathBuf,
    pub data: PathBuf,
    _directory: tempfile::TempDir,
}

/// Layers that are switched off, by turns.
pub fn without(layers: &[Layer]) -> Machine {
    made(Setup { without: layers.to_vec(), ..Setup::default() })
}

/// With ports that are closed to runs.
pub fn closing(ports: &[u16]) -> Machine {
    made(Setup { closed: ports.to_vec(), ..Setup::default() })
}

/// With places that are hidden beside the data directory.
pub fn hiding(places: &[PathBuf]) -> Machine {
    made(Setup { hidden: places.to_vec(), ..Setup::default() })
}

fn made(mut setup: Setup) -> Machine {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().canonicalize().unwrap().join("data");
    let workspace = data.join("workspaces/1");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::write(data.join("secret"), "planted").unwrap();
    setup.program = program();
    setup.hidden.push(data.clone());
    Machine { unix: Arc::new(Unix::new(setup)), workspace, data, _directory: directory }
}

pub fn machine() -> Machine {
    without(&[])
}

pub fn limits(wall: Duration) -> Limits {
    Bounds::default().limits(Wanted { wall: Some(wall), ..Wanted::default() }).unwrap()
}

impl Machine {
    pub async fn shell(&self, line: &str) -> Finished {
        self.run(Command::shell(line, &self.workspace)).await
    }

    pub async fn run(&self, command: Command) -> Finished {
        self.unix.run(command, limits(Duration::from_secs(60)), None).await.unwrap()
    }

    /// What a line writes; it is to end well.
    pub async fn says(&self, line: &str) -> String {
        let finished = self.shell(line).await;
        assert_eq!(finished.ending, Ending::Exited(Exit::Code(0)), "{line}: {finished:?}");
        finished.stdout.text
    }
}

/// Waits until `is` holds.
pub async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

/// Is somebody there whose command line holds that?
pub fn runs(mark: &str) -> bool {
    let Ok(entries) = std::fs::read_dir("/proc") else { return false };
    entries.flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    })
}

const NAMESPACES: [Layer; 4] = [Layer::UserNamespace, Layer::MountNamespace, Layer::PidNamespace, Layer::NetNamespace];

#[tokio::test]
async fn contract_of_runs() {
    for layers in [&[][..], &NAMESPACES] {
        let machine = without(layers);
        orrery_testkit::exec::runner_suite((machine.unix.clone(), machine.workspace.clone())).await;
    }
}

#[tokio::test]
async fn contract_of_terminals() {
    for layers in [&[][..], &NAMESPACES] {
        let machine = without(layers);
        orrery_testkit::exec::terminals_suite((machine.unix.clone(), machine.workspace.clone())).await;
    }
}

#[tokio::test]
async fn what_is_required_and_missing_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let setup =
        Setup { program: program(), required: vec![Layer::Seccomp], without: vec![Layer::Seccomp], ..Setup::default() };
    let unix = Unix::new(setup);
    let refused = unix.run(Command::shell("true", directory.path()), limits(Duration::from_secs(5)), None).await;
    assert!(matches!(refused, Err(RunError::Sandbox(why)) if why == "seccomp (switched off)"));
    let layers = unix.layers().await;
    assert!(layers.has(Layer::Runner) && layers.has(Layer::NoNewPrivileges) && layers.has(Layer::ResourceLimits));
    let gone = Unix::new(Setup { program: Path::new("/no/such/program").into(), ..Setup::default() });
    let error = gone.run(Command::shell("true", directory.path()), limits(Duration::from_secs(5)), None).await;
    assert!(matches!(error, Err(RunError::Unavailable(_))));
}

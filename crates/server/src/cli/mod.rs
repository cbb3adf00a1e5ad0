//! The command line.

mod args;
pub(crate) mod backup;
mod doctor;
pub(crate) mod dump;
mod kept;
mod keys;
mod ledger;
mod master_keys;
mod nodes;
pub(crate) mod output;
mod users;
mod venues;
mod wallet;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use args::{Arguments, Command, ConfigCommand, NodeArguments, PollerArguments, WorkerCommand};
use clap::Parser;
use output::say;

use crate::config::{self, Loaded, Sources};
use crate::database::Database;
use crate::lifecycle::Ended;
use crate::system::SystemEntropy;
use crate::{node, poller, router, secret, serve};

/// How long a command that changed permissions waits, so that a running server, which looks at
/// least twice a second, has seen it when the command ends.
const NOTICE_TIME: Duration = Duration::from_millis(900);
/// Longest wait for background threads when the process ends.
const END_TIME: Duration = Duration::from_secs(2);

/// Runs the program.
pub fn main() -> ExitCode {
    // before there is a thread
    if std::env::args_os().nth(1).is_some_and(|argument| argument == orrery_exec_unix::RUNNER) {
        return orrery_exec_unix::child();
    }
    if let Some(code) = script_process() {
        return code;
    }
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the runtime cannot be started")),
    };
    let outcome = runtime.block_on(dispatch(arguments));
    runtime.shutdown_timeout(END_TIME);
    match outcome {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// Runs `orrery-poller`, which takes no arguments but the environment and `orrery.toml`.
pub fn poller_main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the runtime cannot be started")),
    };
    let outcome = runtime.block_on(async {
        let arguments = PollerArguments::parse();
        let mut sources = Sources::of_process();
        arguments.add_to(&mut sources)?;
        poller::run(config::load(&sources)?).await
    });
    runtime.shutdown_timeout(END_TIME);
    match outcome {
        Ok(Ended::Clean) => ExitCode::SUCCESS,
        Ok(Ended::Cut | Ended::Failed) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

/// Runs `orrery-node`, which takes no arguments but the environment and `orrery.toml`.
pub fn node_main() -> ExitCode {
    if let Some(code) = script_process() {
        return code;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the runtime cannot be started")),
    };
    let outcome = runtime.block_on(async {
        let arguments = NodeArguments::parse();
        let mut sources = Sources::of_process();
        arguments.add_to(&mut sources)?;
        node::run(config::load(&sources)?).await
    });
    runtime.shutdown_timeout(END_TIME);
    match outcome {
        Ok(Ended::Clean) => ExitCode::SUCCESS,
        Ok(Ended::Cut | Ended::Failed) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

/// This process is one script's, and its node talks to it: nothing else happens here.
fn script_process() -> Option<ExitCode> {
    let asked = std::env::args_os().nth(1).is_some_and(|argument| argument == orrery_script::CHILD);
    asked.then(|| orrery_script::child(Arc::new(SystemEntropy)))
}

fn fail(error: &anyhow::Error) -> ExitCode {
    output::complain(&format!("error: {error:#}"));
    ExitCode::FAILURE
}

async fn dispatch(arguments: Arguments) -> Result<ExitCode> {
    let command = arguments.command.unwrap_or(Command::Serve);
    // these need no configuration, and must work when it is broken
    match &command {
        Command::Openapi => {
            output::print(&format!("{}\n", serde_json::to_string_pretty(&router::openapi())?));
            return Ok(ExitCode::SUCCESS);
        }
        Command::Config(ConfigCommand::Reference) => {
            output::print(&config::docs::markdown());
            return Ok(ExitCode::SUCCESS);
        }
        Command::Wallet(command) => return wallet::run(command),
        Command::Venues(command) => return Ok(venues::run(command).await),
        Command::Worker(WorkerCommand::Run(run)) => return worker::run_file(run).await,
        _ => {}
    }
    let demo = matches!(command, Command::Demo);
    let mut sources = Sources { demo, ..Sources::of_process() };
    arguments.global.add_to(&mut sources)?;
    if matches!(command, Command::Doctor) {
        return doctor::run(&sources).await;
    }
    let loaded = config::load(&sources)?;
    let done = |result: Result<()>| result.map(|()| ExitCode::SUCCESS);
    match command {
        Command::Serve | Command::Demo => match serve::run(loaded, demo).await? {
            Ended::Clean => Ok(ExitCode::SUCCESS),
            Ended::Cut | Ended::Failed => Ok(ExitCode::FAILURE),
        },
        Command::Migrate => done(migrate(&loaded).await),
        Command::User(command) => done(users::run(&loaded.config, command).await),
        Command::ApiKey(command) => done(keys::run(&loaded.config, command).await),
        Command::Ledger(command) => ledger::run(&loaded.config, command).await,
        Command::Worker(WorkerCommand::Nodes { json }) => done(nodes::run(&loaded.config, json).await),
        Command::Keys(command) => done(master_keys::run(&loaded.config, command).await),
        Command::Backup { to } => done(backup::backup(&loaded.config, &to).await),
        Command::Restore(restore) => done(backup::restore(&loaded.config, &restore).await),
        Command::Config(ConfigCommand::Print) => {
            output::print(&config::print(&loaded));
            loaded.notes.iter().for_each(|note| output::complain(&format!("note: {note}")));
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi
        | Command::Doctor
        | Command::Wallet(_)
        | Command::Venues(_)
        | Command::Worker(WorkerCommand::Run(_))
        | Command::Config(ConfigCommand::Reference) => Ok(ExitCode::SUCCESS),
    }
}

async fn migrate(loaded: &Loaded) -> Result<()> {
    secret::prepare_data_dir(&loaded.config.server.data_dir)?;
    let database = Database::migrate(&loaded.config).await?;
    for state in database.migrations().await? {
        say(&format!("{:04} {} {}", state.version, state.name, if state.applied { "applied" } else { "missing" }));
    }
    database.close().await;
    Ok(())
}

//! Runs a command beside a private PostgreSQL and Redis, which its environment names, and ends them
//! after it: `with-servers cargo nextest run`. Told to end (SIGTERM, or Ctrl-C), it tells the command and goes on waiting
//! for it.

#![expect(clippy::disallowed_methods, reason = "one thread waits for the command")]

use std::process::{Child, Command, ExitCode, ExitStatus};

use orrery_testkit::servers::{POSTGRES, PostgresServer, REDIS, RedisServer};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("with-servers COMMAND [ARGUMENTS]");
        return ExitCode::from(2);
    };
    let (postgres, redis) = match (PostgresServer::start(), RedisServer::start()) {
        (Ok(postgres), Ok(redis)) => (postgres, redis),
        (Err(error), _) => return failed(&format!("PostgreSQL does not start: {error}")),
        (_, Err(error)) => return failed(&format!("Redis does not start: {error}")),
    };
    let child = Command::new(&program).args(arguments).env(POSTGRES, postgres.url()).env(REDIS, redis.url()).spawn();
    let ended = match child {
        Ok(child) => wait(child).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => failed(&format!("{}: {error}", program.display())),
    }
}

/// Waits for the command, and passes on what would end this process without its servers.
async fn wait(mut child: Child) -> std::io::Result<ExitStatus> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let mut ended = tokio::task::spawn_blocking(move || child.wait());
    loop {
        tokio::select! {
            ended = &mut ended => return ended.unwrap_or_else(|error| Err(std::io::Error::other(error))),
            _ = terminate.recv() => {
                // an error says that it is gone already
                let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
            }
            // the terminal told the command too
            _ = interrupt.recv() => {}
        }
    }
}

fn failed(text: &str) -> ExitCode {
    eprintln!("{text}; install them: apt-get install postgresql redis-server");
    ExitCode::FAILURE
}

//! Runs a command beside a private PostgreSQL and Redis, which its environment names, and ends them
//! after it: `with-servers cargo nextest run`.

use std::process::{Command, ExitCode};

use orrery_testkit::servers::{POSTGRES, PostgresServer, REDIS, RedisServer};

fn main() -> ExitCode {
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
    let status = Command::new(&program).args(arguments).env(POSTGRES, postgres.url()).env(REDIS, redis.url()).status();
    match status {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => failed(&format!("{}: {error}", program.display())),
    }
}

fn failed(text: &str) -> ExitCode {
    eprintln!("{text}; install them: apt-get install postgresql redis-server");
    ExitCode::FAILURE
}

//! Commands, run to their end.

use std::time::Duration;

use orrery_exec::{Command, Ending, Finished, Wanted, ansi};
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result, Secret, UserId};

use super::tell::Tell;
use super::{Exec, failed, leaving};
use crate::Ctx;

/// A command as it is asked for.
#[derive(Clone, Debug)]
pub struct Line {
    /// For `/bin/sh -c`.
    pub line: String,
    /// Longest time; else the configured one.
    pub timeout: Option<Duration>,
    /// For `sudo`.
    pub sudo_password: Option<Secret<String>>,
}

/// A run that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The command as it was asked for.
    pub command: String,
    /// Without escape sequences.
    pub stdout: String,
    /// Without escape sequences.
    pub stderr: String,
    /// Is some of either missing?
    pub truncated: bool,
    /// 128 and the number of the signal, when one ended it.
    pub return_code: i32,
    /// From its start to its end.
    pub took: Duration,
}

/// Cuts what identifies a command in the audit log: a digest and the beginning, for arguments may hold secrets.
fn target(kind: &str, command: &str) -> String {
    let digest = hex::encode(orrery_crypto::sha256(command.as_bytes()));
    let program: String = command.split_whitespace().next().unwrap_or_default().chars().take(64).collect();
    format!("{kind}:{} {program}", digest.get(..16).unwrap_or_default())
}

impl Exec {
    /// Runs a command in the caller's directory.
    ///
    /// # Errors
    /// `Invalid` for what is a slip, or asks for too much; `Forbidden`; `Timeout`; `RateLimited` when too many wait;
    /// `Unavailable`.
    pub async fn execute(&self, ctx: &Ctx, asked: Line) -> Result<Done> {
        let user = ctx.authorize(Action::Execute)?.user;
        let command = self.line(&asked.line, self.workspace(user).await?, asked.sudo_password.as_ref());
        let command = match command {
            Ok(command) => command,
            Err(error) => {
                self.auth.record_outcome(ctx, "execute", target("command", &asked.line), "refused").await;
                return Err(error);
            }
        };
        let sudo = asked.sudo_password.is_some_and(|p| !p.expose().is_empty());
        self.run(ctx, user, command, asked.line, asked.timeout, sudo).await
    }

    /// Runs a command that has been looked at.
    pub(super) async fn run(
        &self,
        ctx: &Ctx,
        user: UserId,
        command: Command,
        shown: String,
        timeout: Option<Duration>,
        sudo: bool,
    ) -> Result<Done> {
        let bounds = &self.parts.settings.bounds;
        let limits = bounds.limits(Wanted { wall: timeout, output: None }).ok_or_else(|| {
            let most = bounds.wall.max.as_secs();
            Error::invalid("timeout", format!("timeout must be more than 0 and at most {most} seconds"))
        })?;
        let gone = self.leavers.enter(user)?;
        let slot = tokio::select! {
            slot = self.slots.take(user) => slot?,
            () = gone.cancelled() => return Err(leaving::gone()),
        };
        let tell = Tell::start(self.events.clone(), user, self.id(), &shown);
        let run = tokio::select! {
            run = self.parts.runner.run(command, limits, Some(tell.clone())) => run,
            never = tell.keep_up() => match never {},
            // to drop the run is to end it
            () = gone.cancelled() => return Err(leaving::gone()),
        };
        drop(slot);
        let ended = |outcome| self.auth.record_outcome(ctx, "execute", target("command", &shown), outcome);
        let finished = match run {
            Ok(finished) => finished,
            Err(error) => {
                ended("not run").await;
                return Err(failed("command", error));
            }
        };
        let Ending::Exited(exit) = finished.ending else {
            tell.end(None);
            ended("timed out").await;
            let seconds = limits.wall.unwrap_or_default().as_secs_f64();
            return Err(Error::new(ErrorCode::Timeout, format!("Command timed out after {seconds} seconds")));
        };
        tell.end(Some(exit.code()));
        if sudo && is_refused(&finished, exit.code()) {
            ended("wrong password").await;
            let text = "sudo did not take the password";
            return Err(Error { field: Some("sudo_password"), ..Error::new(ErrorCode::Forbidden, text) });
        }
        ended("ok").await;
        Ok(Done {
            command: shown,
            truncated: finished.stdout.truncated || finished.stderr.truncated,
            stdout: ansi::strip(&finished.stdout.text),
            stderr: ansi::strip(&finished.stderr.text),
            return_code: exit.code(),
            took: finished.took,
        })
    }
}

/// Was it `sudo` that failed, and not what it ran?
fn is_refused(finished: &Finished, code: i32) -> bool {
    let says = ["incorrect password", "no password was provided", "a password is required", "try again"];
    code == 1 && finished.stdout.total == 0 && says.iter().any(|text| finished.stderr.text.contains(text))
}

//! Runs of programs that users keep here.

use std::path::PathBuf;
use std::time::Duration;

use orrery_exec::{Command, What, program};
use orrery_identity::Action;
use orrery_kernel::{Error, Result, Secret};

use super::{Done, Exec};
use crate::Ctx;

/// Where a program lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its own directory, absolute; it may write there.
    pub folder: PathBuf,
    /// The file that is run, below the folder.
    pub file: String,
    /// Who interprets the file; `None`: it runs itself.
    pub interpreter: Option<&'static str>,
}

/// What is asked of a program.
#[derive(Clone, Debug, Default)]
pub struct ProgramRun {
    /// Its arguments; no shell sees them.
    pub arguments: Vec<String>,
    /// Longest time; else the configured one.
    pub timeout: Option<Duration>,
    /// For `sudo`.
    pub sudo_password: Option<Secret<String>>,
}

impl Placed {
    /// The command: in the directory of the file, by the file's name alone.
    fn command(&self, arguments: &[String]) -> (PathBuf, What) {
        let (within, name) = self.file.rsplit_once('/').unwrap_or(("", &self.file));
        let directory = self.folder.join(within);
        let what = match self.interpreter {
            Some(interpreter) => {
                // a name that begins with a dash is no option
                let arguments = std::iter::once(format!("./{name}")).chain(arguments.iter().cloned()).collect();
                What::Program { program: interpreter.to_owned(), arguments }
            }
            None => What::Program { program: format!("./{name}"), arguments: arguments.to_vec() },
        };
        (directory, what)
    }
}

/// Arguments in one text, as the document has them.
///
/// # Errors
/// `Invalid`: an open quote, too many.
pub(super) fn split(arguments: &str) -> Result<Vec<String>> {
    program::split(arguments).map_err(|e| Error::invalid("arguments", format!("arguments: {e}")))
}

impl Exec {
    /// Splits arguments by the quoting rules of a shell, without a shell.
    ///
    /// # Errors
    /// `Invalid`: an open quote, too many.
    pub fn arguments(text: &str) -> Result<Vec<String>> {
        split(text)
    }

    /// A program's command, looked at.
    pub(super) fn program(&self, placed: &Placed, asked: &ProgramRun) -> Result<(Command, String)> {
        if asked.arguments.len() > program::ARGUMENTS_MAX {
            return Err(Error::invalid("arguments", format!("at most {} arguments", program::ARGUMENTS_MAX)));
        }
        let (directory, what) = placed.command(&asked.arguments);
        let command = Command {
            directory,
            profile: self.parts.settings.programs,
            net: self.parts.settings.net,
            ..Command::new(what, placed.folder.clone())
        };
        let shown = command.shown().replacen("./", "", 1);
        let command = self.with_password(command, asked.sudo_password.as_ref())?;
        command.check().map_err(|e| Error::invalid("arguments", e.to_string()))?;
        Ok((command, shown))
    }

    /// Runs a program of the caller's.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub async fn run_program(&self, ctx: &Ctx, placed: &Placed, asked: ProgramRun) -> Result<Done> {
        let user = ctx.authorize(Action::Execute)?.user;
        let (command, shown) = self.program(placed, &asked)?;
        let sudo = asked.sudo_password.is_some_and(|p| !p.expose().is_empty());
        self.run(ctx, user, command, shown, asked.timeout, sudo).await
    }

    /// Runs a line for the shell in the folder of a project of the caller's.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub async fn run_in_project(&self, ctx: &Ctx, folder: PathBuf, asked: super::Line) -> Result<Done> {
        let user = ctx.authorize(Action::Execute)?.user;
        let command = self.line(&asked.line, folder, asked.sudo_password.as_ref())?;
        let sudo = asked.sudo_password.is_some_and(|p| !p.expose().is_empty());
        self.run(ctx, user, command, asked.line, asked.timeout, sudo).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_run_where_they_lie() {
        let placed = Placed { folder: "/p".into(), file: "src/-x.py".into(), interpreter: Some("python3") };
        let (directory, what) = placed.command(&["; id".into()]);
        assert_eq!(directory, PathBuf::from("/p/src"));
        let What::Program { program, arguments } = what else { panic!("no shell") };
        assert_eq!((program.as_str(), arguments), ("python3", vec!["./-x.py".to_owned(), "; id".into()]));
        assert!(split("'a").is_err());
    }
}

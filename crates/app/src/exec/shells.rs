//! Shells that are told one line at a time.

use orrery_exec::{Answered, Command, Prompt, Size, TtyMode};
use orrery_identity::Action;
use orrery_kernel::{Error, ErrorCode, Result};

use super::Exec;
use super::terminals::{Entry, Opening, bash};
use crate::Ctx;

/// What a shell says to one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellAnswer {
    /// The line's output.
    pub output: String,
    /// Is some of it missing?
    pub truncated: bool,
    /// Its code.
    pub return_code: i32,
    /// Where the shell is.
    pub directory: String,
}

impl Exec {
    /// Opens a shell that is told one line at a time. Returns its id and where it is.
    ///
    /// # Errors
    /// As [`Self::start_session`].
    pub async fn open_shell(&self, ctx: &Ctx) -> Result<(String, String)> {
        let user = ctx.authorize(Action::Execute)?.user;
        let workspace = self.workspace(user).await?;
        let prompt = Prompt::new(self.id());
        let what = bash();
        let command = Command {
            env: prompt.env(),
            profile: self.parts.settings.commands,
            ..Command::new(what, workspace.clone())
        };
        let size = Size { rows: 30, columns: 120 };
        let opening = Opening { command, shown: "bash".to_owned(), size, mode: TtyMode::Quiet, prompt: Some(prompt) };
        let entry = self.open(ctx, user, opening).await?;
        let _turn = entry.turn.lock().await;
        // its first prompt
        match self.line_done(&entry).await {
            Some(answered) => Ok((entry.id.clone(), answered.directory)),
            None => Ok((entry.id.clone(), workspace.to_string_lossy().into_owned())),
        }
    }

    /// Has a shell do one line.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a slip, a session that is no such shell, one that has ended; `Timeout`.
    pub async fn shell_line(&self, ctx: &Ctx, id: &str, line: &str) -> Result<ShellAnswer> {
        let user = ctx.authorize(Action::Execute)?.user;
        let entry = self.sessions.of(user, id)?;
        let workspace = self.workspace(user).await?;
        self.line(line, workspace, None)?;
        let _turn = entry.turn.lock().await;
        match &mut entry.state().prompt {
            Some(prompt) => prompt.begin(),
            None => return Err(Error::invalid("session_id", "The session is not told line by line")),
        }
        entry.write(Prompt::typed(line).as_bytes()).await?;
        let answered = self.line_done(&entry).await;
        self.auth.record_outcome(ctx, "execute", entry.id.clone(), "ok").await;
        let ended = entry.state().session.exit();
        match (answered, ended) {
            (Some(answered), _) => Ok(ShellAnswer {
                output: answered.output.text,
                truncated: answered.output.truncated,
                return_code: answered.code,
                directory: answered.directory,
            }),
            (None, Some(exit)) => Ok(ShellAnswer {
                output: entry.state().prompt.as_mut().map(Prompt::so_far).unwrap_or_default(),
                truncated: false,
                return_code: exit.code(),
                directory: String::new(),
            }),
            (None, None) => {
                // an interrupt, as from the keyboard
                let _ = entry.write(b"\x03").await;
                let seconds = self.parts.settings.line.as_secs();
                Err(Error::new(ErrorCode::Timeout, format!("Command timed out after {seconds} seconds")))
            }
        }
    }

    /// Waits for a shell's mark; `None` when it ended or takes too long.
    async fn line_done(&self, entry: &Entry) -> Option<Answered> {
        let done = async {
            loop {
                let changed = entry.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                {
                    let mut state = entry.state();
                    if let Some(answered) = state.prompt.as_mut().and_then(Prompt::take) {
                        return Some(answered);
                    }
                    if state.session.exit().is_some() {
                        return None;
                    }
                }
                changed.await;
            }
        };
        tokio::time::timeout(self.parts.settings.line, done).await.ok().flatten()
    }
}

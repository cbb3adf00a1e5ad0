//! A command: what is run, where, with what, within which limits.

use std::path::PathBuf;
use std::time::Duration;

use orrery_kernel::Secret;
use serde::{Deserialize, Serialize};

/// Longest command line and longest argument list, in bytes; longer ones are refused.
pub const COMMAND_BYTES_MAX: usize = 32 * 1_024;

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A line for `/bin/sh -c`, given to it as one argument.
    Shell(String),
    /// A program found on the path (or by its own path), with its arguments; no shell sees them.
    Program {
        /// Name or path.
        program: String,
        /// Its arguments, without the name.
        arguments: Vec<String>,
    },
}

/// How much of the machine a run sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Programs of the system and the workspace. For what was uploaded.
    Strict,
    /// Reads everything that is not hidden, writes in the workspace and a `/tmp` of its own. For commands.
    #[default]
    Standard,
    /// No sandbox: the limits alone hold. For `sudo`, which needs rights that the sandbox takes.
    Off,
}

/// Whom a run may talk to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetPolicy {
    /// Nobody: no internet sockets at all.
    None,
    /// Itself, over a loopback of its own. Services of the machine, this one among them, are not there.
    #[default]
    Loopback,
    /// Whom the machine may talk to.
    All,
}

impl Profile {
    /// All, strictest first.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Standard, Self::Off];

    /// The name in configuration: `strict`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Standard => "standard",
            Self::Off => "off",
        }
    }

    /// The profile of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

impl NetPolicy {
    /// All, strictest first.
    pub const ALL: [Self; 3] = [Self::None, Self::Loopback, Self::All];

    /// The name in configuration: `loopback`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Loopback => "loopback",
            Self::All => "all",
        }
    }

    /// The policy of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

/// What a run reads on its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// Its end, at once.
    #[default]
    Closed,
    /// These bytes, then its end. A secret, for a password may be among them; at most 64 KiB, so that it
    /// fits the pipe and nobody waits for a run that does not read.
    Bytes(Secret<Vec<u8>>),
}

/// One run to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What.
    pub what: What,
    /// Absolute directory that it writes in, and its `HOME`.
    pub workspace: PathBuf,
    /// Directory that it starts in, within the workspace.
    pub directory: PathBuf,
    /// How much it sees.
    pub profile: Profile,
    /// Whom it talks to.
    pub net: NetPolicy,
    /// Variables beside those that every run has.
    pub env: Vec<(String, String)>,
    /// Standard input; a terminal's is the terminal.
    pub input: Input,
}

impl Command {
    /// A line for the shell, in `workspace`, as commands are run.
    pub fn shell(line: impl Into<String>, workspace: impl Into<PathBuf>) -> Self {
        Self::new(What::Shell(line.into()), workspace)
    }

    /// A program and its arguments, in `workspace`.
    pub fn program(program: impl Into<String>, arguments: &[&str], workspace: impl Into<PathBuf>) -> Self {
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        Self::new(What::Program { program: program.into(), arguments }, workspace)
    }

    /// `what`, in `workspace`.
    pub fn new(what: What, workspace: impl Into<PathBuf>) -> Self {
        let workspace = workspace.into();
        Self {
            what,
            directory: workspace.clone(),
            workspace,
            profile: Profile::default(),
            net: NetPolicy::default(),
            env: Vec::new(),
            input: Input::default(),
        }
    }

    /// The command as answers show it.
    pub fn shown(&self) -> String {
        match &self.what {
            What::Shell(line) => line.clone(),
            What::Program { program, arguments } => {
                shell_words::join(std::iter::once(program.as_str()).chain(arguments.iter().map(String::as_str)))
            }
        }
    }

    /// Is it within its bounds?
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), CommandError> {
        let (bytes, nul) = match &self.what {
            What::Shell(line) => (line.len(), line.contains('\0')),
            What::Program { program, arguments } => {
                let all = || std::iter::once(program).chain(arguments);
                (all().map(|a| a.len() + 1).sum(), all().any(|a| a.contains('\0')))
            }
        };
        if bytes > COMMAND_BYTES_MAX {
            return Err(CommandError::Long);
        }
        if nul || self.env.iter().any(|(n, v)| n.contains(['\0', '=']) || v.contains('\0')) {
            return Err(CommandError::Nul);
        }
        if let What::Program { program, .. } = &self.what
            && program.is_empty()
        {
            return Err(CommandError::Empty);
        }
        Ok(())
    }
}

/// What is wrong with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Longer than [`COMMAND_BYTES_MAX`].
    #[error("the command is longer than {COMMAND_BYTES_MAX} bytes")]
    Long,
    /// A zero byte in it.
    #[error("the command has a zero byte in it")]
    Nul,
    /// No program is named.
    #[error("no program is named")]
    Empty,
}

/// What one run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Time on the wall; then everything of the run is ended. A terminal has none.
    pub wall: Option<Duration>,
    /// Computing time of each process, whole seconds.
    pub cpu: Option<Duration>,
    /// Bytes kept of standard output, and as many of standard error.
    pub output: usize,
    /// Bytes of a file that it writes.
    pub file: u64,
    /// Open files of each process.
    pub files: u64,
    /// Processes at once. How it is held depends on the machine: see [`Layers`](crate::Layers).
    pub processes: u64,
    /// Address space of each process, bytes. Runtimes reserve far more than they use.
    pub memory: u64,
}

/// A limit: what is used unless asked, and the most that may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<T> {
    /// Unless asked.
    pub default: T,
    /// At most.
    pub max: T,
}

impl<T: Copy + PartialOrd> Bound<T> {
    /// What was asked for, if it may be.
    pub fn choose(&self, wanted: Option<T>) -> Option<T> {
        match wanted {
            Some(wanted) => (wanted <= self.max).then_some(wanted),
            None => Some(self.default),
        }
    }
}

/// The bounds of limits, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Time on the wall.
    pub wall: Bound<Duration>,
    /// Kept output of each stream.
    pub output: Bound<usize>,
    /// The rest, which callers don't choose.
    pub fixed: Limits,
}

/// What a caller asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Time on the wall.
    pub wall: Option<Duration>,
    /// Kept output.
    pub output: Option<usize>,
}

impl Bounds {
    /// The limits of a run. `None`: more is asked for than may be, or no time at all.
    pub fn limits(&self, wanted: Wanted) -> Option<Limits> {
        let wall = self.wall.choose(wanted.wall).filter(|wall| !wall.is_zero())?;
        Some(Limits { wall: Some(wall), output: self.output.choose(wanted.output)?, ..self.fixed })
    }

    /// The limits of a terminal: no time.
    pub fn terminal(&self) -> Limits {
        Limits { wall: None, cpu: None, ..self.fixed }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        let mib = 1_024 * 1_024;
        Self {
            wall: Bound { default: Duration::from_secs(30), max: Duration::from_secs(3_600) },
            output: Bound { default: mib, max: 16 * mib },
            fixed: Limits {
                wall: None,
                cpu: Some(Duration::from_secs(3_600)),
                output: mib,
                file: 1_024 * 1_024 * 1_024,
                files: 1_024,
                processes: 512,
                memory: 16 * 1_024 * 1_024 * 1_024,
            },
        }
    }
}

/// Rows and columns of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows, 1..=500.
    pub rows: u16,
    /// Columns, 1..=1000.
    pub columns: u16,
}

impl Size {
    /// What a size is when nobody says.
    pub const DEFAULT: Self = Self { rows: 24, columns: 80 };

    /// That size, if it is within the bounds.
    pub fn new(rows: u16, columns: u16) -> Option<Self> {
        ((1..=500).contains(&rows) && (1..=1_000).contains(&columns)).then_some(Self { rows, columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_chosen_within_bounds() {
        let bounds = Bounds::default();
        let limits = bounds.limits(Wanted::default()).unwrap();
        assert_eq!((limits.wall, limits.output), (Some(Duration::from_secs(30)), 1_024 * 1_024));
        let wanted = |seconds| Wanted { wall: Some(Duration::from_secs(seconds)), output: None };
        assert_eq!(bounds.limits(wanted(3_600)).unwrap().wall, Some(Duration::from_secs(3_600)));
        assert_eq!(bounds.limits(wanted(3_601)), None);
        assert_eq!(bounds.limits(wanted(0)), None);
    }

    #[test]
    fn commands_are_checked() {
        assert_eq!(Command::shell("a".repeat(COMMAND_BYTES_MAX), "/w").check(), Ok(()));
        assert_eq!(Command::shell("a".repeat(COMMAND_BYTES_MAX + 1), "/w").check(), Err(CommandError::Long));
        assert_eq!(Command::shell("a\0b", "/w").check(), Err(CommandError::Nul));
        assert_eq!(Command::program("", &["a"], "/w").check(), Err(CommandError::Empty));
        assert_eq!(Command::program("a b", &["c'd"], "/w").shown(), r#"'a b' 'c'\''d'"#);
    }

    #[test]
    fn a_password_is_not_printed() {
        let command = Command { input: Input::Bytes(Secret::new(b"hunter2".to_vec())), ..Command::shell("x", "/w") };
        assert!(!format!("{command:?}").contains("hunter2"));
        assert!(!format!("{command:?}").contains("104"));
    }
}

//! What a worker is told to be (document, "Worker Management API").

use crate::fleet::Schedule;
use crate::script::Isolation;

/// Largest script, bytes.
pub const SCRIPT_BYTES_MAX: usize = 1_048_576;
/// Runtime versions that are known.
pub const VERSIONS: [&str; 1] = ["1.19.2"];
/// What new workers depend on; every node has it.
const BUILT_IN: &str = "gliesereum";
const DEPENDENCIES_MAX: usize = 32;
const NOTE_CHARS_MAX: usize = 1_024;
const NAME_MAX: usize = 64;
const DEFAULT_SCRIPT: &str = "\nlogger.info(\"Worker script initialized!\")\n";

/// A field that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct SpecError {
    /// The field at fault, as the document names it.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

fn wrong(field: &'static str, problem: impl Into<String>) -> SpecError {
    SpecError { field, problem: problem.into() }
}

macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// As in the document.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The one of that name.
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

named! {
    /// On which nodes it runs.
    ExecutionMode {
        /// On every node.
        Parallel = "parallel",
        /// On one that was elected.
        Leader = "leader",
        /// On the one it names.
        Exclusive = "exclusive",
    }
}

named! {
    /// How patient the engine is with it.
    Priority {
        /// 50 errors, 1 ms.
        Critical = "critical",
        /// 20 errors, 10 ms.
        High = "high",
        /// 10 errors, 100 ms.
        Normal = "normal",
        /// 5 errors, 1 s.
        Low = "low",
    }
}

named! {
    /// Does it begin again when it ends?
    Mode {
        /// Again and again.
        Loop = "loop",
        /// Once.
        Single = "single",
    }
}

named! {
    /// Where the newer client shows it.
    Scope {
        /// Under the wallet's own.
        Local = "local",
        /// Under the network's.
        Network = "network",
    }
}

/// A worker's fields as a client sends them; `None` where it sent nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Runs?
    pub active: Option<bool>,
    /// Description.
    pub note: Option<String>,
    /// Source.
    pub script: Option<String>,
    /// Packages.
    pub dependencies: Option<Vec<String>>,
    /// Runtime version.
    pub version: Option<String>,
    /// Execution mode.
    pub execution_mode: Option<String>,
    /// Priority.
    pub priority: Option<String>,
    /// Mode.
    pub mode: Option<String>,
    /// Scope.
    pub scope: Option<String>,
    /// Exchange account.
    pub account_id: Option<String>,
    /// Node, for exclusive ones.
    pub assigned_node: Option<String>,
    /// Times to begin, as cron writes them.
    pub schedule: Option<String>,
    /// Trades on paper?
    pub dry_run: Option<bool>,
    /// Where it runs.
    pub isolation: Option<String>,
}

/// A worker's fields, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Runs?
    pub active: bool,
    /// Description.
    pub note: String,
    /// Source, JavaScript or TypeScript.
    pub script: String,
    /// Packages.
    pub dependencies: Vec<String>,
    /// Runtime version.
    pub version: String,
    /// Execution mode.
    pub execution_mode: ExecutionMode,
    /// Priority.
    pub priority: Priority,
    /// Mode.
    pub mode: Mode,
    /// Scope.
    pub scope: Scope,
    /// Exchange account it trades with: its `nid`.
    pub account_id: Option<String>,
    /// The node it runs on, for exclusive ones.
    pub assigned_node: Option<String>,
    /// Times at which it begins, of five or six fields in UTC; without them a loop begins again at once.
    pub schedule: Option<String>,
    /// Trades at the paper venue, whatever venue its script names.
    pub dry_run: bool,
    /// Where it runs.
    pub isolation: Isolation,
}

fn pick<T>(
    text: Option<&str>,
    field: &'static str,
    parse: fn(&str) -> Option<T>,
    otherwise: T,
    names: &str,
) -> Result<T, SpecError> {
    match text {
        None => Ok(otherwise),
        Some(text) => parse(text).ok_or_else(|| wrong(field, format!("has to be {names}"))),
    }
}

fn name(text: Option<String>, field: &'static str) -> Result<Option<String>, SpecError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match text.filter(|text| !text.is_empty()) {
        Some(text) if text.len() > NAME_MAX || !text.chars().all(plain) => {
            Err(wrong(field, "has to be at most 64 letters, digits, - _ and ."))
        }
        text => Ok(text),
    }
}

/// Could a package be named so? Whether nodes have it, the runtime knows.
fn is_package(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '/');
    !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(plain)
}

impl Spec {
    /// Checks a new worker's fields; what is missing has the documented default.
    pub fn new(draft: Draft) -> Result<Self, SpecError> {
        let execution_mode = pick(
            draft.execution_mode.as_deref(),
            "executionMode",
            ExecutionMode::parse,
            ExecutionMode::Parallel,
            "parallel, leader or exclusive",
        )?;
        let priority = pick(
            draft.priority.as_deref(),
            "priority",
            Priority::parse,
            Priority::Normal,
            "critical, high, normal or low",
        )?;
        let mode = pick(draft.mode.as_deref(), "mode", Mode::parse, Mode::Loop, "loop or single")?;
        let scope = pick(draft.scope.as_deref(), "scope", Scope::parse, Scope::Local, "local or network")?;
        let script = draft.script.unwrap_or_else(|| DEFAULT_SCRIPT.to_owned());
        if script.trim().is_empty() || script.len() > SCRIPT_BYTES_MAX {
            return Err(wrong("scriptContent", "has to be a script of at most 1 MiB"));
        }
        let dependencies = draft.dependencies.unwrap_or_else(|| vec![BUILT_IN.to_owned()]);
        if dependencies.len() > DEPENDENCIES_MAX {
            return Err(wrong("dependencies", "has to be a list of at most 32 names"));
        }
        if !dependencies.iter().all(|name| is_package(name)) {
            return Err(wrong("dependencies", "has to be a list of names of packages, of at most 64 characters each"));
        }
        let version = draft.version.unwrap_or_else(|| VERSIONS[0].to_owned());
        if !VERSIONS.contains(&version.as_str()) {
            return Err(wrong("version", format!("has to be one of {}", VERSIONS.join(", "))));
        }
        let note = draft.note.unwrap_or_default();
        if note.chars().count() > NOTE_CHARS_MAX {
            return Err(wrong("note", "has to be at most 1024 characters"));
        }
        let account_id = name(draft.account_id, "accountId")?;
        let assigned_node = name(draft.assigned_node, "assignedNode")?;
        if execution_mode == ExecutionMode::Exclusive && assigned_node.is_none() {
            return Err(wrong("assignedNode", "is required for exclusive mode"));
        }
        let schedule = draft.schedule.filter(|text| !text.is_empty());
        if let Some(text) = &schedule {
            Schedule::parse(text).map_err(|problem| wrong("schedule", problem))?;
        }
        let isolation =
            pick(draft.isolation.as_deref(), "isolation", Isolation::parse, Isolation::default(), "shared or process")?;
        Ok(Self {
            active: draft.active.unwrap_or(false),
            note,
            script,
            dependencies,
            version,
            execution_mode,
            priority,
            mode,
            scope,
            account_id,
            assigned_node,
            schedule,
            dry_run: draft.dry_run.unwrap_or(false),
            isolation,
        })
    }

    /// Checks the fields of an update, which has to name all of the document's.
    pub fn complete(draft: Draft) -> Result<Self, SpecError> {
        let missing = |field| Err(wrong(field, "is missing: an update needs the complete raw object"));
        match &draft {
            Draft { active: None, .. } => missing("raw.active"),
            Draft { mode: None, .. } => missing("raw.mode"),
            Draft { execution_mode: None, .. } => missing("raw.executionMode"),
            Draft { priority: None, .. } => missing("raw.priority"),
            Draft { note: None, .. } => missing("raw.note"),
            Draft { script: None, .. } => missing("raw.script"),
            Draft { dependencies: None, .. } => missing("raw.dependencies"),
            Draft { version: None, .. } => missing("raw.version"),
            _ => Self::new(draft).map_err(|error| match error.field {
                "scriptContent" => SpecError { field: "raw.script", ..error },
                _ => error,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_documented_ones() {
        let spec = Spec::new(Draft::default()).unwrap();
        assert_eq!(
            (spec.active, spec.execution_mode, spec.priority, spec.mode, spec.scope),
            (false, ExecutionMode::Parallel, Priority::Normal, Mode::Loop, Scope::Local)
        );
        assert_eq!((spec.version.as_str(), spec.dependencies), ("1.19.2", vec!["gliesereum".to_owned()]));
        assert!(spec.script.contains("Worker script initialized!"));
    }

    #[test]
    fn every_bad_field_is_named() {
        let text = |s: &str| Some(s.to_owned());
        for (draft, field) in [
            (Draft { execution_mode: text("x"), ..Draft::default() }, "executionMode"),
            (Draft { execution_mode: text("exclusive"), ..Draft::default() }, "assignedNode"),
            (Draft { assigned_node: text("a/b"), ..Draft::default() }, "assignedNode"),
            (Draft { priority: text(""), ..Draft::default() }, "priority"),
            (Draft { mode: text("once"), ..Draft::default() }, "mode"),
            (Draft { scope: text("all"), ..Draft::default() }, "scope"),
            (Draft { version: text("2"), ..Draft::default() }, "version"),
            (Draft { script: text(" "), ..Draft::default() }, "scriptContent"),
            (Draft { dependencies: Some(vec!["a b".into()]), ..Draft::default() }, "dependencies"),
            (Draft { dependencies: Some(vec!["x".into(); 33]), ..Draft::default() }, "dependencies"),
            (Draft { note: Some("x".repeat(1_025)), ..Draft::default() }, "note"),
            (Draft { schedule: text("every day"), ..Draft::default() }, "schedule"),
            (Draft { isolation: text("vm"), ..Draft::default() }, "isolation"),
        ] {
            assert_eq!(Spec::new(draft).unwrap_err().field, field);
        }
        assert_eq!(Spec::complete(Draft::default()).unwrap_err().field, "raw.active");
    }
}

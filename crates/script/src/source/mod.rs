//! From a script as it was saved to what the engine takes: types are blanked, imports are taken out, places stay.

mod blank;
mod depth;
mod edits;
mod enums;
mod imports;

use std::collections::HashSet;
use std::thread;

use orrery_workers::script::ScriptFault;
use oxc_allocator::Allocator;
use oxc_ast_visit::Visit as _;
use oxc_parser::{ParseOptions, Parser};
use oxc_span::SourceType;

use blank::Blanker;
pub(crate) use edits::literal;
use edits::place;

/// What the engine's stack traces call the script.
pub(crate) const FILE: &str = "script";
/// The number of the first line of [`Prepared::code`], so that the script's own first line is 1. The engine takes 0
/// for nothing said.
pub(crate) const FIRST_LINE: i32 = -1;
/// Stack of the thread that parses: for every script, for each of its bytes (chains like `a.b.c` are deep trees), and
/// for each level of nesting. It is address space; memory is only what the script's nesting uses.
const STACK: (usize, usize, usize) = (8 << 20, 1_024, 8 << 10);

/// A script made ready for the engine.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// An expression that is an async function. Its first two lines are ours: the script begins on the third.
    pub code: String,
    /// The modules it imports by name.
    pub imports: Vec<String>,
    /// Names that it uses; `None` if it may reach globals that it does not name.
    pub names: Option<HashSet<String>>,
}

fn fault(source: &str, at: u32, message: impl Into<String>) -> ScriptFault {
    ScriptFault { message: message.into(), place: Some(place(source, at)) }
}

/// Makes a script ready.
///
/// Errors: what does not parse, or is TypeScript that is more than types (namespaces, decorators, `import =`).
pub(crate) fn prepare(source: &str) -> Result<Prepared, ScriptFault> {
    if let Some(at) = source.find('\0') {
        return Err(fault(source, u32::try_from(at).unwrap_or(u32::MAX), "a script has no NUL characters"));
    }
    let depth = depth::depth(source);
    if depth > depth::DEPTH_MAX {
        return Err(ScriptFault { message: "the script is nested too deeply".into(), place: None });
    }
    let stack = STACK.0 + source.len() * STACK.1 + depth * STACK.2;
    thread::scope(|scope| {
        let parser = thread::Builder::new().name("script-parser".into()).stack_size(stack);
        let parsing = parser.spawn_scoped(scope, || parse(source));
        let failed = |message: &str| Err(ScriptFault { message: message.into(), place: None });
        match parsing.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(parsed)) => parsed,
            Ok(Err(_)) => failed("the script could not be parsed"),
            Err(_) => failed("the script could not be parsed: the node is out of memory"),
        }
    })
}

fn parse(source: &str) -> Result<Prepared, ScriptFault> {
    let as_typescript = read(source, SourceType::ts());
    match as_typescript {
        Err(fault) => {
            // `a < b > (c)` and the like are valid in JavaScript alone
            read(source, SourceType::mjs()).map_err(|_| fault)
        }
        done => done,
    }
}

fn read(source: &str, kind: SourceType) -> Result<Prepared, ScriptFault> {
    let allocator = Allocator::default();
    let options = ParseOptions { allow_return_outside_function: true, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, source, kind).with_options(options).parse();
    if let Some(error) = parsed.diagnostics.errors().next() {
        let at = error.labels.first().map_or(0, oxc_span::LabeledSpan::offset);
        return Err(fault(source, at, error.message.clone()));
    }
    let mut blanker = Blanker::new(source);
    blanker.visit_program(&parsed.program);
    let blanked = blanker.finish()?;
    let mut head = String::from("(async () => {");
    for import in &blanked.imports {
        head.push_str(import);
    }
    let mut imports = blanked.modules;
    imports.sort_unstable();
    imports.dedup();
    // the line break at the end is for a script that ends in a comment
    Ok(Prepared { code: format!("{head}\n\n{}\n}})", blanked.edits.apply(source)), imports, names: blanked.names })
}

#[cfg(test)]
mod tests;

//! The runtime's own scripts, compiled once a process. A context loads the first; the others when they are asked for.

use std::collections::HashMap;
use std::sync::OnceLock;

use rquickjs::{CatchResultExt as _, Context, Runtime};

use super::code::Code;
use crate::natives::link;

/// Their names begin with this where the engine tells one: users do not see them.
pub(super) const PREFIX: &str = "stels:";
/// Where the engine says that code without names and places is.
pub(super) const BARE: &str = "(<null>";

macro_rules! parts {
    ($($name:literal,)*) => {
        const PARTS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../js/", $name, ".js"))),)*];
    };
}

parts! {
    "core", "errors", "store", "cex", "ta", "wallet", "format", "events", "url", "text", "crypto", "web", "serve", "socket",
    "clone", "guard",
}

/// The module that scripts import as `gliesereum`.
pub(super) const GLIESEREUM: &str = include_str!("../js/gliesereum.js");

/// The code of a part.
pub(crate) fn code(name: &str) -> Option<&'static Code> {
    static COMPILED: OnceLock<HashMap<&'static str, Code>> = OnceLock::new();
    COMPILED
        .get_or_init(|| {
            compile().unwrap_or_else(|error| {
                tracing::error!(%error, "the runtime's own scripts cannot be compiled");
                HashMap::new()
            })
        })
        .get(name)
}

fn compile() -> Result<HashMap<&'static str, Code>, String> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let context = Context::full(&runtime).map_err(|error| error.to_string())?;
    context.with(|ctx| {
        let mut compiled = HashMap::new();
        for (name, source) in PARTS {
            let code = Code::compile(&ctx, &link(source), &format!("{PREFIX}{name}"), 1, true);
            let code = code.catch(&ctx).map_err(|error| format!("{name}: {error}"))?;
            compiled.insert(*name, code);
        }
        Ok(compiled)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_compile() {
        assert_eq!(compile().unwrap().len(), PARTS.len());
    }
}

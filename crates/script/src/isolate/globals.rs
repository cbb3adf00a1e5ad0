//! Globals that are made when a script first reads them, and which of them a script can reach: the others are not
//! even announced to its engine, since seventy names cost what a small script does.

use std::collections::HashSet;
use std::sync::Arc;

use orrery_venues::ErrorClass;

/// Names by the part that makes them.
const LAZY: &[(&str, &[&str])] = &[
    ("format", &["console", "Deno"]),
    ("clone", &["structuredClone"]),
    ("crypto", &["crypto"]),
    ("url", &["URL", "URLSearchParams"]),
    ("text", &["TextEncoder", "TextDecoder", "atob", "btoa"]),
    ("web", &["fetch", "Headers", "Request", "Response"]),
    ("socket", &["WebSocket"]),
    (
        "events",
        &["Event", "EventTarget", "CustomEvent", "MessageEvent", "CloseEvent", "AbortController", "AbortSignal"],
    ),
];
/// The part that makes classes of errors.
const ERRORS: &str = "errors";

/// The globals that a script can reach.
#[derive(Clone, Debug)]
pub(crate) struct Globals(Arc<[(&'static str, &'static str)]>);

impl Globals {
    /// Those among the names that it uses; all, if it may reach others too.
    pub fn of(names: Option<&HashSet<String>>) -> Self {
        let lazy = LAZY.iter().flat_map(|(part, names)| names.iter().map(|name| (*part, *name)));
        let errors = ErrorClass::ALL.iter().map(|class| (ERRORS, class.name()));
        let reached = |(_, name): &(&str, &str)| names.is_none_or(|names| names.contains(*name));
        Self(lazy.chain(errors).filter(reached).collect())
    }

    /// Parts with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_what_it_names() {
        let names = HashSet::from(["fetch".to_owned(), "InsufficientFunds".to_owned(), "mine".to_owned()]);
        let globals: Vec<_> = Globals::of(Some(&names)).iter().collect();
        assert_eq!(globals, [("web", "fetch"), ("errors", "InsufficientFunds")]);
        assert!(Globals::of(None).iter().count() > 60);
    }
}

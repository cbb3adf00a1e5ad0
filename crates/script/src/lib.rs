//! Runs scripts: JavaScript and TypeScript, each in a small engine of its own (QuickJS-ng) with its own limits.
//!
//! [`Engine`] is the [`ScriptRuntime`](orrery_workers::script::ScriptRuntime). A script is the body of an async
//! function; types are blanked, so that lines and columns of errors are those of the source. What it reaches outside
//! of itself are calls of its [`Host`](orrery_workers::script::Host).
//!
//! Invariants: a script that computes too long, needs too much or does not react harms neither the server's threads
//! nor other scripts; after a run is ended from outside, no instruction of its script has an effect any more.

mod control;
mod drive;
mod engine;
mod folder;
mod isolate;
mod natives;
mod pool;
mod process;
mod source;
pub mod ta;
#[cfg(test)]
mod testing;

pub use engine::{Engine, NoModules};
pub use folder::{Folder, FolderError};
pub use process::{CHILD, Launcher, child};

//! Scripts in processes of their own: the same program, started again with a hidden argument, which speaks over its
//! standard input and output.

mod child;
mod parent;
mod wire;

pub use child::child;
pub use parent::Launcher;

/// The argument that makes the program a script's process. Whoever assembles a program that runs scripts in processes
/// looks for it before anything else, and calls [`child`].
pub const CHILD: &str = "__script";

//! Bytes of files, folders of programs, and directories of commands, on a file system.
//!
//! - What arrives is written to a place that nobody is shown, flushed, and moved into place: it is there whole or not
//!   at all, whenever the power goes.
//! - Every name below the root is made here, or was judged by `orrery_storage`; paths are walked part by part and no
//!   link is followed.
//! - Calls that may wait for the disk run on at most [`AT_ONCE`] threads.

mod beneath;
mod blobs;
mod disk;
mod folders;
mod remove;
mod unpack;
mod workspaces;

pub use blobs::FsBlobs;
pub use disk::AT_ONCE;
pub use folders::FsFolders;
pub use workspaces::FsWorkspaces;

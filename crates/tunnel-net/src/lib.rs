//! Makes tunnels: localtunnel by its own protocol, ngrok and cloudflared by the programs that their makers give out.
//!
//! Such a program is run by the process that runs commands, so that it ends with this server however that ends. It is
//! the operator's own program, found on the operator's path: the sandbox of users' commands is not around it.

mod localtunnel;
mod tool;

pub use localtunnel::{Localtunnel, OpenError};
pub use tool::{Tool, ToolSetup};

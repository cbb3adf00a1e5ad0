//! Scripts run whole, against a host that a test controls.

mod errors;
mod exchanges;
mod globals;
mod host;
mod limits;
mod modules;
mod patterns;
mod process;
mod stopping;
mod storage;
mod surface;

//! What every HTTP surface shares: error shapes, extractors, request facts, middleware.

pub mod browser;
mod error;
mod extract;
pub mod layers;
mod meta;
pub mod multipart;
pub mod websocket;

pub use browser::{Known, Own};
pub use error::{ErrorShape, Fail, Refused};
pub use extract::{Anonymous, Auth, JSON_BYTES_MAX, Json, Query, Segment, bearer, parse_json, read_body};
pub use meta::RequestMeta;

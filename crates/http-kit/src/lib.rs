//! What every HTTP surface shares: error shapes, extractors, request facts, middleware.

mod error;
mod extract;
pub mod layers;
mod meta;
pub mod websocket;

pub use error::{ErrorShape, Fail};
pub use extract::{Anonymous, Auth, JSON_BYTES_MAX, Json, Query, Segment, bearer, parse_json, read_body};
pub use meta::RequestMeta;

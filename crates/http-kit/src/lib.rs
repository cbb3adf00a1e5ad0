//! What every HTTP surface shares: error shapes, extractors, request facts, middleware.

mod error;
mod extract;
mod meta;

pub use error::{ErrorShape, Fail};
pub use extract::{Auth, Json, Query};
pub use meta::RequestMeta;

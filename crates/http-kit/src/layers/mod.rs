//! What happens around every route, from the outside in: [`Edge`] (request id, bounds, host,
//! drain, panics, log, figures), [`Cors`], [`note_route`].

mod address;
mod body;
mod cors;
mod edge;
mod headers;
mod host;
mod recent;
mod trace;

pub use address::{Network, NetworkError, client_address};
pub use body::IdleBody;
pub(crate) use cors::same_host;
pub use cors::{Cors, Origins, cors};
pub use edge::{Edge, Elsewhere, Options};
pub use host::{HostPolicy, LiveNames};
pub use recent::{Recent, Seen};
pub use trace::{Facts, note_route};

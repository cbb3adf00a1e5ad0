//! What scripts may reach of the network: who decides it ([`Policy`]), and the port that carries it ([`Egress`]).

mod address;
mod policy;
mod port;

pub use address::Reach;
pub use policy::{BadHost, Policy, Refusal, Scheme};
pub use port::{
    Egress, EgressError, EgressSocket, FETCH_BYTES_MAX, FetchRequest, FetchResponse, HEADERS_MAX, MESSAGE_BYTES_MAX,
    Message, Redirect,
};

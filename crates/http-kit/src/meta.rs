//! Facts about a request that the outermost layer learns once.

use std::net::IpAddr;
use std::sync::Arc;

use orrery_app::Ctx;
use orrery_identity::Caller;
use orrery_kernel::Timestamp;

/// Put into the request's extensions by the server before any route sees it.
#[derive(Clone, Debug)]
pub struct RequestMeta {
    /// Sent back as `X-Request-ID`.
    pub request_id: Arc<str>,
    /// Client address; taken from a proxy's header only when the proxy is configured.
    pub address: IpAddr,
    /// Client program, cut to 200 characters.
    pub agent: Arc<str>,
    /// When the request came in.
    pub now: Timestamp,
    /// From this machine itself: no proxy and no tunnel in between, and by a name that only this machine answers to.
    pub local: bool,
    /// Did it come over TLS that this server speaks itself?
    pub tls: bool,
}

impl RequestMeta {
    /// The circumstances for a use case.
    pub fn ctx(&self, caller: Option<Caller>) -> Ctx {
        Ctx {
            caller,
            address: self.address,
            agent: self.agent.to_string(),
            request_id: self.request_id.to_string(),
            now: self.now,
        }
    }
}

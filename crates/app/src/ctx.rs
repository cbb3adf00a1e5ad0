//! Who calls, from where, when.

use std::net::IpAddr;

use orrery_identity::{Action, Caller};
use orrery_kernel::{Error, ErrorCode, Result, Timestamp};

/// The circumstances of one call. Passed first to every use case.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// Who, if they proved it.
    pub caller: Option<Caller>,
    /// Client address (behind configured proxies: the client's, not the proxy's).
    pub address: IpAddr,
    /// Client program, cut to 200 characters.
    pub agent: String,
    /// Id that the answer carries as `X-Request-ID`.
    pub request_id: String,
    /// When the call came in.
    pub now: Timestamp,
}

impl Ctx {
    /// The caller, who may do `action`; or the error to answer.
    pub fn authorize(&self, action: Action) -> Result<&Caller> {
        let caller = self
            .caller
            .as_ref()
            .ok_or_else(|| Error::new(ErrorCode::UnauthenticatedMissing, "Access token required"))?;
        orrery_identity::authorize(caller, action).map_err(|_| Error::new(ErrorCode::Forbidden, "Access denied"))?;
        Ok(caller)
    }
}

//! How an exchange fails.

use std::time::Duration;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with a status, and with seconds in `Retry-After`.
    Status(u16, Option<u32>),
    /// It is done, and answered with a status of a server between.
    DoneThenStatus(u16),
    /// It waits so long before it is sent, as for its turn, and is done then. Of stand-ins without a network.
    Late(Duration),
    /// It is sent, and so long on its way before it is done.
    OnTheWire(Duration),
    /// The connection is cut before anything is done.
    Cut,
    /// It is done, and the connection is cut before the answer.
    DoneThenCut,
    /// It is done, and the answer comes so slowly that nobody waits for it.
    DoneThenSlow(Duration),
    /// 200 with a page for people.
    Html,
    /// 200 with numbers that nobody can hold.
    HugeNumbers,
    /// Refused, since the request's time is not the exchange's.
    ClockSkew,
}

impl Fault {
    /// Whether what was asked is done all the same.
    pub(super) const fn done(self) -> bool {
        matches!(self, Self::Late(_) | Self::DoneThenStatus(_) | Self::DoneThenCut | Self::DoneThenSlow(_))
    }
}

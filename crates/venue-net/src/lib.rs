//! The way to exchanges: requests within their rates, clocks that agree with theirs, and streams that come back.
//!
//! What is sent and what answers mean is decided in `orrery-venues`; this crate carries it.

mod account;
mod address;
mod clock;
mod exchanges;
mod feed;
mod followed;
mod http;
mod permitted;
mod socket;
mod throttle;

pub use address::{BadAddress, Bases};
pub use clock::VenueClock;
pub use exchanges::{NetExchanges, VenueOptions};
pub use feed::{Feed, FeedOptions};
pub use followed::FollowedPrices;
pub use http::{HttpOptions, HttpTransport, OpenError};
pub use socket::{Socket, SocketError};
pub use throttle::{Throttle, TooBusy};

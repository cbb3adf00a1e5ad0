//! Market data from CoinGecko and alternative.me, and a simulated market for trying things out.
//!
//! Every call has time-outs, a bound on the answer and bounded retries; a source that asks us to
//! wait is left alone.

mod alternative_me;
mod coingecko;
mod http;
mod simulated;

pub use alternative_me::AlternativeMe;
pub use coingecko::CoinGecko;
pub use http::{FeedClient, OpenError, Options, install_tls};
pub use simulated::Simulated;
